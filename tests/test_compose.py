"""Edits of one file made into its new text: what stands before, which edits, exactly what stands after."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from codemods.plan import DropIfUnused, Edit, NeedsImport, OpenBlock, RemoveStatement, Request, Source, WidenBlock
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.verify import verify_bytes

Asked = Callable[[str], Edit | Request]


def source(
    text: str, *, encoding: str = "utf-8", bom: bytes = b"", newline: str = "\n", indent: str = "    "
) -> Source:
    return Source("app/a.py", "app.a", False, bom + text.encode(encoding), text, encoding, bom, newline, indent)


def line_of(text: str, start: str) -> int:
    """The one line whose code begins with `start`."""
    lines = [
        n
        for n, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)
        if line.removeprefix("\ufeff").lstrip(" \t\f").startswith(start)
    ]
    assert len(lines) == 1, f"{start!r} starts {len(lines)} lines"
    return lines[0]


def opened(
    creation: str,
    first: str,
    last: str,
    name: str = "session",
    *,
    context: str | None = None,
    sync: bool = False,
    keep_annotation: bool = False,
) -> Asked:
    return lambda text: OpenBlock(
        "app/a.py",
        line_of(text, creation),
        line_of(text, first),
        line_of(text, last),
        not sync,
        name,
        context,
        keep_annotation,
    )


def widened(block: str, last: str) -> Asked:
    return lambda text: WidenBlock("app/a.py", line_of(text, block), line_of(text, last))


def removed(start: str) -> Asked:
    return lambda text: RemoveStatement("app/a.py", line_of(text, start))


def needs(beside: str, module: str, name: str, *, above: bool = False, apart: bool = False) -> Asked:
    return lambda text: NeedsImport("app/a.py", line_of(text, beside), module, name, above, apart)


def drop(start: str, name: str) -> Asked:
    return lambda text: DropIfUnused("app/a.py", line_of(text, start), name)


def composed(given: Source, asked: Sequence[Asked]) -> bytes:
    made = [ask(given.text) for ask in asked]
    edits = [one for one in made if not isinstance(one, NeedsImport | DropIfUnused)]
    requests = [one for one in made if isinstance(one, NeedsImport | DropIfUnused)]
    return compose(given, edits, requests)


@dataclass(frozen=True, slots=True)
class Case:
    situation: str
    before: str
    asked: tuple[Asked, ...]
    after: str
    indent: str = "    "


def case(situation: str, before: str, *asked: Asked, after: str, indent: str = "    ") -> Case:
    return Case(situation, before, asked, after, indent)


WHOLE = opened("session = ", "user = ", "return user")

BLOCKS = [
    case(
        "creation_directly_above_its_uses",
        """\
async def f():
    session = F()
    user = await session.get(User, 1)
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "another_context_expression",
        """\
async def f():
    session = new_session()
    user = await session.get(User, 1)
    return user
""",
        opened("session", "user", "return", context="async_session()"),
        after="""\
async def f():
    async with async_session() as session:
        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "sync_session_gets_with",
        """\
def f():
    session = F()
    return session.get(User, 1)
""",
        opened("session", "return", "return", sync=True),
        after="""\
def f():
    with F() as session:
        return session.get(User, 1)
""",
    ),
    case(
        "awaited_factory",
        """\
async def f():
    session = await make()
    return await session.get(User, 1)
""",
        opened("session", "return", "return"),
        after="""\
async def f():
    async with await make() as session:
        return await session.get(User, 1)
""",
    ),
    case(
        "annotated_creation_loses_its_annotation",
        """\
async def f():
    session: "AsyncSession" = F()
    return await session.get(User, 1)
""",
        opened("session", "return", "return"),
        after="""\
async def f():
    async with F() as session:
        return await session.get(User, 1)
""",
    ),
    case(
        "annotation_kept_on_a_line_of_its_own",
        """\
async def f():
    x = 1

    # the session
    session: AsyncSession = F()  # bare
    return await session.get(User, x)
""",
        opened("session", "return", "return", keep_annotation=True),
        after="""\
async def f():
    x = 1

    # the session
    session: AsyncSession
    async with F() as session:  # bare
        return await session.get(User, x)
""",
    ),
    case(
        "comments_of_the_creation_go_to_the_header",
        """\
async def f():
    x = 1

    # open it

    # at once
    session = F()  # type: ignore[misc]
    user = await session.get(User, x)  # noqa: E501
    return user
""",
        WHOLE,
        after="""\
async def f():
    x = 1

    # open it

    # at once
    async with F() as session:  # type: ignore[misc]
        user = await session.get(User, x)  # noqa: E501
        return user
""",
    ),
    case(
        "blank_lines_below_the_creation_go",
        """\
async def f():
    session = F()


    user = await session.get(User, 1)

    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)

        return user
""",
    ),
    case(
        "comment_below_the_creation_stays_inside",
        """\
