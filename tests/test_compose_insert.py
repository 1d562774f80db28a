"""Statements put beside others, results that get a name, arguments and calls added: exact texts before and after."""

from __future__ import annotations

import re

import pytest
from test_compose import Asked, Case, case, composed, line_of, opened, removed, source, widened
from test_compose_dissolve import dissolved, entered
from test_compose_expressions import replaced, spanned
from test_compose_guard import guarded
from test_compose_shapes import defined, entered_once, instead_of, needless

from codemods.plan import (
    AddArgument,
    ChainCall,
    Edit,
    InsertAfter,
    InsertBefore,
    NameReturned,
    OpenBlock,
    ReplaceExpression,
    Span,
)
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.intended import check_statements

EXPUNGE = "if user:\n    session.expunge(user)"
EACH = "for message in messages:\n    session.expunge(message)"
LOADED = "options=[selectinload(User.roles)]"
OPTIONS = ".options(selectinload(User.roles))"


def before(start: str, code: str = EXPUNGE) -> Asked:
    return lambda text: InsertBefore("app/a.py", line_of(text, start), code)


def after(start: str, code: str = EXPUNGE) -> Asked:
    return lambda text: InsertAfter("app/a.py", line_of(text, start), code)


def named(start: str = "return", name: str = "messages", code: str = EACH) -> Asked:
    return lambda text: NameReturned("app/a.py", line_of(text, start), name, code)


def with_argument(start: str, expression: str, text: str = LOADED) -> Asked:
    return lambda given: AddArgument("app/a.py", _span(start, expression, given), text)


def chained(start: str, expression: str, text: str = OPTIONS) -> Asked:
    return lambda given: ChainCall("app/a.py", _span(start, expression, given), text)


def _span(start: str, expression: str, text: str) -> Span:
    edit = spanned(start, expression, "")(text)
    assert isinstance(edit, ReplaceExpression)
    return edit.span


