"""One statement of a suite, while the suite is put together again. Pure; works on the nodes it is given."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst

from codemods.transformers.leading_lines import Lines, Statement

__all__ = ["Item", "Side", "Statement"]


class Side(enum.Enum):
    """Where an item stands, seen from the original statement of its line."""

    ABOVE = enum.auto()  # imports, above what is put before it and outside of a block that begins with it
    BEFORE = enum.auto()
    ITSELF = enum.auto()
    BEHIND = enum.auto()  # a function that goes with it, above the comments that end the suite
    AFTER = enum.auto()


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """What one original statement has become: one statement, those of a `try` or block that gave way to its body, or
    those that replace it.

    `lead` are the lines above it; `inner` are lines between those and the first statement, and `tail` lines below the
    last one, that it got on the way. Statements that are put beside the one of `line` are items of their own, whose
    `side` is not `ITSELF`.
    """

    line: int
    nodes: tuple[Statement, ...]
    lead: Lines
    inner: Lines = field(default_factory=list)
    tail: Lines = field(default_factory=list)
    side: Side = Side.ITSELF

    @classmethod
    def of(cls, line: int, node: Statement) -> Item:
        return cls(line, (node,), list(node.leading_lines))

    @property
    def node(self) -> Statement:
        """The first statement: the only one, unless others took its place."""
        return self.nodes[0]

    def placed(self, lead: Sequence[cst.EmptyLine]) -> list[Statement]:
        """The statements, with `lead` above them."""
        lines = [*lead, *self.inner]
        if list(self.node.leading_lines) == lines:
            return list(self.nodes)
        return [self.node.with_changes(leading_lines=lines), *self.nodes[1:]]