async def f():
    session = F()

    # load

    user = await session.get(User, 1)
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
        # load

        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "statements_between_creation_and_first_use_stay_above",
        """\
async def f(x):
    # the session
    session = F()  # fresh
    y = x + 1
    log(y)

    user = await session.get(User, y)
    return user
""",
        WHOLE,
        after="""\
async def f(x):
    y = x + 1
    log(y)

    # the session
    async with F() as session:  # fresh
        user = await session.get(User, y)
        return user
""",
    ),
    case(
        "section_comment_above_a_moving_creation_stays",
        """\
async def f(x):
    a = 1

    # --- prepare ---

    # fresh one
    session = F()
    y = x + 1
    # load
    user = await session.get(User, y)
    return user
""",
        WHOLE,
        after="""\
async def f(x):
    a = 1

    # --- prepare ---

    y = x + 1
    # fresh one
    async with F() as session:
        # load
        user = await session.get(User, y)
        return user
""",
    ),
    case(
        "statements_after_the_block_stay_outside",
        """\
async def f():
    session = F()
    user = await session.get(User, 1)
    name = user.name

    # later
    return name
""",
        opened("session", "user", "name"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        name = user.name

    # later
    return name
""",
    ),
    case(
        "comments_at_the_end_of_the_function_stay_there",
        """\
async def f():
    session = F()
    user = await session.get(User, 1)
    return user

    # nothing more
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1)
        return user

    # nothing more
""",
    ),
    case(
        "comment_at_the_end_of_an_inner_suite_moves_with_it",
        """\
async def f():
    session = F()
    if await session.get(User, 1):
        done()
        # and no more

    # outer
    return 1
""",
        opened("session", "if", "if"),
        after="""\
async def f():
    async with F() as session:
        if await session.get(User, 1):
            done()
            # and no more

    # outer
    return 1
""",
    ),
    case(
        "text_in_triple_quotes_is_not_indented",
        '''\
async def f():
    session = F()
    user = await session.execute("""
    select 1
      from x
""")
    z = f"""
  {user}
"""
    return user
''',
        WHOLE,
        after='''\
async def f():
    async with F() as session:
        user = await session.execute("""
    select 1
      from x
""")
        z = f"""
  {user}
"""
        return user
''',
    ),
    case(
        "lines_in_parentheses_move_with_their_statement",
        """\
async def f():
    session = F()
    user = await session.execute(
        select(User)  # all
        # by id
        .where(User.id == 1)
    )
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
        user = await session.execute(
            select(User)  # all
            # by id
            .where(User.id == 1)
        )
        return user
""",
    ),
    case(
        "backslash_continuations_move_with_their_statement",
        """\
async def f():
    session = F()
    user = await session.get(User, 1) \\
        or \\
        None
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
        user = await session.get(User, 1) \\
            or \\
            None
        return user
""",
    ),
    case(
        "creation_in_parentheses_over_several_lines",
        """\
async def f():
    session = F(
        bind=engine,  # the one
        autoflush=False,
    )  # bare
    user = await session.get(User, 1)
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F(
        bind=engine,  # the one
        autoflush=False,
    ) as session:  # bare
        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "right_hand_side_in_parentheses",
        """\
async def f():
    session = (
        F()  # the one
    )
    user = await session.get(User, 1)
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with (
        F()  # the one
    ) as session:
        user = await session.get(User, 1)
        return user
""",
    ),
    case(
        "creation_ends_in_a_semicolon",
        """\
async def f():
    session = F();  # odd
    return await session.get(User, 1)
""",
        opened("session", "return", "return"),
        after="""\
async def f():
    async with F() as session:  # odd
        return await session.get(User, 1)
""",
    ),
    case(
        "joined_and_one_line_statements_inside",
        """\
async def f():
    session = F()
    x = session.x
    a = 1; b = 2  # both
    if a: await session.commit()
    else: b = 3
    return b
""",
        opened("session", "x = ", "return"),
        after="""\
async def f():
    async with F() as session:
        x = session.x
        a = 1; b = 2  # both
        if a: await session.commit()
        else: b = 3
        return b
""",
    ),
    case(
        "decorated_inner_function",
        """\
async def f():
    session = F()
    # wrapped
    @retry(
        times=3,
    )
    # twice
    @cache
    async def inner():
        return await session.get(User, 1)

    return await inner()
""",
        opened("session", "async def inner", "return await inner"),
        after="""\
async def f():
    async with F() as session:
        # wrapped
        @retry(
            times=3,
        )
        # twice
        @cache
        async def inner():
            return await session.get(User, 1)

        return await inner()
""",
    ),
    case(
        "try_match_and_loops_inside",
        """\
async def f():
    session = F()
    try:
        match await session.get(User, 1):
            case None:
                return 0  # none
            case user:
                for x in user:
                    break
                else:
                    pass
    except (A, B) as e:  # both
        raise
    else:
        done()
    finally:
        # at last
        end()
    return 1
""",
        opened("session", "try", "return 1"),
        after="""\
async def f():
    async with F() as session:
        try:
            match await session.get(User, 1):
                case None:
                    return 0  # none
                case user:
                    for x in user:
                        break
                    else:
                        pass
        except (A, B) as e:  # both
            raise
        else:
            done()
        finally:
            # at last
            end()
        return 1
""",
    ),
    case(
        "inside_a_method_and_a_branch",
        """\
class A:
    async def f(self):
        if self.x:
            session = self.make()
            await session.commit()
        elif self.y:
            return 2
        return 1
""",
        opened("session", "await", "await"),
        after="""\
class A:
    async def f(self):
        if self.x:
            async with self.make() as session:
                await session.commit()
        elif self.y:
            return 2
        return 1
""",
    ),
    case(
        "inside_an_except_branch",
        """\
async def f():
    try:
        x = 1
    except ValueError:
        # save
        session = F()
        await session.commit()
    return 1
""",
        opened("session", "await", "await"),
        after="""\
async def f():
    try:
        x = 1
    except ValueError:
        # save
        async with F() as session:
            await session.commit()
    return 1
""",
    ),
    case(
        "inside_a_match_case",
        """\
async def f(x):
    match x:
        case 1:
            session = F()
            await session.commit()
        case _:
            pass
""",
        opened("session", "await", "await"),
        after="""\
async def f(x):
    match x:
        case 1:
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
# the session

session = F()
session.execute(1)  # run

# end
""",
        opened("session = ", "session.execute", "session.execute", sync=True),
        after="""\
import x
# the session

with F() as session:
    session.execute(1)  # run

# end
""",
    ),
    case(
        "tabs",
        "async def f():\n\tsession = F()\n\tif await session.get(1):\n\t\treturn (1,\n\t\t\t2)\n\treturn 3\n",
        opened("session", "if", "return 3"),
        after="async def f():\n\tasync with F() as session:\n\t\tif await session.get(1):\n\t\t\treturn (1,\n"
        "\t\t\t\t2)\n\t\treturn 3\n",
        indent="\t",
    ),
    case(
        "windows_line_ends",
        "async def f():\r\n    # c\r\n    session = F()  # d\r\n\r\n    return await session.get(1)\r\n\r\nx = 1\r\n",
        opened("session", "return", "return"),
        after="async def f():\r\n    # c\r\n    async with F() as session:  # d\r\n"
        "        return await session.get(1)\r\n\r\nx = 1\r\n",
    ),
    case(
        "windows_function_in_a_unix_file",
        "x = 1\ny = 2\nasync def f():\r\n    session = F()\r\n    return await session.get(1)\r\nz = 3\n",
        opened("session", "return", "return"),
        after="x = 1\ny = 2\nasync def f():\r\n    async with F() as session:\r\n"
        "        return await session.get(1)\r\nz = 3\n",
    ),
    case(
        "no_newline_at_the_end_of_the_file",
        "async def f():\n    session = F()\n    return await session.get(1)",
        opened("session", "return", "return"),
        after="async def f():\n    async with F() as session:\n        return await session.get(1)",
    ),
    case(
        "comment_without_newline_at_the_end_of_the_file",
        "async def f():\n    session = F()\n    return await session.get(1)\n    # end",
        opened("session", "return", "return"),
        after="async def f():\n    async with F() as session:\n        return await session.get(1)\n    # end",
    ),
    case(
        "two_spaces_in_a_file_of_four",
        "async def f():\n  session = F()\n  if 1:\n        return await session.get(1)\n",
        opened("session", "if", "if"),
        after="async def f():\n  async with F() as session:\n    if 1:\n          return await session.get(1)\n",
    ),
    case(
        "comments_outside_the_indentation_stay_in_their_column",
        """\
async def f():
    session = F()
# old code
    user = await session.get(1)
  # odd
    return user
""",
        WHOLE,
        after="""\
async def f():
    async with F() as session:
# old code
        user = await session.get(1)
  # odd
        return user
""",
    ),
    case(
        "two_sessions_over_the_same_statements",
        """\
async def f():
    # one
    a = F()  # A
    # two
    b = G()  # B
    await a.copy(b)
    await b.commit()
""",
        opened("b = ", "await a", "await b", "b"),
        opened("a = ", "await a", "await b", "a"),
        after="""\
async def f():
    # one
    async with F() as a:  # A
        # two
        async with G() as b:  # B
            await a.copy(b)
            await b.commit()
""",
    ),
    case(
        "second_session_made_inside_the_first_block",
        """\
async def f():
    a = F()
    x = await a.get(1)

    b = G()  # B
    await b.add(x)
    await a.commit()
    return x
""",
        opened("b = ", "await b", "await b", "b"),
        opened("a = ", "x = ", "await a.commit", "a"),
        after="""\
async def f():
    async with F() as a:
        x = await a.get(1)

        async with G() as b:  # B
            await b.add(x)
        await a.commit()
    return x
""",
    ),
    case(
        "block_that_begins_with_the_creation_of_another",
        """\
async def f():
    a = F()

    b = G(a)
    await b.add(1)
    await a.commit()
""",
        opened("a = ", "b = ", "await a.commit", "a"),
        opened("b = ", "await b", "await b", "b"),
        after="""\
async def f():
    async with F() as a:
        async with G(a) as b:
            await b.add(1)
        await a.commit()
""",
    ),
    case(
        "two_blocks_one_after_the_other",
        """\
async def f():
    a = F()
    await a.get(1)
    between()
    b = G()
    await b.get(1)
    return 1
""",
        opened("a = ", "await a", "await a", "a"),
        opened("b = ", "await b", "await b", "b"),
        after="""\
async def f():
    async with F() as a:
        await a.get(1)
    between()
    async with G() as b:
        await b.get(1)
    return 1
""",
    ),
    case(
        "block_in_a_branch_of_a_wrapped_statement",
        """\
async def f(x):
    a = F()
    if x:
        b = G()
        await b.get(1)
        # b is done
    await a.commit()
""",
        opened("a = ", "if x", "await a", "a"),
        opened("b = ", "await b", "await b", "b"),
        after="""\
async def f(x):
    async with F() as a:
        if x:
            async with G() as b:
                await b.get(1)
            # b is done
        await a.commit()
""",
    ),
    case(
        "two_functions_of_one_file",
        """\
async def f():
    a = F()
    return await a.get(1)


X = 1  # kept


async def g():
    b = F()
    return await b.get(2)
""",
        opened("a = ", "return await a", "return await a", "a"),
        opened("b = ", "return await b", "return await b", "b"),
        after="""\
async def f():
    async with F() as a:
        return await a.get(1)


X = 1  # kept


async def g():
    async with F() as b:
        return await b.get(2)
""",
    ),
    case(
        "creation_is_the_only_statement_of_its_block",
        """\
async def f():
    # why
    session = F()  # once
    return 1
""",
        opened("session", "session", "session"),
        after="""\
async def f():
    # why
    async with F() as session:  # once
        pass
    return 1
""",
    ),
    case(
        "first_is_the_creation_itself",
        """\
async def f():
    session = F()

    return await session.get(1)
""",
        opened("session", "session", "return"),
        after="""\
async def f():
    async with F() as session:
        return await session.get(1)
""",
    ),
]