BEFORE = [
    case(
        "before_a_return",
        """\
async def f(session):
    user = await session.get(User, 1)
    return user
""",
        before("return"),
        after="""\
async def f(session):
    user = await session.get(User, 1)
    if user:
        session.expunge(user)
    return user
""",
    ),
    case(
        "above_blank_lines_and_comments_of_the_statement",
        """\
async def f(session):
    user = await session.get(User, 1)  # by id

    # far

    # give it back
    return user  # now
""",
        before("return"),
        after="""\
async def f(session):
    user = await session.get(User, 1)  # by id
    if user:
        session.expunge(user)

    # far

    # give it back
    return user  # now
""",
    ),
    case(
        "first_in_a_suite_above_its_comment",
        """\
def f(session, x):
    if x:  # known
        # give it back
        return user
    return None
""",
        before("return user"),
        after="""\
def f(session, x):
    if x:  # known
        if user:
            session.expunge(user)
        # give it back
        return user
    return None
""",
    ),
    case(
        "blank_line_below_a_header_stays_with_the_statement",
        """\
def f(session, x):
    if x:

        return user
""",
        before("return"),
        after="""\
def f(session, x):
    if x:
        if user:
            session.expunge(user)

        return user
""",
    ),
    case(
        "below_the_comments_that_end_a_suite",
        """\
def f(session, x):
    if x:
        a()
        # enough

        # deep
    # shallow
    return user
""",
        before("return"),
        after="""\
def f(session, x):
    if x:
        a()
        # enough

        # deep
    if user:
        session.expunge(user)
    # shallow
    return user
""",
    ),
    case(
        "in_the_order_that_was_asked_for",
        "def f(user):\n    return user\n",
        before("return", "b()"),
        before("return", "a()"),
        after="def f(user):\n    b()\n    a()\n    return user\n",
    ),
    case(
        "several_statements_with_comments",
        "def f(user):\n\n    # back\n    return user\n",
        before("return", "# one\na()\n\n# two\nif b:\n  # three\n  c()\n\n  # four\nelse: d()\n# end\n"),
        after="""\
def f(user):
    # one
    a()

    # two
    if b:
        # three
        c()

        # four
    else: d()
    # end

    # back
    return user
""",
    ),
    case(
        "before_a_compound_statement",
        "def f(x):\n    a()\n\n    # loop\n    for b in x:\n        c()\n",
        before("for", "d()"),
        after="def f(x):\n    a()\n    d()\n\n    # loop\n    for b in x:\n        c()\n",
    ),
    case(
        "before_a_decorated_function",
        "def f(x):\n    a()\n\n    # inner\n    @wraps(x)\n    # below\n    def g():\n        c()\n",
        before("def g", "d()"),
        after="def f(x):\n    a()\n    d()\n\n    # inner\n    @wraps(x)\n    # below\n    def g():\n        c()\n",
    ),
    case(
        "at_module_level",
        "a()\n\n\n# b\nb()\nc()\n",
        before("b()", "if x:\n\td()"),
        after="a()\nif x:\n    d()\n\n\n# b\nb()\nc()\n",
    ),
    case(
        "tabs",
        "def f():\n\tif x:\n\t\t# back\n\t\treturn user\n",
        before("return"),
        after="def f():\n\tif x:\n\t\tif user:\n\t\t\tsession.expunge(user)\n\t\t# back\n\t\treturn user\n",
        indent="\t",
    ),
    case(
        "windows_line_ends",
        "def f():\r\n    a()\r\n\r\n    # back\r\n    return user\r\n",
        before("return"),
        after=(
            "def f():\r\n    a()\r\n    if user:\r\n        session.expunge(user)\r\n\r\n    # back\r\n"
            "    return user\r\n"
        ),
    ),
    case(
        "no_line_end_at_the_end",
        "def f():\n    a()\n    return user",
        before("return", "b()"),
        after="def f():\n    a()\n    b()\n    return user",
    ),
    case(
        "in_an_else_and_a_handler_and_a_case",
        """\
def f(x):
    try:
        a()
    except E:
        return 1
    else:
        return 2
    finally:
        b()
    match x:
        case 1:
            # three
            return 3
""",
        before("return 1", "c()"),
        before("return 2", "d()"),
        before("return 3", "e()"),
        after="""\
def f(x):
    try:
        a()
    except E:
        c()
        return 1
    else:
        d()
        return 2
    finally:
        b()
    match x:
        case 1:
            e()
            # three
            return 3
""",
    ),
    case(
        "last_in_an_opened_block",
        """\
async def f():
    session = F()
    user = await session.get(User, 1)

    # back
    return user
""",
        opened("session", "user", "return"),
        before("return"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        if user:
            session.expunge(user)

        # back
        return user
""",
    ),
    case(
        "first_in_an_opened_block",
        """\
async def f():
    session = F()  # made

    # load
    user = await session.get(User, 1)
    return user
""",
        opened("session", "user", "return"),
        before("user", "a()"),
        after="""\
async def f():
    async with F() as session:  # made
        a()

        # load
        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "first_in_a_block_opened_late",
        """\
async def f():
    session = F()
    x = 1

    # load
    user = await session.get(User, x)
    return user
""",
        opened("session", "user", "return"),
        before("user", "a()"),
        after="""\
async def f():
    x = 1

    async with F() as session:
        a()
        # load
        user = await session.get(User, x)
        return user
""",
    ),
    case(
        "only_statement_of_a_block",
        """\
async def f():
    x = 1

    # back
    return await run(F())
""",
        entered("return", "return"),
        before("return", "a()"),
        after="""\
async def f():
    x = 1

    async with F() as session:
        a()
        # back
        return await run(F())
""",
    ),
    case(
        "behind_statements_taken_away_and_a_creation",
        """\
async def f():
    # make
    session = F()
    # close
    await session.close()  # now

    # back
    return user
""",
        opened("session", "return", "return"),
        removed("await session.close"),
        before("return", "a()"),
        after="""\
async def f():
    # make
    async with F() as session:
        # close
        # now
        a()

        # back
        return user
""",
    ),
    case(
        "behind_a_statement_taken_away",
        """\
async def f():
    user = a()

    await session.close()  # done

    return user
""",
        removed("await"),
        before("return"),
        after="""\
async def f():
    user = a()

    # done
    if user:
        session.expunge(user)

    return user
""",
    ),
    case(
        "before_a_statement_taken_away",
        """\
async def f():
    user = a()
    # close
    await session.close()
    return user
""",
        removed("await"),
        before("await", "b()"),
        after="""\
async def f():
    user = a()
    b()
    # close
    return user
""",
    ),
    case(
        "before_a_creation",
        """\
async def f():
    a()
    # make
    session = F()
    return session.get(1)
""",
        opened("session", "return", "return"),
        before("session", "b()"),
        after="""\
async def f():
    a()
    b()
    # make
    async with F() as session:
        return session.get(1)
""",
    ),
    case(
        "before_a_creation_that_is_in_its_block",
        """\
async def f():
    a()
    # make
    session = F()
    return session.get(1)
""",
        opened("session = ", "session = ", "return"),
        before("session", "b()"),
        after="""\
async def f():
    a()
    b()
    # make
    async with F() as session:
        return session.get(1)
""",
    ),
    case(
        "before_a_block_that_is_widened",
        """\
async def f():
    async with F() as s:
        a()
    # back
    return b()
""",
        widened("async with", "return"),
        before("async with", "x()"),
        before("return", "y()"),
        after="""\
async def f():
    x()
    async with F() as s:
        a()
        y()
        # back
        return b()
""",
    ),
    case(
        "in_a_guard",
        """\
async def f():
    s = F()

    # hand it out
    yield s
""",
        guarded("yield", "yield", "s"),
        before("yield", "a()"),
        after="""\
async def f():
    s = F()

    try:
        a()
        # hand it out
        yield s
    except Exception:
        await s.rollback()
        raise
    finally:
        await s.close()
""",
    ),
    case(
        "in_a_try_that_is_dissolved_into_a_block",
        """\
async def f():
    session = F()
    try:
        user = await session.get(User, 1)

        # back
        return user
    finally:
        await session.close()
""",
        opened("session = ", "try", "try"),
        dissolved("try", "await session.close"),
        before("return"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        if user:
            session.expunge(user)

        # back
        return user
""",
    ),
    case(
        "first_in_a_try_that_is_dissolved",
        """\
async def f():
    a()
    # try it
    try:  # now
        # back
        return user
    finally:
        await session.close()
""",
        dissolved("try", "await session.close"),
        before("return", "b()"),
        before("try", "c()"),
        after="""\
async def f():
    a()
    c()
    # try it
    # now
    b()
    # back
    return user
""",
    ),
    case(
        "in_a_finally_that_would_be_left_empty",
        """\
async def f():
    try:
        a()
    finally:
        # close
        await session.close()
""",
        dissolved("try", "await session.close"),
        before("await session.close", "b()"),
        after="""\
async def f():
    try:
        a()
    finally:
        b()
        # close
""",
    ),
    case(
        "in_a_needless_block",
        """\
async def f(s):
    a()
    async with s:
        # back
        return user
""",
        needless("async with"),
        before("return", "b()"),
        before("async with", "c()"),
        after="""\
async def f(s):
    a()
    c()
    b()
    # back
    return user
""",
    ),
    case(
        "in_a_loop_that_becomes_a_block",
        """\
async def f():
    async for s in get():
        # back
        return await s.get(1)
""",
        entered_once("async for", "F()"),
        before("return", "b()"),
        after="""\
async def f():
    async with F() as s:
        b()
        # back
        return await s.get(1)
""",
    ),
    case(
        "before_a_statement_that_is_replaced",
        "def f():\n    a()\n    # r\n    r = 1  # one\n",
        instead_of("r =", "r = 2\nr = 3"),
        before("r =", "b()"),
        after="def f():\n    a()\n    b()\n    # r\n    r = 2  # one\n    r = 3\n",
    ),
    case(
        "in_a_function_whose_definition_changes",
        "def f(user):\n    return user\n",
        defined("def f", True, "User"),
        before("return"),
        after="async def f(user) -> User:\n    if user:\n        session.expunge(user)\n    return user\n",
    ),
    case(
        "two_blocks_over_the_statement",
        """\
async def f():
    a = F()
    b = G()
    return a, b
""",
        opened("a = ", "return", "return", "a"),
        opened("b = ", "return", "return", "b"),
        before("return", "c()"),
        after="""\
async def f():
    async with F() as a:
        async with G() as b:
            c()
            return a, b
""",
    ),
]

AFTER = [
    case(
        "after_the_last_of_a_block",
        """\
async def f():
    async with F() as session:
        user = await session.get(User, 1)  # by id
    return user
""",
        after("user"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)  # by id
        if user:
            session.expunge(user)
    return user
""",
    ),
    case(
        "comments_that_end_the_suite_stay_above",
        """\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        # loaded

        # now
    # back
    return user
""",
        after("user", "a()"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        # loaded

        # now
        a()
    # back
    return user
""",
    ),
    case(
        "comments_of_the_next_statement_stay_with_it",
        """\
def f():
    user = a()

    # back
    return user
""",
        after("user", "b()"),
        after="""\
def f():
    user = a()
    b()

    # back
    return user
""",
    ),
    case(
        "after_the_last_of_a_function",
        "def f():\n    a()\n    # end\n\n\n# next\ndef g():\n    pass\n",
        after("a()", "b()"),
        after="def f():\n    a()\n    # end\n    b()\n\n\n# next\ndef g():\n    pass\n",
    ),
    case(
        "after_the_last_of_a_module",
        "a()\n\n# end\n",
        after("a()", "b()"),
        after="a()\n\n# end\nb()\n",
    ),
    case(
        "after_the_last_of_a_file_without_a_line_end",
        "def f():\n    a()  # end",
        after("a()", "b()"),
        after="def f():\n    a()  # end\n    b()",
    ),
    case(
        "after_a_compound_statement",
        """\
def f():
    for a in b:
        c()
        # each

        # deep
    # back
    return 1
""",
        after("for", "d()"),
        after="""\
def f():
    for a in b:
        c()
        # each

        # deep
    d()
    # back
    return 1
""",
    ),
    case(
        "after_an_if_with_all_its_branches",
        "def f():\n    if a:\n        b()\n    elif c:\n        d()\n    else:\n        e()\n        # e\n    # f\n",
        after("if", "g()"),
        after=(
            "def f():\n    if a:\n        b()\n    elif c:\n        d()\n    else:\n        e()\n        # e\n    # f\n"
            "    g()\n"
        ),
    ),
    case(
        "after_a_statement_of_several_lines",
        "def f():\n    a(\n        1,  # one\n    )  # two\n    b = '''\n  c\n'''\n    return b\n",
        after("a(", "c()"),
        after("b = ", "d()"),
        after=(
            "def f():\n    a(\n        1,  # one\n    )  # two\n    c()\n    b = '''\n  c\n'''\n    d()\n    return b\n"
        ),
    ),
    case(
        "in_the_order_asked_for_after",
        "def f():\n    a()\n    return 1\n",
        after("a()", "c()"),
        after("a()", "b()"),
        after="def f():\n    a()\n    c()\n    b()\n    return 1\n",
    ),
    case(
        "after_one_and_before_the_next",
        "def f():\n    a()\n\n    # back\n    return 1\n",
        before("return", "c()"),
        after("a()", "b()"),
        after="def f():\n    a()\n    b()\n    c()\n\n    # back\n    return 1\n",
    ),
    case(
        "before_and_after_one_statement",
        "def f():\n    # a\n    a()  # one\n    # end\n",
        before("a()", "b()"),
        after("a()", "c()"),
        after="def f():\n    b()\n    # a\n    a()  # one\n    # end\n    c()\n",
    ),
    case(
        "in_the_block_that_ends_there",
        """\
async def f():
    session = F()
    user = await session.get(User, 1)
    # back
    return user.id
""",
        opened("session", "user", "user"),
        after("user"),
        before("return", "x()"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        if user:
            session.expunge(user)
    x()
    # back
    return user.id
""",
    ),
    case(
        "in_the_block_that_ends_with_the_suite",
        """\
async def f():
    session = F()
    user = await session.get(User, 1)
    # done
""",
        opened("session", "user", "user"),
        after("user", "a()"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        # done
        a()
""",
    ),
    case(
        "in_the_block_that_is_widened_down_to_it",
        """\
async def f():
    async with F() as s:
        a()
        # a
    user = b()
    return user
""",
        widened("async with", "user"),
        after("user", "x()"),
        after("a()", "y()"),
        after("async with", "z()"),
        after="""\
async def f():
    async with F() as s:
        a()
        # a
        y()
        z()
        user = b()
        x()
    return user
""",
    ),
    case(
        "in_the_guard_that_ends_there",
        "async def f():\n    s = F()\n    yield s\n    a()\n",
        guarded("yield", "yield", "s"),
        after("yield", "b()"),
        after="""\
async def f():
    s = F()
    try:
        yield s
        b()
    except Exception:
        await s.rollback()
        raise
    finally:
        await s.close()
    a()
""",
    ),
    case(
        "after_a_statement_taken_away",
        "async def f():\n    a()\n    # s\n    await s.close()  # done\n    return 1\n",
        removed("await"),
        after("await", "b()"),
        after="async def f():\n    a()\n    # s\n    # done\n    b()\n    return 1\n",
    ),
    case(
        "after_a_creation_that_is_in_its_block",
        "async def f():\n    session = F()  # made\n    return 1\n",
        opened("session = ", "session = ", "return"),
        after("session", "b()"),
        after="async def f():\n    async with F() as session:  # made\n        b()\n        return 1\n",
    ),
    case(
        "after_a_try_that_is_dissolved",
        """\
async def f(session):
    try:
        a()
        # in it
    finally:
        # back
        await session.close()
    return 1
""",
        dissolved("try", "await session.close"),
        after("try", "b()"),
        after("a()", "c()"),
        after="""\
async def f(session):
    a()
    # in it
    c()
    # back
    b()
    return 1
""",
    ),
    case(
        "tabs_after",
        "def f():\n\twith F():\n\t\ta()\n\t\t# a\n",
        after("a()"),
        after="def f():\n\twith F():\n\t\ta()\n\t\t# a\n\t\tif user:\n\t\t\tsession.expunge(user)\n",
        indent="\t",
    ),
    case(
        "windows_line_ends_after",
        "def f():\r\n    with F():\r\n        a()\r\n    return 1\r\n",
        after("a()"),
        after=(
            "def f():\r\n    with F():\r\n        a()\r\n        if user:\r\n            session.expunge(user)\r\n"
            "    return 1\r\n"
        ),
    ),
]

NAMED = [
    case(
        "result_with_a_comment",
        """\
async def f(session):
    # read
    result = await session.execute(q)

    # give
    return list(result.scalars())  # all of them
""",
        named(),
        after="""\
async def f(session):
    # read
    result = await session.execute(q)

    # give
    messages = list(result.scalars())  # all of them
    for message in messages:
        session.expunge(message)
    return messages
""",
    ),
    case(
        "result_of_several_lines_with_comments",
        """\
async def f(session):
    return list(  # all
        # of them
        result.scalars()  # now

    )  # end
""",
        named(),
        after="""\
async def f(session):
    messages = list(  # all
        # of them
        result.scalars()  # now

    )  # end
    for message in messages:
        session.expunge(message)
    return messages
""",
    ),
    case(
        "result_that_begins_with_a_parenthesis",
        """\
async def f(session):
    return (
        await session.execute(q)  # run
    ).scalars().all()
""",
        named(),
        after="""\
async def f(session):
    messages = (
        await session.execute(q)  # run
    ).scalars().all()
    for message in messages:
        session.expunge(message)
    return messages
""",
    ),
    case(
        "result_without_a_space",
        "def f(x):\n    return(x)\n",
        named(code="a(messages)"),
        after="def f(x):\n    messages = (x)\n    a(messages)\n    return messages\n",
    ),
    case(
        "tuple_as_a_result",
        "def f(x, y):\n    return x, *y\n",
        named(name="pair", code="a(pair)"),
        after="def f(x, y):\n    pair = x, *y\n    a(pair)\n    return pair\n",
    ),
    case(
        "result_continued_by_a_backslash",
        "def f(x, y):\n    if x:\n        return \\\n            x + \\\n            y\n",
        named(code="a()"),
        after=(
            "def f(x, y):\n    if x:\n        messages = \\\n            x + \\\n            y\n"
            "        a()\n        return messages\n"
        ),
    ),
    case(
        "result_with_a_semicolon",
        "def f(x):\n    return x;  # x\n",
        named(code="a()"),
        after="def f(x):\n    messages = x  # x\n    a()\n    return messages\n",
    ),
    case(
        "result_with_comments_in_the_code",
        "def f(x):\n    return x # x\n",
        named(code="# one\na()\n# end"),
        after="def f(x):\n    messages = x # x\n    # one\n    a()\n    # end\n    return messages\n",
    ),
    case(
        "result_that_is_a_string_of_several_lines",
        'def f(x):\n    return """\n  a # b\n"""\n',
        named(code="a()"),
        after='def f(x):\n    messages = """\n  a # b\n"""\n    a()\n    return messages\n',
    ),
    case(
        "result_in_an_opened_block",
        """\
async def f():
    session = F()

    # all
    return list((
        await session.execute(
            select(User).where(x)
        )
    ).scalars())  # now
    # end
""",
        opened("session", "return", "return"),
        named(),
        chained("select", "select(User)"),
        after="""\
async def f():
    async with F() as session:
        # all
        messages = list((
            await session.execute(
                select(User).options(selectinload(User.roles)).where(x)
            )
        ).scalars())  # now
        for message in messages:
            session.expunge(message)
        return messages
    # end
""",
    ),
    case(
        "result_with_an_expression_replaced",
        "def f(s):\n    return list(g(F(), 1))\n",
        named(code="a()"),
        replaced("return", "F()", "s"),
        with_argument("return", "g(F(), 1)", "b=2"),
        after="def f(s):\n    messages = list(g(s, 1, b=2))\n    a()\n    return messages\n",
    ),
    case(
        "result_with_something_before_and_after",
        "def f(s):\n    # x\n    return x\n",
        named(code="b()"),
        before("return", "a()"),
        after("return", "c()"),
        after="def f(s):\n    a()\n    # x\n    messages = x\n    b()\n    return messages\n    c()\n",
    ),
    case(
        "result_of_a_windows_file",
        "def f(s):\r\n    return x(\r\n        1,\r\n    )  # x\r\n",
        named(),
        after=(
            "def f(s):\r\n    messages = x(\r\n        1,\r\n    )  # x\r\n    for message in messages:\r\n"
            "        session.expunge(message)\r\n    return messages\r\n"
        ),
    ),
    case(
        "result_at_the_end_of_a_file",
        "def f(s):\n    return x",
        named(code="a()"),
        after="def f(s):\n    messages = x\n    a()\n    return messages",
    ),
]


def argument_added(situation: str, before: str, after: str, *, call: str = "") -> Case:
    """A case in which a call, of all its lines, gets one more argument."""
    first, last = "def f():\n    r = ", "\n    return r\n"
    ask = with_argument("r = ", call or before, "new=1")
    return case(situation, f"{first}{before}{last}", ask, after=f"{first}{after}{last}")


ARGUMENTS = [
    argument_added("argument_behind_others", "g(a, b)", "g(a, b, new=1)"),
    argument_added("argument_alone", "g()", "g(new=1)"),
    argument_added("argument_alone_in_space", "g( )", "g(new=1)"),
    argument_added("argument_alone_in_lines", "g(\n    )", "g(new=1)"),
    argument_added("argument_behind_a_comma", "g(a,)", "g(a, new=1,)"),
    argument_added("argument_behind_a_comma_and_a_space", "g(a, )", "g(a, new=1, )"),
    argument_added("argument_behind_a_space", "g(a )", "g(a, new=1 )"),
    argument_added("argument_behind_stars", "g(*a, **b)", "g(*a, **b, new=1)"),
    argument_added("argument_behind_a_generator", "g((x for x in y))", "g((x for x in y), new=1)"),
    argument_added("argument_behind_a_hanging_one", "g(a, [\n        1,\n    ])", "g(a, [\n        1,\n    ], new=1)"),
    argument_added("argument_behind_a_walrus", "g(a := b)", "g(a := b, new=1)"),
    argument_added("argument_of_a_call_of_a_call", "g(1)(a)", "g(1)(a, new=1)"),
    argument_added("argument_of_the_inner_call", "g(1)(a)", "g(1, new=1)(a)", call="g(1)"),
    argument_added("argument_in_parentheses", "(g(a))", "(g(a, new=1))", call="g(a)"),
    argument_added(
        "argument_on_a_line_of_its_own",
        "g(\n        a,\n        b,\n    )",
        "g(\n        a,\n        b,\n        new=1,\n    )",
    ),
    argument_added(
        "argument_on_a_line_of_its_own_without_a_comma",
        "g(\n        a,\n        b\n    )",
        "g(\n        a,\n        b,\n        new=1\n    )",
    ),
    argument_added(
        "argument_on_a_line_of_its_own_before_the_parenthesis",
        "g(\n        a,\n        b)",
        "g(\n        a,\n        b,\n        new=1)",
    ),
    argument_added("argument_in_a_column", "g(a,\n          b)", "g(a,\n          b,\n          new=1)"),
    argument_added("argument_in_a_line_below", "g(\n        a, b\n    )", "g(\n        a, b, new=1\n    )"),
    argument_added(
        "argument_in_a_line_below_with_a_comma", "g(\n        a, b,\n    )", "g(\n        a, b, new=1,\n    )"
    ),
    argument_added(
        "argument_below_a_comment",
        "g(\n        a,  # one\n        b,  # two\n    )",
        "g(\n        a,  # one\n        b,  # two\n        new=1,\n    )",
    ),
    argument_added(
        "argument_below_a_comment_without_a_comma",
        "g(\n        a  # one\n    )",
        "g(\n        a,  # one\n        new=1,\n    )",
    ),
    argument_added(
        "argument_below_a_comment_on_a_line_of_its_own",
        "g(\n        a,\n        # b,\n\n        # c\n    )",
        "g(\n        a,\n        # b,\n\n        # c\n        new=1,\n    )",
    ),
    argument_added(
        "argument_below_a_comment_behind_two",
        "g(\n        a, b  # both\n    )",
        "g(\n        a, b,  # both\n        new=1\n    )",
    ),
    case(
        "argument_of_a_call_in_a_call",
        "def f():\n    return g(\n        h(a),  # h\n        b,\n    )\n",
        with_argument("h(a)", "h(a)", "new=1"),
        after="def f():\n    return g(\n        h(a, new=1),  # h\n        b,\n    )\n",
    ),
    case(
        "two_arguments_in_the_order_asked_for",
        "r = g(\n    a\n)\n",
        with_argument("r = ", "g(\n    a\n)", "c=1"),
        with_argument("r = ", "g(\n    a\n)", "b=1"),
        after="r = g(\n    a,\n    c=1,\n    b=1,\n)\n",
    ),
    case(
        "argument_in_a_windows_file",
        "r = g(\r\n    a,\r\n)\r\n",
        lambda text: AddArgument("app/a.py", Span(1, 4, 3, 1), "b=1"),
        after="r = g(\r\n    a,\r\n    b=1,\r\n)\r\n",
    ),
    case(
        "argument_in_a_block",
        """\
async def f():
    session = F()
    user = await session.get(
        User,
        1,
    )
    return user
""",
        opened("session", "user", "return"),
        with_argument("user", "session.get(\n        User,\n        1,\n    )"),
        before("return"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(
            User,
            1,
            options=[selectinload(User.roles)],
        )
        if user:
            session.expunge(user)
        return user
""",
    ),
    case(
        "argument_in_the_creation_of_a_block",
        "async def f():\n    session = F(a)\n    return 1\n",
        opened("session", "return", "return"),
        with_argument("session", "F(a)", "b"),
        after="async def f():\n    async with F(a, b) as session:\n        return 1\n",
    ),
    case(
        "argument_after_letters_beyond_ascii",
        'r = h("é", g("ü"), "ö")\n',
        with_argument("r = ", 'g("ü")', '"ä"'),
        after='r = h("é", g("ü", "ä"), "ö")\n',
    ),
]

CHAINS = [
    case(
        "call_within_a_chain",
        "q = select(User).where(x)\n",
        chained("q", "select(User)"),
        after="q = select(User).options(selectinload(User.roles)).where(x)\n",
    ),
    case(
        "call_at_the_end_of_a_chain",
        "q = select(User).where(x)  # all\n",
        chained("q", "select(User).where(x)"),
        after="q = select(User).where(x).options(selectinload(User.roles))  # all\n",
    ),
    case(
        "call_on_a_line_of_its_own",
        """\
q = (
    select(User)  # users
    # known ones
    .where(x)  # x

    .limit(1)
)
""",
        chained("select", "select(User)"),
        after="""\
q = (
    select(User)  # users
    .options(selectinload(User.roles))
    # known ones
    .where(x)  # x

    .limit(1)
)
""",
    ),
    case(
        "calls_on_lines_of_their_own",
        "q = (\n    select(User)\n    .where(x)  # x\n    .limit(1)\n)\n",
        chained("select", "select(User)", ".a()"),
        chained("select", "select(User)", ".b().c()"),
        chained("select", "select(User)\n    .where(x)", ".d()"),
        after="q = (\n    select(User)\n    .a()\n    .b().c()\n    .where(x)  # x\n    .d()\n    .limit(1)\n)\n",
    ),
    case(
        "call_in_a_chain_in_a_call",
        """\
async def f():
    session = F()
    r = await session.execute(
        select(User)
        .where(x)
    )
    return r
""",
        opened("session", "r = ", "return"),
        chained("select", "select(User)"),
        after="""\
async def f():
    async with F() as session:
        r = await session.execute(
            select(User)
            .options(selectinload(User.roles))
            .where(x)
        )
        return r
""",
    ),
    case(
        "call_with_a_comment_behind",
        "r = g(\n    select(User)  # all\n)\n",
        chained("select", "select(User)", ".a()"),
        after="r = g(\n    select(User).a()  # all\n)\n",
    ),
    case(
        "call_in_parentheses_of_its_own",
        "q = (\n    select(User)\n).where(x)\n",
        chained("select", "select(User)", ".a()"),
        after="q = (\n    select(User).a()\n).where(x)\n",
    ),
    case(
        "call_in_a_chain_with_dots_behind",
        "q = (\n    select(User).  # users\n    where(x)\n)\n",
        chained("select", "select(User)", ".a()"),
        after="q = (\n    select(User).  # users\n    a().\n    where(x)\n)\n",
    ),
    case(
        "call_in_a_chain_with_backslashes",
        "q = select(User) \\\n    .where(x)\n",
        chained("q", "select(User)", ".a()"),
        after="q = select(User) \\\n    .a() \\\n    .where(x)\n",
    ),
    case(
        "call_behind_arguments_of_several_lines",
        "q = select(\n    User,  # u\n).where(x)\n",
        chained("q", "select(\n    User,  # u\n)", ".a()"),
        after="q = select(\n    User,  # u\n).a().where(x)\n",
    ),
    case(
        "call_behind_a_name_and_a_subscript",
        "q = g(query, parts[0], self.q)\n",
        chained("q", "query", ".a()"),
        chained("q", "parts[0]", ".b()"),
        chained("q", "self.q", ".c()"),
        after="q = g(query.a(), parts[0].b(), self.q.c())\n",
    ),
    case(
        "call_before_a_subscript",
        "q = rows()[0]\n",
        chained("q", "rows()", ".a()"),
        after="q = rows().a()[0]\n",
    ),
    case(
        "call_that_spans_lines",
        "q = select(User).where(x)\n",
        chained("q", "select(User)", ".a(\n    1,\n)"),
        after="q = select(User).a(\n    1,\n).where(x)\n",
    ),
    case(
        "argument_and_call_of_one_expression",
        "q = select(User).where(x)\n",
        chained("q", "select(User)", ".a()"),
        with_argument("q", "select(User)", "Role"),
        after="q = select(User, Role).a().where(x)\n",
    ),
    case(
        "argument_in_an_expression_that_gets_a_call",
        "q = select(g(User)).where(h(x))\n",
        chained("q", "select(g(User)).where(h(x))", ".a()"),
        chained("q", "select(g(User))", ".b()"),
        with_argument("q", "g(User)", "1"),
        with_argument("q", "h(x)", "2"),
        replaced("q", "User", "Role"),
        after="q = select(g(Role, 1)).b().where(h(x, 2)).a()\n",
    ),
    case(
        "call_in_the_arguments_of_a_call_that_gets_one_more",
        "r = run(\n    select(User)\n    .where(x),\n)\n",
        with_argument("r = ", "run(\n    select(User)\n    .where(x),\n)", "1"),
        chained("select", "select(User)", ".a()"),
        after="r = run(\n    select(User)\n    .a()\n    .where(x),\n    1,\n)\n",
    ),
    case(
        "call_in_a_header",
        "async def f():\n    for x in select(User):  # all\n        a(x)\n",
        chained("for", "select(User)", ".a()"),
        after("a(x)", "b()"),
        before("for", "c()"),
        after="async def f():\n    c()\n    for x in select(User).a():  # all\n        a(x)\n        b()\n",
    ),
    case(
        "call_in_a_statement_with_something_before",
        "async def f():\n    a()\n    return await s.scalar(select(User))\n",
        chained("return", "select(User)", ".a()"),
        before("return", "b()"),
        after="async def f():\n    a()\n    b()\n    return await s.scalar(select(User).a())\n",
    ),
    case(
        "call_in_a_tabbed_windows_file",
        "def f():\r\n\tq = (\r\n\t\tselect(User)  # u\r\n\t\t.where(x)\r\n\t)\r\n",
        lambda text: ChainCall("app/a.py", Span(3, 2, 3, 14), ".a()"),
        after="def f():\r\n\tq = (\r\n\t\tselect(User)  # u\r\n\t\t.a()\r\n\t\t.where(x)\r\n\t)\r\n",
        indent="\t",
    ),
]

CASES = [*BEFORE, *AFTER, *NAMED, *ARGUMENTS, *CHAINS]


def asked_again(one: Case) -> bytes:
    newline = "\r\n" if "\r\n" in one.before else "\n"
    return composed(source(one.before, newline=newline, indent=one.indent), one.asked)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.situation)
def test_exact_text(one: Case) -> None:
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.situation)
def test_edits_asked_for_twice_are_made_once(one: Case) -> None:
    newline = "\r\n" if "\r\n" in one.before else "\n"
    given = source(one.before, newline=newline, indent=one.indent)
    assert composed(given, one.asked + one.asked).decode() == one.after


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.situation)
def test_whole_file_gives_the_same_text_as_a_slice(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_edited_slice", lambda source, outline, run: None)
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.situation)
def test_slice_of_the_outermost_statement_gives_the_same_text(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    edited_slice = slices._edited_slice
    monkeypatch.setattr(
        slices,
        "_edited_slice",
        lambda given, outline, run: None if run.suite.depth else edited_slice(given, outline, run),
    )
    assert asked_again(one).decode() == one.after


def test_situations_have_their_own_names() -> None:
    assert len({one.situation for one in CASES}) == len(CASES)


RETURN = "def f(user):\n    a()\n    return user\n"
CALL = "def f():\n    r = g(%s)\n    return r\n"
REFUSED: list[tuple[str, str, tuple[Asked, ...], str]] = [
    ("line_without_a_statement", RETURN, (lambda text: InsertBefore("app/a.py", 9, "a()"),), "no statement starts"),
    ("before_the_statement_beside_a_header", "if x: return_(y)\n", (before("if", "a()"),), "shares its line"),
    ("after_the_statement_beside_a_header", "if x: return_(y)\n", (after("if", "a()"),), "shares its line"),
    ("after_a_block_of_one_line", "def f():\n    with F(): a()\n", (after("with", "b()"),), "shares its line"),
    ("before_a_statement_beside_another", "a(); b()\nc()\n", (before("a()", "d()"),), "shares its line"),
    ("after_a_statement_beside_another", "c()\na(); b()\n", (after("a()", "d()"),), "shares its line"),
    (
        "before_a_statement_beside_else",
        "def f():\n    if x:\n        a()\n    else: return user\n",
        (before("else", "b()"),),
        "shares its line",
    ),
    ("before_an_elif", "if x:\n    a()\nelif y:\n    b()\n", (before("elif", "c()"),), "shares its line"),
    ("before_an_except", "try:\n    a()\nexcept E:\n    b()\n", (before("except", "c()"),), "no statement starts"),
    ("before_the_first_of_a_module", "# coding: utf-8\na()\n", (before("a()", "b()"),), "begins the module"),
    ("before_a_docstring", "def f():\n    'doc'\n    a()\n", (before("'doc", "b()"),), "documents"),
    ("before_a_docstring_of_a_class", "class A:\n    'doc'\n    a = 1\n", (before("'doc", "b()"),), "documents"),
    (
        "below_the_types_of_a_function",
        "def f(a):\n    # type: (int) -> int\n\n    # back\n    return a\n",
        (before("return", "b()"),),
        "declares the types",
    ),
    ("code_that_cannot_be_read", RETURN, (before("return", "if x"),), "cannot be read"),
    ("code_that_is_indented", RETURN, (after("a()", "  b()"),), "cannot be read"),
    ("code_without_statements", RETURN, (after("a()", "# none"),), "holds no statement"),
    ("code_that_imports", RETURN, (after("a()", "if x:\n    import b"),), "imports something"),
    ("code_that_leaves_a_function", "x = 1\na()\n", (after("a()", "return 1"),), "does not compile"),
    (
        "after_a_creation_above_its_block",
        "async def f():\n    session = F()\n    user = a()\n    return user\n",
        (opened("session", "user", "return"), after("session", "b()")),
        "above the block",
    ),
    (
        "in_a_statement_that_goes",
        "async def f():\n    try:\n        a()\n    finally:\n        if s:\n            await s.close()\n",
        (dissolved("try", "if s"), before("await s.close", "b()")),
        "taken away too",
    ),
    (
        "jump_put_into_a_loop_that_becomes_a_block",
        "async def f():\n    for x in y:\n        async for s in get():\n            a()\n",
        (entered_once("async for", "F()"), before("a()", "if a: continue")),
        "left or gone on with",
    ),
    ("name_for_no_return", RETURN, (named("a()"),), "returns no value"),
    ("name_for_a_bare_return", "def f():\n    return\n", (named(),), "returns no value"),
    ("name_for_a_return_beside_a_header", "def f():\n    if x: return y\n", (named("if"),), "returns no value"),
    ("name_for_a_return_beside_another", "def f():\n    a(); return y\n", (named("a()"),), "shares its line"),
    ("name_that_is_none", RETURN, (named(name="a.b"),), "is no name"),
    ("name_that_is_a_keyword", RETURN, (named(name="for"),), "is no name"),
    ("name_with_code_that_cannot_be_read", RETURN, (named(code="a("),), "cannot be read"),
    ("name_without_code", RETURN, (named(code=""),), "holds no statement"),
    ("two_names", RETURN, (named(), named(name="other")), "changed in two ways"),
    ("name_and_replacement", RETURN, (named(), instead_of("return", "return 1")), "changed in two ways"),
    ("name_for_a_statement_that_goes", RETURN, (named(), removed("return")), "changed in two ways"),
    ("argument_of_no_call", CALL % "a", (with_argument("r = ", "a"),), "is no call"),
    (
        "argument_of_nothing",
        CALL % "a",
        (lambda text: AddArgument("app/a.py", Span(2, 8, 2, 11), "b"),),
        "no expression",
    ),
    (
        "argument_beside_a_bare_generator",
        CALL % "x for x in y",
        (with_argument("r = ", "g(x for x in y)"),),
        "generator",
    ),
    ("arguments_at_once", CALL % "a", (with_argument("r = ", "g(a)", "b, c"),), "not one argument"),
    ("argument_with_a_comma", CALL % "a", (with_argument("r = ", "g(a)", "b,"),), "not one argument"),
    ("empty_argument", CALL % "a", (with_argument("r = ", "g(a)", ""),), "not one argument"),
    ("argument_that_closes_the_call", CALL % "a", (with_argument("r = ", "g(a)", "b)(c"),), "not one argument"),
    ("argument_that_is_a_comment", CALL % "a", (with_argument("r = ", "g(a)", "# b"),), "not one argument"),
    ("argument_that_is_there", CALL % "a=1", (with_argument("r = ", "g(a=1)", "a=2"),), "repeated"),
    (
        "argument_out_of_order",
        CALL % "a=1",
        (with_argument("r = ", "g(a=1)", "b"),),
        "positional argument after keyword",
    ),
    (
        "argument_beside_a_comment_alone",
        "r = g(\n    # none\n)\n",
        (with_argument("r = ", "g(\n    # none\n)"),),
        "comment in the place",
    ),
    (
        "argument_beside_a_comment_without_a_line",
        "r = g(a, b  # both\n)\n",
        (with_argument("r = ", "g(a, b  # both\n)"),),
        "leaves no line",
    ),
    ("argument_of_a_decorator", "@g(a)\ndef f(): pass\n", (with_argument("@g", "g(a)"),), "belongs to a definition"),
    ("call_behind_an_await", CALL % "await a", (chained("r = ", "await a"),), "no call can follow"),
    ("call_behind_a_lambda", CALL % "lambda: a", (chained("r = ", "lambda: a"),), "no call can follow"),
    ("call_behind_an_operation", CALL % "a + b", (chained("r = ", "a + b"),), "no call can follow"),
    ("call_behind_a_number", CALL % "1", (chained("r = ", "1"),), "no call can follow"),
    ("call_behind_a_tuple", CALL % "(a, b)", (chained("r = ", "(a, b)"),), "no call can follow"),
    ("call_behind_a_condition", CALL % "a if b else c", (chained("r = ", "a if b else c"),), "no call can follow"),
    ("call_behind_a_target", "a.b = 1\n", (chained("a.b", "a.b", ".c()"),), "is assigned to"),
    ("call_that_is_no_call", CALL % "a", (chained("r = ", "a", ".b"),), "no call of a chain"),
    ("call_without_a_dot", CALL % "a", (chained("r = ", "a", "(b)"),), "no call of a chain"),
    ("call_with_more_behind", CALL % "a", (chained("r = ", "a", ".b() + c()"),), "no call of a chain"),
    ("call_that_cannot_be_read", CALL % "a", (chained("r = ", "a", ".b("),), "no call of a chain"),
    (
        "call_in_an_expression_that_is_replaced",
        CALL % "h(a)",
        (chained("r = ", "a"), replaced("r = ", "h(a)", "b")),
        "lie in each other",
    ),
    (
        "argument_of_an_expression_that_is_replaced",
        CALL % "h(a)",
        (with_argument("r = ", "h(a)"), replaced("r = ", "h(a)", "b")),
        "lie in each other",
    ),
    ("call_in_a_statement_that_goes", CALL % "a", (chained("r = ", "a"), removed("r = ")), "taken away too"),
    ("call_in_a_replaced_statement", CALL % "a", (chained("r = ", "a"), instead_of("r = ", "r = 1")), "taken away too"),
    (
        "call_in_a_header_that_goes",
        "async def f():\n    async for s in get(x):\n        b()\n",
        (chained("async for", "x"), entered_once("async for", "F()")),
        "taken away too",
    ),
    (
        "call_in_a_creation_that_has_another_context",
        "async def f():\n    s = F(a)\n    b()\n",
        (opened("s = ", "b()", "b()", "s", context="G()"), with_argument("s = ", "F(a)")),
        "taken away too",
    ),
]


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


def test_order_of_edits_at_different_places_does_not_matter() -> None:
    text = "def f():\n    a(x)\n    return list(b(x))\n"
    edits: list[Edit] = [
        InsertBefore("app/a.py", 2, "c()"),
        InsertAfter("app/a.py", 2, "d()"),
        InsertBefore("app/a.py", 3, "e()"),
        NameReturned("app/a.py", 3, "r", "g(r)"),
        AddArgument("app/a.py", Span(2, 4, 2, 8), "y"),
        ChainCall("app/a.py", Span(2, 4, 2, 8), ".z()"),
        AddArgument("app/a.py", Span(3, 16, 3, 20), "y"),
        OpenBlock("app/a.py", None, 3, 3, False, None, "F()"),
    ]
    made = compose(source(text), edits, ())
    assert made.decode() == (
        "def f():\n    c()\n    a(x, y).z()\n    d()\n    with F():\n        e()\n        r = list(b(x, y))\n"
        "        g(r)\n        return r\n"
    )
    assert compose(source(text), edits[::-1], ()) == made


@pytest.mark.parametrize(
    ("edit", "wrong"),
    [
        (InsertBefore("app/a.py", 3, "b()"), "def f(user):\n    b()\n    a()\n    return user\n"),
        (InsertBefore("app/a.py", 3, "b()"), "def f(user):\n    a()\n    return user\n"),
        (InsertAfter("app/a.py", 2, "b()"), "def f(user):\n    a()\n    c()\n    return user\n"),
        (InsertAfter("app/a.py", 3, "b()"), "def f(user):\n    a()\n    b()\n    return user\n"),
        (NameReturned("app/a.py", 3, "x", "b()"), "def f(user):\n    a()\n    x = user\n    b()\n    return user\n"),
        (NameReturned("app/a.py", 3, "x", "b()"), "def f(user):\n    a()\n    x = user\n    return x\n"),
        (AddArgument("app/a.py", Span(2, 4, 2, 7), "b"), "def f(user):\n    a(b=b)\n    return user\n"),
        (AddArgument("app/a.py", Span(2, 4, 2, 7), "b=c"), "def f(user):\n    a(b=d)\n    return user\n"),
        (ChainCall("app/a.py", Span(2, 4, 2, 7), ".b()"), "def f(user):\n    a.b()\n    return user\n"),
        (ChainCall("app/a.py", Span(2, 4, 2, 5), ".b()"), "def f(user):\n    a().b()\n    return user\n"),
    ],
)
def test_second_opinion_sees_a_wrong_text(edit: Edit, wrong: str) -> None:
    with pytest.raises(ComposeError, match="ought to hold"):
        check_statements(RETURN, wrong, [edit])


def test_bytes_outside_of_the_statement_stay() -> None:
    head, tail = "x = 1  \n\x0c\n\n", "\n\n\nif x : y = (  1 )\n"
    text = f"{head}def f(user):\n    return  user{tail}"
    made = compose(source(text), [NameReturned("app/a.py", 5, "u", "a(u)")], ())
    assert made.decode() == f"{head}def f(user):\n    u = user\n    a(u)\n    return u{tail}"
