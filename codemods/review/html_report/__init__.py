"""The review page of a plan: one HTML file that asks the network for nothing. Reads its own template; writes nothing.

What stands in a plan comes from a stranger's repository, so it reaches the page in two ways only: through the template,
which escapes it, or as JSON that the script puts into text nodes. Characters that do not print are written as escapes
in both. The page's policy lets nothing run but the one script whose hash it names, and nothing load at all.

A group's diff is data until it is opened: a page of a thousand groups is as quick as one of ten.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from codemods.plan import Change, End, Group
from codemods.review.html_report.cards import STATES, Pages, state
from codemods.review.html_report.tables import Table, decisions, per_folder, per_rule
from codemods.review.visible import visible
from codemods.review.words import extent, word_of_reason
from codemods.saved_plan import SavedPlan

Composed = Callable[[Sequence[Group]], Sequence[Change]]


def report(plan: SavedPlan, composed: Composed, *, name: str = "", summaries: Mapping[str, str] | None = None) -> str:
    """The page as text, to be written as UTF-8.

    `composed` gives the changed files for some groups of the plan, made from the bytes that the plan holds, where
    others may be made already; it is asked for one group at a time, and what it raises comes out. A file of a group
    that it leaves out is named as one without a diff. `name` is what the page is called after; `summaries` say in a
    line what each rule does.
    """
    pages = Pages(plan)
    told = summaries or {}
    return (
        _environment()
        .get_template("page.html")
        .render(
            plan=plan,
            name=name,
            cards=[pages.card(group, composed([group])) for group in plan.groups],
            extent=extent,
            word_of_reason=word_of_reason,
            decisions=decisions(plan),
            states=[one for one in STATES if any(state(plan, group) == one for group in plan.groups)],
            tables=_tables(plan, told),
            counts=plan.ledger.counts(),
            places=len(plan.ledger.entries),
            ends=End,
            rules=_rules(plan),
            lists=[
                ("alone", "Left alone", plan.ledger.of(End.REFUSED)),
                ("held", "Held back", plan.ledger.of(End.HELD_BACK)),
                ("suppressed", "Suppressed", plan.ledger.of(End.SUPPRESSED)),
            ],
            failures=sorted(plan.failures),
            failed=len({failure.path for failure in plan.failures}),
            policy=_policy(),
            style=Markup(_text("page.css")),
            script=Markup(_text("page.js")),
        )
    )


def _tables(plan: SavedPlan, summaries: Mapping[str, str]) -> list[Table]:
    return [per_rule(plan.ledger, summaries), per_folder(plan.ledger)]


def _rules(plan: SavedPlan) -> list[str]:
    """Every rule that the page tells of, for the filter."""
    found = {finding.rule for group in plan.groups for finding in group.findings}
    return sorted(found | {entry.rule for entry in plan.ledger.entries if entry.end is not End.RIGHT})


def _text(name: str) -> str:
    """A file of this package, with `\\n` line ends, as the parser of a browser will read it."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )


def _finalized(value: object) -> object:
    """What an expression of the template gives to the page: text without a character that does not print."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _policy() -> str:
    def hashed(name: str) -> str:
        return base64.b64encode(hashlib.sha256(_text(name).encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{hashed('page.js')}'; style-src 'sha256-{hashed('page.css')}';"
        " base-uri 'none'; form-action 'none'"
    )