REMOVALS = [
    case(
        "close_at_the_end_of_the_block",
        """\
async def f():
    session = F()
    user = await session.get(1)

    # give it back
    await session.close()  # now
    return user
""",
        opened("session = ", "user", "await session.close"),
        removed("await session.close"),
        after="""\
async def f():
    async with F() as session:
        user = await session.get(1)

        # give it back
        # now
    return user
""",
    ),
    case(
        "close_between_statements",
        """\
async def f(session):
    user = await session.get(1)

    await session.close()
    return user
""",
        removed("await session.close"),
        after="""\
async def f(session):
    user = await session.get(1)

    return user
""",
    ),
    case(
        "close_between_blank_lines",
        """\
async def f(session):
    user = await session.get(1)

    await session.close()

    return user
""",
        removed("await session.close"),
        after="""\
async def f(session):
    user = await session.get(1)

    return user
""",
    ),
    case(
        "close_at_the_end_of_a_function_with_a_comment",
        """\
async def f(session):
    user = await session.get(1)

    await session.close()  # done


x = 1
""",
        removed("await session.close"),
        after="""\
async def f(session):
    user = await session.get(1)

    # done


x = 1
""",
    ),
    case(
        "close_at_the_end_of_a_function",
        """\
async def f(session):
    user = await session.get(1)

    await session.close()


x = 1
""",
        removed("await session.close"),
        after="""\
async def f(session):
    user = await session.get(1)


x = 1
""",
    ),
    case(
        "close_is_all_there_is",
        """\
async def f(session):
    # because
    await session.close()  # so
    # end
""",
        removed("await session.close"),
        after="""\
async def f(session):
    # because
    # so
    pass
    # end
""",
    ),
    case(
        "close_is_all_of_a_branch_inside_the_block",
        """\
async def f():
    session = F()
    if await session.get(1):
        await session.close()  # early
    return 1
""",
        opened("session = ", "if", "return"),
        removed("await session.close"),
        after="""\
async def f():
    async with F() as session:
        if await session.get(1):
            # early
            pass
        return 1
""",
    ),
    case(
        "close_at_the_start_of_a_suite",
        """\
async def f(session):
    await session.close()

    return 1
""",
        removed("await session.close"),
        after="""\
async def f(session):
    return 1
""",
    ),
    case(
        "two_closes_in_a_row",
        """\
async def f(a, b):
    x = 1

    await a.close()  # first
    await b.close()

    return x
""",
        removed("await a"),
        removed("await b"),
        after="""\
async def f(a, b):
    x = 1

    # first

    return x
""",
    ),
    case(
        "closes_are_all_of_a_suite",
        """\
async def f(a, b):
    await a.close()
    await b.close()
""",
        removed("await a"),
        removed("await b"),
        after="""\
async def f(a, b):
    pass
""",
    ),
    case(
        "close_at_the_end_of_a_file_without_newline",
        "def f(a):\n    x = 1\n    a.close()",
        removed("a.close"),
        after="def f(a):\n    x = 1",
    ),
    case(
        "only_use_is_the_close",
        """\
async def f():
    session = F()
    # at once
    await session.close()
""",
        opened("session = ", "await", "await"),
        removed("await"),
        after="""\
async def f():
    async with F() as session:
        # at once
        pass
""",
    ),
    case(
        "close_between_creation_and_first_use",
        """\
async def f(old):
    session = F()
    await old.close()  # old one
    user = await session.get(1)
    return user
""",
        WHOLE,
        removed("await old"),
        after="""\
async def f(old):
    async with F() as session:
        # old one
        user = await session.get(1)
        return user
""",
    ),
    case(
        "close_beside_a_statement_that_is_edited_inside",
        """\
async def f(a):
    await a.close()
    if a:
        b = F()
        await b.get(1)
    return 1
""",
        removed("await a.close"),
        opened("b = ", "await b", "await b", "b"),
        after="""\
async def f(a):
    if a:
        async with F() as b:
            await b.get(1)
    return 1
""",
    ),
]

