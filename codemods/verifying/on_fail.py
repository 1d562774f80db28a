"""What to do when the command fails that an apply has to pass. Touches nothing."""

from __future__ import annotations

import enum


class OnFail(enum.StrEnum):
    """The values of `--on-fail`: take everything back, keep it, or keep all but what makes the command fail."""

    rollback = "rollback"
    keep = "keep"
    bisect = "bisect"
