"""Statements that take another shape: loops and returns, definitions and needless blocks, texts before and after."""

from __future__ import annotations

import re

import pytest
from test_compose import Asked, Case, case, composed, line_of, opened, removed, source, widened
from test_compose_dissolve import dissolved
from test_compose_expressions import replaced
from test_compose_guard import guarded

from codemods.plan import (
    AddFinally,
    ChangeDefinition,
    DissolveBlock,
    DropIfUnused,
    Edit,
    GuardBlock,
    LoopToBlock,
    ReplaceStatement,
)
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError
from codemods.transformers.intended import check_statements


def entered_once(start: str, context: str) -> Asked:
    return lambda text: LoopToBlock("app/a.py", line_of(text, start), context)


def instead_of(start: str, code: str) -> Asked:
    return lambda text: ReplaceStatement("app/a.py", line_of(text, start), code)


def defined(start: str, is_async: bool, returns: str | None = None) -> Asked:
    return lambda text: ChangeDefinition("app/a.py", line_of(text, start), is_async, returns)


def needless(start: str) -> Asked:
    return lambda text: DissolveBlock("app/a.py", line_of(text, start))


CASES = [
    case(
        "loop_left_at_its_end",
        """\
async def f():
    # one session
    async for session in get_session():  # only one
        # load
        user = await session.get(User, 1)  # by id
        break
    return user
""",
        entered_once("async for", "F()"),
        removed("break"),
        after="""\
async def f():
    # one session
    async with F() as session:  # only one
        # load
        user = await session.get(User, 1)  # by id
    return user
""",
    ),
    case(
        "loop_with_its_comments_at_the_end",
        """\
async def f():
    async for session in get_session(a, b):
        await session.commit()

        # enough
        break  # out
        # end

    # after
    return 1
""",
        entered_once("async for", "F(a)"),
        removed("break"),
        after="""\
async def f():
    async with F(a) as session:
        await session.commit()

        # enough
        # out
        # end

    # after
    return 1
""",
    ),
    case(
        "loop_that_goes_on_in_a_branch",
        """\
async def f(x):
    async for session in get_session():
        if x:
            # skip
            continue
        await session.commit()
""",
        entered_once("async for", "F()"),
        removed("continue"),
        after="""\
async def f(x):
    async with F() as session:
        if x:
            # skip
            pass
        await session.commit()
""",
    ),
    case(
        "sync_loop",
        """\
def f():
    for session in get_session():
        return session.get(User, 1)
""",
        entered_once("for", "F()"),
        after="""\
def f():
    with F() as session:
        return session.get(User, 1)
""",
    ),
    case(
        "loop_of_one_line",
        """\
async def f():
    async for session in get_session(): return await session.get(1)  # one
""",
        entered_once("async for", "F()"),
        after="""\
async def f():
    async with F() as session: return await session.get(1)  # one
""",
    ),
    case(
        "loop_with_a_type_comment",
        """\
async def f():
    async for session in get_session():  # type: AsyncSession
        await session.commit()
""",
        entered_once("async for", "F()"),
        after="""\
async def f():
    async with F() as session:  # type: AsyncSession
        await session.commit()
""",
    ),
    case(
        "loop_over_several_lines_of_header",
        """\
async def f():
    async for (session) in get_session(
        1,
    ) :
        await session.execute(\"\"\"
  select 1
        \"\"\")
        x = 1 + \\
            2
""",
        entered_once("async for", "F()"),
        after="""\
async def f():
    async with F() as session:
        await session.execute(\"\"\"
  select 1
        \"\"\")
        x = 1 + \\
            2
""",
    ),
    case(
        "loop_over_a_call_with_a_string",
        """\
def f():
    for session in get_session("main"):
        session.commit()
""",
        entered_once("for", "F()"),
        after="""\
def f():
    with F() as session:
        session.commit()
""",
    ),
    case(
        "loop_whose_body_is_edited",
        """\
async def f():
    async for session in get_session():
        other = G()  # other
        await run(session, other, F())
        break
""",
        entered_once("async for", "F()"),
        removed("break"),
        opened("other = ", "await run", "await run", "other"),
        replaced("await run", "F()", "session"),
        after="""\
async def f():
    async with F() as session:
        async with G() as other:  # other
            await run(session, other, session)
""",
    ),
    case(
        "loop_of_one_line_whose_body_is_edited",
        """\
async def f():
    async for session in get_session(): await run(F())
""",
        entered_once("async for", "F()"),
        replaced("async for", "F()", "session"),
        after="""\
async def f():
    async with F() as session: await run(session)
""",
    ),
    case(
        "loop_in_a_block_that_is_opened",
        """\
async def f():
    other = G()
    async for session in get_session():
        await other.run(session)  # both
""",
        entered_once("async for", "F()"),
        opened("other = ", "async for", "async for", "other"),
        after="""\
async def f():
    async with G() as other:
        async with F() as session:
            await other.run(session)  # both
""",
    ),
    case(
        "loop_under_a_guard",
        """\
async def f(other):
    async for session in get_session():
        yield session
""",
        entered_once("async for", "F()"),
        guarded("async for", "async for", "other"),
        after="""\
async def f(other):
    try:
        async with F() as session:
            yield session
    except Exception:
        await other.rollback()
        raise
    finally:
        await other.close()
""",
    ),
    case(
        "loop_widened",
        """\
async def f():
    async for session in get_session():
        user = await session.get(1)
        break
    # later
    return user.name
""",
        entered_once("async for", "F()"),
        removed("break"),
        widened("async for", "return"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(1)
        # later
        return user.name
""",
    ),
    case(
        "loop_in_a_loop_that_is_left",
        """\
async def f(xs):
    for x in xs:
        async for session in get_session():
            for y in x:
                break
            while y:
                continue
            def g():
                for z in y: continue
        break
""",
        entered_once("async for", "F()"),
        after="""\
async def f(xs):
    for x in xs:
        async with F() as session:
            for y in x:
                break
            while y:
                continue
            def g():
                for z in y: continue
        break
""",
    ),
    case(
        "loop_left_in_one_that_becomes_a_block_too",
        """\
async def f():
    async for a in get_a():
        async for b in get_b():
            await a.x(b)
            break  # b
        break  # a
""",
        entered_once("async for a", "A()"),
        entered_once("async for b", "B()"),
        removed("break  # a"),
        removed("break  # b"),
        after="""\
async def f():
    async with A() as a:
        async with B() as b:
            await a.x(b)
            # b
        # a
""",
    ),
    case(
        "loop_that_only_breaks",
        """\
async def f():
    async for session in get_session():
        break  # open it
""",
        entered_once("async for", "F()"),
        removed("break"),
        after="""\
async def f():
    async with F() as session:
        # open it
        pass
""",
    ),
    case(
        "loop_with_a_break_replaced",
        """\
async def f():
    async for session in get_session():
        if session:
            break  # enough
        await session.commit()
""",
        entered_once("async for", "F()"),
        instead_of("break", "return None"),
        after="""\
async def f():
    async with F() as session:
        if session:
            return None  # enough
        await session.commit()
""",
    ),
    case(
        "loop_windows_line_ends",
        "async def f():\r\n    async for s in get_s():  # a\r\n        await s.a()\r\n        break\r\n",
        entered_once("async for", "F()"),
        removed("break"),
        after="async def f():\r\n    async with F() as s:  # a\r\n        await s.a()\r\n",
    ),
    case(
        "return_becomes_a_dependency",
        """\
def get_session():
    \"\"\"Doc.\"\"\"
    # a session
    return SessionLocal()  # no close
""",
        instead_of("return", "session = SessionLocal()\ntry:\n    yield session\nfinally:\n    session.close()\n"),
        defined("def", False, "Iterator[Session]"),
        after="""\
def get_session() -> Iterator[Session]:
    \"\"\"Doc.\"\"\"
    # a session
    session = SessionLocal()  # no close
    try:
        yield session
    finally:
        session.close()
""",
    ),
    case(
        "comment_goes_to_the_header_of_a_block",
        """\
async def get_session():
    return F()  # no close

x = 1
""",
        instead_of("return", "async with F() as session:\n    yield session"),
        after="""\
async def get_session():
    async with F() as session:  # no close
        yield session

x = 1
""",
    ),
    case(
        "comment_goes_to_a_suite_on_one_line",
        """\
async def f():
    return F()  # no close
""",
        instead_of("return", "if x: y()\nreturn 1"),
        after="""\
async def f():
    if x: y()  # no close
    return 1
""",
    ),
    case(
        "not_the_last_of_its_suite",
        """\
async def f():
    a = 1

    # make it
    s = F("a", 'b')

    # use it
    return s
""",
        instead_of("s = ", "s = G()\ns.a()"),
        after="""\
async def f():
    a = 1

    # make it
    s = G()
    s.a()

    # use it
    return s
""",
    ),
    case(
        "code_with_comments_of_its_own",
        """\
def f():
    x = 1
    return F()

y = 1
""",
        instead_of("return", "# why\n\n# how\ns = F()  # made\n\n# out\nreturn s\n# end"),
        after="""\
def f():
    x = 1
    # why

    # how
    s = F()  # made

    # out
    return s
    # end

y = 1
""",
    ),
    case(
        "suites_get_the_step_of_the_file",
        """\
async def f():
  if x:
      return F()
""",
        instead_of(
            "return",
            "try:\n        s = F()\n        if s:\n                yield s\n"
            "except E:\n        raise\nelse:\n        match s:\n            case 1:\n                pass",
        ),
        after="""\
async def f():
  if x:
      try:
        s = F()
        if s:
          yield s
      except E:
        raise
      else:
        match s:
          case 1:
            pass
""",
        indent="  ",
    ),
    case(
        "code_with_strings_and_open_parentheses",
        """\
def f():
    if x:
        return F()
""",
        instead_of("return", 's = F(\n    1,\n)\nt = """\n  text\n"""\nreturn s, t'),
        after="""\
def f():
    if x:
        s = F(
            1,
        )
        t = \"\"\"
  text
\"\"\"
        return s, t
""",
    ),
    case(
        "over_several_lines_without_comments",
        """\
def f():
    return F(
        "a",

        1,
    );  # end
""",
        instead_of("return", "return 1"),
        after="""\
def f():
    return 1  # end
""",
    ),
    case(
        "only_statement_of_a_branch",
        """\
def f(x):
    if x:
        pass  # none
    else:
        # make
        return F()
""",
        instead_of("return", "s = F()\nreturn s"),
        after="""\
def f(x):
    if x:
        pass  # none
    else:
        # make
        s = F()
        return s
""",
    ),
    case(
        "inside_of_a_block_that_is_opened",
        """\
def f():
    s = F()
    # out
    return s.all()  # all
""",
        instead_of("return", "rows = s.all()\ns.expunge_all()\nreturn rows"),
        opened("s = ", "return", "return", "s", sync=True),
        after="""\
def f():
    with F() as s:
        # out
        rows = s.all()  # all
        s.expunge_all()
        return rows
""",
    ),
    case(
        "inside_of_a_guard",
        """\
def f():
    s = F()
    return s
""",
        instead_of("return", "yield s"),
        guarded("return", "return", "s", is_async=False),
        after="""\
def f():
    s = F()
    try:
        yield s
    except Exception:
        s.rollback()
        raise
    finally:
        s.close()
""",
    ),
    case(
        "beside_a_statement_that_goes",
        """\
def f():
    s = F()
    return s  # s
    s.close()  # never
""",
        instead_of("return", "yield s\ns.x()"),
        removed("s.close"),
        after="""\
def f():
    s = F()
    yield s  # s
    s.x()
    # never
""",
    ),
    case(
        "annotated_and_at_module_level",
        """\
session: Session = F()  # global
x = 1
""",
        instead_of("session", "with F() as s:\n    run(s)"),
        after="""\
with F() as s:  # global
    run(s)
x = 1
""",
    ),
    case(
        "replaced_tabs",
        "def f():\n\tif x:\n\t\treturn F()  # c\n",
        instead_of("return", "with F() as s:\n    yield s"),
        after="def f():\n\tif x:\n\t\twith F() as s:  # c\n\t\t\tyield s\n",
        indent="\t",
    ),
    case(
        "replaced_windows_line_ends",
        "def f():\r\n    return F()  # c\r\n",
        instead_of("return", 'try:\n    s = """\n"""\nfinally:\n    s()'),
        after='def f():\r\n    try:  # c\r\n        s = """\r\n"""\r\n    finally:\r\n        s()\r\n',
    ),
    case(
        "replaced_without_newline_at_the_end_of_the_file",
        "def f():\n    return F()  # c",
        instead_of("return", "with F() as s:\n    yield s\n"),
        after="def f():\n    with F() as s:  # c\n        yield s",
    ),
    case(
        "def_becomes_async",
        """\
@deco  # d
# between
def f(a, b=1) :  # f
    return a
""",
        defined("def", True),
        after="""\
@deco  # d
# between
async def f(a, b=1) :  # f
    return a
""",
    ),
    case(
        "result_is_declared",
        """\
def f(): return 1  # one
""",
        defined("def", False, "int"),
        after="""\
def f() -> int: return 1  # one
""",
    ),
    case(
        "declared_result_is_replaced",
        """\
async def f(a)->"Old[AsyncSession]" :
    # body
    yield a
""",
        defined("async def", True, "AsyncIterator[AsyncSession]"),
        after="""\
async def f(a)->AsyncIterator[AsyncSession] :
    # body
    yield a
""",
    ),
    case(
        "quoted_result",
        """\
def f() -> AsyncSession:
    yield 1
""",
        defined("def", True, '"AsyncIterator[AsyncSession]"'),
        after="""\
async def f() -> "AsyncIterator[AsyncSession]":
    yield 1
""",
    ),
    case(
        "nothing_to_change",
        """\
async def f() -> int:
    return  1
""",
        defined("async def", True),
        after="""\
async def f() -> int:
    return  1
""",
    ),
    case(
        "method_in_a_class",
        """\
class A:
    # one
    @staticmethod
    def f(
        a,  # a
        # b follows
        b: "B" = 'b',
    ) -> (
        Session
    ):  # end
        \"\"\"Doc.\"\"\"

        x = \"\"\"
a\"\"\"
        return x \\
            or 1

    def g(self): ...
""",
        defined("def f", True, "AsyncIterator[Session]"),
        after="""\
class A:
    # one
    @staticmethod
    async def f(
        a,  # a
        # b follows
        b: "B" = 'b',
    ) -> AsyncIterator[Session]:  # end
        \"\"\"Doc.\"\"\"

        x = \"\"\"
a\"\"\"
        return x \\
            or 1

    def g(self): ...
""",
    ),
    case(
        "nested_function",
        """\
def f():
    if x:
        def g(): return 1
    return g
""",
        defined("def g", True, "int"),
        after="""\
def f():
    if x:
        async def g() -> int: return 1
    return g
""",
    ),
    case(
        "parameters_below_the_parenthesis_move_along",
        """\
def f(a,
      # of b
      b=g(1,
          2),  # b
      *,
    c=1,
      d) -> T:
    return (a,
            b)
""",
        defined("def", True),
        after="""\
async def f(a,
            # of b
            b=g(1,
                2),  # b
            *,
    c=1,
            d) -> T:
    return (a,
            b)
""",
    ),
    case(
        "hanging_parameters_stay",
        """\
def f(
        a, b
):
    pass
""",
        defined("def", True),
        after="""\
async def f(
        a, b
):
    pass
""",
    ),
    case(
        "body_is_edited_too",
        """\
def f():  # f
    s = F()
    # out
    return s  # s

    s.close()  # c
""",
        defined("def", True, "AsyncIterator[S]"),
        guarded("return", "s.close", "s"),
        instead_of("return", "yield s"),
        removed("s.close"),
        after="""\
async def f() -> AsyncIterator[S]:  # f
    s = F()
    try:
        # out
        yield s  # s

        # c
    except Exception:
        await s.rollback()
        raise
    finally:
        await s.close()
""",
    ),
    case(
        "definition_inside_a_block",
        """\
def f():
    s = F()
    def g():
        return s.x
    return g()
""",
        defined("def g", False, "int"),
        opened("s = ", "def g", "return g", "s", sync=True),
        after="""\
def f():
    with F() as s:
        def g() -> int:
            return s.x
        return g()
""",
    ),
    case(
        "changes_of_one_definition_are_joined",
        """\
def f():
    yield 1
""",
        defined("def", True),
        defined("def", False, "T"),
        after="""\
async def f() -> T:
    yield 1
""",
    ),
    case(
        "definition_windows_line_ends",
        "@d\r\ndef f(a,\r\n      b):\r\n    return a\r\n",
        defined("def", True, "T"),
        after="@d\r\nasync def f(a,\r\n            b) -> T:\r\n    return a\r\n",
    ),
    case(
        "block_entered_around_it",
        """\
async def f():
    session = F()
    async with session:  # enter
        # load
        user = await session.get(1)  # user

        # end
    return user
""",
        needless("async with"),
        opened("session = ", "async with", "return"),
        after="""\
async def f():
    async with F() as session:
        # enter
        # load
        user = await session.get(1)  # user

        # end
        return user
""",
    ),
    case(
        "needless_block_under_another_name",
        """\
async def f(session):
    # why
    async with session as s:

        x = await s.get(\"\"\"
        a\"\"\",
            1)
        y = 1 + \\
            2

    return x
""",
        needless("async with"),
        after="""\
async def f(session):
    # why
    x = await s.get(\"\"\"
        a\"\"\",
        1)
    y = 1 + \\
        2

    return x
""",
    ),
    case(
        "needless_block_with_comments_in_its_header",
        """\
async def f(session):
    async with (  # open
        # it
        session  # now
    ):  # go
        return 1
""",
        needless("async with"),
        after="""\
async def f(session):
    # open
    # it
    # now
    # go
    return 1
""",
    ),
    case(
        "needless_block_of_one_line",
        """\
async def f(session):
    # why
    async with session: x = 1; await session.x()  # one

    return x
""",
        needless("async with"),
        after="""\
async def f(session):
    # why
    x = 1; await session.x()  # one

    return x
""",
    ),
    case(
        "needless_block_of_one_line_whose_body_is_edited",
        """\
async def f(session):
    async with session: await run(F())  # one
""",
        needless("async with"),
        replaced("async with", "F()", "session"),
        after="""\
async def f(session):
    await run(session)  # one
""",
    ),
    case(
        "needless_block_whose_statements_all_go",
        """\
async def f():
    session = F()
    async with session:  # enter
        # back
        await session.close()  # done
    return 1
""",
        needless("async with"),
        removed("await session.close"),
        opened("session = ", "async with", "return"),
        after="""\
async def f():
    async with F() as session:
        # enter
        # back
        # done
        return 1
""",
    ),
    case(
        "needless_block_that_holds_all_that_goes",
        """\
async def f(session):
    async with session:  # enter
        await session.close()
        # end

""",
        needless("async with"),
        removed("await session.close"),
        after="""\
async def f(session):
    # enter
    # end
    pass

""",
    ),
    case(
        "needless_blocks_in_each_other",
        """\
async def f(a, b):
    async with a:  # a
        async with b:  # b
            if a:
                return b
            # end of b
        # end of a
    return 1
""",
        needless("async with a"),
        needless("async with b"),
        after="""\
async def f(a, b):
    # a
    # b
    if a:
        return b
    # end of b
    # end of a
    return 1
""",
    ),
    case(
        "needless_block_with_a_block_inside",
        """\
async def f(a):
    async with a:
        b = F()  # b
        # use
        await a.x(b)
    # after
    return 1
""",
        needless("async with"),
        opened("b = ", "await a", "await a", "b"),
        after="""\
async def f(a):
    async with F() as b:  # b
        # use
        await a.x(b)
    # after
    return 1
""",
    ),
    case(
        "needless_block_between_statements",
        """\
def f(a):
    x = 1

    with a:

        # y
        y = 1


        z = 1

    return x + y
""",
        needless("with a"),
        after="""\
def f(a):
    x = 1

    # y
    y = 1


    z = 1

    return x + y
""",
    ),
    case(
        "needless_block_at_the_end_of_the_file",
        "def f(a):\n    with a:  # a\n        x = 1\n\n        # deep\n    # less",
        needless("with a"),
        after="def f(a):\n    # a\n    x = 1\n\n    # deep\n    # less",
    ),
    case(
        "needless_block_tabs",
        "def f(a):\n\twith a:\n\t\tif x:\n\t\t\treturn g(\n\t\t\t\t1)\n",
        needless("with a"),
        after="def f(a):\n\tif x:\n\t\treturn g(\n\t\t\t1)\n",
        indent="\t",
    ),
    case(
        "needless_block_with_a_step_of_its_own",
        """\
def f(a):
    with a:
      if a:
          return 1
      return 2
""",
        needless("with a"),
        after="""\
def f(a):
    if a:
        return 1
    return 2
""",
    ),
    case(
        "needless_block_windows_line_ends",
        "def f(a):\r\n    with a:  # a\r\n        x = 1 + \\\r\n            2\r\n    return x\r\n",
        needless("with a"),
        after="def f(a):\r\n    # a\r\n    x = 1 + \\\r\n        2\r\n    return x\r\n",
    ),
    case(
        "needless_block_under_a_guard",
        """\
async def f():
    session = F()
    async with session:  # enter
        yield session
""",
        needless("async with"),
        guarded("async with", "async with"),
        after="""\
async def f():
    session = F()
    try:
        # enter
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
]

LOOP = "def f():\n    for s in g():\n        s.a()\n"
RETURN = "def f():\n    return F()\n"
BLOCK = "def f(s):\n    with s:\n        s.a()\n"
REFUSED = [
    ("no_loop", RETURN, (entered_once("return", "F()"),), "is no `for` loop"),
    ("loop_with_an_else", LOOP + "    else:\n        s.b()\n", (entered_once("for", "F()"),), "has an `else`"),
    ("loop_that_takes_values_apart", LOOP.replace("s in", "s, t in"), (entered_once("for", "F()"),), "one name"),
    ("loop_over_an_attribute", LOOP.replace("s in", "s.x in"), (entered_once("for", "F()"),), "one name"),
    (
        "loop_with_a_comment_in_its_header",
        LOOP.replace("g()", "g(  # all\n        1)"),
        (entered_once("for", "F()"),),
        "has a comment in it",
    ),
    (
        "loop_with_a_comment_about_its_name",
        LOOP.replace("for s in", "for (s  # s\n        ) in"),
        (entered_once("for", "F()"),),
        "has a comment in it",
    ),
    ("loop_context_is_no_expression", LOOP, (entered_once("for", "F("),), "is no expression"),
    ("loop_context_that_opens_nothing", LOOP, (entered_once("for", "a, b"),), "cannot open a block"),
    ("loop_that_is_left", LOOP + "        break\n", (entered_once("for", "F()"),), "left or gone on with on line 4"),
    (
        "loop_that_is_left_inside_of_another",
        "def f(xs):\n    for x in xs:\n        for s in g():\n            if s: continue\n",
        (entered_once("for s", "F()"),),
        "left or gone on with on line 4",
    ),
    (
        "loop_that_is_left_by_the_else_of_another",
        "def f(xs):\n    while 1:\n        for s in g():\n            for x in s:\n                pass\n"
        "            else:\n                break\n",
        (entered_once("for s", "F()"),),
        "left or gone on with on line 7",
    ),
    (
        "loop_that_is_left_by_what_replaces_a_statement",
        "def f(xs):\n    for x in xs:\n        for s in g():\n            s.a()\n",
        (entered_once("for s", "F()"), instead_of("s.a", "if s:\n    break")),
        "left or gone on with on line 4",
    ),
    ("loop_with_two_contexts", LOOP, (entered_once("for", "F()"), entered_once("for", "G()")), "in two ways"),
    (
        "expression_in_the_header_of_a_loop",
        LOOP.replace("g()", "g(F())"),
        (entered_once("for", "F()"), replaced("for", "F()", "s")),
        "is taken away too",
    ),
    ("compound_statement_replaced", LOOP, (instead_of("for", "x = 1"),), "no simple statement to replace"),
    ("statement_on_the_line_of_a_header", "def f(): return 1\n", (instead_of("def", "x = 1"),), "no simple statement"),
    (
        "statement_beside_another",
        RETURN.replace("return", "x = 1; return"),
        (instead_of("x = ", "y = 1"),),
        "shares its line",
    ),
    ("code_that_cannot_be_read", RETURN, (instead_of("return", "return ("),), "cannot be read"),
    ("code_that_is_indented", RETURN, (instead_of("return", "  return 1"),), "cannot be read"),
    ("code_without_statements", RETURN, (instead_of("return", "# none"),), "nothing is to replace line 2"),
    ("code_that_imports", RETURN, (instead_of("return", "if 1:\n    import x"),), "imports something"),
    ("import_replaced", "import x\n", (instead_of("import", "x = 1"),), "imports something"),
    (
        "statement_with_a_comment_in_it",
        RETURN.replace("F()", "F(\n        # why\n    )"),
        (instead_of("return", "return 1"),),
        "has a comment in it",
    ),
    (
        "code_with_a_comment_where_the_old_one_goes",
        RETURN.replace("F()", "F()  # old"),
        (instead_of("return", "return 1  # new"),),
        "has no place",
    ),
    (
        "block_of_code_with_a_comment_where_the_old_one_goes",
        RETURN.replace("F()", "F()  # old"),
        (instead_of("return", "if x:  # new\n    y()"),),
        "has no place",
    ),
    (
        "code_that_has_no_place_for_a_comment",
        RETURN.replace("F()", "F()  # old"),
        (instead_of("return", "match x:\n    case 1:\n        pass"),),
        "has no place",
    ),
    ("two_codes", RETURN, (instead_of("return", "a()"), instead_of("return", "b()")), "in two ways"),
    ("replaced_and_taken_away", RETURN, (instead_of("return", "a()"), removed("return")), "in two ways"),
    (
        "replaced_and_made_a_block",
        "def f():\n    s = F()\n    s.a()\n",
        (instead_of("s = ", "s = G()"), opened("s = ", "s.a", "s.a", "s", sync=True)),
        "in two ways",
    ),
    (
        "replaced_and_an_expression_in_it",
        RETURN,
        (instead_of("return", "a()"), replaced("return", "F()", "s")),
        "is taken away too",
    ),
    (
        "replaced_and_taken_from_a_finally",
        "def f(s):\n    try:\n        s.a()\n    finally:\n        s.close()\n",
        (instead_of("s.close", "s.b()"), dissolved("try", "s.close")),
        "in two ways",
    ),
    ("no_definition", RETURN, (defined("return", True),), "defines no function"),
    ("class_defined", "class A:\n    pass\n", (defined("class", True),), "defines no function"),
    ("result_that_is_no_expression", RETURN, (defined("def", False, "a b"),), "is no expression"),
    ("two_results", RETURN, (defined("def", False, "a"), defined("def", True, "b")), "in two ways"),
    (
        "comment_in_the_declared_result",
        "def f() -> (\n    # why\n    T\n):\n    pass\n",
        (defined("def", False, "U"),),
        "has a comment in it",
    ),
    (
        "definition_that_cannot_be_async",
        "def f():\n    yield 1\n    return 1\n",
        (defined("def", True),),
        "does not compile",
    ),
    ("no_block", LOOP, (needless("for"),), "no `with` block of one item"),
    ("block_of_two_items", BLOCK.replace("with s", "with s, t"), (needless("with"),), "no `with` block of one item"),
    (
        "block_that_takes_values_apart",
        BLOCK.replace("with s", "with s as (t, u)"),
        (needless("with"),),
        "does not assign to one name",
    ),
    (
        "block_over_something_with_a_string",
        BLOCK.replace("with s", "with open('x')"),
        (needless("with"),),
        "lacks a string constant: 'x'",
    ),
    (
        "expression_in_the_header_of_a_block",
        BLOCK.replace("with s", "with F()"),
        (needless("with"), replaced("with", "F()", "s")),
        "is taken away too",
    ),
    (
        "block_that_is_widened_too",
        BLOCK + "    s.b()\n",
        (needless("with"), widened("with", "s.b")),
        "in two ways",
    ),
]


def asked_again(one: Case) -> bytes:
    newline = "\r\n" if "\r\n" in one.before else "\n"
    return composed(source(one.before, newline=newline, indent=one.indent), one.asked)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.situation)
def test_edited_text(one: Case) -> None:
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.situation)
def test_order_of_edits_does_not_matter(one: Case) -> None:
    newline = "\r\n" if "\r\n" in one.before else "\n"
    given = source(one.before, newline=newline, indent=one.indent)
    assert composed(given, one.asked[::-1] + one.asked).decode() == one.after


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


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


