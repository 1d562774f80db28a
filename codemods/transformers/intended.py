"""The tree that the edits ought to give, made with `ast` alone: a second opinion on what libcst wrote. Pure.

Only what is not an import is compared: imports have their own rules (`imports.py`), and `pass` is what an emptied
suite gets, so both are left out on either side.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from codemods import syntax
from codemods.plan import (
    AddArgument,
    AddFinally,
    AddFunction,
    AddItem,
    ChainCall,
    ChangeArguments,
    ChangeDefinition,
    ChangeParameters,
    CreateFile,
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
    ReplaceExpression,
    ReplaceStatement,
    WidenBlock,
)
from codemods.syntax.nodes import same_fields
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_fit import (
    Growing,
    argument_of,
    arguments_as_written,
    arguments_of,
    chain_on,
    item_of,
)
from codemods.transformers.expression_spans import ExpressionEdit, find_expression
from codemods.transformers.outline import suites_of
from codemods.transformers.parameter_fit import Function, changed_parameters
from codemods.transformers.physical_lines import split_lines
from codemods.transformers.statement_fit import only_imports

Block = OpenBlock | WidenBlock | GuardBlock
_Adding = Growing | ChangeParameters
_Made = list[tuple[ast.AST, _Adding]]


def check_statements(before: str, after: str, edits: Iterable[Edit]) -> None:
    """Raise ComposeError unless `after` holds the statements of `before` with exactly these edits made."""
    expected, _ = _intended(before, list(edits))
    found = syntax.parse(after)
    _without_fillers(found.body)
    if ast.dump(expected) != ast.dump(found):
        raise ComposeError("the edited text does not hold the statements that it ought to hold")


def added_imports(before: str, after: str, edits: Iterable[Edit]) -> frozenset[int]:
    """The imports of `after` that the edits brought along into functions: their places among all imports, from 0.

    `after` has to be what `check_statements` lets pass. Raises ComposeError unless its other imports are those of
    `before`, in their order.
    """
    asked = list(edits)
    if not any(isinstance(edit, AddFunction | InsertBefore) and "import" in edit.code for edit in asked):
        return frozenset()
    expected, found = syntax.parse(before), syntax.parse(after)
    known = set(_imports(expected.body))
    _make(expected, before, asked)
    for tree in (expected, found):
        _without(tree.body, (ast.Pass,))
    if ast.dump(expected) != ast.dump(found):
        raise ComposeError("the edited text does not hold the imports that it ought to hold")
    return frozenset(index for index, one in enumerate(_imports(expected.body)) if one not in known)


def _imports(suite: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    for statement in suite:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        for inner in suites_of(statement):
            yield from _imports(inner)


def edited_expressions(before: str, after: str, edits: Iterable[Edit]) -> list[tuple[ast.stmt, ast.expr, Growing]]:
    """The expressions of `after` that got other arguments, an item or a call, once for each edit, with the innermost
    statement that holds it.

    `after` has to be what `check_statements` lets pass; its imports are not looked at.
    """
    return [
        (statement, node, edit)
        for statement, node, edit in _edited_nodes(before, after, list(edits))
        if isinstance(node, ast.expr) and not isinstance(edit, ChangeParameters)
    ]


def edited_definitions(before: str, after: str, edits: Iterable[Edit]) -> list[tuple[Function, ChangeParameters]]:
    """The functions of `after` that got other parameters. `after` has to be what `check_statements` lets pass."""
    return [
        (node, edit)
        for _, node, edit in _edited_nodes(before, after, list(edits))
        if isinstance(node, Function) and isinstance(edit, ChangeParameters)
    ]


def _edited_nodes(before: str, after: str, edits: list[Edit]) -> Iterator[tuple[ast.stmt, ast.AST, _Adding]]:
    expected, made = _intended(before, edits)
    found = syntax.parse(after)
    _without_fillers(found.body)
    by_node: dict[int, list[_Adding]] = {}
    for node, edit in made:
        by_node.setdefault(id(node), []).append(edit)
    yield from _counterparts(expected, found, by_node)


def _counterparts(
    expected: ast.AST, found: ast.AST, made: Mapping[int, Sequence[_Adding]]
) -> Iterator[tuple[ast.stmt, ast.AST, _Adding]]:
    pending: list[tuple[ast.AST, ast.AST, ast.stmt | None]] = [(expected, found, None)]
    while pending:
        one, other, statement = pending.pop()
        if isinstance(other, ast.stmt):
            statement = other
        if statement is not None:
            for edit in made.get(id(one), ()):
                yield statement, other, edit
        inner = zip(ast.iter_child_nodes(one), ast.iter_child_nodes(other), strict=True)
        pending += [(*pair, statement) for pair in inner]


def _intended(before: str, edits: list[Edit]) -> tuple[ast.Module, _Made]:
    """The tree that the edits ought to give, and what they made of expressions and definitions."""
    expected = syntax.parse(before)
    made = _make(expected, before, edits)
    _without_fillers(expected.body)
    return expected, made


def _make(tree: ast.Module, text: str, edits: list[Edit]) -> _Made:
    """Make the edits in the tree of a text."""
    made = _edit_expressions(tree, text, [edit for edit in edits if isinstance(edit, ExpressionEdit)])
    _edit_all(tree.body, _Placed(edits), _Beside(edits), made)
    return made


def _edit_expressions(tree: ast.Module, text: str, edits: list[ExpressionEdit]) -> _Made:
    lines = split_lines(text)
    changed: _Made = []
    found: dict[ast.AST, list[ExpressionEdit]] = {}
    for edit in edits:
        found.setdefault(find_expression(tree, lines, edit)[0], []).append(edit)

    class Editing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            # what takes the place of an argument has no place in the text, so the order is asked for before
            written = arguments_as_written(node) if isinstance(node, ast.Call) and node in found else []
            order = [_index(node, one) for one in written if isinstance(node, ast.Call)]
            made = self.generic_visit(node)
            for edit in sorted(found.get(node, []), key=lambda edit: not isinstance(edit, ChangeArguments)):
                made = _edited(made, edit, order)
                if isinstance(edit, Growing):
                    changed.append((made, edit))
            return made

    if found:
        Editing().visit(tree)
    return changed


def _index(call: ast.Call, argument: ast.expr | ast.keyword) -> int:
    """The place of an argument among those given by position and, behind them, those given by name."""
    return [*call.args, *call.keywords].index(argument)


def _edited(node: ast.AST, edit: ExpressionEdit, order: list[int]) -> ast.AST:
    """One expression with one edit; arguments of a call come before what is put behind it.

    `order` are the places of a call's arguments, as `_index` counts them, in the order in which they are written.
    """
    match edit:
        case ReplaceExpression():
            return _parsed(edit.text)
        case AddArgument():
            assert isinstance(node, ast.Call)
            argument = argument_of(edit.text, edit.span.line)
            if isinstance(argument, ast.keyword):
                node.keywords.append(argument)
            else:
                node.args.append(argument)
            return node
        case AddItem():
            assert isinstance(node, ast.Dict)
            key, value = item_of(edit.text, edit.span.line)
            node.keys.append(key)
            node.values.append(value)
            return node
        case ChangeArguments():
            assert isinstance(node, ast.Call)
            known: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
            texts = {change.index: change.text for change in edit.changes}
            given: list[ast.expr | ast.keyword] = []
            for index, place in enumerate(order):
                text = texts.get(index)
                if text is not None:
                    given += arguments_of(text, edit.span.line)
                elif index not in texts:
                    given.append(known[place])
            node.args = [one for one in given if isinstance(one, ast.expr)]
            node.keywords = [one for one in given if isinstance(one, ast.keyword)]
            return node
        case ChainCall():
            assert isinstance(node, ast.expr)
            return chain_on(edit, node)


def _parsed(expression: str) -> ast.expr:
    return syntax.parse_expression(f"({expression}\n)")


def _edit_all(suite: list[ast.stmt], edits: _Placed, beside: _Beside, made: _Made) -> None:
    for statement in suite:
        for inner in suites_of(statement):
            # the body of `if x: y` stands on its header's line, and a line names the outermost statement
            if inner[0].lineno != statement.lineno:
                _edit_all(inner, edits, beside, made)
    suite[:] = [_reshaped(statement, edits.at(statement.lineno)) for statement in suite]
    made += [
        (statement, edit)
        for statement in suite
        for edit in edits.at(statement.lineno)
        if isinstance(edit, ChangeParameters)
    ]
    by_line = {statement.lineno: statement for statement in suite}
    instead = {line: _left_of(one, edits.at(line)) for line, one in by_line.items() if line in edits.given_up}
    blocks = [block for line in by_line for block in edits.blocks_from(line)]
    # outer before inner; of two blocks over the same statements the one whose session was made first is outside
    blocks.sort(key=lambda edit: (_start(edit), -edit.last, *_birth(edit)))
    suite[:] = _nest(suite, blocks, instead, by_line, beside)


class _Placed:
    """The edits by the line of the statement that each is about."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.given_up = frozenset(_given_up(edits))
        self._at: dict[int, list[Edit]] = {}
        self._blocks: dict[int, list[Block]] = {}
        for edit in edits:
            if isinstance(edit, Block):
                self._blocks.setdefault(_start(edit), []).append(edit)
            elif not isinstance(edit, ExpressionEdit | CreateFile):
                self._at.setdefault(edit.line, []).append(edit)

    def at(self, line: int) -> Sequence[Edit]:
        return self._at.get(line, ())

    def blocks_from(self, line: int) -> Sequence[Block]:
        """The blocks that begin with the statement on a line."""
        return self._blocks.get(line, ())


