"""Putting changes on the disk. Knows only the values of `plan`; the only part of the tool that writes."""
