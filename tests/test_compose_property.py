"""Whatever stands around a session: edits keep every comment, string, statement and every byte outside the function."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator, Set

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods.plan import Edit, OpenBlock, RemoveStatement, Source, WidenBlock
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
    kinds = ["simple", "simple", "creation", "close", "block"] + (
        ["compound", "compound", "try", "match"] * (depth < 2)
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
        elif kind == "creation":
            lines += draw(st.sampled_from(CREATIONS))
        elif kind == "close":
            lines += draw(st.sampled_from([["await s.close()"], ["await s.close()  # done"]]))
        else:
            inner = indented(draw(statements(step, depth + 1)), step)
            inner += indented(draw(st.sampled_from([[], ["# deep"], ["", "# deep"]])), step)
            if kind == "block":
                lines += ["async with F() as s:  # block", *inner]
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
    for suite in suites(ast.parse(text)):
        edits += draw(edits_of(suite))
    return source, edits, len(head), len(head) + len(body)


def suites(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The suites of a tree whose statements have lines of their own."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            suite = getattr(node, name, None)
            if suite and not (isinstance(node, ast.If) and suite[0].lineno == node.lineno):
                yield suite


@st.composite
def edits_of(draw: st.DrawFn, suite: list[ast.stmt]) -> list[Edit]:
    """Closes of one suite taken away, blocks over its statements that nest or lie apart."""
    made: list[Edit] = []
    often = st.sampled_from([True, True, False])
    taken: list[tuple[int, int]] = []
    joined = {one.lineno for one in suite if sum(other.lineno == one.lineno for other in suite) > 1}
    for index, statement in enumerate(suite):
        is_close = isinstance(statement, ast.Expr) and ast.unparse(statement) == "await s.close()"
        if is_close and draw(often):
            made.append(RemoveStatement("a.py", statement.lineno))
        is_creation = isinstance(statement, ast.Assign | ast.AnnAssign) and "F(" in ast.unparse(statement)
        is_block = isinstance(statement, ast.AsyncWith) and "F()" in ast.unparse(statement.items[0])
        if not (is_creation or is_block) or index + 1 == len(suite) or not draw(often):
            continue
        first = draw(st.integers(index + 1, len(suite) - 1)) if is_creation else index
        last = draw(st.integers(max(first, index + 1), len(suite) - 1))
        if any(not (last < a or b < first or (a < first and last <= b)) for a, b in taken):
            continue
        if {suite[first].lineno, suite[last].lineno} & joined:
            continue
        taken.append((first, last))
        if is_creation:
            made.append(OpenBlock("a.py", statement.lineno, suite[first].lineno, suite[last].lineno, True, "s"))
        else:
            made.append(WidenBlock("a.py", statement.lineno, suite[last].lineno))
    return made


def comment_texts(text: str) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="").readline)
    return Counter(token.string.rstrip("\r") for token in tokens if token.type == tokenize.COMMENT)


def strings(text: str) -> Counter[str]:
    return Counter(
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def flattened(tree: ast.AST, gone: Set[int] = frozenset()) -> Iterator[str]:
    """The leaf statements in order, blocks opened over a session and `pass` left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt) and node.lineno in gone:
            continue
        if isinstance(node, ast.stmt) and not any(
            isinstance(inner, ast.stmt) for inner in ast.walk(node) if inner is not node
        ):
            if not isinstance(node, ast.Pass):
                yield ast.dump(node)
        else:
            yield from flattened(node, gone)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(edited_functions())
def test_nothing_is_lost_and_nothing_else_changes(case: tuple[Source, list[Edit], int, int]) -> None:
    source, edits, first, last = case
    ast.parse(source.text)
    after = compose(source, edits, ()).decode()
    compile(after, "a.py", "exec", dont_inherit=True)
    assert comment_texts(after) == comment_texts(source.text)
    assert strings(after) == strings(source.text)
    assert after.endswith("\n") == source.text.endswith("\n")

    old = source.text.split(source.newline)
    assert after.startswith(source.newline.join(old[:first]) + source.newline)
    assert after.endswith(source.newline.join(old[last:]))

    gone = {edit.line for edit in edits if isinstance(edit, RemoveStatement)}
    gone |= {edit.creation for edit in edits if isinstance(edit, OpenBlock)}
    assert list(flattened(ast.parse(after))) == list(flattened(ast.parse(source.text), gone))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(edited_functions())
def test_order_of_edits_does_not_matter(case: tuple[Source, list[Edit], int, int]) -> None:
    source, edits, _, _ = case
    assert compose(source, edits, ()) == compose(source, edits[::-1], ())
