"""From edits to text: finds the smallest runs of statements that hold them, edits each run by itself, splices it back.

Pure. No character outside the runs changes, because nothing outside them is written again.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from codemods.plan import AddFunction, DissolveBlock, DissolveTry, Edit, InsertAfter, RemoveStatement, Source
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_edits import ExpressionEdits
from codemods.transformers.fit import check_fit, places_of, start_line
from codemods.transformers.outline import Outline, Place, Suite, first_line, last_line
from codemods.transformers.physical_lines import PhysicalLines
from codemods.transformers.suite_edits import SuiteEdits


@dataclass(frozen=True, slots=True)
class _Run:
    """Sibling statements `first` to `last` (indexes) of a suite, and the edits that lie in them."""

    suite: Suite
    first: int
    last: int
    edits: tuple[Edit, ...] = field(default=())


def edit_statements(source: Source, tree: ast.Module, edits: Sequence[Edit]) -> str:
    """The text of `source` with the edits made. Raises ComposeError naming the one that could not be."""
    if not edits:
        return source.text
    outline = Outline.of(tree, PhysicalLines.of(source.text))
    check_fit(outline, tree, edits)
    edited = _spliced(source, outline, _merged([_with_neighbour(_run_of(outline, tree, edit)) for edit in edits]))
    if edited is None:
        edited = _edited_file(source, edits)
    return edited if source.text.endswith(("\n", "\r")) else edited.removesuffix("\n").removesuffix("\r")


def _spliced(source: Source, outline: Outline, runs: list[_Run]) -> str | None:
    """The text with every run edited by itself. A run that libcst does not read back as it stands grows to the
    statement around it; None when there is none around it."""
    lines = list(outline.lines.lines)
    for run in sorted(runs, key=lambda run: first_line(run.suite.statements[run.first]), reverse=True):
        made = _edited_slice(source, outline, run)
        if made is None:
            owner = run.suite.owner
            if owner is None:
                return None
            others = [other for other in runs if other is not run]
            return _spliced(source, outline, _merged([*others, _Run(owner.suite, owner.index, owner.index, run.edits)]))
        start, end, text = made
        lines[start - 1 : end] = [text]
    return "".join(lines)


# --- runs -----------------------------------------------------------------------------------------------------------


def _run_of(outline: Outline, tree: ast.Module, edit: Edit) -> _Run:
    """The statements that one edit touches; raises ComposeError where its lines name no siblings in order."""
    places = places_of(outline, tree, edit)
    return _Run(places[0].suite, places[0].index, places[-1].index, (edit,))


def _merged(found: Sequence[_Run]) -> list[_Run]:
    """Disjoint runs that hold all edits of the given ones, inner ones taken into those around them."""
    outer_first = sorted(found, key=lambda run: (run.suite.depth, run.first))
    runs: list[_Run] = []
    for run in outer_first:
        holder = next((index for index, known in enumerate(runs) if _holds(known, run)), None)
        if holder is not None:
            runs[holder] = replace(runs[holder], edits=(*runs[holder].edits, *run.edits))
            continue
        touching = next((index for index, known in enumerate(runs) if _touch(known, run)), None)
        if touching is not None:
            known = runs[touching]
            runs[touching] = _Run(
                run.suite, min(known.first, run.first), max(known.last, run.last), (*known.edits, *run.edits)
            )
            continue
        runs.append(run)
    return runs


def _holds(outer: _Run, inner: _Run) -> bool:
    place: Place | None = Place(inner.suite, inner.first)
    while place is not None:
        if place.suite is outer.suite and place.suite is not inner.suite:
            return outer.first <= place.index <= outer.last
        place = place.suite.owner
    return False


def _touch(one: _Run, other: _Run) -> bool:
    """Whether two runs of a suite overlap or are neighbours."""
    return one.suite is other.suite and one.first <= other.last + 1 and other.first <= one.last + 1


def _with_neighbour(run: _Run) -> _Run:
    """A statement that goes brings a neighbour along, the next one if there is one: the lines around it join there, and
    a slice is never left empty unless its suite is. A function that is added brings the one that it comes before."""
    if not isinstance(run.edits[0], RemoveStatement | DissolveTry | DissolveBlock | AddFunction):
        return run
    if run.last + 1 < len(run.suite.statements):
        return replace(run, last=run.last + 1)
    if isinstance(run.edits[0], AddFunction):
        return run
    return replace(run, first=max(run.first - 1, 0))


# --- one run --------------------------------------------------------------------------------------------------------


def _edited_slice(source: Source, outline: Outline, run: _Run) -> tuple[int, int, str] | None:
    """The run edited by itself, or None when libcst does not read it back as it stands."""
    lines = outline.lines
    start, end = _extent(outline, run)
    indent = lines.indent(run.suite.statements[run.first].lineno)
    slice_text = "".join(lines[line] for line in range(start, end + 1))
    newline = _newline(slice_text, source.newline)
    if not slice_text.endswith(("\n", "\r")):
        slice_text += newline
    header = ("if 1:" if indent else "pass") + newline
    module = _parse(header + slice_text)
    if module is None or len(module.body) == 0:
        return None
    if indent:
        holder = module.body[0]
        if len(module.body) != 1 or not isinstance(holder, cst.If):
            return None
        top: cst.CSTNode = holder.body
    else:
        top = module
    statements = run.suite.statements
    edited = _transformed(
        module,
        run.edits,
        file_step=source.indent,
        offset=start - 2,
        top=top,
        top_step=_step(outline, run.suite, source.indent),
        top_is_whole=run.first == 0 and run.last == len(statements) - 1,
        top_at_start=run.first == 0 and bool(indent),
        blank_follows=run.last == len(statements) - 1 or (end < len(lines) and lines.blank(end + 1)),
    )
    if not edited.startswith(header):
        return None
    return start, end, edited.removeprefix(header)


def _edited_file(source: Source, edits: Sequence[Edit]) -> str:
    module = _parse(source.text)
    if module is None:
        raise ComposeError("libcst does not read this file back as it stands", start_line(edits[0]))
    return _transformed(
        module,
        edits,
        file_step=source.indent,
        offset=0,
        top=module,
        top_step=source.indent,
        top_is_whole=True,
        top_at_start=False,
        blank_follows=True,
    )


def _parse(text: str) -> cst.Module | None:
    try:
        module = cst.parse_module(text)
    except (cst.ParserSyntaxError, cst.CSTLogicError):  # the latter for strings that it does not know: `t"a" t"b"`
        return None
    return module if module.code == text else None


def _transformed(
    module: cst.Module,
    edits: Sequence[Edit],
    *,
    file_step: str,
    offset: int,
    top: cst.CSTNode,
    top_step: str,
    top_is_whole: bool,
    top_at_start: bool,
    blank_follows: bool,
) -> str:
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    statement_lines: dict[cst.CSTNode, int] = {
        node: position.start.line + offset
        for node, position in positions.items()
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    }
    transformer = SuiteEdits(
        edits,
        statement_lines,
        ExpressionEdits.of(edits, positions, offset, module.default_newline),
        top,
        top_step=top_step,
        default_step=module.default_indent,
        file_step=file_step,
        newline=module.default_newline,
        top_is_whole=top_is_whole,
        top_at_start=top_at_start,
        blank_follows=blank_follows,
    )
    return module.visit(transformer).code


def _newline(text: str, default: str) -> str:
    """The line end that most lines of a slice have."""
    windows = text.count("\r\n")
    unix = text.count("\n") - windows
    if windows == unix:
        return default
    return "\r\n" if windows > unix else "\n"


def _step(outline: Outline, suite: Suite, default: str) -> str:
    """What the statements of a suite are indented by, seen from the statement that holds them."""
    if suite.owner is None:
        return default
    holder = suite.owner.statement
    # a case stands deeper than its match, every other header as deep as the statement that it belongs to
    header = holder.cases[0].pattern.lineno if isinstance(holder, ast.Match) else holder.lineno
    outer = outline.lines.indent(header)
    own = outline.lines.indent(suite.statements[0].lineno)
    return own[len(outer) :] if own.startswith(outer) and own != outer else default


def _extent(outline: Outline, run: _Run) -> tuple[int, int]:
    """The physical lines of a run: with the comment and blank lines above it, and the comments that end its last
    statement's own inner suite, or the suite that gets statements at its end."""
    lines, statements = outline.lines, run.suite.statements
    indent = lines.indent(statements[run.first].lineno)
    start = first_line(statements[run.first])
    floor = last_line(statements[run.first - 1]) if run.first else 0
    while start - 1 > floor and (lines.blank(start - 1) or lines.comment(start - 1)):
        if lines.comment(start - 1) and _deeper(lines.indent(start - 1), indent):
            break
        start -= 1
    end = reach = last_line(statements[run.last])
    gets_more = run.last + 1 == len(statements) and any(
        isinstance(edit, InsertAfter) and edit.line == statements[run.last].lineno for edit in run.edits
    )
    while reach < len(lines) and (lines.blank(reach + 1) or lines.comment(reach + 1)):
        reach += 1
        if lines.comment(reach):
            if _deeper(indent, lines.indent(reach)) if gets_more else not _deeper(lines.indent(reach), indent):
                break
            end = reach
    return start, end


def _deeper(indent: str, than: str) -> bool:
    return len(indent.expandtabs(8)) > len(than.expandtabs(8))