WIDENED = [
    case(
        "takes_in_what_follows",
        """\
async def f():
    async with F() as s:  # open
        user = await s.get(1)

    # still lazy
    name = user.team.name  # loads

    return name
""",
        widened("async with", "name"),
        after="""\
async def f():
    async with F() as s:  # open
        user = await s.get(1)

        # still lazy
        name = user.team.name  # loads

    return name
""",
    ),
    case(
        "comments_at_the_end_of_the_block_stay_in_order",
        """\
async def f():
    async with F() as s:
        user = await s.get(1)
        # loaded

    return user.team(
        1,
    )
    # end
""",
        widened("async with", "return"),
        after="""\
async def f():
    async with F() as s:
        user = await s.get(1)
        # loaded

        return user.team(
            1,
        )
    # end
""",
    ),
    case(
        "block_inside_what_is_taken_in",
        """\
async def f():
    async with F() as s:
        user = await s.get(1)
    b = G()
    await b.add(user)
    return user.team
""",
        widened("async with", "return"),
        opened("b = ", "await b", "await b", "b"),
        after="""\
async def f():
    async with F() as s:
        user = await s.get(1)
        async with G() as b:
            await b.add(user)
        return user.team
""",
    ),
    case(
        "block_around_a_widened_one",
        """\
async def f():
    b = G()
    async with F() as s:
        user = await s.get(1)
    await b.add(user)
    return user.team
""",
        widened("async with", "return"),
        opened("b = ", "async with", "return", "b"),
        after="""\
async def f():
    async with G() as b:
        async with F() as s:
            user = await s.get(1)
            await b.add(user)
            return user.team
""",
    ),
    case(
        "asked_for_twice_takes_the_longer",
        """\
async def f():
    async with F() as s:
        user = await s.get(1)
    x = 1
    return user.team
""",
        widened("async with", "x = "),
        widened("async with", "return"),
        after="""\
async def f():
    async with F() as s:
        user = await s.get(1)
        x = 1
        return user.team
""",
    ),
    case(
        "with_its_own_step_of_indentation",
        """\
async def f():
    async with F() as s:
      user = await s.get(1) \\
        or 1
    return user \\
        or 2
""",
        widened("async with", "return"),
        after="""\
async def f():
    async with F() as s:
      user = await s.get(1) \\
        or 1
      return user \\
          or 2
""",
    ),
]

