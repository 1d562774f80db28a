"""A `try` whose `finally` gives back a session, made part of a block: exact texts before and after."""

from __future__ import annotations

import re

import pytest
from test_compose import Asked, Case, case, composed, line_of, opened, removed, source

from codemods.plan import DissolveTry, DropIfUnused, OpenBlock
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError


def dissolved(start: str, *closes: str) -> Asked:
    return lambda text: DissolveTry("app/a.py", line_of(text, start), tuple(line_of(text, close) for close in closes))


def entered(first: str, last: str, context: str = "F()", name: str | None = "session") -> Asked:
    return lambda text: OpenBlock("app/a.py", None, line_of(text, first), line_of(text, last), True, name, context)


def entered_without_context(first: str) -> Asked:
    return lambda text: OpenBlock("app/a.py", None, line_of(text, first), line_of(text, first), False, "s")


def entered_with_annotation(first: str) -> Asked:
    return lambda text: OpenBlock(
        "app/a.py", None, line_of(text, first), line_of(text, first), False, "s", "F()", keep_annotation=True
    )


def unnamed(creation: str, first: str) -> Asked:
    return lambda text: OpenBlock(
        "app/a.py", line_of(text, creation), line_of(text, first), line_of(text, first), False, None
    )


CLOSE = dissolved("try", "await session.close")
BLOCK = opened("session = ", "try", "try")