def _given_up(edits: Sequence[Edit]) -> Iterator[int]:
    """The lines of the statements that may not stay as they are, wherever they stand."""
    for edit in edits:
        if isinstance(edit, RemoveStatement | DissolveTry | DissolveBlock | ReplaceStatement | NameReturned):
            yield edit.line
        if isinstance(edit, DissolveTry):
            yield from edit.closes
        if isinstance(edit, OpenBlock) and edit.creation is not None:
            yield edit.creation


def _left_of(statement: ast.stmt, edits: Sequence[Edit]) -> list[ast.stmt]:
    """What stays of a statement that is given up: nothing, what is left of a `try` without its closes, the body of a
    block, or the statements that replace it."""
    for edit in edits:
        if isinstance(edit, DissolveTry) and edit.line == statement.lineno:
            assert isinstance(statement, ast.Try | ast.TryStar)
            return [statement] if statement.finalbody or statement.handlers else statement.body
        if isinstance(edit, DissolveBlock) and edit.line == statement.lineno:
            assert isinstance(statement, ast.With | ast.AsyncWith)
            return statement.body
        if isinstance(edit, ReplaceStatement) and edit.line == statement.lineno:
            return syntax.parse(edit.code).body
        if isinstance(edit, NameReturned) and edit.line == statement.lineno:
            assert isinstance(statement, ast.Return)
            assert statement.value is not None
            first = ast.Assign(targets=[ast.Name(id=edit.name, ctx=ast.Store())], value=statement.value)
            last = ast.Return(value=ast.Name(id=edit.name, ctx=ast.Load()))
            return [first, *syntax.parse(edit.code).body, last]
    return []


