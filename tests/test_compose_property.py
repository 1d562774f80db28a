"""Whatever stands around a session: edits keep every comment, string, statement and every byte outside the function."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from types import MappingProxyType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods.plan import (
    AddArgument,
    AddFinally,
    ChainCall,
    ChangeDefinition,
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
    Source,
    Span,
    WidenBlock,
)
from codemods.transformers.compose import compose

SIMPLE = [
    ["await s.execute(q)"],
    ["x = await s.get(User, 1)  # noqa: E501"],
    ["y = await s.execute(", "    select(User)  # inner", "    .where(", "  1)", ")"],
    ['z = """', "  text # no comment", "", '\tmore"""  # after'],
    ['await s.execute(f"""', "{x} {", "    y}", '""")'],
    ["w = 1 + \\", "    2"],
    ["a = 1; b = 2  # joined"],
    ["if a: b = 3"],
    ["'''doc", " of no one'''"],
    ["del a, \\", "  b"],
    ["t = (  # open", "", "    1,", "# left", ")"],
]
COMPOUND = [
    ["if x:"],
    ["for i in range(3):  # loop"],
    ["while x and \\", "        y:"],
    ["with open(x) as f, \\", "     open(y) as g:"],
    ["@wraps(", "    x", ")", "# between", "async def inner(a, b=(", "    1)):"],
    ["async with other() as o:"],
]
CREATIONS = [
    ["s = F()"],
    ["s: AsyncSession = F()  # type: ignore"],
    ["s = await F(", "    1,  # one", ")  # x"],
    ["s = \\", "    F()"],
]
HANDLERS = [
    [],
    ["except E:  # e", "    pass"],
    ["except (A, B) as e:", "", "    # h", "    raise", "    # raised", "else:  # fine", "    done(1)"],
]
FINALS = [
    ["finally: await s.close()  # done"],
    ["finally:", "    await s.close()"],
    ["# always", "finally:  # f", "", "    # back", "    await s.close()  # done", "    # gone"],
    ["", "finally:", "    log()", "", "    # back", "    await s.close()", "    # gone"],
    ["finally:", "    await s.close()  # done", "", "    # log", "    log()"],
    ["finally:", "    if s: await s.close()  # done", "    await s.close(", "        # none", "    )"],
    ["finally:", "", "    if s:  # made", "        # back", "        await s.close()", "        # gone", "# out", ""],
    ["finally:", "    log()", "    if s and \\", "            s.x:", "        await s.close()", "    log()"],
]
MADE_INSIDE = [
    ["await run(F())"],
    ['x = await run("é", (F()), 1)  # made'],
    ["y = await run(", "    # it", "    F(),  # made", ")"],
    ["if await run(F()): x = 1"],
    ["for i in await run(F()):", "    await run(i)  # each"],
    ["z = (await F()).x"],
]
MADE_ANEW = [
    ["r = make()  # made"],
    ["r = make(", "", "    1,", ")"],
    ["r = \\", "  make();  # made"],
]
CODES = [
    "return 1",
    "r = 1\nawait r",
    "try:\n  r = 1\n  if r:\n    await r\nfinally:\n  r = 2",
    "with r: await r\nr = 3",
]
RETURNED = [
    ["return value  # back"],
    ["return(value)"],
    ["return call(1), \\", "  *b"],
    ["return (  # open", "", "    await call(", "        1,  # one", "    )", ").all()  # all"],
    ["return [", '    """', " text", '""",', "    # none", "];  # back"],
]
CALLED = [
    ["await s.run(", "    chain(User)  # users", "    # known", "    .where(1),", "    call(),  # none", ")"],
    ["c = chain(User).where(call(1, ), call(2, x=3))  # all"],
    [
        "c = chain(  # open",
        "    User",
        ").where(",
        "",
        "    1,",
        "    call(",
        "        1",
        "        # none",
        "    ),",
        ")",
    ],
    ["c = chain(User) \\", "    .where(call(1,", "                2))"],
    ["if chain(call(1).", "        x): pass"],
    ["for c in chain(", "    User", ").all():", "    call(c)  # each"],
]
INSERTED = ["inserted()", "# code\nif inserted():\n  # deep code\n  inserted()\n\n# code", "while inserted(): break"]
NAMING = "for one in named:\n\tinserted(one)"
HEADERS_OF_LOOPS = [["async for s in dep():  # each"], ["async for (s) in dep(", "        1", "):"]]
HEADERS_OF_NEEDLESS = [
    ["async with s:  # enter"],
    ["async with s as t:"],
    ["async with (  # open", "    s", "):  # enter"],
]
GUARDED, UNCLOSED = "guarded", "unclosed"  # names of sessions that only edits use
ADDED = {f"await {GUARDED}.rollback()", f"await {GUARDED}.close()", f"await {UNCLOSED}.close()"}
BETWEEN = [[], [], [""], ["# above"], ["", "# above"], ["# far", ""], ["", "", "# far", "", "# near"], ["   "]]
OUTDENTED = ["#left"]


def indented(lines: list[str], step: str) -> list[str]:
    """Indented as far as that can be done without changing text in triple quotes or a line further left."""
    made: list[str] = []
    inside = False
    for line in lines:
        made.append(line if inside or not line.strip() or line.startswith("#left") else step + line)
        if line.count('"""') % 2 or line.count("'''") % 2:
            inside = not inside
    return made


