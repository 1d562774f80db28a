"""Edits on one file's text: what rules decided becomes new bytes. Never decides; knows `plan` and libcst only."""
