"""The makers of async sessions: `expire_on_commit=False`, where nothing is set (semantics H3, rules 15 and 31)."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence

from codemods.flow.rereading import Reread, Unfollowed, rereads, unfollowed
from codemods.flow.scope import Scope
from codemods.flow.session_makers import OPTION, SessionMaker, Setting, count_of_makers, session_makers
from codemods.plan import AddArgument, Examined, Fact, Finding, Level, Right, Site
from codemods.rules.base import Keys, ModuleView
from codemods.rules.engine_pool.look import NAME, Look

ASPECT = "makers"
_TEXT = f"{OPTION}=False"
_MOST = 5  # places that are named in a reason
_MOST_MISSED = 3
_CONFIRM = "an object that is read again after a commit in the same session stays as it was, whatever others wrote"


def examine_makers(view: ModuleView, scope: Scope, keys: Keys) -> Iterable[Examined]:
    """A finding or a `Right` for every call of the scope that makes a maker of async sessions."""
    if not view.settings.engine_pool.makers:
        return
    look = Look(view, keys)
    counts: Counter[str] = Counter()
    for maker in session_makers(scope, look.tree, look.reader):
        where = view.site(maker.call, scope)
        text = ast.unparse(maker.call)
        counts[text] += 1
        if look.is_test:
            yield Right(NAME, where, "a maker of tests", ASPECT)
        elif maker.setting is Setting.FALSE or maker.setting is Setting.OTHER:
            yield Right(NAME, where, " ".join(part for part in (f"{OPTION} is set", maker.why) if part), ASPECT)
        else:
            yield _finding(look, maker, where, keys.key(where, maker.call, counts[text]))


def _finding(look: Look, maker: SessionMaker, where: Site, key: str) -> Finding:
    if maker.setting is Setting.TRUE:
        by = f" {maker.why}" if maker.why else ""
        reason = f"{OPTION}=True is set{by}: objects expire at every commit; nothing that is set is changed"
        advice = f"set {_TEXT} when nothing relies on objects being read anew after a commit"
        return Finding(key, NAME, where, Level.MANUAL, reason, reason=reason, advice=advice, aspect=ASPECT)
    if maker.setting is Setting.UNTOLD:
        reason = f"it cannot be told whether {_TEXT} is set: {maker.why}"
        advice = f"write {_TEXT} into this call, where it is not set yet"
        return Finding(
            key, NAME, where, Level.MANUAL, reason, reason=reason, advice=advice, aspect=ASPECT, undecided=True
        )
    certain, untold = _rereads(look, maker)
    missed = _unfollowed(look, maker)
    seen = f"see {_listed(certain)}" if certain else "" if missed else "no such read is in view"
    if missed:
        seen += f"{'; ' if seen else ''}what {_named(missed)} does with a session is not followed"
    if untold:
        seen += f"; it may also be {_listed(untold)}, where the maker of the session is not in view"
    return Finding(
        key=key,
        rule=NAME,
        site=where,
        level=Level.REVIEW,
        message=f"objects expire at every commit -> {_TEXT}",
        reason=f"{_CONFIRM}: {seen}",
        facts=tuple(
            Fact(one.path, one.line, f"`{one.text}` after the commit of line {one.commit}")
            for one in (certain or untold)[:_MOST]
        ),
        edits=(AddArgument(where.path, look.view.span(maker.call), _TEXT, look.view.settings.line_length),),
        aspect=ASPECT,
    )


def _listed(places: Sequence[Reread]) -> str:
    more = f" and {len(places) - _MOST} more" if len(places) > _MOST else ""
    return ", ".join(f"{one.path}:{one.line}" for one in places[:_MOST]) + more


def _named(missed: Sequence[Unfollowed]) -> str:
    named = [f"`{one.text}` ({one.path}:{one.line})" for one in missed[:_MOST_MISSED]]
    more = f" and {len(missed) - _MOST_MISSED} more" if len(missed) > _MOST_MISSED else ""
    return f"{', '.join(named[:-1])} or {named[-1]}{more}" if named[:-1] and not more else ", ".join(named) + more


def _unfollowed(look: Look, maker: SessionMaker) -> list[Unfollowed]:
    """What is given sessions that may be of this maker, and cannot be followed; each once."""
    found = unfollowed(look.view.project, look.tree)
    origins = {"", maker.origin}
    return list({one.place: one for one in found if not maker.origin or one.origin in origins}.values())


def _rereads(look: Look, maker: SessionMaker) -> tuple[list[Reread], list[Reread]]:
    """The reads after a commit in sessions of this maker; and those in sessions that cannot be told.

    Where the project has no other maker all are of this one.
    """
    found = rereads(look.view.project, look.tree)
    if not found or count_of_makers(look.view.project, look.tree, look.reader) <= 1:
        return [one for one in found if not one.origin or ":" in one.origin], []
    certain = [one for one in found if maker.origin and one.origin == maker.origin]
    return certain, [one for one in found if not one.origin]