def _reshaped(statement: ast.stmt, edits: Sequence[Edit]) -> ast.stmt:
    """A statement that stays where it is with another header, or with one more suite."""
    for edit in edits:
        match edit, statement:
            case LoopToBlock(line=line), ast.For() | ast.AsyncFor() if line == statement.lineno:
                kind = ast.With if isinstance(statement, ast.For) else ast.AsyncWith
                item = ast.withitem(context_expr=_parsed(edit.context), optional_vars=statement.target)
                statement = ast.copy_location(kind(items=[item], body=statement.body), statement)
            case ChangeDefinition(line=line), ast.FunctionDef() | ast.AsyncFunctionDef() if line == statement.lineno:
                fields = dict(ast.iter_fields(statement))
                if edit.returns is not None:
                    fields["returns"] = _parsed(edit.returns)
                asynchronous = edit.is_async or isinstance(statement, ast.AsyncFunctionDef)
                made = (ast.AsyncFunctionDef if asynchronous else ast.FunctionDef)(**fields)
                statement = same_fields(ast.copy_location(made, statement), statement)
            case ChangeParameters(line=line), ast.FunctionDef() | ast.AsyncFunctionDef() if line == statement.lineno:
                statement.args = changed_parameters(statement.args, edit)
            case AddFinally(line=line), ast.Try() | ast.TryStar() if line == statement.lineno:
                statement.finalbody = syntax.parse(_call(edit, "close")).body
    return statement


def _call(edit: GuardBlock | AddFinally, method: str) -> str:
    return f"{'await ' if edit.is_async else ''}{edit.name}.{method}()"


def _start(edit: Block) -> int:
    return edit.block if isinstance(edit, WidenBlock) else edit.first


def _birth(edit: Block) -> tuple[int, int, int, str]:
    if isinstance(edit, WidenBlock):
        return 1, edit.block, 0, ""
    if isinstance(edit, GuardBlock):
        return 0, edit.first, 0, edit.name
    return 0, edit.first if edit.creation is None else edit.creation, 1, f"{edit.name} {edit.context}"