IMPORTS = [
    case(
        "above_the_first_of_a_section",
        "# what we need\nimport sys  # first\nfrom os import path\n",
        needs("import sys", "abc", "ABC", above=True),
        after="# what we need\nfrom abc import ABC\nimport sys  # first\nfrom os import path\n",
    ),
    case(
        "above_and_set_apart_from_another_section",
        '"""About."""\n\nfrom fastapi import Depends\n',
        needs("from fastapi", "contextlib", "nullcontext", above=True, apart=True),
        after='"""About."""\n\nfrom contextlib import nullcontext\n\nfrom fastapi import Depends\n',
    ),
    case(
        "above_in_a_file_with_windows_line_ends",
        "from fastapi import Depends\r\nx = 1\r\n",
        needs("from fastapi", "contextlib", "nullcontext", above=True, apart=True),
        after="from contextlib import nullcontext\r\n\r\nfrom fastapi import Depends\r\nx = 1\r\n",
    ),
    case(
        "below_and_set_apart_from_the_future",
        "from __future__ import annotations\n\nfrom fastapi import Depends\n",
        needs("from __future__", "contextlib", "nullcontext", apart=True),
        after="from __future__ import annotations\n\nfrom contextlib import nullcontext\n\n"
        "from fastapi import Depends\n",
    ),
    case(
        "two_above_the_same_import",
        "from fastapi import Depends\n",
        needs("from fastapi", "collections.abc", "Iterator", above=True, apart=True),
        needs("from fastapi", "contextlib", "nullcontext", above=True, apart=True),
        after="from collections.abc import Iterator\nfrom contextlib import nullcontext\n\n"
        "from fastapi import Depends\n",
    ),
    case(
        "above_an_import_that_nothing_needs_any_more",
        "from app.db import get_session\nx = 1\n",
        needs("from app", "contextlib", "nullcontext", above=True, apart=True),
        drop("from app", "get_session"),
        after="from contextlib import nullcontext\n\nx = 1\n",
    ),
    case(
        "last_line_without_end",
        "import fastapi",
        needs("import fastapi", "contextlib", "nullcontext", above=True, apart=True),
        after="from contextlib import nullcontext\n\nimport fastapi",
    ),
    case(
        "replaced_in_place",
        "from app.db import new_session\n",
        needs("from app", "app.db", "async_session"),
        drop("from app", "new_session"),
        after="from app.db import async_session\n",
    ),
    case(
        "replaced_among_unsorted_names",
        "from app.db import z, new_session, a  # noqa: I001\nz(a)\n",
        needs("from app", "app.db", "async_session"),
        drop("from app", "new_session"),
        after="from app.db import z, async_session, a  # noqa: I001\nz(a)\n",
    ),
    case(
        "sorted_names_stay_sorted",
        "from app.db import Base, engine, new_session\nBase(engine)\n",
        needs("from app", "app.db", "async_session"),
        drop("from app", "new_session"),
        after="from app.db import Base, async_session, engine\nBase(engine)\n",
    ),
    case(
        "sorted_without_case",
        "from app.db import Alpha, beta, Gamma\n",
        needs("from app", "app.db", "delta"),
        after="from app.db import Alpha, beta, delta, Gamma\n",
    ),
    case(
        "constants_before_classes_before_functions",
        "from app.db import URL, Base, engine\n",
        needs("from app", "app.db", "Alpha"),
        after="from app.db import URL, Alpha, Base, engine\n",
    ),
    case(
        "added_at_the_end_of_unsorted_names",
        "from app.db import b, a\n",
        needs("from app", "app.db", "async_session"),
        after="from app.db import b, a, async_session\n",
    ),
    case(
        "already_there",
        "from app.db import async_session, b\n",
        needs("from app", "app.db", "async_session"),
        after="from app.db import async_session, b\n",
    ),
    case(
        "already_there_on_another_line",
        "from app.db import b\nfrom app.db import async_session\n",
        needs("from app.db import b", "app.db", "async_session"),
        after="from app.db import b\nfrom app.db import async_session\n",
    ),
    case(
        "there_under_an_alias_only",
        "from app.db import async_session as opened\n",
        needs("from app", "app.db", "async_session"),
        after="from app.db import async_session, async_session as opened\n",
    ),
    case(
        "another_module_gets_a_line_of_its_own",
        "import os\nfrom app.db import new_session  # old\n\nx = 1\n",
        needs("from app", "app.core", "async_session"),
        after="import os\nfrom app.db import new_session  # old\nfrom app.core import async_session\n\nx = 1\n",
    ),
    case(
        "another_module_in_the_place_of_the_old_import",
        "import os\nfrom app.db import new_session  # old\n\nx = 1\n",
        needs("from app", "app.core", "async_session"),
        drop("from app", "new_session"),
        after="import os\nfrom app.core import async_session\n\nx = 1\n",
    ),
    case(
        "relative_module",
        "from ..db import new_session, x\nx()\n",
        needs("from ..db", "..db", "async_session"),
        drop("from ..db", "new_session"),
        after="from ..db import async_session, x\nx()\n",
    ),
    case(
        "beside_a_plain_import",
        "import app.db",
        needs("import", "app.db", "async_session"),
        after="import app.db\nfrom app.db import async_session",
    ),
    case(
        "one_name_per_line_added_with_its_comma",
        "from app.db import (\n    # base\n    Base,  # b\n    engine,  # e\n)\n",
        needs("from app", "app.db", "async_session"),
        after="from app.db import (\n    # base\n    Base,  # b\n    async_session,\n    engine,  # e\n)\n",
    ),
    case(
        "one_name_per_line_added_last_without_trailing_comma",
        "from app.db import (\n    Base,\n    engine  # e\n)\n",
        needs("from app", "app.db", "zone"),
        after="from app.db import (\n    Base,\n    engine,  # e\n    zone\n)\n",
    ),
    case(
        "one_name_per_line_added_first",
        "from app.db import (  # all\n    engine,\n)\n",
        needs("from app", "app.db", "async_session"),
        after="from app.db import (  # all\n    async_session,\n    engine,\n)\n",
    ),
    case(
        "one_name_per_line_windows",
        "from app.db import (\r\n    a,\r\n    new_session,\r\n)\r\na()\r\n",
        needs("from app", "app.db", "b"),
        drop("from app", "new_session"),
        after="from app.db import (\r\n    a,\r\n    b,\r\n)\r\na()\r\n",
    ),
    case(
        "one_name_per_line_dropped_with_its_comment_kept",
        "from app.db import (\n    Base,\n    # way in\n    new_session,  # old\n)\nBase()\n",
        drop("from app", "new_session"),
        after="from app.db import (\n    Base,\n    # way in\n    # old\n)\nBase()\n",
    ),
    case(
        "several_names_per_line_in_parentheses",
        "from app.db import (a, new_session,\n                    z)  # all\na(z)\n",
        drop("from app", "new_session"),
        after="from app.db import (a,\n                    z)  # all\na(z)\n",
    ),
    case(
        "first_of_hanging_names",
        "from app.db import (new_session,\n                    z)\nz()\n",
        drop("from app", "new_session"),
        after="from app.db import (z)\nz()\n",
    ),
    case(
        "backslash_import",
        "from app.db import a, \\\n    new_session\na()\n",
        drop("from app", "new_session"),
        after="from app.db import a\na()\n",
    ),
    case(
        "aliased_name_dropped_by_its_alias",
        "from app.db import a, new_session as make\na()\n",
        drop("from app", "make"),
        after="from app.db import a\na()\n",
    ),
    case(
        "dotted_import_dropped",
        "# db\nimport app.db, os  # both\nos.x\n",
        drop("import", "app.db"),
        after="# db\nimport os  # both\nos.x\n",
    ),
    case(
        "whole_import_goes_its_leading_comment_stays",
        "import os\n# the database\nfrom app.db import new_session  # noqa: E402\n\nx = os\n",
        drop("from app", "new_session"),
        after="import os\n# the database\n\nx = os\n",
    ),
    case(
        "import_as_only_statement_leaves_pass",
        "def f():\n    # late\n    from app.db import new_session  # cycle\n",
        drop("from app", "new_session"),
        after="def f():\n    # late\n    pass\n",
    ),
    case(
        "two_imports_of_a_suite_leave_one_pass",
        "def f():\n    from app.db import a\n    from app.db import b\n",
        drop("from app.db import a", "a"),
        drop("from app.db import b", "b"),
        after="def f():\n    pass\n",
    ),
    case(
        "import_in_a_function_whose_body_is_wrapped",
        """\
async def f():
    from app.db import new_session, x  # late

    session = new_session()
    user = await session.get(x)
    return user
""",
        opened("session", "user", "return", context="async_session()"),
        needs("from app", "app.db", "async_session"),
        drop("from app", "new_session"),
        after="""\
async def f():
    from app.db import async_session, x  # late

    async with async_session() as session:
        user = await session.get(x)
        return user
""",
    ),
    case(
        "import_inside_the_wrapped_statements",
        """\
async def f():
    session = new_session()
    from app.db import old
    from app.models import User
    return await session.get(User, 1)
""",
        opened("session", "from app.db", "return"),
        drop("from app.db", "old"),
        needs("from app.models", "app.models", "Team"),
        after="""\
async def f():
    async with new_session() as session:
        from app.models import Team, User
        return await session.get(User, 1)
""",
    ),
    *(
        case(f"kept_because_of_{why}", text, drop("from app", "new_session"), after=text)
        for why, text in {
            "a_call": "from app.db import new_session\nnew_session()\n",
            "a_decorator": "from app.db import new_session\n@new_session\ndef f(): pass\n",
            "dunder_all": "from app.db import new_session\n__all__ = ['new_session']\n",
            "a_string_annotation": "from app.db import new_session\ndef f(x: 'list[new_session]'): pass\n",
            "a_string_that_is_an_expression": "from app.db import new_session\ncast('list[new_session]', x)\n",
            "a_type_comment": "from app.db import new_session\nx = []  # type: list[new_session]\n",
            "a_second_binding": "try:\n    from app.db import new_session\nexcept E:\n    new_session = None\n",
            "a_shared_line": "from app.db import new_session; z = 1\n",
            "a_wanted_reexport": "from app.db import new_session as new_session\n",
            "a_noqa_for_unused": "from app.db import new_session  # noqa: F401\n",
            "an_f_string": "from app.db import new_session\nx = f'{new_session}'\n",
        }.items()
    ),
    case(
        "a_docstring_that_speaks_of_it_is_no_use",
        'from app.db import new_session\n\n\ndef f():\n    """Was made by new_session before."""\n',
        drop("from app", "new_session"),
        after='def f():\n    """Was made by new_session before."""\n',
    ),
    case(
        "use_in_another_function_does_not_keep_a_local_import",
        "def f():\n    from app.db import new_session\n    return 1\n\n\ndef g(new_session):\n    return new_session\n",
        drop("from app", "new_session"),
        after="def f():\n    return 1\n\n\ndef g(new_session):\n    return new_session\n",
    ),
]

