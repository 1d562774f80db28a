"""One session is not used by several tasks at once.

What it changes
    `asyncio.gather(count_users(session), count_orders(session))`, the tasks of a `TaskGroup`, tasks that are created
    first and awaited later: where each coroutine is a function of the project that only reads through the session and
    gives plain values, each gets a session of its own. A function that is only used in that way opens it itself; one
    that others call, too, gets a wrapper beside it, `count_users_own_session()`.

Why
    A session is one connection and one transaction: it does one thing at a time. Two reads at once work as long as the
    connection is there already; with a cold pool, or with `pool_pre_ping`, the second one raises, and two flushes or
    commits damage the transaction of each other.

Before
    users, orders = await asyncio.gather(count_users(session), count_orders(session))

After
    users, orders = await asyncio.gather(count_users(), count_orders())

Leaves alone
    Coroutines that open their own sessions, tasks that are awaited before the next one starts, a session that only one
    of them has. Reported: coroutines that write, lock, or give entities; statements of the session itself; methods of
    an object that holds it; nested functions that capture it; functions that are not in view; a session in which
    something is not committed yet; threads.

Safety
    Always `review`: each coroutine reads in a transaction of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from codemods.flow.tasks.carried import Site
from codemods.flow.tasks.sharing import WORDS, Sharing, sharings
from codemods.plan import Edit, Examined, Fact, Finding, Level, Request
from codemods.project.openers import replaced_by
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Refusal
from codemods.rules.own_session.calls import arguments_changed, block_dissolved, call_text, parameter_dropped
from codemods.rules.own_session.forms import edits_of
from codemods.rules.shared_session.reading import Reader, readers_of

NAME = "shared-session"
_PAGE = __doc__ or ""
_WHAT = "one session in several tasks at once"
_ADVICE = "give each its own session, or await one after the other"


class SharedSession:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "one session is not used by several tasks at once"
    level_text = "review"
    words = WORDS
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding for every place at which several tasks get one session."""
        keys = view.keys(NAME)
        counts: dict[str, int] = {}
        for sharing in sharings(view.tasks.sites(view.source.path)):
            first = sharing.sites[0]
            text = f"{first.scope.place.qualname}\0{ast.unparse(first.scheduling.call)}"
            counts[text] = counts.get(text, 0) + 1
            where = view.site(first.scheduling.call, first.scope)
            key = keys.key(where, first.scheduling.call, counts[text])
            found = readers_of(sharing, view)
            if isinstance(found, Refusal):
                reason = f"{_WHAT}: {found.reason} (pool_pre_ping makes it fail); {_ADVICE}"
                undecided = not all(site.scheduling.proved for site in sharing.sites)
                yield Finding(key, NAME, where, Level.MANUAL, reason, reason=reason, undecided=undecided)
                continue
            yield _changed(sharing, found, view, key)


def _changed(sharing: Sharing, readers: list[Reader], view: ModuleView, key: str) -> Finding:
    first = sharing.sites[0]
    where = view.site(first.scheduling.call, first.scope)
    edits: list[Edit] = []
    requests: list[Request] = []
    needs: list[tuple[str, str, int]] = []
    facts: list[Fact] = []
    many = (
        "several connections" if any(site.scheduling.many for site in sharing.sites) else f"{len(readers)} connections"
    )
    reasons = [
        "each reads in its own transaction: see that what they give need not be of one moment",
        f"it takes {many} at once, beside the one that its own session may hold: where the pool is small, await one"
        " after the other instead",
    ]
    for reader in readers:
        made = arguments_changed(reader.accepted, reader.task, view)
        if isinstance(made, Refusal):
            reason = f"{_WHAT}: {made.reason} (pool_pre_ping makes it fail); {_ADVICE}"
            return Finding(key, NAME, where, Level.MANUAL, reason, reason=reason)
        at_home, imports = edits_of(reader.task)
        edits += [*made[0], *at_home]
        requests += [*made[1], *imports]
        needs += [place for place in reader.needs if place != (NAME, where.path, where.line)]
        facts.append(
            Fact(reader.task.view.source.path, reader.task.node.lineno, call_text(reader.accepted, reader.task))
        )
        reasons += reader.task.reasons
        target = reader.accepted.site.scheduling.target
        name = getattr(target, "id", getattr(target, "attr", ""))
        if target is not None:
            patched = replaced_by(first.scope.meaning(target), first.path, name, view.project)
            reasons += [f"tests replace `{name}` ({patched[0].path}:{patched[0].line})"] if patched else []
    gone, imports_gone = _spared(sharing.sites, readers, view)
    texts = ", ".join(dict.fromkeys(call_text(one.accepted, one.task) for one in readers))
    return Finding(
        key=key,
        rule=NAME,
        site=where,
        level=Level.REVIEW,
        message=f"{_WHAT} -> {texts}",
        reason="; ".join(dict.fromkeys(reasons)),
        facts=tuple(dict.fromkeys(facts)),
        edits=tuple(dict.fromkeys([*edits, *gone])),
        requests=tuple(dict.fromkeys([*requests, *imports_gone])),
        requires_at=tuple(dict.fromkeys(needs)),
    )


def _spared(sites: tuple[Site, ...], readers: list[Reader], view: ModuleView) -> tuple[list[Edit], list[Request]]:
    """The parameter, or the block, that only gave the coroutines their session goes, too."""
    sessions = [given.argument.value for one in readers for given in one.accepted.carried.values()]
    names = {node.id for node in sessions if isinstance(node, ast.Name)}
    if len(names) != 1:
        return [], []
    (name,) = names
    scope = sites[0].scope
    others = [use for use in scope.uses(name) if use.node not in sessions and isinstance(use.node.ctx, ast.Load)]  # type: ignore[attr-defined]
    if others:
        return [], []
    if name in scope.parameters:
        return parameter_dropped(scope, name, view)
    return block_dissolved(sites[0], name, view)