class _Beside:
    """The statements that are put before and after others, each handed out once."""

    def __init__(self, edits: list[Edit]) -> None:
        self._above: dict[int, list[ast.stmt]] = {}
        self._before: dict[int, list[ast.stmt]] = {}
        self._behind: dict[int, list[ast.stmt]] = {}
        self._after: dict[int, list[ast.stmt]] = {}
        for edit in edits:
            if isinstance(edit, InsertBefore | InsertAfter):
                kept = self._before if isinstance(edit, InsertBefore) else self._after
                kept = self._above if isinstance(edit, InsertBefore) and only_imports(edit.code) else kept
                kept.setdefault(edit.line, []).extend(syntax.parse(edit.code).body)
            if isinstance(edit, AddFunction):
                self._behind.setdefault(edit.line, []).extend(syntax.parse(edit.code).body)

    def above(self, line: int) -> list[ast.stmt]:
        """Imports stand above a block that begins with a statement."""
        return self._above.pop(line, [])

    def before(self, line: int) -> list[ast.stmt]:
        return self._before.pop(line, [])

    def after(self, line: int) -> list[ast.stmt]:
        """The functions behind a statement come before what else is put after it."""
        return [*self._behind.pop(line, []), *self._after.pop(line, [])]


def _nest(
    suite: list[ast.stmt],
    blocks: list[Block],
    instead: dict[int, list[ast.stmt]],
    by_line: dict[int, ast.stmt],
    beside: _Beside,
) -> list[ast.stmt]:
    made: list[ast.stmt] = []
    reached = 0
    for statement in suite:
        line = statement.lineno
        if line <= reached:
            continue
        made += beside.above(line)
        block = next((block for block in blocks if _start(block) == line), None)
        if block is None:
            made += [*beside.before(line), *instead.get(line, [statement]), *beside.after(line)]
            continue
        rest = [other for other in blocks if other is not block]
        reached = block.last
        inside = [sibling for sibling in suite if line <= sibling.lineno <= reached]
        if isinstance(block, WidenBlock):
            assert isinstance(statement, ast.With | ast.AsyncWith)
            made += [*beside.before(line), statement]
            statement.body += beside.after(line)
            statement.body += _nest(inside[1:], rest, instead, by_line, beside)
        elif isinstance(block, GuardBlock):
            made.append(_guarded(block, _nest(inside, rest, instead, by_line, beside)))
        else:
            creation = None if block.creation is None else by_line[block.creation]
            # the statement that a block begins with goes into its header, and nothing comes between
            made += beside.before(line) if block.creation == line else []
            made += _opened(block, creation, _nest(inside, rest, instead, by_line, beside))
    return made


def _opened(block: OpenBlock, creation: ast.stmt | None, body: list[ast.stmt]) -> list[ast.stmt]:
    value = None
    if isinstance(creation, ast.If) and block.context is None:
        raise ComposeError(f"line {creation.lineno} makes the session only under a condition", creation.lineno)
    if isinstance(creation, ast.Assign | ast.AnnAssign):
        value = creation.value
    if block.context is not None:
        value = _parsed(block.context)
    assert value is not None
    name = None if block.name is None else ast.Name(id=block.name, ctx=ast.Store())
    item = ast.withitem(context_expr=value, optional_vars=name)
    whole = [*syntax.parse(block.prologue).body, *body]
    opened = (ast.AsyncWith if block.is_async else ast.With)(items=[item], body=whole)
    if not block.keep_annotation:
        return [opened]
    assert isinstance(creation, ast.AnnAssign)
    bare = ast.AnnAssign(target=creation.target, annotation=creation.annotation, value=None, simple=creation.simple)
    return [bare, opened]


def _guarded(block: GuardBlock, body: list[ast.stmt]) -> ast.stmt:
    rollback, close = _call(block, "rollback"), _call(block, "close")
    guard = syntax.parse(f"try: pass\nexcept Exception:\n    {rollback}\n    raise\nfinally: {close}").body[0]
    assert isinstance(guard, ast.Try)
    guard.body = body
    return guard


def _without_fillers(suite: list[ast.stmt]) -> None:
    _without(suite, (ast.Import, ast.ImportFrom, ast.Pass))


def _without(suite: list[ast.stmt], kinds: tuple[type[ast.stmt], ...]) -> None:
    suite[:] = [statement for statement in suite if not isinstance(statement, kinds)]
    for statement in suite:
        for inner in suites_of(statement):
            _without(inner, kinds)
