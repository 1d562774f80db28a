"""Suites with blocks opened and widened and statements taken away: one libcst pass that makes all edits of a slice.

Works on the nodes it is given. The pass is keyed by the ORIGINAL nodes, suite by suite, so that edits at several
depths compose: a suite is put together from its updated statements, inner blocks before the blocks around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from codemods.plan import Edit, OpenBlock, RemoveStatement, WidenBlock
from codemods.transformers.errors import ComposeError
from codemods.transformers.leading_lines import (
    Lines,
    join,
    own_line,
    split_attached,
    strip_first_blanks,
    strip_last_blanks,
)

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
Block = OpenBlock | WidenBlock


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    line: int
    node: Statement
    lead: Lines


def block_start(block: Block) -> int:
    """The line of the first statement that a block holds; for a widened one, of the block itself."""
    return block.first if isinstance(block, OpenBlock) else block.block


def _outer_first(block: Block) -> tuple[int, int, int, int]:
    """Sorts blocks so that an outer one comes before those in it; over the same statements, the earlier creation."""
    kind, birth = (0, block.creation) if isinstance(block, OpenBlock) else (1, block.block)
    return (block_start(block), -block.last, kind, birth)


class SuiteEdits(cst.CSTTransformer):
    """Makes the edits whose statements lie in the visited tree.

    `lines` gives the original source's line of every statement of the tree. `top` is the suite of a slice that need
    not be a whole suite: nothing is put into it when it becomes empty unless `top_is_whole`, and `top_step` is
    what a block opened in it is indented by; `default_step` is what suites without a step of their own are indented
    by. `blank_follows` says whether the text after the slice begins with
    a blank line or ends the suite.
    """

    def __init__(
        self,
        edits: Sequence[Edit],
        lines: Mapping[cst.CSTNode, int],
        top: cst.CSTNode,
        *,
        top_step: str,
        default_step: str,
        top_is_whole: bool,
        top_at_start: bool,
        blank_follows: bool,
    ) -> None:
        super().__init__()
        self._lines = lines
        self._top = top
        self._top_step = top_step
        self._default_step = default_step
        self._top_is_whole = top_is_whole
        self._top_at_start = top_at_start
        self._blank_follows = blank_follows
        self._removed = {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
        self._blocks = [edit for edit in edits if not isinstance(edit, RemoveStatement)]
        self._anchors = self._removed | {line for block in self._blocks for line in _anchors(block)}

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        items = self._items(original_node.body, updated_node.body)
        if items is None:
            return updated_node
        is_top = original_node is self._top
        whole = self._top_is_whole or not is_top
        step = self._top_step if is_top else original_node.indent or self._default_step
        suite = _Suite(items, self._blocks, self._removed, step, self._default_step)
        body, left = suite.assemble(starts_suite=self._top_at_start or not is_top)
        if not is_top or self._blank_follows:
            left = strip_last_blanks(left)
        if not body and whole:
            body, left = [_pass(left)], []
        return updated_node.with_changes(body=body, footer=[*left, *updated_node.footer])

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        items = self._items(original_node.body, updated_node.body)
        if items is None:
            return updated_node
        suite = _Suite(items, self._blocks, self._removed, self._top_step, self._default_step)
        body, left = suite.assemble(starts_suite=False)
        if self._blank_follows:
            left = strip_last_blanks(left)
        return updated_node.with_changes(body=body, footer=[*left, *updated_node.footer])

    def _items(
        self, original: Sequence[cst.CSTNode], updated: Sequence[cst.BaseStatement | cst.BaseSmallStatement]
    ) -> list[_Item] | None:
        """The statements of a suite that has edits; None when it has none."""
        if len(original) != len(updated) or not any(self._lines[node] in self._anchors for node in original):
            return None
        items: list[_Item] = []
        for before, after in zip(original, updated, strict=True):
            assert isinstance(after, cst.SimpleStatementLine | cst.BaseCompoundStatement)
            items.append(_Item(self._lines[before], after, list(after.leading_lines)))
        return items


def _anchors(block: Block) -> tuple[int, ...]:
    if isinstance(block, OpenBlock):
        return (block.creation, block.first, block.last)
    return (block.block, block.last)


class _Suite:
    """One suite being put together again."""

    def __init__(
        self, items: Sequence[_Item], blocks: Sequence[Block], removed: set[int], step: str, default_step: str
    ) -> None:
        self._items = list(items)
        self._by_line = {item.line: item for item in items}
        self._blocks = sorted((block for block in blocks if block_start(block) in self._by_line), key=_outer_first)
        self._creations = {block.creation: block for block in self._blocks if isinstance(block, OpenBlock)}
        self._removed = removed
        self._step = step
        self._default_step = default_step
        self._above: dict[OpenBlock, Lines] = {}  # what goes above a header, taken from its creation on the way

    def assemble(self, *, starts_suite: bool) -> tuple[list[Statement], Lines]:
        """The new statements, and the comment lines left over at the end."""
        return self._assemble(self._items, self._blocks, [], strip_start=starts_suite)

    def _assemble(
        self, items: Sequence[_Item], blocks: Sequence[Block], pending: Lines, *, strip_start: bool
    ) -> tuple[list[Statement], Lines]:
        made: list[Statement] = []
        index = 0
        vanished = False
        while index < len(items):
            item = items[index]
            block = next((block for block in blocks if block_start(block) == item.line), None)
            if block is not None:
                end = next(position for position, one in enumerate(items) if one.line == block.last)
                inner = [other for other in blocks if other is not block]
                made.extend(self._block(block, items[index : end + 1], inner, pending))
                pending, index = [], end + 1
                continue
            index += 1
            lead = join(pending, item.lead)
            creation_of = self._creations.get(item.line)
            if creation_of is not None:
                pending = self._take_creation(creation_of, lead)
                vanished = True
            elif item.line in self._removed:
                pending = [*lead, *own_line(_simple(item).trailing_whitespace)]
                vanished = True
            else:
                if strip_start and vanished and not made:
                    lead = strip_first_blanks(lead)[1]
                made.append(_with_lead(item, lead))
                pending = []
        return made, pending

    def _take_creation(self, block: OpenBlock, lead: Lines) -> Lines:
        """Keep what goes above the header of `block`; gives back the lines that stay where the creation stood."""
        if self._directly_first(block):
            self._above[block] = lead
            return []
        stays, attached = split_attached(lead)
        self._above[block] = attached
        return stays

    def _directly_first(self, block: OpenBlock) -> bool:
        """Whether no statement stays between the creation and the block."""
        between = (item.line for item in self._items if block.creation < item.line < block.first)
        return all(line in self._removed or line in self._creations for line in between)

    def _block(self, block: Block, items: Sequence[_Item], inner: Sequence[Block], pending: Lines) -> list[Statement]:
        if isinstance(block, WidenBlock):
            return [self._widened(items, inner, pending)]
        return self._opened(block, items, inner, pending)

    def _opened(
        self, block: OpenBlock, items: Sequence[_Item], inner: Sequence[Block], pending: Lines
    ) -> list[Statement]:
        creation = _simple(self._by_line[block.creation])
        if block.creation == block.first:
            above, pending = join(pending, items[0].lead), []
            items = items[1:]
        else:
            above = self._above.pop(block)
        if items:
            blanks, lead = strip_first_blanks(join(pending, items[0].lead))
            items = [replace(items[0], lead=lead), *items[1:]]
            if not self._directly_first(block):
                above = [*blanks, *above]
        else:
            blanks, pending = strip_first_blanks(pending)
        body, left = self._assemble(items, inner, [] if items else pending, strip_start=True)
        left = strip_last_blanks(left)
        if not body:
            body, left = [_pass(left)], []
        body = [_shifted(statement, self._step) for statement in body]
        value, bare = _creation_parts(block, creation)
        opened = cst.With(
            items=[cst.WithItem(item=value, asname=cst.AsName(name=cst.Name(block.name)))],
            body=cst.IndentedBlock(body=body, indent=self._step, header=_header_end(creation), footer=left),
            asynchronous=cst.Asynchronous() if block.is_async else None,
            leading_lines=[] if bare else above,
        )
        return [opened] if bare is None else [bare.with_changes(leading_lines=above), opened]

    def _widened(self, items: Sequence[_Item], inner: Sequence[Block], pending: Lines) -> Statement:
        block, taken = items[0], items[1:]
        node = block.node
        if not isinstance(node, cst.With):
            raise ComposeError(f"the statement on line {block.line} is no `with` block", block.line)
        if not isinstance(node.body, cst.IndentedBlock):
            raise ComposeError(f"the block on line {block.line} has its body on its own line", block.line)
        body, left = self._assemble(taken, inner, list(node.body.footer), strip_start=False)
        body = [_shifted(statement, node.body.indent or self._default_step) for statement in body]
        wider = node.body.with_changes(body=[*node.body.body, *body], footer=strip_last_blanks(left))
        return node.with_changes(body=wider, leading_lines=join(pending, block.lead))


def _simple(item: _Item) -> cst.SimpleStatementLine:
    if not isinstance(item.node, cst.SimpleStatementLine) or len(item.node.body) != 1:
        raise ComposeError(f"line {item.line} is not one simple statement", item.line)
    return item.node


def _with_lead(item: _Item, lead: Lines) -> Statement:
    return item.node if list(item.node.leading_lines) == lead else item.node.with_changes(leading_lines=lead)


def _pass(lead: Lines) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine(body=[cst.Pass()], leading_lines=lead)


def _header_end(creation: cst.SimpleStatementLine) -> cst.TrailingWhitespace:
    """What ends the creation's line, for the end of the header's line."""
    end = creation.trailing_whitespace
    if end.comment is not None and not end.whitespace.value:
        # a semicolon that is gone owned the space before the comment
        return end.with_changes(whitespace=cst.SimpleWhitespace("  "))
    return end


def _creation_parts(
    block: OpenBlock, creation: cst.SimpleStatementLine
) -> tuple[cst.BaseExpression, cst.SimpleStatementLine | None]:
    """The context expression, and the annotation that stays on a line of its own (None if none is to stay)."""
    bare: cst.SimpleStatementLine | None = None
    match creation.body[0]:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value) if name == block.name:
            if block.keep_annotation:
                raise ComposeError(f"the assignment on line {block.creation} has no annotation", block.creation)
        case cst.AnnAssign(target=cst.Name(value=name), value=cst.BaseExpression() as value) as annotated if (
            name == block.name
        ):
            if block.keep_annotation:
                alone = annotated.with_changes(
                    value=None, equal=cst.MaybeSentinel.DEFAULT, semicolon=cst.MaybeSentinel.DEFAULT
                )
                bare = cst.SimpleStatementLine(body=[alone])
        case _:
            raise ComposeError(f"line {block.creation} does not assign to `{block.name}` alone", block.creation)
    if block.context is not None:
        try:
            value = cst.parse_expression(block.context)
        except cst.ParserSyntaxError as error:
            raise ComposeError(f"`{block.context}` is no expression", block.creation) from error
    if isinstance(value, cst.Yield | cst.Tuple | cst.NamedExpr) and not value.lpar:
        raise ComposeError(f"what line {block.creation} assigns cannot open a block", block.creation)
    return value, bare


class _ShiftContinuations(cst.CSTTransformer):
    """Lines continued by a backslash move with their statement, as libcst moves those in parentheses."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def leave_SimpleWhitespace(
        self, original_node: cst.SimpleWhitespace, updated_node: cst.SimpleWhitespace
    ) -> cst.SimpleWhitespace:
        value = updated_node.value
        if "\\" not in value:
            return updated_node
        first, *others = value.split("\n")
        return updated_node.with_changes(value="\n".join([first, *(self._step + line for line in others)]))


def _shifted(statement: Statement, step: str) -> Statement:
    moved = statement.visit(_ShiftContinuations(step))
    assert isinstance(moved, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return moved
