"""A codemod that changes nothing, for libcst's own runner: what it costs to parse, visit and print every file."""

from __future__ import annotations

from libcst.codemod import VisitorBasedCodemodCommand


class NoopCommand(VisitorBasedCodemodCommand):
    """Visits every node and leaves it."""

    DESCRIPTION = "Change nothing."