@st.composite
def statements(draw: st.DrawFn, step: str, depth: int = 0) -> list[str]:
    lines: list[str] = []
    kinds = ["simple", "simple", "creation", "close", "made inside", "made anew", "called", "returned"]
    kinds += ["block"] * (depth < 4)
    kinds += ["compound", "compound", "try", "given back", "given back", "match", "loop", "needless", "unclosed"] * (
        depth < 2
    )
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=6 if depth == 0 else 3))
    if depth == 0:
        chosen = ["creation", *chosen, "simple"]
    for kind in chosen:
        lines += draw(st.sampled_from(BETWEEN))
        if draw(st.integers(0, 9)) == 0:
            lines += OUTDENTED
        if kind == "simple":
            lines += draw(st.sampled_from(SIMPLE))
        elif kind == "made inside":
            lines += draw(st.sampled_from(MADE_INSIDE))
        elif kind == "made anew":
            lines += draw(st.sampled_from(MADE_ANEW))
        elif kind == "called":
            lines += draw(st.sampled_from(CALLED))
        elif kind == "returned":
            lines += draw(st.sampled_from(RETURNED))
        elif kind == "creation":
            lines += draw(st.sampled_from(CREATIONS))
        elif kind == "close":
            lines += draw(st.sampled_from([["await s.close()"], ["await s.close()  # done"]]))
        else:
            inner = indented(draw(statements(step, depth + 1)), step)
            inner += indented(draw(st.sampled_from([[], ["# deep"], ["", "# deep"]])), step)
            if kind == "block":
                lines += ["async with F() as s:  # block", *inner]
            elif kind == "loop":
                lines += [*draw(st.sampled_from(HEADERS_OF_LOOPS)), *inner]
                lines += draw(st.sampled_from([[], [step + "break  # once"], ["", step + "# enough", step + "break"]]))
            elif kind == "needless":
                lines += [*draw(st.sampled_from(HEADERS_OF_NEEDLESS)), *inner]
            elif kind == "unclosed":
                lines += ["try:", *inner]
                lines += draw(st.sampled_from([["except E: raise  # e"], ["except E:", step + "raise", step + "# e"]]))
            elif kind == "try":
                lines += [
                    "try:",
                    *inner,
                    "except E:  # e",
                    step + "pass",
                    "finally:",
                    "",
                    step + "# f",
                    step + "done()",
                ]
            elif kind == "given back":
                lines += [draw(st.sampled_from(["try:", "try:  # guard"])), *draw(st.sampled_from([[], [""]])), *inner]
                for part in (draw(st.sampled_from(HANDLERS)), draw(st.sampled_from(FINALS))):
                    lines += [line.replace("    ", step) for line in part]
            elif kind == "match":
                lines += ["match x:", step + "case 1:", *indented(inner, step), step + "case _:", step * 2 + "pass"]
            else:
                lines += [*draw(st.sampled_from(COMPOUND)), *inner]
    return lines


