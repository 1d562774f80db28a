"""Groups that go into one commit, or one patch, and the message that they go with. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from codemods.batch_unit import By as By
from codemods.plan import Change, Finding, Group, Site
from codemods.review.visible import visible
from codemods.review.words import counted, word_of_reason

SUBJECT = 72  # characters
_WIDTH = 76  # of the body, as far as words allow

# What the files that any group of a run touches hold with some of the groups made, each time all of these files; None:
# not there.
Contents = Callable[[Sequence[Group]], Mapping[str, bytes | None]]
# By the id of a group, the ids of those that it cannot be made without, and of those that they need in turn.
Needs = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Batch:
    """`subject`: one line of at most 72 characters; `body`: of each group what, where, why, its id. Both escaped."""

    groups: tuple[Group, ...]
    subject: str
    body: str


def batches(groups: Sequence[Group], by: By, needs: Needs | None = None) -> tuple[Batch, ...]:
    """The groups in batches: these, and the groups in each, in the order given; but each after what it needs.

    What needs each other in turn stands in several batches, as far as it can; else in one.
    """
    return tuple(Batch(tuple(some), _subject(some, by), _body(some)) for some in _in_turn(groups, by, needs or {}))


def _in_turn(groups: Sequence[Group], by: By, needs: Needs) -> Iterator[list[Group]]:
    ids = {group.id for group in groups}
    waiting = {group.id: ids.intersection(needs.get(group.id, ())) for group in groups}  # for these others
    left = list(groups)
    while left:
        some = _next(left, by, waiting)
        yield some
        done = {group.id for group in some}
        left = [group for group in left if group.id not in done]
        waiting = {group.id: waiting[group.id] - done for group in left}


def _next(left: Sequence[Group], by: By, waiting: Mapping[str, set[str]]) -> list[Group]:
    """The first batch of which all can go; else of the first one, of which something can go, that much."""
    sorted_out: dict[str, list[Group]] = {}
    for group in left:
        sorted_out.setdefault(_key(group, by), []).append(group)
    parts = []
    for some in sorted_out.values():
        part = _free(some, waiting)
        if len(part) == len(some):
            return part
        parts += [part] if part else []
    if parts:
        return parts[0]
    least = min(left, key=lambda group: len(waiting[group.id]))  # and what it needs, which needs it
    return [group for group in left if group.id in waiting[least.id] | {least.id}]


def _free(some: Sequence[Group], waiting: Mapping[str, set[str]]) -> list[Group]:
    """Those that wait for others of their own batch alone, which do the same."""
    free = list(some)
    while True:
        ids = {group.id for group in free}
        now = [group for group in free if waiting[group.id] <= ids]
        if len(now) == len(free):
            return now
        free = now


def changed(
    before: Mapping[str, bytes | None], after: Mapping[str, bytes | None], groups: Iterable[Group]
) -> tuple[Change, ...]:
    """The files of `after` that are not as `before`, with those of the groups that edit each."""
    some = list(groups)
    return tuple(
        Change(path, before[path], new, tuple(group for group in some if path in group.paths))
        for path, new in sorted(after.items())
        if new is not None and new != before[path]
    )


def steps(made: Iterable[Batch], contents: Contents) -> Iterator[tuple[Batch, tuple[Change, ...]]]:
    """What each batch changes where those before it are made. Raises what `contents` raises."""
    chosen: list[Group] = []
    before = contents(chosen)
    for batch in made:
        chosen += batch.groups
        after = contents(chosen)
        yield batch, changed(before, after, batch.groups)
        before = after


def _key(group: Group, by: By) -> str:
    match by:
        case By.rule:
            return group.findings[0].rule
        case By.dir:
            return _folder(group)
        case By.group:
            return group.id


def _folder(group: Group) -> str:
    return PurePosixPath(group.findings[0].site.path).parent.as_posix()


def _subject(groups: Sequence[Group], by: By) -> str:
    first = groups[0].findings[0]
    if len(groups) == 1:
        return _short(first.rule, first.site.path, _function(first.site))
    count = f"{len(groups)} groups"
    if by is By.dir:
        rules = list(dict.fromkeys(group.findings[0].rule for group in groups))
        if len(rules) > 1:
            return _short("session-codemods", _folder(groups[0]), f"- {count} of {len(rules)} rules")
        return _short(rules[0], _folder(groups[0]), f"- {count}")
    files = len({path for group in groups for path in group.paths})
    return _short(first.rule, "", f"{count} in {counted(files, 'file')}")


def _short(rule: str, path: str, rest: str) -> str:
    """`rule: path rest`, the path without its first folders, or the end cut off, when it would be too long."""
    rule, path, rest = visible(rule), visible(path), visible(rest)
    parts = path.split("/")
    for start in range(len(parts)):
        shown = path if not start else "/".join(["...", *parts[start:]])
        text = f"{rule}: " + " ".join(filter(None, (shown, rest)))
        if len(text) <= SUBJECT:
            return text
    return f"{text[: SUBJECT - 3].rstrip()}..."


def _function(site: Site) -> str:
    """`Service.get()`: the function without its module; "" at module level."""
    parts = PurePosixPath(site.path).with_suffix("").parts
    parts = parts[:-1] if parts and parts[-1] == "__init__" else parts
    for start in range(len(parts)):
        module = ".".join(parts[start:])
        if site.function == module:
            return ""
        if site.function.startswith(f"{module}."):
            return f"{site.function.removeprefix(f'{module}.')}()"
    return f"{site.function}()" if site.function else ""


def _body(groups: Iterable[Group]) -> str:
    return "\n".join("".join(f"{line}\n" for line in _told(group)) for group in groups)


def _told(group: Group) -> Iterator[str]:
    """No line begins with what tools take for the beginning of a patch, a mail header or a comment."""
    for finding in group.findings:
        yield from _finding(finding)
    yield f"  group: {visible(group.id)}"


def _finding(finding: Finding) -> Iterator[str]:
    place, message = visible(finding.site.place), visible(finding.message)
    yield from _wrapped("* ", f"{place}: {message} [{finding.rule}, {finding.level.label}]")
    if finding.reason:
        yield from _wrapped("  ", f"{word_of_reason(finding)}: {visible(finding.reason)}")


def _wrapped(mark: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=mark,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
