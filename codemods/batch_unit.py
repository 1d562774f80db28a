"""What the groups of a batch have in common: apart from `batches`, so that the command line knows the words of its
options without the values of a plan. Touches nothing."""

from __future__ import annotations

import enum


class By(enum.StrEnum):
    """What the groups of a batch have in common. A group of several rules or folders goes with its first finding."""

    rule = "rule"
    group = "group"
    dir = "dir"