ALL = [*BLOCKS, *REMOVALS, *WIDENED, *IMPORTS]


@pytest.mark.parametrize("one", ALL, ids=[one.situation for one in ALL])
def test_edited_text(one: Case) -> None:
    newline = "\r\n" if one.before.count("\r\n") > 2 and "\n" not in one.before.replace("\r\n", "") else "\n"
    given = source(one.before, newline=newline, indent=one.indent)
    assert composed(given, one.asked).decode() == one.after


@pytest.mark.parametrize("one", ALL, ids=[one.situation for one in ALL])
def test_order_of_edits_does_not_matter(one: Case) -> None:
    given = source(one.before, indent=one.indent)
    assert composed(given, one.asked) == composed(given, tuple(reversed(one.asked)) + one.asked)


def test_situations_have_their_own_names() -> None:
    assert len({one.situation for one in ALL}) == len(ALL) >= 50


REFUSED = [
    (
        "partial_overlap",
        "async def f():\n    a = F()\n    b = F()\n    await a.x()\n    await b.x()\n    await a.y()\n    b.y()\n",
        (opened("a = ", "await a.x", "await a.y", "a"), opened("b = ", "await b.x", "b.y", "b")),
        "overlap",
    ),
    (
        "block_that_ends_inside_what_a_widened_one_takes",
        "def f():\n    b = F()\n    with x() as y:\n        pass\n    b.a()\n    b.b()\n",
        (opened("b = ", "with", "b.a", "b", sync=True), widened("with", "b.b")),
        "overlap",
    ),
    (
        "one_line_body",
        "async def f():\n    if x: session = F(); await session.get(1)\n    return 1\n",
        (lambda text: OpenBlock("app/a.py", 2, 2, 2, True, "session"),),
        "not one simple statement",
    ),
    (
        "statements_joined_by_a_semicolon",
        "async def f():\n    session = F(); x = 1\n    await session.get(1)\n",
        (opened("session", "await", "await"),),
        "shares its line",
    ),
    (
        "widened_block_on_one_line",
        "async def f():\n    async with F() as s: u = await s.get(1)\n    return u.x\n",
        (widened("async with", "return"),),
        "own line",
    ),
    (
        "widened_statement_is_no_block",
        "def f():\n    x = 1\n    return x\n",
        (widened("x = ", "return"),),
        "no `with`",
    ),
    (
        "elif_is_no_sibling",
        "def f():\n    if x:\n        pass\n    elif y:\n        pass\n",
        (lambda text: RemoveStatement("app/a.py", 4),),
        "shares its line",
    ),
    (
        "compound_statement_to_take_away",
        "def f():\n    if x:\n        pass\n",
        (removed("if"),),
        "no simple statement",
    ),
    (
        "no_statement_there",
        "def f():\n    x = (1,\n         2)\n",
        (lambda text: RemoveStatement("app/a.py", 3),),
        "no statement starts",
    ),
    (
        "not_of_one_suite",
        "def f():\n    s = F()\n    if x:\n        s.a()\n    s.b()\n",
        (opened("s = ", "s.a", "s.b", "s"),),
        "not of one suite",
    ),
    (
        "out_of_order",
        "def f():\n    s = F()\n    s.a()\n    s.b()\n",
        (opened("s = ", "s.b", "s.a", "s"),),
        "out of order",
    ),
    (
        "two_targets",
        "def f():\n    s = t = F()\n    s.a()\n",
        (opened("s = ", "s.a", "s.a", "s"),),
        "does not assign",
    ),
    (
        "another_name",
        "def f():\n    s = F()\n    s.a()\n",
        (opened("s = ", "s.a", "s.a", "t"),),
        "does not assign",
    ),
    (
        "no_annotation_to_keep",
        "def f():\n    s = F()\n    s.a()\n",
        (opened("s = ", "s.a", "s.a", "s", keep_annotation=True),),
        "no annotation",
    ),
    (
        "context_is_no_expression",
        "def f():\n    s = F()\n    s.a()\n",
        (opened("s = ", "s.a", "s.a", "s", context="F("),),
        "no expression",
    ),
    (
        "creation_taken_away_too",
        "def f():\n    s = F()\n    s.a()\n",
        (opened("s = ", "s.a", "s.a", "s"), removed("s = ")),
        "both taken away",
    ),
    (
        "comment_in_a_creation_that_another_context_replaces",
        "def f():\n    s = F(\n        # why\n    )\n    s.a()\n",
        (opened("s = ", "s.a", "s.a", "s", sync=True, context="G()"),),
        "lacks a comment: # why",
    ),
    (
        "carriage_returns_alone",
        "def f():\r    s = F()\r    s.a()\r",
        (opened("s = ", "s.a", "s.a", "s"),),
        "carriage return",
    ),
    (
        "syntax_error",
        "def f():\n    s = F()\n    s.a(\n",
        (opened("s = ", "s.a", "s.a", "s"),),
        "cannot be read",
    ),
    (
        "import_that_is_not_there",
        "import os\nx = 1\n",
        (needs("x = ", "app", "b"),),
        "no import statement",
    ),
    (
        "name_with_another_meaning",
        "from app.db import a\nfrom other import b\n",
        (needs("from app", "app.db", "b"),),
        "another meaning",
    ),
    (
        "new_line_in_a_one_line_suite",
        "if x: from app.db import a\n",
        (lambda text: NeedsImport("app/a.py", 1, "app.core", "b"),),
        "shares its line",
    ),
    (
        "more_nested_blocks_than_python_allows",
        "def f():\n    s = F()\n"
        + "".join("    " * depth + "while 1:\n" for depth in range(1, 21))
        + "    " * 21
        + "s.a()\n",
        (lambda text: OpenBlock("app/a.py", 2, 3, 3, False, "s"),),
        "does not compile: too many statically nested blocks",
    ),
]


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