DISSOLVED = [
    case(
        "body_takes_the_place_of_the_try",
        """\
async def f():
    session = F()
    try:
        user = await session.get(User, 1)
        return user
    finally:
        await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "every_comment_of_the_try_stays",
        """\
async def f():
    # open it
    session = F()  # bare

    # now
    try:  # guard

        # load
        user = await session.get(User, 1)  # by id

        # checked
    # always
    finally:  # at last

        # give it back
        await session.close()  # done
        # gone
    return user
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    # open it
    async with F() as session:  # bare
        # now
        # guard
        # load
        user = await session.get(User, 1)  # by id

        # checked
        # always
        # at last
        # give it back
        # done
        # gone
    return user
""",
    ),
    case(
        "handlers_stay_without_the_finally",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    except E:  # e
        await session.rollback()
        raise
    finally:
        await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        try:
            await session.commit()
        except E:  # e
            await session.rollback()
            raise
""",
    ),
    case(
        "handlers_and_else_stay_above_the_comments_of_the_finally",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    except E:
        raise
    else:
        log.info("fine")

    finally:  # always
        # give it back
        await session.close()  # done

    return 1
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        try:
            await session.commit()
        except E:
            raise
        else:
            log.info("fine")

        # always
        # give it back
        # done

    return 1
""",
    ),
    case(
        "finally_keeps_what_else_it_holds",
        """\
async def f():
    session = F()
    try:  # guard
        await session.commit()
    finally:  # always

        # give it back
        await session.close()  # done

        log.info("done")
    return 1
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        try:  # guard
            await session.commit()
        finally:  # always
            # give it back
            # done

            log.info("done")
    return 1
""",
    ),
    case(
        "close_at_the_end_of_a_finally_that_stays",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    except E:
        raise
    finally:
        log.info("done")

        # give it back
        await session.close()

    return 1
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        try:
            await session.commit()
        except E:
            raise
        finally:
            log.info("done")

            # give it back

    return 1
""",
    ),
    case(
        "statements_of_the_block_after_the_try",
        """\
async def f():
    session = F()
    try:
        user = await session.get(User, 1)
    finally:
        # give it back
        await session.close()

    # later
    return user.name
""",
        opened("session = ", "try", "return"),
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        # give it back

        # later
        return user.name
""",
    ),
    case(
        "statements_between_creation_and_try_stay_above",
        """\
async def f(x):
    # the session
    session = F()
    y = x + 1

    # load
    try:
        return await session.get(User, y)
    finally:
        await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f(x):
    y = x + 1

    # the session
    async with F() as session:
        # load
        return await session.get(User, y)
""",
    ),
    case(
        "without_a_block",
        """\
async def f(session):
    x = 1

    # load
    try:  # guard
        await session.commit()
    finally:
        # give it back
        await session.close()
    return x
""",
        CLOSE,
        after="""\
async def f(session):
    x = 1

    # load
    # guard
    await session.commit()
    # give it back
    return x
""",
    ),
    case(
        "without_a_block_at_the_end_of_the_suite",
        """\
async def f(session):
    try:
        await session.commit()
    finally:
        await session.close()  # done

    # foot

x = 1
""",
        CLOSE,
        after="""\
async def f(session):
    await session.commit()
    # done

    # foot

x = 1
""",
    ),
    case(
        "without_a_block_handlers_stay",
        """\
async def f(session):
    try:
        await session.commit()
    except E:
        raise
    finally:
        # give it back
        await session.close()
    return 1
""",
        CLOSE,
        after="""\
async def f(session):
    try:
        await session.commit()
    except E:
        raise
    # give it back
    return 1
""",
    ),
    case(
        "try_deeper_than_the_creation",
        """\
async def f(x):
    session = F()
    if x:
        # checked
        try:
            await session.commit()
        finally:
            await session.close()
        log.info("x")
    return 1
""",
        opened("session = ", "if x", "if x"),
        CLOSE,
        after="""\
async def f(x):
    async with F() as session:
        if x:
            # checked
            await session.commit()
            log.info("x")
    return 1
""",
    ),
    case(
        "creation_inside_the_try",
        """\
async def f():
    session = None
    try:
        session = F()
        await session.commit()
        return 1
    finally:
        # give it back
        if session: await session.close()  # if made
""",
        opened("session = F", "await session.commit", "return"),
        removed("session = None"),
        dissolved("try", "if session"),
        after="""\
async def f():
    async with F() as session:
        await session.commit()
        return 1
        # give it back
        # if made
""",
    ),
    case(
        "creation_inside_the_try_and_a_comment_at_its_end",
        """\
async def f():
    try:
        session = F()
        await session.commit()

        # committed
    finally:
        # give it back
        await session.close()
    return 1
""",
        opened("session = F", "await session.commit", "await session.commit"),
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        await session.commit()

    # committed
    # give it back
    return 1
""",
    ),
    case(
        "creation_inside_a_try_with_handlers",
        """\
async def f():
    try:
        session = F()
        await session.commit()
    except E:
        return 0
    finally:
        # give it back
        await session.close()
    return 1
""",
        opened("session = F", "await session.commit", "await session.commit"),
        CLOSE,
        after="""\
async def f():
    try:
        async with F() as session:
            await session.commit()
    except E:
        return 0
    # give it back
    return 1
""",
    ),
    case(
        "guard_over_several_lines",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    finally:
        # only if made
        if (
            session is not None  # made
            and session.is_active
        ):  # so

            # give it back
            await session.close()  # done
            # gone
""",
        BLOCK,
        dissolved("try", "if ("),
        after="""\
async def f():
    async with F() as session:
        await session.commit()
        # only if made
        # made
        # so
        # give it back
        # done
        # gone
""",
    ),
    case(
        "guard_with_a_string_in_its_condition",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    finally:
        if hasattr(session, "close"):
            await session.close()
""",
        BLOCK,
        dissolved("try", "if has"),
        after="""\
async def f():
    async with F() as session:
        await session.commit()
""",
    ),
    case(
        "guard_in_a_finally_that_stays",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    finally:
        if session is not None:
            await session.close()  # done
        log.info("done")
""",
        BLOCK,
        dissolved("try", "if session"),
        after="""\
async def f():
    async with F() as session:
        try:
            await session.commit()
        finally:
            # done
            log.info("done")
""",
    ),
    case(
        "finally_on_one_line",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    # always
    finally: await session.close()  # done
    return 1
""",
        BLOCK,
        dissolved("try", "finally"),
        after="""\
async def f():
    async with F() as session:
        await session.commit()
        # always
        # done
    return 1
""",
    ),
    case(
        "try_and_finally_on_one_line_each",
        """\
async def f():
    session = F()
    # load
    try: x = 1; await session.commit()  # joined
    finally: await session.close()
""",
        BLOCK,
        dissolved("try", "finally"),
        after="""\
async def f():
    async with F() as session:
        # load
        x = 1; await session.commit()  # joined
""",
    ),
    case(
        "close_over_several_lines",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    finally:
        await session.close(
            # nothing
        )  # done
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        await session.commit()
        # nothing
        # done
""",
    ),
    case(
        "two_closes_in_one_finally",
        """\
async def f():
    a = F()
    b = G()
    try:
        await a.commit(b)
    finally:
        # b first
        await b.close()

        # then a
        await a.close()
""",
        opened("a = ", "try", "try", "a"),
        opened("b = ", "try", "try", "b"),
        dissolved("try", "await a.close"),
        dissolved("try", "await b.close"),
        after="""\
async def f():
    async with F() as a:
        async with G() as b:
            await a.commit(b)
            # b first

            # then a
""",
    ),
    case(
        "one_of_two_closes",
        """\
async def f():
    a = F()
    b = G()
    try:
        await a.commit(b)
    finally:
        await a.close()
        await b.close()
""",
        opened("a = ", "b = ", "try", "a"),
        dissolved("try", "await a.close"),
        after="""\
async def f():
    async with F() as a:
        b = G()
        try:
            await a.commit(b)
        finally:
            await b.close()
""",
    ),
    case(
        "nested_tries_both_go",
        """\
async def f():
    a = F()
    try:  # outer
        b = G()
        try:  # inner
            await a.commit(b)
        finally:
            await b.close()  # b
    finally:
        await a.close()  # a
    return 1
""",
        opened("a = ", "try:  # outer", "try:  # outer", "a"),
        opened("b = ", "try:  # inner", "try:  # inner", "b"),
        dissolved("try:  # outer", "await a.close"),
        dissolved("try:  # inner", "await b.close"),
        after="""\
async def f():
    async with F() as a:
        # outer
        async with G() as b:
            # inner
            await a.commit(b)
            # b
            # a
    return 1
""",
    ),
    case(
        "inner_try_goes_outer_stays",
        """\
async def f():
    try:  # outer
        session = F()
        try:  # inner
            await session.commit()
        finally:
            await session.close()
    except E:
        log.exception("failed")
    finally:
        done()
""",
        opened("session = ", "try:  # inner", "try:  # inner"),
        dissolved("try:  # inner", "await session.close"),
        after="""\
async def f():
    try:  # outer
        async with F() as session:
            # inner
            await session.commit()
    except E:
        log.exception("failed")
    finally:
        done()
""",
    ),
    case(
        "try_inside_the_finally_of_another",
        """\
async def f(session):
    try:  # outer
        work()
    finally:
        try:  # inner
            await session.commit()
        finally:
            # give it back
            await session.close()
""",
        dissolved("try:  # inner", "await session.close"),
        after="""\
async def f(session):
    try:  # outer
        work()
    finally:
        # inner
        await session.commit()
        # give it back
""",
    ),
    case(
        "two_tries_of_one_function",
        """\
async def f():
    a = F()
    try:  # one
        await a.commit()
    finally:
        await a.close()

    b = F()
    try:  # two
        await b.commit()
    finally:
        await b.close()
""",
        opened("a = ", "try:  # one", "try:  # one", "a"),
        opened("b = ", "try:  # two", "try:  # two", "b"),
        dissolved("try:  # one", "await a.close"),
        dissolved("try:  # two", "await b.close"),
        after="""\
async def f():
    async with F() as a:
        # one
        await a.commit()

    async with F() as b:
        # two
        await b.commit()
""",
    ),
    case(
        "two_tries_side_by_side_without_blocks",
        """\
async def f(a, b):
    try:  # one
        await a.commit()
    finally:
        # a goes
        await a.close()
    try:  # two
        await b.commit()
    finally:
        # b goes
        await b.close()
""",
        dissolved("try:  # one", "await a.close"),
        dissolved("try:  # two", "await b.close"),
        after="""\
async def f(a, b):
    # one
    await a.commit()
    # a goes
    # two
    await b.commit()
    # b goes
""",
    ),
    case(
        "text_in_triple_quotes_stays",
        """\
async def f():
    session = F()
    try:
        rows = await session.execute(text('''
    select 1
          from x
'''))
        return rows
    finally:
        await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        rows = await session.execute(text('''
    select 1
          from x
'''))
        return rows
""",
    ),
    case(
        "continued_lines_move_with_their_statement",
        """\
async def f(session):
    try:
        user = await session.execute(
            select(User)  # all
            # by id
            .where(User.id == 1)
        )
        ok = user \\
            or None
        if ok:
            done()
            # deep
    finally:
        await session.close()
""",
        CLOSE,
        after="""\
async def f(session):
    user = await session.execute(
        select(User)  # all
        # by id
        .where(User.id == 1)
    )
    ok = user \\
        or None
    if ok:
        done()
        # deep
""",
    ),
    case(
        "continued_lines_in_a_block_stay_where_they_are",
        """\
async def f():
    session = F()
    try:
        ok = await session.get(1) \\
            or None
    finally:
        await session.close()
    return ok
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        ok = await session.get(1) \\
            or None
    return ok
""",
    ),
    case(
        "compound_statement_first_in_the_body",
        """\
async def f():
    session = F()
    try:
        # each
        @cache
        async def inner():
            return await session.get(1)

        for x in y:
            await inner()
        else:
            pass
    finally:
        await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        # each
        @cache
        async def inner():
            return await session.get(1)

        for x in y:
            await inner()
        else:
            pass
""",
    ),
    case(
        "match_case_and_loop_around_it",
        """\
async def f(x):
    match x:
        case 1:
            for y in x:
                session = F()
                try:
                    await session.commit()
                finally:
                    await session.close()
        case _:
            pass
""",
        BLOCK,
        CLOSE,
        after="""\
async def f(x):
    match x:
        case 1:
            for y in x:
                async with F() as session:
                    await session.commit()
        case _:
            pass
""",
    ),
    case(
        "module_level",
        """\
import x

session = F()
try:
    session.commit()
finally:
    # give it back
    session.close()

x.y()
""",
        opened("session = ", "try", "try", sync=True),
        dissolved("try", "session.close"),
        after="""\
import x

with F() as session:
    session.commit()
    # give it back

x.y()
""",
    ),
    case(
        "module_level_without_a_block",
        """\
import x

try:
    x.commit()
finally:
    # give it back
    x.close()

x.y()
""",
        dissolved("try", "x.close"),
        after="""\
import x

x.commit()
# give it back

x.y()
""",
    ),
    case(
        "try_is_the_whole_module",
        """\
try:
    x.commit()
finally:
    x.close()
""",
        dissolved("try", "x.close"),
        after="""\
x.commit()
""",
    ),
    case(
        "exception_groups",
        """\
async def f():
    session = F()
    try:
        await session.commit()
    except* E:
        raise
    finally:
        await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
        try:
            await session.commit()
        except* E:
            raise
""",
    ),
    case(
        "close_taken_away_in_the_body_too",
        """\
async def f():
    session = F()
    try:
        await session.commit()
        await session.close()  # early
    finally:
        await session.aclose()  # late
""",
        BLOCK,
        removed("await session.close"),
        dissolved("try", "await session.aclose"),
        after="""\
async def f():
    async with F() as session:
        await session.commit()
        # early
        # late
""",
    ),
    case(
        "entered_late_under_its_name",
        """\
async def f(session):
    x = 1

    # now
    try:  # guard
        await session.commit()
    finally:
        await session.close()
    return x
""",
        entered("try", "try", "session", None),
        CLOSE,
        after="""\
async def f(session):
    x = 1

    # now
    async with session:
        # guard
        await session.commit()
    return x
""",
    ),
    case(
        "entered_over_what_is_a_block_already",
        """\
async def f():
    session = F()
    other = G()
    # both
    await session.commit(other)
    return 1
""",
        entered("await", "await", "other", None),
        opened("session", "other", "return"),
        after="""\
async def f():
    async with F() as session:
        other = G()
        # both
        async with other:
            await session.commit(other)
        return 1
""",
    ),
    case(
        "made_in_an_expression",
        """\
async def f():
    x = 1

    # load

    # it
    rows = await run(session)  # rows
    return rows
""",
        entered("rows", "rows"),
        after="""\
async def f():
    x = 1

    # load

    # it
    async with F() as session:
        rows = await run(session)  # rows
    return rows
""",
    ),
    case(
        "made_in_an_expression_beside_a_close",
        """\
async def f():
    rows = await run(session)
    await session.close()  # done
    return rows
""",
        entered("rows", "return"),
        removed("await session.close"),
        after="""\
async def f():
    async with F() as session:
        rows = await run(session)
        # done
        return rows
""",
    ),
    case(
        "tabs",
        "async def f():\n\tsession = F()\n\ttry:\n\t\treturn await session.get(\n"
        "\t\t\t1)\n\tfinally:\n\t\t# back\n\t\tawait session.close()\n",
        BLOCK,
        CLOSE,
        after="async def f():\n\tasync with F() as session:\n\t\treturn await session.get(\n\t\t\t1)\n\t\t# back\n",
        indent="\t",
    ),
    case(
        "windows_line_ends",
        "async def f():\r\n    session = F()\r\n    try:  # a\r\n"
        "        x = 1 \\\r\n            + 2\r\n    finally:  # b\r\n"
        "        # c\r\n        if session:  # d\r\n            await session.close()  # e\r\n"
        "    return x\r\n",
        BLOCK,
        dissolved("try", "if session"),
        after="async def f():\r\n    async with F() as session:\r\n        # a\r\n"
        "        x = 1 \\\r\n            + 2\r\n        # b\r\n        # c\r\n"
        "        # d\r\n        # e\r\n    return x\r\n",
    ),
    case(
        "no_newline_at_the_end_of_the_file",
        "async def f():\n    session = F()\n    try:\n        await session.commit()\n"
        "    finally:\n        await session.close()  # done",
        BLOCK,
        CLOSE,
        after="async def f():\n    async with F() as session:\n        await session.commit()\n        # done",
    ),
    case(
        "two_spaces_and_a_try_with_eight",
        """\
async def f():
  session = F()
  try:
          if await session.get(1):
                  return 2
  finally:
          await session.close()
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
  async with F() as session:
    if await session.get(1):
            return 2
""",
    ),
    case(
        "comments_outside_the_indentation",
        """\
async def f():
    session = F()
    try:
    # at the try
        await session.commit()
# at the margin
        await session.flush()
    # at the end
    finally:
    # in the finally
        await session.close()
# after
    return 1
""",
        BLOCK,
        CLOSE,
        after="""\
async def f():
    async with F() as session:
    # at the try
        await session.commit()
# at the margin
        await session.flush()
        # at the end
    # in the finally
# after
    return 1
""",
    ),
]


def asked_again(one: Case) -> bytes:
    return composed(source(one.before, indent=one.indent), one.asked)


@pytest.mark.parametrize("one", DISSOLVED, ids=lambda one: one.situation)
def test_edited_text(one: Case) -> None:
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", DISSOLVED, ids=lambda one: one.situation)
def test_order_of_edits_does_not_matter(one: Case) -> None:
    assert composed(source(one.before, indent=one.indent), one.asked[::-1]).decode() == one.after


@pytest.mark.parametrize("one", DISSOLVED, ids=lambda one: one.situation)
def test_whole_file_gives_the_same_text_as_a_slice(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_edited_slice", lambda source, outline, run: None)
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", DISSOLVED, ids=lambda one: one.situation)
def test_slice_of_the_outermost_statement_gives_the_same_text(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    edited_slice = slices._edited_slice
    monkeypatch.setattr(
        slices,
        "_edited_slice",
        lambda given, outline, run: None if run.suite.depth else edited_slice(given, outline, run),
    )
    assert asked_again(one).decode() == one.after


def test_situations_have_their_own_names() -> None:
    assert len({one.situation for one in DISSOLVED}) == len(DISSOLVED)


TRIED = "def f(s):\n    try:\n        s.a()\n    finally:\n        s.close()\n"
REFUSED = [
    ("no_try_on_the_line", TRIED, (dissolved("s.a", "s.close"),), "no `try` with a `finally`"),
    (
        "try_without_finally",
        "def f(s):\n    try:\n        s.a()\n    except E:\n        s.close()\n",
        (dissolved("try", "s.close"),),
        "no `try` with a `finally`",
    ),
    ("close_outside_the_finally", TRIED, (dissolved("try", "s.a"),), "starts no statement of the `finally`"),
    ("nothing_goes", TRIED, (dissolved("try"),), "nothing goes from the `finally`"),
    (
        "close_beside_another_statement",
        TRIED.replace("s.close()", "s.close(); log()"),
        (dissolved("try", "s.close"),),
        "shares its line",
    ),
    (
        "close_beside_another_statement_on_the_line_of_the_finally",
        "def f(s):\n    try:\n        s.a()\n    finally: s.close(); log()\n",
        (dissolved("try", "finally"),),
        "shares its line",
    ),
    (
        "guard_with_an_else",
        TRIED.replace("s.close()", "if s: s.close()\n        else: log()"),
        (dissolved("try", "if s"),),
        "is no close to take away",
    ),
    (
        "loop_that_closes",
        TRIED.replace("s.close()", "for t in s: t.close()"),
        (dissolved("try", "for t"),),
        "is no close to take away",
    ),
    (
        "guard_that_imports",
        TRIED.replace("s.close()", "if s:\n            import x\n            s.close()"),
        (dissolved("try", "if s"),),
        "imports something",
    ),
    (
        "guard_that_says_something",
        TRIED.replace("s.close()", "if s:\n            log('gone')\n            s.close()"),
        (dissolved("try", "if s"),),
        "lacks a string constant: 'gone'",
    ),
    (
        "block_inside_a_guard_that_goes",
        TRIED.replace("s.close()", "if s:\n            t = F()\n            t.close()"),
        (dissolved("try", "if s"), opened("t = ", "t.close", "t.close", "t", sync=True)),
        "is taken away too",
    ),
    (
        "close_that_makes_a_block",
        TRIED.replace("s.close()", "t = F()\n        t.close()"),
        (dissolved("try", "t = "), opened("t = ", "t.close", "t.close", "t", sync=True)),
        "both taken away",
    ),
    ("block_without_creation_or_context", TRIED, (entered_without_context("try"),), "neither a creation nor a context"),
    ("annotation_without_a_creation", TRIED, (entered_with_annotation("try"),), "no creation with an annotation"),
    ("context_is_no_expression", TRIED, (entered("try", "try", "F("),), "is no expression"),
    ("context_that_cannot_stand_there", TRIED, (entered("try", "try", "a, b"),), "cannot open a block"),
    ("creation_without_a_name", "def f():\n    s = F()\n    s.a()\n", (unnamed("s = ", "s.a"),), "does not assign"),
]


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


def test_import_of_the_close_is_dropped_with_it() -> None:
    text = "import x\nfrom app import shut\n\ndef f(s):\n    try:\n        s.a()\n    finally:\n        shut(s)\n"
    after = composed(source(text), [dissolved("try", "shut"), lambda text: DropIfUnused("app/a.py", 2, "shut")])
    assert after.decode() == "import x\n\ndef f(s):\n    s.a()\n"


def test_closes_asked_for_one_by_one_are_the_same_as_together() -> None:
    text = "def f(a, b):\n    try:\n        a.x(b)\n    finally:\n        b.close()\n        a.close()\n"
    together = composed(source(text), [dissolved("try", "a.close", "b.close")])
    assert composed(source(text), [dissolved("try", "a.close"), dissolved("try", "b.close")]) == together
    assert together.decode() == "def f(a, b):\n    a.x(b)\n"
