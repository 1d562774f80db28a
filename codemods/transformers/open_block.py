"""One suite put together again: blocks opened, widened and guarded, statements taken away, every comment kept. Pure.

Works on the nodes it is given; what lies deeper in them has been edited already (`suite_edits.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import libcst as cst

from codemods.plan import GuardBlock, OpenBlock, WidenBlock
from codemods.transformers.continuations import moved_in
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression
from codemods.transformers.guard_block import guarded
from codemods.transformers.items import Item, Side, Statement
from codemods.transformers.leading_lines import (
    Lines,
    comment_lines,
    join,
    line_end,
    split_attached,
    strip_first_blanks,
    strip_last_blanks,
)

Block = OpenBlock | WidenBlock | GuardBlock


def block_start(block: Block) -> int:
    """The line of the first statement that a block holds; for a widened one, of the block itself."""
    return block.block if isinstance(block, WidenBlock) else block.first


def made_on(block: OpenBlock) -> int:
    """The line on which the session of a block is made; of its first statement when no statement makes it."""
    return block.first if block.creation is None else block.creation


def _outer_first(block: Block) -> tuple[int, int, int, int, int, str]:
    """Sorts blocks so that an outer one comes before those in it; over the same statements, the earlier creation.

    What a guard closes was made above it: only a session that is made above too may be entered outside of it.
    """
    match block:
        case WidenBlock():
            return (block.block, -block.last, 1, block.block, 0, "")
        case GuardBlock():
            return (block.first, -block.last, 0, block.first, 0, block.name)
        case OpenBlock():
            return (block.first, -block.last, 0, made_on(block), 1, f"{block.name} {block.context}")


def block_anchors(block: Block) -> tuple[int, ...]:
    """The lines of the statements that a block names, in the order in which they ought to stand."""
    if isinstance(block, WidenBlock):
        return (block.block, block.last)
    if isinstance(block, GuardBlock) or block.creation is None:
        return (block.first, block.last)
    return (block.creation, block.first, block.last)


class SuiteAssembly:
    """One suite being put together again.

    Edits that name statements of other suites are left out. `prologues` are what blocks begin with, `removed` the lines
    of statements to take away, `step` is what the suite's blocks are indented by; `default_step` what blocks without a
    step of their own are.
    """

    def __init__(
        self,
        items: Sequence[Item],
        blocks: Sequence[Block],
        prologues: Mapping[OpenBlock, Item],
        removed: set[int],
        step: str,
        default_step: str,
    ) -> None:
        self._items = list(items)
        self._by_line = {item.line: item for item in items if item.side is Side.ITSELF}
        self._blocks = sorted((block for block in blocks if block_start(block) in self._by_line), key=_outer_first)
        self._creations = {
            block.creation: block
            for block in self._blocks
            if isinstance(block, OpenBlock) and block.creation is not None
        }
        self._prologues = prologues
        self._removed = removed
        self._step = step
        self._default_step = default_step
        self._above: dict[OpenBlock, Lines] = {}  # what goes above a header, taken from its creation on the way

    def assemble(self, *, starts_suite: bool) -> tuple[list[Statement], Lines]:
        """The new statements, and the comment lines left over at the end."""
        return self._assemble(self._items, self._blocks, [], strip_start=starts_suite)

    def _assemble(
        self, items: Sequence[Item], blocks: Sequence[Block], pending: Lines, *, strip_start: bool
    ) -> tuple[list[Statement], Lines]:
        made: list[Statement] = []
        index = 0
        vanished = False
        while index < len(items):
            item = items[index]
            block = next((block for block in blocks if _starts_at(block, item)), None)
            if block is not None:
                end = max(position for position, one in enumerate(items) if one.line == block.last)
                inner = [other for other in blocks if other is not block]
                starts = strip_start and vanished and not made
                made.extend(self._block(block, items[index : end + 1], inner, pending))
                if starts:
                    made[0] = made[0].with_changes(leading_lines=strip_first_blanks(made[0].leading_lines)[1])
                pending, index = [], end + 1
                continue
            index += 1
            lead = join(pending, item.lead)
            creation_of = self._creations.get(item.line) if item.side is Side.ITSELF else None
            if creation_of is not None:
                pending = self._take_creation(creation_of, lead)
                vanished = True
            elif item.side is Side.ITSELF and item.line in self._removed:
                pending = [*lead, *_comments_of(item)]
                vanished = True
            elif not item.nodes:
                pending = [*lead, *item.inner, *item.tail]
                vanished = True
            else:
                if strip_start and vanished and not made:
                    lead = strip_first_blanks(lead)[1]
                made.extend(item.placed(lead))
                pending = item.tail
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
        lines = [item.line for item in self._items]
        start = self._items.index(self._by_line[made_on(block)])
        between = self._items[start + 1 : lines.index(block.first)]
        return all(
            item.side is Side.ITSELF and (item.line in self._removed or item.line in self._creations)
            for item in between
        )

    def _block(self, block: Block, items: Sequence[Item], inner: Sequence[Block], pending: Lines) -> list[Statement]:
        if isinstance(block, WidenBlock):
            return [self._widened(items, inner, pending)]
        if isinstance(block, GuardBlock):
            return [self._guarded(block, items, inner, pending)]
        return self._opened(block, items, inner, pending)

    def _opened(
        self, block: OpenBlock, items: Sequence[Item], inner: Sequence[Block], pending: Lines
    ) -> list[Statement]:
        prologue = self._prologues.get(block)
        if prologue is not None and block.creation is None:
            items = [prologue, *items]
        if not self._directly_first(block):
            items = _with_margin(items, strip_first_blanks)
        elif block.creation is None:
            items = _with_margin(items, split_attached)
        creation, extra = (None, []) if block.creation is None else _creation(self._by_line[block.creation])
        if creation is None or block.creation == block.first:
            above, pending = join(pending, items[0].lead), []
            items = [replace(items[0], lead=[]), *items[1:]] if creation is None else items[1:]
        else:
            above = self._above.pop(block)
        above = [*above, *extra]
        if items:
            blanks, lead = strip_first_blanks(join(pending, items[0].lead))
            items = [replace(items[0], lead=lead), *items[1:]]
            if not self._directly_first(block):
                above = [*blanks, *above]
        else:
            blanks, pending = strip_first_blanks(pending)
        if prologue is not None and block.creation is not None:
            items = [prologue if items else replace(prologue, tail=[*prologue.tail, *pending]), *items]
        body, left = self._assemble(items, inner, [] if items else pending, strip_start=True)
        left = strip_last_blanks(left)
        if not body:
            body, left = [filler(left)], []
        body = [moved_in(statement, self._step) for statement in body]
        value, bare = _entered(block) if creation is None else _creation_parts(block, creation)
        header = cst.TrailingWhitespace() if creation is None else line_end(creation)
        asname = None if block.name is None else cst.AsName(name=cst.Name(block.name))
        opened = cst.With(
            items=[cst.WithItem(item=value, asname=asname)],
            body=cst.IndentedBlock(body=body, indent=self._step, header=header, footer=left),
            asynchronous=cst.Asynchronous() if block.is_async else None,
            leading_lines=[] if bare else above,
        )
        return [opened] if bare is None else [bare.with_changes(leading_lines=above), opened]

    def _guarded(self, block: GuardBlock, items: Sequence[Item], inner: Sequence[Block], pending: Lines) -> Statement:
        items = _with_margin(items, split_attached)
        above, attached = split_attached(join(pending, items[0].lead))
        items = [replace(items[0], lead=attached), *items[1:]]
        body, left = self._assemble(items, inner, [], strip_start=True)
        left = strip_last_blanks(left)
        if not body:
            body, left = [filler(left)], []
        return guarded(block, [moved_in(statement, self._step) for statement in body], left, above, self._step)

    def _widened(self, items: Sequence[Item], inner: Sequence[Block], pending: Lines) -> Statement:
        block, taken = items[0], items[1:]
        node = block.node
        if not isinstance(node, cst.With):
            raise ComposeError(f"the statement on line {block.line} is no `with` block", block.line)
        if not isinstance(node.body, cst.IndentedBlock):
            raise ComposeError(f"the block on line {block.line} has its body on its own line", block.line)
        body, left = self._assemble(taken, inner, list(node.body.footer), strip_start=False)
        body = [moved_in(statement, node.body.indent or self._default_step) for statement in body]
        wider = node.body.with_changes(body=[*node.body.body, *body], footer=strip_last_blanks(left))
        return node.with_changes(body=wider, leading_lines=join(pending, block.lead))


def _starts_at(block: Block, item: Item) -> bool:
    """Whether `item` is the first that goes into a block, or the block that takes others in.

    What is put before a statement goes with it, below the prologue of a block, but for imports, which the block itself
    may use; before a block that stands already, or a
    creation that becomes one, it stays outside.
    """
    if block_start(block) != item.line or item.side not in (Side.BEFORE, Side.ITSELF):
        return False
    outside = isinstance(block, WidenBlock) or (isinstance(block, OpenBlock) and block.creation == block.first)
    return item.side is Side.ITSELF or not outside


def _with_margin(
    items: Sequence[Item], split: Callable[[Sequence[cst.EmptyLine]], tuple[Lines, Lines]]
) -> Sequence[Item]:
    """The items of a block. Where it begins with what is put before its first statement, that gets the part of the
    statement's leading lines that goes above the block's header."""
    if items[0].side is not Side.BEFORE:
        return items
    index = next(position for position, item in enumerate(items) if item.side is Side.ITSELF)
    above, stays = split(items[index].lead)
    made = list(items)
    made[index] = replace(items[index], lead=stays)
    made[0] = replace(items[0], lead=above)
    return made


def _simple(item: Item) -> cst.SimpleStatementLine:
    if not isinstance(item.node, cst.SimpleStatementLine) or len(item.node.body) != 1:
        raise ComposeError(f"line {item.line} is not one simple statement", item.line)
    return item.node


def _creation(item: Item) -> tuple[cst.SimpleStatementLine, Lines]:
    """The assignment that makes a session, and the comments that go above the header: those of an `if` around it."""
    match item.node:
        case cst.If(orelse=None, body=cst.IndentedBlock(body=[cst.SimpleStatementLine() as inner]) as body) as whole:
            silent = inner.with_changes(trailing_whitespace=cst.TrailingWhitespace())
            rest = whole.with_changes(leading_lines=[], body=body.with_changes(body=[silent]))
            return inner.with_changes(leading_lines=[]), comment_lines(rest)
    return _simple(item), []


def _comments_of(item: Item) -> Lines:
    """The comments of a statement that goes, but for those above it."""
    node = item.node if isinstance(item.node, cst.If) else _simple(item)
    return comment_lines(node.with_changes(leading_lines=[]))


def filler(lead: Lines) -> cst.SimpleStatementLine:
    """What a suite holds that would be empty."""
    return cst.SimpleStatementLine(body=[cst.Pass()], leading_lines=lead)


def _creation_parts(
    block: OpenBlock, creation: cst.SimpleStatementLine
) -> tuple[cst.BaseExpression, cst.SimpleStatementLine | None]:
    """The context expression, and the annotation that stays on a line of its own (None if none is to stay)."""
    line = made_on(block)
    bare: cst.SimpleStatementLine | None = None
    match creation.body[0]:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value) if name == block.name:
            if block.keep_annotation:
                raise ComposeError(f"the assignment on line {line} has no annotation", line)
        case cst.AnnAssign(target=cst.Name(value=name), value=cst.BaseExpression() as value) as annotated if (
            name == block.name
        ):
            if block.keep_annotation:
                alone = annotated.with_changes(
                    value=None, equal=cst.MaybeSentinel.DEFAULT, semicolon=cst.MaybeSentinel.DEFAULT
                )
                bare = cst.SimpleStatementLine(body=[alone])
        case _:
            raise ComposeError(f"line {line} does not assign to `{block.name}` alone", line)
    if block.context is not None:
        value = parse_expression(block.context, line)
    return _enterable(value, block), bare


def _entered(block: OpenBlock) -> tuple[cst.BaseExpression, None]:
    """The context expression of a block that takes no statement's place; nothing stays beside it."""
    if block.context is None:
        raise ComposeError(f"the block on line {block.first} has neither a creation nor a context", block.first)
    if block.keep_annotation:
        raise ComposeError(f"the block on line {block.first} has no creation with an annotation", block.first)
    return _enterable(parse_expression(block.context, block.first), block), None


def _enterable(value: cst.BaseExpression, block: OpenBlock) -> cst.BaseExpression:
    if isinstance(value, cst.Yield | cst.Tuple | cst.NamedExpr) and not value.lpar:
        line = made_on(block)
        raise ComposeError(f"what line {line} assigns cannot open a block", line)
    return value
