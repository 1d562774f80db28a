"""Adds imports that edits need and drops those that nothing uses any more. Pure: text of a file in, text out.

Works on the text AFTER the statement edits. Those never drop or move an import past another, so the n-th import of the
original is the n-th import of the edited text, but for those that they bring into functions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import takewhile

from codemods import syntax
from codemods.plan import DropIfUnused, NeedsImport, Request, Source
from codemods.transformers.errors import ComposeError
from codemods.transformers.imported_names import ImportText, is_sorted
from codemods.transformers.name_use import bound_name, innermost_function, is_used
from codemods.transformers.outline import last_line, suites_of
from codemods.transformers.physical_lines import Comment, comments, split_lines

Import = ast.Import | ast.ImportFrom


@dataclass(slots=True, eq=False)
class _Site:
    """One import statement of the edited text, and what is to become of it."""

    node: Import
    suite: list[ast.stmt]
    original_line: int
    parsed: ImportText
    before: str  # what stands before it on its first line
    after: str  # what stands after it on its last line, line end included
    gone: bool = False
    added: list[NeedsImport] = field(default_factory=list)  # imports beside it on lines of their own

    def adds(self, module: str, name: str) -> bool:
        return any((one.module, one.name) == (module, name) for one in self.added)


def settle_imports(
    source: Source, original: ast.Module, text: str, requests: Sequence[Request], added: Set[int] = frozenset()
) -> str:
    """The text with the requests met. `added` are the places, among all imports of the text, of those that the edits
    brought along and that are not asked for here. Raises ComposeError where an import that is needed cannot be written.
    """
    if not requests:
        return text
    tree = syntax.parse(text)
    lines = split_lines(text)
    sites = _sites(original, tree, lines, added)
    by_line = {site.original_line: site for site in sites}
    needs = sorted({one for one in requests if isinstance(one, NeedsImport)}, key=lambda one: (one.beside, one.name))
    drops = sorted({one for one in requests if isinstance(one, DropIfUnused)}, key=lambda one: (one.line, one.name))
    for line in sorted({*(need.beside for need in needs), *(drop.line for drop in drops)}):
        if line not in by_line:
            raise ComposeError(f"no import statement starts on line {line}", line)
    all_comments = comments(text)
    unused = [drop for drop in drops if _may_go(source, tree, by_line[drop.line], drop.name, all_comments)]
    for need in needs:
        _add(need, by_line[need.beside], sites, tree, unused)
    for drop in unused:
        _drop(by_line[drop.line], drop.name)
    _write(source, sites, lines)
    return "".join(lines)


def _sites(original: ast.Module, tree: ast.Module, lines: list[str], added: Set[int]) -> list[_Site]:
    before = list(_imports(original.body))
    after = [site for index, site in enumerate(_imports(tree.body)) if index not in added]
    if [ast.dump(node) for node, _ in before] != [ast.dump(node) for node, _ in after]:
        raise ComposeError("the imports of the edited text are not those of the file")
    sites: list[_Site] = []
    for (old, _), (node, suite) in zip(before, after, strict=True):
        covered = lines[node.lineno - 1 : last_line(node)]
        first, last = covered[0].encode(), covered[-1].encode()
        tail = last[node.end_col_offset or 0 :].decode()
        head = first[: node.col_offset].decode()
        own = "".join(covered)[len(head) :]
        own = own[: len(own) - len(tail)]
        sites.append(_Site(node, suite, old.lineno, ImportText.of(own), head, tail))
    return sites


def _imports(suite: list[ast.stmt]) -> Iterator[tuple[Import, list[ast.stmt]]]:
    for statement in suite:
        if isinstance(statement, Import):
            yield statement, suite
        for inner in suites_of(statement):
            yield from _imports(inner)


# --- adding ---------------------------------------------------------------------------------------------------------


def _module_text(node: Import) -> str | None:
    return "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else None


def _add(need: NeedsImport, site: _Site, sites: list[_Site], tree: ast.Module, unused: list[DropIfUnused]) -> None:
    for other in sites:
        if other.suite is not site.suite and other.suite is not tree.body:
            continue
        kept = [name for name in other.parsed.names if name.bound == need.name]
        kept = [name for name in kept if DropIfUnused(need.path, other.original_line, name.bound) not in unused]
        if not kept and not other.adds(need.module, need.name):
            continue
        if _module_text(other.node) == need.module and all(name.name == need.name for name in kept):
            return
        if other.adds(need.module, need.name):
            return
        if other.suite is site.suite:
            raise ComposeError(f"line {other.original_line} gives `{need.name}` another meaning", need.beside)
    same_module = _module_text(site.node) == need.module and site.parsed.names[0].name != "*"
    if not same_module:
        if not _has_own_lines(site):
            raise ComposeError(f"the import on line {need.beside} shares its line with other code", need.beside)
        site.added.append(need)
        return
    leaving = [
        index
        for index, name in enumerate(site.parsed.names)
        if not name.alias and any(drop.line == need.beside and drop.name == name.name for drop in unused)
    ]
    if len(leaving) == 1 and not site.parsed.comment_of(leaving[0]):
        renamed = site.parsed.replaced(leaving[0], need.name)
        order = [name.name for name in site.parsed.names]
        if not is_sorted(order) or is_sorted([name.name for name in renamed.names]):
            site.parsed = renamed
            return
    site.parsed = site.parsed.inserted(need.name)


def _has_own_lines(site: _Site) -> bool:
    return not site.before.strip(" \t\f") and re.fullmatch(r"[ \t\f]*(#.*)?[\r\n]*", site.after) is not None


# --- dropping -------------------------------------------------------------------------------------------------------


def _may_go(source: Source, tree: ast.Module, site: _Site, name: str, all_comments: list[Comment]) -> bool:
    """Whether an imported name can be taken away: it is there, not re-exported on purpose, and nothing uses it."""
    index = site.parsed.find(name)
    if index is None:
        return False
    alias = site.node.names[index]
    if alias.asname == alias.name or re.search(r"#.*noqa:.*\bF401\b", site.after + site.parsed.comment_of(index)):
        return False
    scope = innermost_function(tree, site.node)
    if scope is tree and source.is_package:
        return False  # a package's imports are what others import from it
    if isinstance(site.node, ast.ImportFrom) and site.node.module == "__future__":
        return False
    return not is_used(bound_name(alias), scope, site.node, all_comments)


def _drop(site: _Site, name: str) -> None:
    index = site.parsed.find(name)
    if index is None:
        return  # another name has taken its place
    if len(site.parsed.names) == 1:
        # where other code shares the line the import stays: an import too many, never a line torn apart
        site.gone = _has_own_lines(site)
        return
    site.parsed = site.parsed.without(index) or site.parsed


# --- writing --------------------------------------------------------------------------------------------------------


def _write(source: Source, sites: list[_Site], lines: list[str]) -> None:
    """Put the statements back into the lines, from the last to the first so that line numbers stay right."""
    emptied = {
        id(site.suite)
        for site in sites
        if all(any(one.node is statement and one.gone and not one.added for one in sites) for statement in site.suite)
    }
    leaving = {
        line
        for site in sites
        if site.gone and not site.added
        for line in range(site.node.lineno - 1, last_line(site.node))
    }
    for site in reversed(sites):
        start, end = site.node.lineno - 1, last_line(site.node)
        follows = site.after[len(site.after.rstrip("\r\n")) :]
        newline = follows or source.newline
        made = "" if site.gone else site.before + site.parsed.text + site.after
        if site.added:
            if made and not follows and any(not need.above for need in site.added):
                made += newline
            line_above = next((line for line in range(start - 1, -1, -1) if line not in leaving), None)
            stands_close = bool(made) or (line_above is not None and bool(lines[line_above].strip()))
            made = _with_added(site, made, newline, follows, stands_close=stands_close)
            following = lines[end] if end < len(lines) else ""
            # what takes the place of an import that goes stands beside the next one
            ends = [need for need in site.added if not need.above] or (site.added if site.gone else [])
            if following.strip() and any(need.apart for need in ends):
                made += newline
        elif site.gone and id(site.suite) in emptied and site.node is site.suite[-1] and _needs_body(site):
            made = site.before + "pass" + follows
        lines[start:end] = [made, *[""] * (end - start - 1)]
        if not made and site.before and site.node is site.suite[0]:
            # the blank line that set the imports of a body apart would stand directly below its header
            for below in range(end, len(lines)):
                if lines[below].strip():
                    break
                lines[below] = ""
        elif not made and not site.before:
            _close_gap(lines, start, end)


def _close_gap(lines: list[str], start: int, end: int) -> None:
    """Takes the blank lines away that an import which went left beside others: above it, or at the top of the file."""
    above = [line for line in range(start) if lines[line]]
    below = [line for line in range(end, len(lines)) if lines[line]]
    blank_above = _blank(lines, reversed(above))
    blank_below = _blank(lines, below)
    at_top = len(blank_above) == len(above)
    gone = blank_below if at_top else min(blank_above, blank_below, key=len)
    for line in gone:
        lines[line] = ""


def _blank(lines: list[str], places: Iterable[int]) -> list[int]:
    """The places of the blank lines that come first."""
    return list(takewhile(lambda line: not lines[line].strip(), places))


def _with_added(site: _Site, made: str, newline: str, follows: str, *, stands_close: bool) -> str:
    """The text of an import, "" when it goes, with those that are added above and below it.

    `stands_close` says that those below would stand directly below the import or, when it goes, the line above it.
    """

    def lines(needs: list[NeedsImport]) -> list[str]:
        return [f"{site.before}from {need.module} import {need.name}" for need in needs]

    above = sorted((need for need in site.added if need.above), key=lambda need: need.module)
    below = [need for need in site.added if not need.above]
    # those that stand apart are farther away than those that do not
    top = [line + newline for line in lines([need for need in above if need.apart])]
    if top and len(top) < len(above) + len(below) + bool(made):
        top.append(newline)
        stands_close = stands_close and bool(made)
    near_above = [line + newline for line in lines([need for need in above if not need.apart])]
    top += near_above
    if not below:
        return "".join(top) + made
    near, apart = (lines([need for need in below if need.apart is far]) for far in (False, True))
    if apart and (stands_close or near_above or near):
        near.append("")
    return "".join(top) + made + newline.join([*near, *apart]) + follows


def _needs_body(site: _Site) -> bool:
    """A module may be empty; every other suite holds at least one statement."""
    return bool(site.before)