def test_refusal_names_the_line() -> None:
    with pytest.raises(ComposeError) as refused:
        composed(source("x = 1\ndef f():\n    a = 1; b = 2\n"), [removed("a = ")])
    assert (refused.value.line, refused.value.message) == (3, "the statement on line 3 shares its line with other code")


def test_byte_order_mark_and_encoding_stay() -> None:
    text = "# coding: latin-1\ndef f():\n    s = F()  # é\n    s.a('ü')\n"
    asked = [opened("s = ", "s.a", "s.a", "s", sync=True)]
    assert composed(source(text, encoding="latin-1"), asked) == (
        "# coding: latin-1\ndef f():\n    with F() as s:  # é\n        s.a('ü')\n".encode("latin-1")
    )
    marked = source("é = 1\n" + text, bom=b"\xef\xbb\xbf")
    assert composed(marked, asked).startswith(b"\xef\xbb\xbf\xc3\xa9 = 1\n# coding")


def test_character_that_the_encoding_lacks() -> None:
    text = "# coding: latin-1\ndef f():\n    s = F()\n    s.a()\n"
    with pytest.raises(ComposeError, match="lacks a character"):
        composed(source(text, encoding="latin-1"), [opened("s = ", "s.a", "s.a", "s", context="G('\u20ac')")])