def test_imports_of_what_was_replaced_are_dropped() -> None:
    text = "from app import get_s, make\n\nasync def f():\n    async for s in get_s():\n        await s.a()\n"
    after = composed(
        source(text),
        [entered_once("async for", "make()"), lambda text: DropIfUnused("app/a.py", 1, "get_s")],
    )
    assert after.decode() == (
        "from app import make\n\nasync def f():\n    async with make() as s:\n        await s.a()\n"
    )


def test_strings_of_other_statements_are_not_given_up_with_a_replaced_one() -> None:
    text = "def f():\n    x = 'kept'\n    return 'gone'\n"
    assert composed(source(text), [instead_of("return", "return x")]).decode() == text.replace("'gone'", "x")


@pytest.mark.parametrize(
    ("before", "edit", "wrong"),
    [
        (
            "def f(s):\n    yield s\n",
            GuardBlock("app/a.py", 2, 2, False, "s"),
            "def f(s):\n    try:\n        yield s\n    except Exception:\n        s.rollback()\n    finally:\n"
            "        s.close()\n",
        ),
        (
            "def f(s):\n    try:\n        yield s\n    except E:\n        raise\n",
            AddFinally("app/a.py", 2, False, "s"),
            "def f(s):\n    try:\n        yield s\n    except E:\n        raise\n    finally:\n        t.close()\n",
        ),
        (LOOP, LoopToBlock("app/a.py", 2, "G()"), "def f():\n    with g() as s:\n        s.a()\n"),
        (RETURN, ReplaceStatement("app/a.py", 2, "x = 1\nreturn x"), "def f():\n    x = 1\n"),
        (RETURN, ChangeDefinition("app/a.py", 1, True, "T"), "async def f():\n    return F()\n"),
        (RETURN, ChangeDefinition("app/a.py", 1, True, "T"), "def f() -> T:\n    return F()\n"),
        (BLOCK, DissolveBlock("app/a.py", 2), BLOCK),
    ],
    ids=["guard", "finally", "loop", "statement", "result", "async", "block"],
)
def test_second_opinion_sees_a_wrong_text(before: str, edit: Edit, wrong: str) -> None:
    with pytest.raises(ComposeError, match="does not hold the statements"):
        check_statements(before, wrong, [edit])
    check_statements(before, composed(source(before), [lambda _: edit]).decode(), [edit])
