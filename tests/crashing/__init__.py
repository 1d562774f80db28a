"""Breaks a process at each of its calls of the system in turn, and looks at what is left. Run as `crashing.trials`."""
