"""Expressions replaced, mostly where a session is made inside of one: exact texts before and after."""

from __future__ import annotations

import re

import pytest
from test_compose import Asked, Case, case, composed, line_of, opened, removed, source
from test_compose_dissolve import dissolved, entered

from codemods.plan import ReplaceExpression, Span
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError, compose


def spanned(start: str, expression: str, text: str) -> Asked:
    """Replace the one `expression` (of one or more lines) that begins on the line that begins with `start`."""

    def ask(source_text: str) -> ReplaceExpression:
        line = line_of(source_text, start)
        rest = "\n".join(re.split(r"\r\n|\n", source_text)[line - 1 :])
        first_line = rest.partition("\n")[0]
        assert first_line.count(expression.partition("\n")[0]) == 1
        before, _, _ = rest.partition(expression)
        end = (before + expression).split("\n")
        span = Span(line, len(before), line + len(end) - 1, len(end[-1]))
        return ReplaceExpression("app/a.py", span, text)

    return ask


def replaced(start: str, expression: str, text: str) -> Asked:
    """Replace the one `expression` of the line that begins with `start`."""
    assert "\n" not in expression
    return spanned(start, expression, text)


def spans(line: int, column: int, end_column: int) -> Asked:
    return lambda text: ReplaceExpression("app/a.py", Span(line, column, line, end_column), "s")