@st.composite
def edited_functions(draw: st.DrawFn) -> tuple[Source, list[Edit], int, int]:
    """A file, edits in one of its functions, and that function's first and last line."""
    step = draw(st.sampled_from(["    ", "    ", "\t", "  "]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    head = ["x = 1  # before", "", "\x0c", "async def f(x, y, s):"]
    end = draw(st.sampled_from([[], ["# foot"], ["", "# foot"]]))
    body = indented([*draw(statements(step)), *end], step)
    text = newline.join([*head, *body, "", "def after():", step + "return 'after'  # last"])
    text += draw(st.sampled_from(["", newline]))
    source = Source("a.py", "a", False, text.encode(), text, "utf-8", b"", newline, step)
    edits: list[Edit] = []
    tree = ast.parse(text)
    for suite in suites(tree.body[1], text.split(newline)):
        edits += draw(edits_of(suite))
    closes = {line for edit in edits if isinstance(edit, DissolveTry) for line in edit.closes}
    lost = {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and node.lineno in closes
        for inner in node.body
    }
    guards = [edit for edit in edits if isinstance(edit, GuardBlock)]
    # Python allows no more than twenty blocks in each other, and a guard is two
    kept = [guard for guard in guards if guard.first not in lost][:3]
    edits = [edit for edit in edits if edit not in guards or edit in kept]
    awaited = {id(node.value): node for node in ast.walk(tree) if isinstance(node, ast.Await)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node) == "F()" and draw(st.booleans()):
            whole = awaited.get(id(node), node) if draw(st.booleans()) else node
            edits.append(ReplaceExpression("a.py", span_of(whole, text.split(newline)), "s"))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("chain", "call") and draw(st.booleans()):
            span = span_of(node, text.split(newline))
            if ast.unparse(node.func) == "chain":
                edits.append(ChainCall("a.py", span, ".chained(new)"))
            else:
                edits.append(AddArgument("a.py", span, "new=1"))
    creations = {edit.creation for edit in edits if isinstance(edit, OpenBlock)}
    # nothing can stand between a creation and its block, or in what goes
    edits = [
        edit
        for edit in edits
        if not (isinstance(edit, InsertAfter) and edit.line in creations)
        and not (isinstance(edit, InsertBefore | InsertAfter | NameReturned) and edit.line in lost)
    ]
    return source, edits, len(head), len(head) + len(body)


def suites(function: ast.stmt, lines: list[str]) -> Iterator[list[ast.stmt]]:
    """The suites of a function whose statements have lines of their own."""
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            suite = getattr(node, name, None)
            if suite and not lines[suite[0].lineno - 1].encode()[: suite[0].col_offset].strip():
                yield suite


def span_of(node: ast.expr, lines: list[str]) -> Span:
    assert node.end_lineno is not None
    start, end = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
    columns = (len(start[: node.col_offset].decode()), len(end[: node.end_col_offset].decode()))
    return Span(node.lineno, columns[0], node.end_lineno, columns[1])


@st.composite
def edits_of(draw: st.DrawFn, suite: list[ast.stmt]) -> list[Edit]:
    """Closes of one suite taken away, statements reshaped, blocks over its statements that nest or lie apart."""
    made: list[Edit] = []
    often = st.sampled_from([True, True, False])
    taken: list[tuple[int, int]] = []
    joined = {one.lineno for one in suite if sum(other.lineno == one.lineno for other in suite) > 1}
    for index, statement in enumerate(suite):
        is_close = isinstance(statement, ast.Expr) and ast.unparse(statement) == "await s.close()"
        if is_close and draw(often):
            made.append(RemoveStatement("a.py", statement.lineno))
        if isinstance(statement, ast.Try) and statement.finalbody and draw(often):
            closes = [final.lineno for final in statement.finalbody if "s.close()" in ast.unparse(final)]
            if closes:
                chosen = draw(st.sets(st.sampled_from(closes), min_size=1))
                made.append(DissolveTry("a.py", statement.lineno, tuple(sorted(chosen))))
        if draw(often):
            made += reshaped(draw, statement)
        has_own_lines = statement.lineno not in joined and all(
            not isinstance(inner, ast.stmt) or inner is statement or inner.lineno != statement.lineno
            for inner in ast.walk(statement)
        )
        begins = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if has_own_lines and not begins and draw(st.integers(0, 2)) == 0:
            made.append(InsertBefore("a.py", statement.lineno, draw(st.sampled_from(INSERTED))))
        if has_own_lines and draw(st.integers(0, 2)) == 0:
            made.append(InsertAfter("a.py", statement.lineno, draw(st.sampled_from(INSERTED))))
        if draw(st.integers(0, 5)) == 0:
            last = draw(st.integers(index, len(suite) - 1))
            if fits(taken, index, last) and not {statement.lineno, suite[last].lineno} & joined:
                taken.append((index, last))
                made.append(GuardBlock("a.py", statement.lineno, suite[last].lineno, True, GUARDED))
                continue
        is_creation = isinstance(statement, ast.Assign | ast.AnnAssign) and ast.unparse(statement).startswith("s")
        is_block = isinstance(statement, ast.AsyncWith) and "F()" in ast.unparse(statement.items[0])
        is_made_inside = not is_creation and not is_block and "F()" in ast.unparse(statement)
        if not (is_creation or is_block or is_made_inside) or not draw(often):
            continue
        if index + 1 == len(suite) and not is_made_inside:
            continue
        first = draw(st.integers(index + 1, len(suite) - 1)) if is_creation else index
        last = draw(st.integers(first if is_made_inside else max(first, index + 1), len(suite) - 1))
        if not fits(taken, first, last):
            continue
        if {suite[first].lineno, suite[last].lineno} & joined:
            continue
        taken.append((first, last))
        if is_creation:
            made.append(OpenBlock("a.py", statement.lineno, suite[first].lineno, suite[last].lineno, True, "s"))
        elif is_block and last > index and draw(often):
            made.append(WidenBlock("a.py", statement.lineno, suite[last].lineno))
        else:
            name = draw(st.sampled_from(["s", None]))
            made.append(OpenBlock("a.py", None, statement.lineno, suite[last].lineno, True, name, "G()"))
    return made


def reshaped(draw: st.DrawFn, statement: ast.stmt) -> list[Edit]:
    """What one statement becomes that gets another shape where it stands; nothing for most."""
    line = statement.lineno
    match statement:
        case ast.AsyncFor(body=[*_, last]):
            ends = [RemoveStatement("a.py", last.lineno)] if isinstance(last, ast.Break) else []
            return [LoopToBlock("a.py", line, "G()"), *ends]
        case ast.AsyncWith(items=[ast.withitem(context_expr=ast.Name())]):
            return [DissolveBlock("a.py", line)]
        case ast.Try(finalbody=[]):
            return [AddFinally("a.py", line, True, UNCLOSED)]
        case ast.AsyncFunctionDef():
            return [ChangeDefinition("a.py", line, True, "Changed")]
        case ast.Return():
            return [NameReturned("a.py", line, "named", NAMING)]
        case ast.Assign(targets=[ast.Name(id="r")]):
            return [ReplaceStatement("a.py", line, draw(st.sampled_from(CODES)))]
    return []


def fits(taken: list[tuple[int, int]], first: int, last: int) -> bool:
    """Whether a block nests in those that start above it, or lies apart from them."""
    return all(last < a or b < first or (a < first and last <= b) for a, b in taken)


def comment_texts(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="").readline)
    return Counter(token.string.rstrip("\r") for token in tokens if token.type == tokenize.COMMENT)


def longest_blank(text: str) -> int:
    """How many lines without anything follow one another at most."""
    return max(len(run) for run in "".join(" " if line.strip() else "b" for line in text.splitlines()).split(" "))


def strings(text: str) -> Counter[str]:
    return Counter(
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def flattened(
    tree: ast.AST,
    gone: Set[int] = frozenset(),
    replaced: Mapping[int, str] = MappingProxyType({}),
    beside: Mapping[tuple[int, type[InsertBefore | InsertAfter]], str] = MappingProxyType({}),
) -> Iterator[str]:
    """The leaf statements in order, blocks opened over a session and `pass` left out, and what guards add."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            yield from flattened(ast.parse(beside.get((node.lineno, InsertBefore), "")))
        yield from _flattened(node, gone, replaced, beside)
        if isinstance(node, ast.stmt):
            yield from flattened(ast.parse(beside.get((node.lineno, InsertAfter), "")))


def _flattened(
    node: ast.AST,
    gone: Set[int],
    replaced: Mapping[int, str],
    beside: Mapping[tuple[int, type[InsertBefore | InsertAfter]], str],
) -> Iterator[str]:
    if isinstance(node, ast.ExceptHandler) and ast.unparse(node.body[0]) in ADDED:
        return
    if isinstance(node, ast.stmt) and (node.lineno in gone or ast.unparse(node) in ADDED):
        return
    if isinstance(node, ast.stmt) and node.lineno in replaced:
        yield from flattened(ast.parse(replaced[node.lineno]))
    elif isinstance(node, ast.stmt) and not any(
        isinstance(inner, ast.stmt) for inner in ast.walk(node) if inner is not node
    ):
        if not isinstance(node, ast.Pass):
            yield ast.dump(node)
    else:
        yield from flattened(node, gone, replaced, beside)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(edited_functions())
def test_nothing_is_lost_and_nothing_else_changes(case: tuple[Source, list[Edit], int, int]) -> None:
    source, edits, first, last = case
    ast.parse(source.text)
    after = compose(source, edits, ()).decode()
    compile(after, "a.py", "exec", dont_inherit=True)
    codes = [edit.code for edit in edits if isinstance(edit, InsertBefore | InsertAfter)]
    written = sum((comment_texts(code) for code in codes), comment_texts(source.text))
    assert comment_texts(after) == written
    assert strings(after) == strings(source.text)
    assert after.endswith("\n") == source.text.endswith("\n")
    assert longest_blank(after) <= max(longest_blank(source.text), *map(longest_blank, codes), 0)

    old = source.text.split(source.newline)
    assert after.startswith(source.newline.join(old[:first]) + source.newline)
    assert after.endswith(source.newline.join(old[last:]))

    gone = {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
    gone |= {edit.creation for edit in edits if isinstance(edit, OpenBlock) and edit.creation is not None}
    gone |= {line for edit in edits if isinstance(edit, DissolveTry) for line in edit.closes}
    replaced = {edit.line: edit.code for edit in edits if isinstance(edit, ReplaceStatement)}
    tree = ast.parse(with_expressions(source, edits))
    beside = {(edit.line, type(edit)): edit.code for edit in edits if isinstance(edit, InsertBefore | InsertAfter)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and any(
            isinstance(edit, NameReturned) and edit.line == node.lineno for edit in edits
        ):
            assert node.value is not None
            replaced[node.lineno] = f"named = {ast.unparse(node.value)}\n{NAMING}\nreturn named"
    expected = flattened(tree, gone, replaced, beside)
    assert list(flattened(ast.parse(after))) == list(expected)
    assert after.count(" -> Changed") == sum(isinstance(edit, ChangeDefinition) for edit in edits)
    assert after.count(f"await {GUARDED}.close()") == sum(isinstance(edit, GuardBlock) for edit in edits)
    assert after.count(f"await {UNCLOSED}.close()") == sum(isinstance(edit, AddFinally) for edit in edits)


def with_expressions(source: Source, edits: list[Edit]) -> str:
    """The original text with its expressions replaced, each on its one line, and with its calls added to, on the line
    that they end on."""
    lines = source.text.split(source.newline)
    asked = [edit for edit in edits if isinstance(edit, ReplaceExpression | AddArgument | ChainCall)]
    # from the end of the text on, so that what is left to do stays where it was
    for edit in sorted(asked, key=lambda edit: (edit.span.end_line, edit.span.end_column), reverse=True):
        span = edit.span
        line, end = lines[span.end_line - 1], span.end_column
        if isinstance(edit, ReplaceExpression):
            line = f"{line[: span.column]}s{line[end:]}"
        elif isinstance(edit, ChainCall):
            line = f"{line[:end]}.chained(new){line[end:]}"
        else:
            text = source.newline.join([*lines[: span.end_line - 1], line[: end - 1]])
            comma = "" if re.sub("#.*", "", text).rstrip().endswith((",", "(")) else ", "
            line = f"{line[: end - 1]}{comma}new=1{line[end - 1 :]}"
        lines[span.end_line - 1] = line
    return source.newline.join(lines)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(edited_functions())
def test_order_of_edits_does_not_matter(case: tuple[Source, list[Edit], int, int]) -> None:
    source, edits, _, _ = case
    assert compose(source, edits, ()) == compose(source, edits[::-1], ())