def test_line_separators_inside_text_are_no_line_ends() -> None:
    text = "x = '\u2028\x0b\x85'\ndef f():\n    s = F()\n    s.a('\u2028')  # \x0c\n"
    after = composed(source(text), [opened("s = ", "s.a", "s.a", "s", sync=True)]).decode()
    assert after == ("x = '\u2028\x0b\x85'\ndef f():\n    with F() as s:\n        s.a('\u2028')  # \x0c\n")


def test_form_feed_before_a_statement_is_kept_or_refused() -> None:
    text = "x = 1\n\x0c\ndef f():\n    s = F()\n\x0c    s.a()\n"
    try:
        after = composed(source(text), [lambda text: OpenBlock("app/a.py", 4, 5, 5, False, "s")]).decode()
    except ComposeError:
        return
    assert after.count("\x0c") == 2


def test_form_feed_outside_the_edit_stays() -> None:
    text = "x = 1\n\x0c\ndef f():\n    s = F()\n    s.a()\n\x0c\ny = 1\n"
    after = composed(source(text), [opened("s = ", "s.a", "s.a", "s", sync=True)]).decode()
    assert after == "x = 1\n\x0c\ndef f():\n    with F() as s:\n        s.a()\n\x0c\ny = 1\n"


def test_deeply_nested_expression() -> None:
    sum_of_many = " + ".join(["x"] * 1500)
    text = f"def f(x):\n    s = F()\n    s.a({sum_of_many})\n"
    after = composed(source(text), [opened("s = ", "s.a", "s.a", "s", sync=True)]).decode()
    assert after == f"def f(x):\n    with F() as s:\n        s.a({sum_of_many})\n"


def test_imports_of_a_package_are_not_dropped() -> None:
    text = "from app.db import new_session\n"
    package = Source("app/a.py", "app", True, text.encode(), text, "utf-8", b"", "\n", "    ")
    assert composed(package, [drop("from", "new_session")]) == text.encode()


def test_edits_of_other_files_are_left_out() -> None:
    given = source("x = 1\n")
    assert compose(given, [RemoveStatement("app/b.py", 1)], [NeedsImport("app/b.py", 1, "a", "b")]) == given.data


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (b"x = 'a'\n", "lacks a comment: # c"),
        (b"x = 1  # c\n", "lacks a string constant: 'a'"),
        (b"x = 'a  # c\n", "cannot be parsed"),
        (b"x = 'a'  # c\nreturn\n", "does not compile"),
        (b"x = 'a'  # c\xff\n", "is not utf-8"),
    ],
    ids=["comment_lost", "string_lost", "no_python", "does_not_compile", "wrong_bytes"],
)
def test_verify_names_what_is_wrong(after: bytes, message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        verify_bytes(source("x = 'a'  # c\n"), after)


def test_verify_lets_a_dropped_import_take_its_comment_along() -> None:
    verify_bytes(source("import a  # one\nx = 1  # two\n"), b"x = 1  # two\n")
    with pytest.raises(ComposeError, match="# one"):
        verify_bytes(source("import a  # one\nx = 1  # two\n"), b"import a\nx = 1  # two\n")


def test_verify_wants_the_byte_order_mark() -> None:
    with pytest.raises(ComposeError, match="byte order mark"):
        verify_bytes(source("x = 1\n", bom=b"\xef\xbb\xbf"), b"x = 2\n")


@pytest.mark.parametrize("one", [*BLOCKS, *REMOVALS, *WIDENED], ids=lambda one: one.situation)
def test_whole_file_gives_the_same_text_as_a_slice(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_edited_slice", lambda source, outline, run: None)
    assert composed(source(one.before, indent=one.indent), one.asked).decode() == one.after


@pytest.mark.parametrize("one", [*BLOCKS, *REMOVALS, *WIDENED], ids=lambda one: one.situation)
def test_slice_of_the_outermost_statement_gives_the_same_text(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    edited_slice = slices._edited_slice
    monkeypatch.setattr(
        slices,
        "_edited_slice",
        lambda given, outline, run: None if run.suite.depth else edited_slice(given, outline, run),
    )
    assert composed(source(one.before, indent=one.indent), one.asked).decode() == one.after