REPLACED = [
    case(
        "call_argument",
        """\
async def f():
    x = 1
    user = await get_user(F(), x)  # one
    return user
""",
        entered("user", "user"),
        replaced("user", "F()", "session"),
        after="""\
async def f():
    x = 1
    async with F() as session:
        user = await get_user(session, x)  # one
    return user
""",
    ),
    case(
        "receiver_of_an_awaited_call",
        """\
async def f(q):
    return (await F().execute(q)).scalars()
""",
        entered("return", "return"),
        replaced("return", "F()", "session"),
        after="""\
async def f(q):
    async with F() as session:
        return (await session.execute(q)).scalars()
""",
    ),
    case(
        "receiver_that_was_awaited_in_parentheses",
        """\
async def f(q):
    return (await make()).execute( (  # c
        await make()) )
""",
        replaced("return", "await make()", "session"),
        replaced("await", "await make()", "session"),
        after="""\
async def f(q):
    return session.execute( (  # c
        session) )
""",
    ),
    case(
        "awaited_factory",
        """\
async def f(q):
    return await run((await make()), q)
""",
        entered("return", "return", "await make()"),
        replaced("return", "await make()", "session"),
        after="""\
async def f(q):
    async with await make() as session:
        return await run(session, q)
""",
    ),
    case(
        "several_lines_with_comments_around",
        """\
async def f(q):
    return await run(
        # first
        F(
            bind=engine,
        ),  # the session
        q,
    )
""",
        entered("return", "return", "F(bind=engine)"),
        spanned("F(", "F(\n            bind=engine,\n        )", "session"),
        after="""\
async def f(q):
    async with F(bind=engine) as session:
        return await run(
            # first
            session,  # the session
            q,
        )
""",
    ),
    case(
        "parentheses_and_comments_around_stay",
        """\
async def f(q):
    return await run((
        F()  # the session
    ))
""",
        entered("return", "return"),
        replaced("F()", "F()", "session"),
        after="""\
async def f(q):
    async with F() as session:
        return await run((
            session  # the session
        ))
""",
    ),
    case(
        "inside_nested_statements",
        """\
async def f(q):
    if q:
        for x in await run(F()):
            print(x)
    return 1
""",
        entered("if q", "if q"),
        replaced("for x", "F()", "session"),
        after="""\
async def f(q):
    async with F() as session:
        if q:
            for x in await run(session):
                print(x)
    return 1
""",
    ),
    case(
        "condition_of_an_elif",
        """\
async def f(q):
    if q:
        pass
    elif await run(F()):
        pass
    return 1
""",
        entered("if q", "if q"),
        replaced("elif", "F()", "session"),
        after="""\
async def f(q):
    async with F() as session:
        if q:
            pass
        elif await run(session):
            pass
    return 1
""",
    ),
    case(
        "one_line_suite",
        """\
async def f(q):
    if q: return await run(F())
    return 1
""",
        entered("if q", "if q"),
        replaced("if q", "F()", "session"),
        after="""\
async def f(q):
    async with F() as session:
        if q: return await run(session)
    return 1
""",
    ),
    case(
        "joined_statements",
        """\
async def f(q):
    if q:
        a = 1; b = await run(F())
    return 1
""",
        entered("if q", "if q"),
        replaced("a = 1", "F()", "session"),
        after="""\
async def f(q):
    async with F() as session:
        if q:
            a = 1; b = await run(session)
    return 1
""",
    ),
    case(
        "two_in_one_statement",
        """\
async def f():
    await run(F(1), G(2))  # both
""",
        entered("await", "await", "F(1)", "a"),
        entered("await", "await", "G(2)", "b"),
        replaced("await", "F(1)", "a"),
        replaced("await", "G(2)", "b"),
        after="""\
async def f():
    async with F(1) as a:
        async with G(2) as b:
            await run(a, b)  # both
""",
    ),
    case(
        "two_statements_of_one_function",
        """\
async def f():
    await run(F())

    # again
    await again(F())
""",
        entered("await run", "await run"),
        entered("await again", "await again"),
        replaced("await run", "F()", "session"),
        replaced("await again", "F()", "session"),
        after="""\
async def f():
    async with F() as session:
        await run(session)

    # again
    async with F() as session:
        await again(session)
""",
    ),
    case(
        "without_a_block",
        """\
x = 1
y = run(F(), x)  # c
""",
        replaced("y", "F()", "session"),
        after="""\
x = 1
y = run(session, x)  # c
""",
    ),
    case(
        "columns_count_code_points",
        """\
async def f():
    return await run("é𝔘", F(), "ü")
""",
        entered("return", "return"),
        replaced("return", "F()", "sitzung"),
        after="""\
async def f():
    async with F() as session:
        return await run("é𝔘", sitzung, "ü")
""",
    ),
    case(
        "tuple_and_generator_with_their_parentheses",
        """\
x = run((1, F()), [(a for a in b)])
""",
        replaced("x", "(1, F())", "(F, 2)"),
        replaced("x", "(a for a in b)", "session"),
        after="""\
x = run((F, 2), [session])
""",
    ),
    case(
        "sole_generator_argument",
        """\
x = run(y(F()) for a in b)
""",
        replaced("x", "F()", "session"),
        after="""\
x = run(y(session) for a in b)
""",
    ),
    case(
        "whole_statement_is_the_expression",
        """\
async def f():
    await F().commit()
""",
        entered("await", "await"),
        replaced("await", "await F().commit()", "await session.commit()"),
        after="""\
async def f():
    async with F() as session:
        await session.commit()
""",
    ),
    case(
        "string_inside_the_expression",
        """\
async def f():
    await run(F("a"))
""",
        entered("await", "await", "get()"),
        replaced("await", 'F("a")', "session"),
        after="""\
async def f():
    async with get() as session:
        await run(session)
""",
    ),
    case(
        "in_what_makes_the_session",
        """\
async def f():
    s = G(F())
    await s.commit()
""",
        opened("s = ", "await", "await", "s"),
        replaced("s = ", "F()", "engine"),
        after="""\
async def f():
    async with G(engine) as s:
        await s.commit()
""",
    ),
    case(
        "inside_a_dissolved_try",
        """\
async def f():
    session = None
    try:
        # load
        return await run(
            F(), 1)
    finally:
        await session.close()
""",
        entered("return", "return"),
        spanned("F()", "F()", "session"),
        dissolved("try", "await session.close"),
        removed("session = None"),
        after="""\
async def f():
    # load
    async with F() as session:
        return await run(
            session, 1)
""",
    ),
    case(
        "inside_a_lambda_and_a_comprehension",
        """\
x = [run(lambda: F(a)) for a in b]
""",
        replaced("x", "F(a)", "session"),
        after="""\
x = [run(lambda: session) for a in b]
""",
    ),
    case(
        "windows_line_ends",
        "async def f():\r\n    # c\r\n    await run(\r\n        F(),\r\n    )  # d\r\n",
        entered("await", "await"),
        spanned("F()", "F()", "session"),
        after="async def f():\r\n    # c\r\n    async with F() as session:\r\n"
        "        await run(\r\n            session,\r\n        )  # d\r\n",
    ),
]


def asked_again(one: Case) -> bytes:
    return composed(source(one.before, indent=one.indent), one.asked)


