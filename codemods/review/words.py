"""Words that all reports share: counts, ends of the ledger, what a reason is. Pure."""

from __future__ import annotations

from codemods.plan import End, Finding, Group, Level

ENDS = {
    End.CHANGED: "to change",
    End.RIGHT: "already right",
    End.REFUSED: "left alone",
    End.HELD_BACK: "held back",
    End.SUPPRESSED: "suppressed",
    End.KNOWN: "there before",
}
"""How many places came to which end, in the order in which that is told; the last one only where there are any."""


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def extent(group: Group) -> str:
    """How much a group changes: `4 edits in 2 files`, `1 edit` of one file."""
    files = len(group.paths)
    return counted(group.edit_count, "edit") + (f" in {files} files" if files > 1 else "")


def word_of_reason(finding: Finding) -> str:
    """What the reason of a finding is: something to confirm, or why."""
    return "confirm" if finding.level is Level.REVIEW else "because"
