"""Findings of the rule: what was read where, what is done about it, or why nothing is. Decides nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from codemods.flow.loader_options import Missing
from codemods.flow.objects.readers import Reading
from codemods.flow.scope import Scope
from codemods.plan import Edit, Fact, Finding, Level, Request, Right
from codemods.rules.base import Keys, ModuleView

_SHOWN = 6  # that many readings are told one by one


class Verdicts:
    """Speaks for the rule in one function."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys, rule: str) -> None:
        self._view = view
        self._scope = scope
        self._keys = keys
        self._rule = rule
        self._counts: dict[str, int] = {}

    def _key(self, node: ast.expr) -> str:
        text = ast.unparse(node)
        self._counts[text] = self._counts.get(text, 0) + 1
        return self._keys.key(self._view.site(node, self._scope), node, self._counts[text])

    def right(self, node: ast.expr) -> Right:
        return Right(self._rule, self._view.site(node, self._scope), "what is read of it later is loaded")

    def made(
        self,
        node: ast.expr,
        readings: list[Reading],
        edits: tuple[Edit, ...],
        what: str,
        requests: tuple[Request, ...] = (),
        requires: tuple[str, ...] = (),
    ) -> Finding:
        """A load that gets what it lacks."""
        site = self._view.site(node, self._scope)
        reason = f"{readings[0].path}:{readings[0].line} gets what is loaded here, as far as the code in view says"
        return Finding(
            key=self._key(node),
            rule=self._rule,
            site=site,
            level=Level.REVIEW,
            message=f"{told(readings)}, loaded in {site.place} -> {what}",
            reason=reason,
            facts=_facts(readings),
            edits=edits,
            requests=requests,
            requires=requires,
        )

    def manual(
        self,
        node: ast.expr,
        readings: list[Reading],
        why: str,
        advice: str = "load it by hand",
        *,
        undecided: bool = False,
    ) -> Finding:
        """A load that is left alone. `undecided`: what is read may be loaded, for all that can be seen."""
        site = self._view.site(node, self._scope)
        reason = f"{told(readings)}, loaded in {site.place}: {why}"
        return Finding(
            self._key(node),
            self._rule,
            site,
            Level.MANUAL,
            reason,
            reason=reason,
            advice=advice,
            facts=_facts(readings),
            undecided=undecided,
        )


def _facts(readings: Iterable[Reading]) -> tuple[Fact, ...]:
    """The first of the readings, one for each place; the message says how many more there are."""
    every = dict.fromkeys(Fact(one.path, one.line, _does(one)) for one in readings)
    return tuple(every)[:_SHOWN]


def of(readings: list[Reading], wanting: list[Missing]) -> list[Reading]:
    """The readings for the sake of which something is missing, those of the last step first."""
    paths = [one.path for one in wanting]
    readings = [one for one in readings if one.by_hand != one.names] or readings
    exact = [one for one in readings if one.names in paths]
    front = [one for one in readings if one not in exact and any(path[: len(one.names)] == one.names for path in paths)]
    return [*exact, *front] or readings


def told(readings: list[Reading]) -> str:
    """`app/routes.py:41 reads `user.roles``, and how many more do."""
    first = readings[0]
    more = len({(one.path, one.line, one.text) for one in readings}) - 1
    others = f" (and {more} more {'read' if more == 1 else 'reads'})" if more else ""
    return f"{first.path}:{first.line} {_does(first)}{others}"


def _does(one: Reading) -> str:
    return f"hands it to `{one.text[:-5]}`" if one.text.endswith("(...)") else f"reads `{one.text}`"