@pytest.mark.parametrize("one", REPLACED, ids=lambda one: one.situation)
def test_edited_text(one: Case) -> None:
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", REPLACED, ids=lambda one: one.situation)
def test_order_of_edits_does_not_matter(one: Case) -> None:
    assert composed(source(one.before, indent=one.indent), one.asked[::-1]).decode() == one.after


@pytest.mark.parametrize("one", REPLACED, ids=lambda one: one.situation)
def test_whole_file_gives_the_same_text_as_a_slice(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_edited_slice", lambda source, outline, run: None)
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", REPLACED, ids=lambda one: one.situation)
def test_slice_of_the_outermost_statement_gives_the_same_text(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    edited_slice = slices._edited_slice
    monkeypatch.setattr(
        slices,
        "_edited_slice",
        lambda given, outline, run: None if run.suite.depth else edited_slice(given, outline, run),
    )
    assert asked_again(one).decode() == one.after


def test_situations_have_their_own_names() -> None:
    assert len({one.situation for one in REPLACED}) == len(REPLACED)


REFUSED = [
    ("nothing_at_the_span", "x = run(F())\n", (spans(1, 4, 6),), "no expression has the span"),
    ("span_past_the_end", "x = run(F())\n", (spans(9, 0, 6),), "no expression has the span"),
    ("decorator", "@run(F())\ndef f():\n    pass\n", (replaced("@", "F()", "s"),), "belongs to a definition"),
    ("default", "def f(x=F()):\n    pass\n", (replaced("def", "F()", "s"),), "belongs to a definition"),
    ("default_of_a_lambda", "x = lambda x=F(): x\n", (replaced("x", "F()", "s"),), "belongs to a definition"),
    ("annotation_of_a_function", "def f() -> F():\n    pass\n", (replaced("def", "F()", "s"),), "belongs to a def"),
    ("base_of_a_class", "class A(F()):\n    pass\n", (replaced("class", "F()", "s"),), "belongs to a definition"),
    ("what_is_assigned_to", "a.b = 1\n", (replaced("a", "a.b", "s"),), "is assigned to"),
    ("comment_inside", "x = F(\n    # why\n)\n", (spanned("x", "F(\n    # why\n)", "s"),), "has a comment in it"),
    ("comment_in_a_tuple", "x = (  # why\n    1,)\n", (spanned("x", "(  # why\n    1,)", "s"),), "has a comment in it"),
    ("text_is_no_expression", "x = F()\n", (replaced("x", "F()", "s = 1"),), "is no expression"),
    ("text_that_binds_less", "x = F().y\n", (replaced("x", "F()", "a or b"),), "does not hold the statements"),
    ("text_that_runs_into_a_word", "x = F()if y else 1\n", (replaced("x", "F()", "s"),), "cannot be read"),
    (
        "expression_in_another",
        "x = F(G())\n",
        (replaced("x", "F(G())", "s"), replaced("x", "G()", "s")),
        "in each other",
    ),
    ("statement_taken_away", "x = 1\nF().close()\n", (replaced("F", "F()", "s"), removed("F")), "is taken away too"),
    (
        "creation_that_another_context_replaces",
        "s = G(F())\ns.a()\n",
        (opened("s = ", "s.a", "s.a", "s", sync=True, context="H()"), replaced("s = ", "F()", "e")),
        "is taken away too",
    ),
    (
        "inside_a_guard_that_goes",
        "try:\n    s.a()\nfinally:\n    if s:\n        s.close(F())\n",
        (dissolved("try", "if s"), replaced("s.close", "F()", "t")),
        "is taken away too",
    ),
    (
        "joined_statement_of_a_module",
        "x = 1; y = F()\n",
        (replaced("x", "F()", "s"),),
        "shares its line",
    ),
]


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


def test_two_texts_for_one_expression() -> None:
    edits = [ReplaceExpression("app/a.py", Span(1, 4, 1, 7), text) for text in ("a", "b")]
    with pytest.raises(ComposeError, match="in each other"):
        compose(source("x = F()\n"), edits, ())
    assert compose(source("x = F()\n"), [edits[0], edits[0]], ()) == b"x = a\n"


def test_inside_an_f_string_it_is_made_or_refused() -> None:
    text = 'x = f"{F()} {F}"\n'
    try:
        after = composed(source(text), [replaced("x", "F()", "s")])
    except ComposeError:
        return
    assert after == b'x = f"{s} {F}"\n'
