"""Why something cannot be added to a project. Touches nothing."""

from __future__ import annotations


class ScaffoldError(Exception):
    """What was asked for cannot be added. The text is one line that says why, and what to type instead."""
