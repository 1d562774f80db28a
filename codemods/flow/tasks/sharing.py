"""Which calls of one function run at the same time with one session. Reads only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from codemods.flow.scheduling import Kind
from codemods.flow.tasks.carried import Site, What
from codemods.project.name_uses import Role

# a file in which a session is shared holds one of these
WORDS = (
    b"gather",
    b"create_task",
    b"TaskGroup",
    b"ensure_future",
    b"start_soon",
    b"submit",
    b"to_thread",
    b"Thread",
)


@dataclass(frozen=True, slots=True, eq=False)
class Sharing:
    """The calls that run at once; those in `sites` have the session, the `others` have none of it."""

    sites: tuple[Site, ...]
    meanwhile: int = 0  # line on which the function itself uses the session of its only task


def sharings(sites: Iterable[Site]) -> Iterator[Sharing]:
    """Every group of calls of a file that share a session, in source order."""
    gathered: dict[ast.Call, list[Site]] = {}
    tasks: dict[ast.AST, list[Site]] = {}
    threads: dict[ast.AST, list[Site]] = {}
    for site in sites:
        if not site.shared:
            continue
        if site.scheduling.kind is Kind.GATHER:
            gathered.setdefault(site.scheduling.call, []).append(site)
        elif site.scheduling.kind is Kind.TASK and site.scheduling.result_used:
            tasks.setdefault(site.scope.node, []).append(site)
        elif site.scheduling.kind is Kind.THREAD:
            threads.setdefault(site.scope.node, []).append(site)
    groups = [*gathered.values(), *(_at_once(group) for group in tasks.values()), *threads.values()]
    found = [Sharing(tuple(shared)) for group in groups if (shared := _sharing(group))]
    for group in tasks.values():
        if not _at_once(group):
            found += [Sharing((site,), line) for site in group if (line := _meanwhile(site))]
    yield from sorted(found, key=lambda one: (one.sites[0].line, one.sites[0].scheduling.call.col_offset))


def _sharing(group: list[Site]) -> list[Site]:
    """Those that have a session which another one has, too; a comprehension counts as many."""
    arms = [dict(_arms(site)) for site in group]
    found = []
    for site, own in zip(group, arms, strict=True):
        is_shared = any(
            other is not site and other.shared & site.shared and not _exclude_each_other(own, others)
            for other, others in zip(group, arms, strict=True)
        )
        if is_shared or site.scheduling.many:
            found.append(site)
    return found


def _exclude_each_other(one: Mapping[ast.AST, str], other: Mapping[ast.AST, str]) -> bool:
    """Whether the two stand in different arms of a condition: never do both run."""
    return any(one.get(branch, arm) != arm for branch, arm in other.items())


def _arms(site: Site) -> Iterator[tuple[ast.AST, str]]:
    """The conditions around what a site runs, each with the arm that it stands in."""
    current: ast.AST = site.scheduling.holder or site.scheduling.call
    for around in site.scope.parents.chain(current):
        if isinstance(around, ast.If):
            yield around, "body" if current in around.body else "orelse"
        elif isinstance(around, ast.IfExp):
            yield around, "body" if current is around.body else "orelse"
        current = around


def _at_once(group: list[Site]) -> list[Site]:
    """The tasks of a function that are not awaited before the next one starts."""
    running: list[Site] = []
    for place, site in enumerate(group):
        awaited = _awaited_at(site)
        following = group[place + 1] if place + 1 < len(group) else None
        before = running[-1] if running else None
        if awaited and following is not None and awaited < following.line and before is None:
            continue
        if awaited == site.line and following is None and before is None:
            continue
        running.append(site)
    return running if len(running) > 1 or any(one.scheduling.many for one in running) else []


def _meanwhile(site: Site) -> int:
    """The line on which the function uses the session between the start of the task and the wait for it; 0: none."""
    awaited = _awaited_at(site)
    for given in site.given:
        if given.what is What.SESSION and isinstance(given.argument.value, ast.Name):
            for use in site.scope.uses(given.argument.value.id):
                if use.role is Role.METHOD and site.line < use.line < awaited:
                    return use.line
    return 0


def _awaited_at(site: Site) -> int:
    """The line on which the task is awaited by its name, or right where it is made; 0: it is awaited in another way."""
    call, scope = site.scheduling.call, site.scope
    above = scope.parents.of(call)
    if isinstance(above, ast.Await):
        return site.line
    if isinstance(above, ast.Assign) and len(above.targets) == 1 and isinstance(above.targets[0], ast.Name):
        name = above.targets[0].id
        lines = [use.line for use in scope.uses(name) if use.role is Role.AWAITED and use.line > site.line]
        return min(lines, default=0)
    return 0
