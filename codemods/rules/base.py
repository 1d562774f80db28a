"""What a rule is, and what it is given to look at. A rule decides; it never edits and never opens another file."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from codemods.flow.objects.readers import Readers
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.opening import Openings
from codemods.flow.scope import Scope, scopes
from codemods.flow.tasks.index import Tasks
from codemods.plan import Examined, Site, Source, Span
from codemods.project.link import Project
from codemods.project.openers import Customs
from codemods.settings import Settings

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")  # what Python counts as lines, with their ends


class Rule(Protocol):
    """One house rule. `name` is what people type; `words` are what a file must hold for the rule to say anything."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str:
        """One line for tables."""
        ...

    @property
    def level_text(self) -> str:
        """Which levels its changes have, for tables."""
        ...

    @property
    def words(self) -> tuple[bytes, ...]:
        """Bytes of which a file must hold at least one, unless it names something that gives a session."""
        ...

    @property
    def page(self) -> str:
        """What `explain` prints: what it changes, why, before, after, what it leaves alone, safety."""
        ...

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """Everything the rule has to say about one file."""
        ...


@dataclass(frozen=True, eq=False)
class ModuleView:
    """One file, parsed, in its project."""

    source: Source
    tree: ast.Module
    project: Project
    settings: Settings
    customs: Customs
    running: frozenset[str]  # the names of the rules that look at this file
    summaries: FunctionSummaries
    readers: Readers
    tasks: Tasks
    beside: Callable[[str], ModuleView | None]  # another file of the project, by its path
    decided: list[Examined] = field(default_factory=list)  # what the rules before said of this file

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        return tuple(scopes(self.tree, self.source.path, self.project))

    @cached_property
    def _lines(self) -> list[str]:
        return self.source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def keys(self, rule: str) -> Keys:
        """Ids for the findings of the rule in this file, which no other file has."""
        # `app.db` of two applications in one tree: among hundreds of places four digits are the same by chance
        return Keys(rule, digits=12 if self.project.symbols.shares_its_name(self.source.path) else 4)

    def site(self, node: ast.stmt | ast.expr, scope: Scope) -> Site:
        """The place of a node as people are told of it."""
        dotted = ".".join(part for part in (self.source.module, scope.place.qualname) if part)
        end_line = node.end_lineno or node.lineno
        return Site(
            self.source.path,
            node.lineno,
            self._column(node.lineno, node.col_offset) + 1,
            end_line,
            self._column(end_line, node.end_col_offset or 0) + 1,
            dotted or self.source.path,
        )

    def span(self, node: ast.expr) -> Span:
        """Where an expression stands, in code points."""
        end_line = node.end_lineno or node.lineno
        end = self._column(end_line, node.end_col_offset or 0)
        return Span(node.lineno, self._column(node.lineno, node.col_offset), end_line, end)

    def openings(self, scope: Scope) -> Openings:
        """How things are opened and imported in a scope of this file."""
        return Openings(scope, self.tree, self.source, self.customs.openers, self.settings.scope)

    def source_text(self, node: ast.expr) -> str:
        """The source text of an expression, over all its lines, with the newlines of the file."""
        span = self.span(node)
        lines = _LINE.findall(self.source.text)
        if span.line == span.end_line:
            return self.text(node)
        first, last = lines[span.line - 1][span.column :], lines[span.end_line - 1][: span.end_column]
        return "".join([first, *lines[span.line : span.end_line - 1], last])

    def text(self, node: ast.expr) -> str:
        """The source text of an expression that stands on one line."""
        span = self.span(node)
        return self._lines[span.line - 1][span.column : span.end_column]

    def _column(self, line: int, utf8_offset: int) -> int:
        """`ast` counts bytes of UTF-8; people and libcst count code points."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return len(text.encode("utf-8", "surrogatepass")[:utf8_offset].decode("utf-8", "ignore"))


class Keys:
    """Ids for the findings of one rule in one file: rule, dotted name, hash of the anchor's text, ordinal.

    The ordinal is the rule's own count of like places in the function, right ones included: it stays the same when
    another of them is changed, so that a recorded decision never jumps to another place (`design.md` 3).
    """

    def __init__(self, rule: str, *, digits: int = 4) -> None:
        """`digits` of the hash: four tell apart what stands in one function, more what stands in many files."""
        self._rule = rule
        self._digits = digits
        self._seen: dict[str, int] = {}

    def key(self, site: Site, anchor: ast.AST, ordinal: int = 1) -> str:
        # the path too: two files of a project can go by one dotted name, or by none
        text = f"{site.path}\0{ast.unparse(anchor)}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: self._digits]
        key = f"{self._rule}:{site.function}:{digest}" + (f".{ordinal}" if ordinal > 1 else "")
        self._seen[key] = again = self._seen.get(key, 0) + 1
        return key if again == 1 else f"{key}-{again}"
