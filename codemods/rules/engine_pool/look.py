"""What the rule sees of one file, and how it speaks of an engine. Shared by its parts; decides nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from codemods.flow.call_options import Reader
from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope
from codemods.plan import Edit, Fact, Finding, Level, Right
from codemods.project.mapped_classes import all_mapped
from codemods.project.named_in_tests import is_test
from codemods.rules.base import Keys, ModuleView

NAME = "engine-pool"
ASPECT = "engines"


class Look:
    """One file."""

    def __init__(self, view: ModuleView, keys: Keys) -> None:
        self.view = view
        self.reader = Reader(self.module_scope, self._mentioning)
        self._keys = keys
        self._ordinals: dict[tuple[str, str], int] = {}
        self._counted: dict[ast.expr, int] = {}

    @cached_property
    def is_test(self) -> bool:
        path = self.view.source.path
        return is_test_path(path) or is_test(path, self.view.tree)

    def tree(self, path: str) -> ast.Module | None:
        there = self.view.beside(path)
        return there.tree if there is not None else None

    def module_scope(self, path: str) -> Scope | None:
        """The module of a file of the project; None when it is not in view."""
        there = self.view.beside(path)
        return there.scopes[0] if there is not None else None

    def mentioning(self, word: str) -> Iterator[ModuleView]:
        """The files of the project in whose text a word stands."""
        all_mapped(self.view.project)  # reads every file: one that changes a dict need not hold any word that matters
        for path in self.view.project.symbols.paths():
            there = self.view.beside(path)
            if there is not None and word in there.source.text:
                yield there

    def _mentioning(self, word: str) -> Iterator[Scope]:
        for there in self.mentioning(word):
            yield there.scopes[0]

    def shown(self, node: ast.expr, most: int = 60) -> str:
        """An expression of this file as people read it in a sentence: as it is written, at most so much of it."""
        text = " ".join(self.view.source_text(node).split())
        return text if len(text) <= most else f"{text[: most - 3]}..."

    def count(self, node: ast.expr, scope: Scope) -> None:
        """Every place is counted, right ones too: what is told of one must not depend on what became of others."""
        text = (scope.place.qualname, ast.unparse(node))
        self._counted[node] = self._ordinals[text] = self._ordinals.get(text, 0) + 1

    def right(self, node: ast.expr, scope: Scope, why: str) -> Right:
        return Right(NAME, self.view.site(node, scope), why, ASPECT)

    def left_alone(
        self,
        node: ast.expr,
        scope: Scope,
        reason: str,
        advice: str,
        *,
        facts: tuple[Fact, ...] = (),
        undecided: bool = False,
    ) -> Finding:
        """A place that is reported."""
        site = self.view.site(node, scope)
        key = self._keys.key(site, node, self._counted.get(node, 1))
        return Finding(
            key,
            NAME,
            site,
            Level.MANUAL,
            reason,
            reason=reason,
            advice=advice,
            facts=facts,
            aspect=ASPECT,
            undecided=undecided,
        )

    def finding(
        self,
        node: ast.expr,
        scope: Scope,
        message: str,
        reason: str,
        edits: tuple[Edit, ...],
        *,
        facts: tuple[Fact, ...] = (),
        requires: tuple[str, ...] = (),
        requires_at: tuple[tuple[str, str, int], ...] = (),
        unless: str = "",
    ) -> Finding:
        """A place that is changed."""
        site = self.view.site(node, scope)
        return Finding(
            key=self._keys.key(site, node, self._counted.get(node, 1)),
            rule=NAME,
            site=site,
            level=Level.REVIEW,
            message=message,
            reason=reason,
            facts=facts,
            edits=edits,
            requires=requires,
            requires_at=requires_at,
            unless=unless,
            aspect=ASPECT,
        )
