"""One libcst pass that makes all edits of a slice: suites, single statements and expressions.

Works on the nodes it is given. The pass is keyed by the ORIGINAL nodes, suite by suite, so that edits at several
depths compose: a suite is put together from its updated statements, inner blocks before the blocks around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import libcst as cst

from codemods.plan import (
    AddFinally,
    AddFunction,
    ChangeDefinition,
    ChangeParameters,
    DissolveBlock,
    DissolveTry,
    Edit,
    GuardBlock,
    InsertAfter,
    InsertBefore,
    LoopToBlock,
    NameReturned,
    OpenBlock,
    RemoveStatement,
    ReplaceStatement,
    WidenBlock,
)
from codemods.transformers.add_function import added
from codemods.transformers.change_definition import redefined
from codemods.transformers.change_parameters import with_parameters
from codemods.transformers.dissolve_block import body_of
from codemods.transformers.dissolve_try import dissolve
from codemods.transformers.expression_edits import ExpressionEdits
from codemods.transformers.guard_block import with_finally
from codemods.transformers.insert_statements import inserted, prologue_of
from codemods.transformers.items import Item, Side, Statement
from codemods.transformers.leading_lines import Lines, strip_last_blanks, without_margin
from codemods.transformers.loop_to_block import block_of
from codemods.transformers.name_returned import named
from codemods.transformers.open_block import SuiteAssembly, block_anchors, filler
from codemods.transformers.replace_statement import replaced


class SuiteEdits(cst.CSTTransformer):
    """Makes the edits whose statements lie in the visited tree.

    `lines` gives the original source's line of every statement of the tree, `expressions` makes the edits of
    expressions. `top` is the suite of a slice that need not be a whole suite: nothing is put into it when it
    becomes empty unless `top_is_whole`, and `top_step` is what a block opened in it is indented by; `default_step` is
    what suites without a step of their own are indented by, `file_step` what new ones are, and `newline` ends new
    lines. `blank_follows` says whether the text after the slice begins with a blank line or ends the suite.
    """

    def __init__(
        self,
        edits: Sequence[Edit],
        lines: Mapping[cst.CSTNode, int],
        expressions: ExpressionEdits,
        top: cst.CSTNode,
        *,
        top_step: str,
        default_step: str,
        file_step: str,
        newline: str,
        top_is_whole: bool,
        top_at_start: bool,
        blank_follows: bool,
    ) -> None:
        super().__init__()
        self._lines = lines
        self._expressions = expressions
        self._top = top
        self._top_step = top_step
        self._default_step = default_step
        self._file_step = file_step
        self._newline = newline
        self._top_is_whole = top_is_whole
        self._top_at_start = top_at_start
        self._blank_follows = blank_follows
        self._removed = {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
        self._removed |= {line for edit in edits if isinstance(edit, DissolveTry) for line in edit.closes}
        self._dissolved = {edit.line for edit in edits if isinstance(edit, DissolveTry)}
        self._needless = {edit.line for edit in edits if isinstance(edit, DissolveBlock)}
        self._replaced = {edit.line: edit for edit in edits if isinstance(edit, ReplaceStatement)}
        self._named = {edit.line: edit for edit in edits if isinstance(edit, NameReturned)}
        self._inserted = [edit for edit in edits if isinstance(edit, InsertBefore | InsertAfter)]
        self._loops = {edit.line: edit for edit in edits if isinstance(edit, LoopToBlock)}
        self._definitions = {edit.line: edit for edit in edits if isinstance(edit, ChangeDefinition)}
        self._parameters = {edit.line: edit for edit in edits if isinstance(edit, ChangeParameters)}
        self._functions = [edit for edit in edits if isinstance(edit, AddFunction)]
        self._unclosed = {edit.line: edit for edit in edits if isinstance(edit, AddFinally)}
        self._blocks = [edit for edit in edits if isinstance(edit, OpenBlock | WidenBlock | GuardBlock)]
        self._prologues = {
            block: prologue_of(block, step=file_step, newline=newline)
            for block in self._blocks
            if isinstance(block, OpenBlock) and block.prologue
        }
        self._ends_of_opened = {edit.last for edit in edits if isinstance(edit, OpenBlock)}
        self._anchors = self._removed | self._dissolved | self._needless | self._replaced.keys()
        self._anchors |= self._named.keys() | {edit.line for edit in [*self._inserted, *self._functions]}
        self._anchors |= {line for block in self._blocks for line in block_anchors(block)}
        self._may_empty: set[cst.CSTNode] = set()  # suites of what is dissolved, which may become empty

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        made = super().on_leave(original_node, updated_node)
        if isinstance(original_node, cst.BaseExpression) and isinstance(made, cst.BaseExpression):
            return cast(cst.CSTNodeT, self._expressions.made(original_node, made))
        return made

    def visit_Try(self, node: cst.Try) -> None:
        self._enter_try(node)

    def visit_TryStar(self, node: cst.TryStar) -> None:
        self._enter_try(node)

    def _enter_try(self, node: cst.Try | cst.TryStar) -> None:
        if self._lines[node] in self._dissolved and node.finalbody is not None:
            self._may_empty.add(node.finalbody.body)

    def visit_With(self, node: cst.With) -> None:
        if self._lines[node] in self._needless:
            self._may_empty.add(node.body)

    def leave_Try(self, original_node: cst.Try, updated_node: cst.Try) -> cst.Try:
        edit = self._unclosed.get(self._lines[original_node])
        return updated_node if edit is None else with_finally(edit, updated_node, self._file_step)

    def leave_TryStar(self, original_node: cst.TryStar, updated_node: cst.TryStar) -> cst.TryStar:
        edit = self._unclosed.get(self._lines[original_node])
        return updated_node if edit is None else with_finally(edit, updated_node, self._file_step)

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.BaseStatement:
        edit = self._loops.get(self._lines[original_node])
        return updated_node if edit is None else block_of(edit, updated_node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        line = self._lines[original_node]
        if line in self._definitions:
            updated_node = redefined(self._definitions[line], updated_node)
        if line in self._parameters:
            updated_node = with_parameters(self._parameters[line], updated_node)
        return updated_node

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        items = self._items(original_node.body, updated_node.body, is_module=False)
        if items is None:
            return updated_node
        items, footer = _with_footer(items, updated_node.footer)
        is_top = original_node is self._top
        whole = self._top_is_whole or not is_top
        step = self._top_step if is_top else original_node.indent or self._default_step
        suite = SuiteAssembly(items, self._blocks, self._prologues, self._removed, step, self._default_step)
        body, left = suite.assemble(starts_suite=self._top_at_start or not is_top)
        if not is_top or self._blank_follows:
            left = strip_last_blanks(left)
        if not body and whole and original_node not in self._may_empty:
            body, left = [filler(left)], []
        return updated_node.with_changes(body=body, footer=[*left, *footer])

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        updated = [without_margin(statement) for statement in updated_node.body]
        items = self._items(original_node.body, updated, is_module=True)
        if items is None:
            return updated_node
        items, footer = _with_footer(items, updated_node.footer)
        suite = SuiteAssembly(items, self._blocks, self._prologues, self._removed, self._top_step, self._default_step)
        body, left = suite.assemble(starts_suite=False)
        if self._blank_follows:
            left = strip_last_blanks(left)
        return updated_node.with_changes(body=body, footer=[*left, *footer])

    def _items(
        self,
        original: Sequence[cst.CSTNode],
        updated: Sequence[cst.BaseStatement | cst.BaseSmallStatement],
        *,
        is_module: bool,
    ) -> list[Item] | None:
        """The statements of a suite that has edits; None when it has none."""
        if len(original) != len(updated) or not any(self._lines[node] in self._anchors for node in original):
            return None
        items: list[Item] = []
        for before, after in zip(original, updated, strict=True):
            assert isinstance(after, cst.SimpleStatementLine | cst.BaseCompoundStatement)
            line = self._lines[before]
            items += sorted(self._beside(line, InsertBefore), key=lambda item: item.side is not Side.ABOVE)
            items.append(self._item(before, after))
            items += [
                added(edit, step=self._file_step, newline=self._newline, is_module=is_module)
                for edit in self._functions
                if edit.line == line
            ]
            items += self._beside(line, InsertAfter)
        return items

    def _beside(self, line: int, kind: type[InsertBefore | InsertAfter]) -> list[Item]:
        """What is put on one side of the statement of a line, in the order that was asked for."""
        return [
            inserted(edit, step=self._file_step, newline=self._newline)
            for edit in self._inserted
            if isinstance(edit, kind) and edit.line == line
        ]

    def _item(self, before: cst.CSTNode, after: Statement) -> Item:
        line = self._lines[before]
        if line in self._replaced:
            return replaced(self._replaced[line], after, step=self._file_step, newline=self._newline)
        if line in self._named:
            return named(self._named[line], after, step=self._file_step, newline=self._newline)
        if line in self._needless:
            return body_of(line, after, default_step=self._default_step)
        if line not in self._dissolved:
            return Item.of(line, after)
        ends_in_block = (
            isinstance(before, cst.Try | cst.TryStar)
            and isinstance(before.body, cst.IndentedBlock)
            and self._lines[before.body.body[-1]] in self._ends_of_opened
        )
        return dissolve(line, after, default_step=self._default_step, ends_in_block=ends_in_block)


def _with_footer(items: list[Item], footer: Sequence[cst.EmptyLine]) -> tuple[list[Item], Lines]:
    """The items of a suite and the lines at its end: what is put after its last statement goes below those."""
    first = len(items)
    while items[first - 1].side is Side.AFTER:
        first -= 1
    if first == len(items):
        return items, list(footer)
    kept = strip_last_blanks(footer)
    return [*items[:first], replace(items[first], lead=kept), *items[first + 1 :]], list(footer)[len(kept) :]
