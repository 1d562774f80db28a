"""Other arguments and parameters, bodies put into a block, functions added: exact texts before and after."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st
from test_compose import Asked, Case, case, composed, drop, line_of, needs, removed, source
from test_compose_expressions import replaced, spanned
from test_compose_insert import after, before, chained, with_argument
from test_compose_shapes import defined
from test_compose_width import RUFF, formatted

from codemods.plan import (
    AddFunction,
    ArgumentChange,
    ChangeArguments,
    ChangeParameters,
    Edit,
    InsertBefore,
    OpenBlock,
    ParameterChange,
    ReplaceExpression,
    Span,
)
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.intended import added_imports, check_statements
from codemods.transformers.verify import verify_bytes

FETCH = """\
item = await session.get(Item, item_id)
if item is None:
    logger.warning("Item %s no longer exists", item_id)
    return
"""
SHORT = "item = await session.get(Item, item_id)"
BACKGROUND = """\
async def f_background(item_id: int) -> None:
    async with new_session() as session:
        await f(item_id, session)
"""


def given(start: str, call: str, *changes: tuple[int, str | None], limit: int = 0) -> Asked:
    """Other arguments for the one `call` on the line that begins with `start`."""

    def ask(text: str) -> ChangeArguments:
        edit = spanned(start, call, "")(text)
        assert isinstance(edit, ReplaceExpression)
        return ChangeArguments("app/a.py", edit.span, tuple(ArgumentChange(*one) for one in changes), limit)

    return ask


def taking(start: str, *changes: tuple[str, str | None], limit: int = 0) -> Asked:
    """Other parameters for the function whose `def` begins with `start`."""
    made = tuple(ParameterChange(*one) for one in changes)
    return lambda text: ChangeParameters("app/a.py", line_of(text, start), made, limit)


def around(first: str, last: str, prologue: str = "", *, sync: bool = False, name: str | None = "session") -> Asked:
    return lambda text: OpenBlock(
        "app/a.py", None, line_of(text, first), line_of(text, last), not sync, name, "F()", prologue=prologue
    )


def behind(start: str, code: str = BACKGROUND) -> Asked:
    return lambda text: AddFunction("app/a.py", line_of(text, start), code)


def call(situation: str, before: str, after: str, *changes: tuple[int, str | None]) -> Case:
    """A statement that is one call and gets other arguments."""
    return case(situation, before, given(before.partition("(")[0], before.rstrip("\n"), *changes), after=after)


def signature(situation: str, before: str, after: str, *changes: tuple[str, str | None]) -> Case:
    """The header of a function that gets other parameters."""
    body = "    return 1\n"
    start = next(line for line in re.split(r"\r?\n", before) if "def " in line)
    return case(situation, before + body, taking(start, *changes), after=after + body)


ARGUMENTS = [
    call("argument_replaced", "f(g, item, 1)\n", "f(g, item.id, 1)\n", (1, "item.id")),
    call("argument_replaced_by_a_named_one", "f(g, item=item)\n", "f(g, item_id=item.id)\n", (1, "item_id=item.id")),
    call("first_argument_dropped", "f(session, item)\n", "f(item)\n", (0, None)),
    call("middle_argument_dropped", "f(g, session, item)\n", "f(g, item)\n", (1, None)),
    call("last_argument_dropped", "f(g, session)\n", "f(g)\n", (1, None)),
    call("last_argument_dropped_before_a_comma", "f(g, session,)\n", "f(g,)\n", (1, None)),
    call("only_argument_dropped", "f(session)\n", "f()\n", (0, None)),
    call("only_argument_dropped_before_a_comma", "f( session, )\n", "f()\n", (0, None)),
    call("only_argument_dropped_on_its_line", "f(\n    session,\n)\n", "f()\n", (0, None)),
    call("all_arguments_dropped", "f(a, b,\n  c)\n", "f()\n", (0, None), (1, None), (2, None)),
    call("space_inside_of_the_parentheses", "f( a , session , b )\n", "f( a , b )\n", (1, None)),
    call("first_dropped_with_space_inside", "f( session, b )\n", "f( b )\n", (0, None)),
    call("last_dropped_with_space_inside", "f( b, session )\n", "f( b )\n", (1, None)),
    call(
        "several_changes_of_one_call",
        "f(g, item, session, order, x=session)\n",
        "f(g, item.id, order.id)\n",
        (4, None),
        (1, "item.id"),
        (3, "order.id"),
        (2, None),
    ),
    call(
        "places_count_stars_and_names_as_written",
        "f(a, *rest, k=item, **more, s=session)\n",
        "f(a, *rest, k_id=item.id, **more)\n",
        (2, "k_id=item.id"),
        (4, None),
    ),
    call("name_before_a_star", "f(k=item, *rest, s=1)\n", "f(k_id=item.id, *rest)\n", (0, "k_id=item.id"), (2, None)),
    call("a_generator_goes", "f(x for x in session)\n", "f(xs)\n", (0, "xs")),
    call("parentheses_go_with_their_argument", "f((item), (session))\n", "f(item.id)\n", (0, "item.id"), (1, None)),
    call(
        "composite_key",
        "f(g, item, 1)\n",
        "f(g, item.a, item.b, 1)\n",
        (1, "item.a, item.b"),
    ),
    call(
        "one_line_each",
        "f(\n    g,\n    item,\n    session,\n)\n",
        "f(\n    g,\n    item.id,\n)\n",
        (1, "item.id"),
        (2, None),
    ),
    call(
        "one_line_each_without_a_last_comma",
        "f(\n    g,\n    item,\n    session\n)\n",
        "f(\n    g,\n    item.id\n)\n",
        (1, "item.id"),
        (2, None),
    ),
    call("first_of_one_line_each", "f(\n    session,\n    g,\n)\n", "f(\n    g,\n)\n", (0, None)),
    call("first_on_a_line_with_others", "f(\n    session, g\n)\n", "f(\n    g\n)\n", (0, None)),
    call("last_on_a_line_with_others", "f(\n    g, session\n)\n", "f(\n    g\n)\n", (1, None)),
    call("last_on_a_line_of_several", "f(a, session,\n  b)\n", "f(a,\n  b)\n", (1, None)),
    call("aligned_middle", "f(a,\n  session,\n  b)\n", "f(a,\n  b)\n", (1, None)),
    call("aligned_first", "f(session,\n  a,\n  b)\n", "f(a,\n  b)\n", (0, None)),
    call("aligned_last", "f(a,\n  session)\n", "f(a)\n", (1, None)),
    call("bracket_behind_the_last_one", "f(\n    a,\n    session)\n", "f(\n    a)\n", (1, None)),
    call("continued_by_a_backslash", "f(a, \\\n  session, \\\n  b)\n", "f(a, \\\n  b)\n", (1, None)),
    call("last_behind_a_backslash", "f(a, \\\n  session)\n", "f(a)\n", (1, None)),
    call(
        "comments_of_what_stays",
        "f(  # f\n    # above a\n    a,  # a\n    session,\n    # above b\n    b,  # b\n    # end\n)\n",
        "f(  # f\n    # above a\n    a,  # a\n    # above b\n    b,  # b\n    # end\n)\n",
        (1, None),
    ),
    call(
        "comments_of_what_goes",
        "f(\n    a,\n    # above s\n    session,  # s\n    # above b\n    b,\n)\n",
        "f(\n    a,\n    # above s\n    # s\n    # above b\n    b,\n)\n",
        (1, None),
    ),
    call("comment_of_the_last_that_goes", "f(\n    a,\n    s,  # s\n)\n", "f(\n    a,\n    # s\n)\n", (1, None)),
    call("comment_of_what_is_replaced", "f(\n    a,\n    i,  # i\n)\n", "f(\n    a,\n    i.id,  # i\n)\n", (1, "i.id")),
    call("comment_of_the_last_without_a_comma", "f(\n    a,\n    s  # s\n)\n", "f(\n    a\n    # s\n)\n", (1, None)),
    call("comment_of_all_that_goes", "f(\n    # above\n    s,  # s\n)\n", "f(\n    # above\n    # s\n)\n", (0, None)),
    call("comment_at_the_bracket", "f(  # f\n    s,\n)\n", "f(  # f\n)\n", (0, None)),
    call("comment_of_a_line_of_several", "f(a, s,  # both\n  b)\n", "f(a,  # both\n  b)\n", (1, None)),
    call("comment_of_the_aligned_first", "f(s,  # s\n  b)\n", "f(\n  # s\n  b)\n", (0, None)),
    call("comment_before_the_aligned_last", "f(a,  # a\n  s)\n", "f(a  # a\n  )\n", (1, None)),
    call(
        "comments_of_neighbours_that_go",
        "f(\n    a,  # a\n    b,  # b\n)\n",
        "f(\n    # a\n    # b\n)\n",
        (0, None),
        (1, None),
    ),
    call("blank_lines_between", "f(\n    a,\n\n    s,\n\n    b,\n)\n", "f(\n    a,\n\n    b,\n)\n", (1, None)),
    case(
        "in_a_nested_statement",
        "if x:\n    with y:\n        t.add_task(\n            f,\n            item,  # the item\n"
        "            session,\n        )\n",
        given(
            "t.add_task",
            "t.add_task(\n            f,\n            item,  # the item\n            session,\n        )",
            (1, "item.id"),
            (2, None),
        ),
        after="if x:\n    with y:\n        t.add_task(\n            f,\n            item.id,  # the item\n        )\n",
    ),
    case(
        "nested_calls",
        "def f():\n    r = g(a, h(b, session), session)\n",
        given("r = ", "g(a, h(b, session), session)", (2, None)),
        given("r = ", "h(b, session)", (0, "b.id"), (1, None)),
        after="def f():\n    r = g(a, h(b.id))\n",
    ),
    case(
        "callee_of_a_call",
        "r = g(a, s)(b, s)\n",
        given("r = ", "g(a, s)(b, s)", (1, None)),
        given("r = ", "g(a, s)", (1, None)),
        after="r = g(a)(b)\n",
    ),
    case(
        "together_with_one_more_and_a_call_behind",
        "r = g(a, session)\n",
        given("r = ", "g(a, session)", (0, "a.id"), (1, None)),
        with_argument("r = ", "g(a, session)", "k=1"),
        chained("r = ", "g(a, session)", ".x()"),
        after="r = g(a.id, k=1).x()\n",
    ),
    case(
        "one_more_where_none_is_left",
        "r = g(session)\n",
        given("r = ", "g(session)", (0, None)),
        with_argument("r = ", "g(session)", "k=1"),
        after="r = g(k=1)\n",
    ),
    case(
        "an_expression_in_an_argument_that_stays",
        "r = g(a.b, c, session)\n",
        given("r = ", "g(a.b, c, session)", (2, None)),
        replaced("r = ", "a.b", "x"),
        after="r = g(x, c)\n",
    ),
    case(
        "asked_for_by_two",
        "r = g(a, b, session)\n",
        given("r = ", "g(a, b, session)", (0, "a.id"), (2, None)),
        given("r = ", "g(a, b, session)", (1, "b.id"), (2, None)),
        after="r = g(a.id, b.id)\n",
    ),
    case(
        "strings_of_what_goes",
        "r = g('a', b='b')\nr2 = 'a'\n",
        given("r = ", "g('a', b='b')", (0, None), (1, "c='c'")),
        after="r = g(c='c')\nr2 = 'a'\n",
    ),
    case(
        "carriage_returns",
        "def f():\r\n    g(\r\n        a,\r\n        # s\r\n        s,  # t\r\n    )\r\n    return 1\r\n",
        given("g(", "g(\n        a,\n        # s\n        s,  # t\n    )", (1, None)),
        after="def f():\r\n    g(\r\n        a,\r\n        # s\r\n        # t\r\n    )\r\n    return 1\r\n",
    ),
    case(
        "tabs",
        "def f():\n\tg(\n\t\ta,\n\t\ts,  # t\n\t)\n",
        given("g(", "g(\n\t\ta,\n\t\ts,  # t\n\t)", (1, None)),
        after="def f():\n\tg(\n\t\ta,\n\t\t# t\n\t)\n",
        indent="\t",
    ),
]

PARAMETERS = [
    signature("parameter_replaced", "def f(item, x):\n", "def f(item_id, x):\n", ("item", "item_id")),
    signature("with_annotation", "def f(item: Item):\n", "def f(item_id: int):\n", ("item", "item_id: int")),
    signature("with_default", "def f(i: Item = None):\n", "def f(i_id: int = 0):\n", ("i", "i_id: int = 0")),
    signature("first_parameter_dropped", "def f(s: S, x):\n", "def f(x):\n", ("s", None)),
    signature("middle_parameter_dropped", "def f(a, s: S, x):\n", "def f(a, x):\n", ("s", None)),
    signature("last_parameter_dropped", "def f(a, s: S = None) -> int:\n", "def f(a) -> int:\n", ("s", None)),
    signature("only_parameter_dropped", "def f( s: S, ):\n", "def f():\n", ("s", None)),
    signature("last_comma_stays", "def f(a, s,):\n", "def f(a,):\n", ("s", None)),
    signature("receiver_stays", "def f(self, item, s):\n", "def f(self, i_id):\n", ("item", "i_id"), ("s", None)),
    signature("coroutine", "async def f(item, s):\n", "async def f(i_id):\n", ("item", "i_id"), ("s", None)),
    signature("given_by_name_only", "def f(a, *, s, b=1):\n", "def f(a, *, b=1):\n", ("s", None)),
    signature("by_name_only_replaced", "def f(*, item, b=1):\n", "def f(*, i: int, b=1):\n", ("item", "i: int")),
    signature("by_name_without_a_default", "def f(*, a=1, b=2):\n", "def f(*, a=1, c):\n", ("b", "c")),
    signature("star_that_parts_nothing", "def f(a, *, s):\n", "def f(a):\n", ("s", None)),
    signature("star_that_was_all", "def f(*, s):\n", "def f():\n", ("s", None)),
    signature("star_before_other_names", "def f(*, s, **more):\n", "def f(**more):\n", ("s", None)),
    signature("star_with_a_name", "def f(*args, s, **more):\n", "def f(*args, **more):\n", ("s", None)),
    signature("by_place_only", "def f(item, s, /, x):\n", "def f(i, /, x):\n", ("item", "i"), ("s", None)),
    signature("slash_that_parts_nothing", "def f(s, /, x):\n", "def f(x):\n", ("s", None)),
    signature("slash_that_was_all", "def f(s, /):\n", "def f():\n", ("s", None)),
    signature("slash_at_the_end", "def f(a, s, /):\n", "def f(a, /):\n", ("s", None)),
    signature("slash_and_star", "def f(s, /, a=1, *, t):\n", "def f(a=1):\n", ("s", None), ("t", None)),
    signature("all_kinds", "def f(a, /, b, s=1, *c, d, **e):\n", "def f(a, /, b, *c, d, **e):\n", ("s", None)),
    signature("default_that_goes", "def f(a, b=1, s=2):\n", "def f(a, b=1):\n", ("s", None)),
    signature("default_before_others", "def f(s=1, b=2):\n", "def f(b=2):\n", ("s", None)),
    signature(
        "composite_key_of_a_parameter", "def f(item, x):\n", "def f(a: int, b: int, x):\n", ("item", "a: int, b: int")
    ),
    signature("space_in_the_header", "def f ( a , s : S , b ) :\n", "def f ( a , b ) :\n", ("s", None)),
    signature(
        "text_annotation_that_goes", "def f(a: 'A', s: 'S' = 's'):\n", "def f(a: int):\n", ("a", "a: int"), ("s", None)
    ),
    signature("type_parameters", "def f(s: S, a: dict[str, int]):\n", "def f(a: dict[str, int]):\n", ("s", None)),
    signature(
        "one_parameter_each",
        "async def f(\n    item: Item,\n    session: AsyncSession,\n    x: int = 1,\n) -> None:\n",
        "async def f(\n    item_id: int,\n    x: int = 1,\n) -> None:\n",
        ("item", "item_id: int"),
        ("session", None),
    ),
    signature(
        "one_parameter_each_without_a_last_comma",
        "async def f(\n    item: Item,\n    session: AsyncSession\n) -> None:\n",
        "async def f(\n    item_id: int\n) -> None:\n",
        ("item", "item_id: int"),
        ("session", None),
    ),
    signature("parameters_on_an_inner_line", "def f(\n    a, s\n):\n", "def f(\n    a\n):\n", ("s", None)),
    signature("all_of_one_each", "def f(\n    s: S,\n):\n", "def f():\n", ("s", None)),
    signature("aligned_first_parameter", "def f(s: S,\n      a: A):\n", "def f(a: A):\n", ("s", None)),
    signature("aligned_last_parameter", "def f(a: A,\n      s: S):\n", "def f(a: A):\n", ("s", None)),
    signature(
        "star_on_its_own_line",
        "def f(\n    a,\n    *,\n    s,\n):\n",
        "def f(\n    a,\n):\n",
        ("s", None),
    ),
    signature(
        "comments_of_parameters",
        "def f(  # f\n    # above a\n    a,  # a\n    # above s\n    s,  # s\n    # above b\n    b,  # b\n"
        "    # end\n):  # go\n",
        "def f(  # f\n    # above a\n    a_id,  # a\n    # above s\n    # s\n    # above b\n    b,  # b\n"
        "    # end\n):  # go\n",
        ("a", "a_id"),
        ("s", None),
    ),
    signature(
        "comment_of_a_star_that_goes",
        "def f(\n    a,\n    *,  # by name\n    s,  # s\n):\n",
        "def f(\n    a,\n    # by name\n    # s\n):\n",
        ("s", None),
    ),
    signature(
        "comment_of_the_only_parameter",
        "def f(\n    s,  # s\n):\n",
        "def f(\n    # s\n):\n",
        ("s", None),
    ),
    signature(
        "ignored_types_stay",
        "def f(\n    a,  # type: ignore\n    s,\n):\n",
        "def f(\n    a,  # type: ignore\n):\n",
        ("s", None),
    ),
    signature(
        "carriage_returns_in_a_header",
        "def f(\r\n    a,\r\n    s,\r\n):\r\n",
        "def f(\r\n    a,\r\n):\r\n",
        ("s", None),
    ),
    signature(
        "types_of_a_variable",
        "def f(a, s):\n    x = []  # type: list[int]\n",
        "def f(a):\n    x = []  # type: list[int]\n",
        ("s", None),
    ),
    case(
        "tabs_in_a_header",
        "class A:\n\tdef f(\n\t\tself,\n\t\ts,  # s\n\t):\n\t\treturn 1\n",
        taking("def f", ("s", None)),
        after="class A:\n\tdef f(\n\t\tself,\n\t\t# s\n\t):\n\t\treturn 1\n",
        indent="\t",
    ),
    case(
        "body_on_the_line_of_the_header",
        "def f(a, s): return a  # a\nx = 1\n",
        taking("def f", ("s", None)),
        after="def f(a): return a  # a\nx = 1\n",
    ),
    case(
        "decorated",
        "@task(name='s')\n# above\nasync def f(a, s):\n    return a\n",
        taking("async def f", ("s", None)),
        after="@task(name='s')\n# above\nasync def f(a):\n    return a\n",
    ),
    case(
        "with_another_definition",
        "def f(item: Item,\n      other: O,\n      session: S) -> Item:\n    return 1\n",
        taking("def f", ("item", "item_id: int"), ("session", None)),
        defined("def f", True, "None"),
        after="async def f(item_id: int,\n            other: O) -> None:\n    return 1\n",
    ),
    case(
        "functions_in_each_other",
        "def f(s):\n    def g(a, s):\n        return h(a, s)\n    return g(1, s)\n",
        taking("def f", ("s", None)),
        taking("def g", ("s", None)),
        given("return h", "h(a, s)", (1, None)),
        given("return g", "g(1, s)", (1, None)),
        after="def f():\n    def g(a):\n        return h(a)\n    return g(1)\n",
    ),
    case(
        "parameters_asked_for_by_two",
        "def f(a, b, s):\n    return 1\n",
        taking("def f", ("a", "a_id"), ("s", None)),
        taking("def f", ("b", "b_id"), ("s", None)),
        after="def f(a_id, b_id):\n    return 1\n",
    ),
]

BODIES = [
    case(
        "whole_body",
        """\
async def f(item: Item, session: AsyncSession) -> None:
    item.state = "done"
    await session.commit()
""",
        taking("async def", ("item", "item_id: int"), ("session", None)),
        around("item.state", "await session.commit", FETCH),
        after="""\
async def f(item_id: int) -> None:
    async with F() as session:
        item = await session.get(Item, item_id)
        if item is None:
            logger.warning("Item %s no longer exists", item_id)
            return
        item.state = "done"
        await session.commit()
""",
    ),
    case(
        "body_behind_the_docstring",
        '''\
async def f(item, session):
    """Say what is done.

    item: what it is
    """

    # first of all
    item.state = "done"

    # then
    await session.commit()


x = 1
''',
        taking("async def", ("item", "item_id: int"), ("session", None)),
        around("item.state", "await session.commit", SHORT),
        after='''\
async def f(item_id: int):
    """Say what is done.

    item: what it is
    """

    async with F() as session:
        item = await session.get(Item, item_id)
        # first of all
        item.state = "done"

        # then
        await session.commit()


x = 1
''',
    ),
    case(
        "comments_above_the_first_statement",
        "def f(s):\n    # of all\n\n    # of a\n    a(s)\n    b(s)\n",
        around("a(s)", "b(s)", "x = 1", sync=True),
        after="def f(s):\n    # of all\n\n    with F() as session:\n        x = 1\n        # of a\n"
        "        a(s)\n        b(s)\n",
    ),
    case(
        "block_without_a_prologue_has_the_comment_above",
        "def f(s):\n    # of a\n    a(s)\n    b(s)\n",
        around("a(s)", "b(s)", sync=True),
        after="def f(s):\n    # of a\n    with F() as session:\n        a(s)\n        b(s)\n",
    ),
    case(
        "block_without_a_prologue_below_the_types",
        "def f(s):\n    # type: (S) -> int\n    a(s)\n",
        around("a(s)", "a(s)", sync=True),
        after="def f(s):\n    # type: (S) -> int\n    with F() as session:\n        a(s)\n",
    ),
    case(
        "comments_of_a_prologue",
        "def f(s):\n    # of a\n    a(s)\n",
        around("a(s)", "a(s)", "# of x\nx = 1  # x\n# end", sync=True),
        after="def f(s):\n    with F() as session:\n        # of x\n        x = 1  # x\n        # end\n"
        "        # of a\n        a(s)\n",
    ),
    case(
        "what_is_put_before_comes_below_the_prologue",
        "def f(s):\n    # of a\n    a(s)\n    b(s)\n",
        around("a(s)", "b(s)", "x = 1", sync=True),
        before("a(s)", "y = x"),
        after="def f(s):\n    with F() as session:\n        x = 1\n        y = x\n        # of a\n"
        "        a(s)\n        b(s)\n",
    ),
    case(
        "what_is_put_after_stays_inside",
        "def f(s):\n    a(s)\n    return\n",
        around("a(s)", "return", "x = 1", sync=True),
        after("return", "y = x"),
        after="def f(s):\n    with F() as session:\n        x = 1\n        a(s)\n        return\n        y = x\n",
    ),
    case(
        "text_of_several_lines",
        'async def f(s):\n    q = """\n  select 1\n    """\n    await s.run(q, """\n\n""")\n',
        around("q = ", "await s.run", "x = 1"),
        after='async def f(s):\n    async with F() as session:\n        x = 1\n        q = """\n  select 1\n    """\n'
        '        await s.run(q, """\n\n""")\n',
    ),
    case(
        "lines_continued",
        "def f(s):\n    a = 1 + \\\n        2\n    b(a,\n      s)\n",
        around("a = ", "b(a", "x = 1", sync=True),
        after="def f(s):\n    with F() as session:\n        x = 1\n        a = 1 + \\\n            2\n"
        "        b(a,\n          s)\n",
    ),
    case(
        "functions_in_the_body",
        "def f(s):\n    def g():\n        # inner\n        return s\n\n    @h\n    def k(): return g()\n\n"
        "    return k()\n",
        around("def g", "return k()", "x = 1", sync=True),
        after="def f(s):\n    with F() as session:\n        x = 1\n        def g():\n            # inner\n"
        "            return s\n\n"
        "        @h\n        def k(): return g()\n\n        return k()\n",
    ),
    case(
        "edits_inside_of_the_body",
        "async def f(item, session):\n    g(item.id)\n    if item.x:\n        await h(item, session)\n",
        taking("async def f", ("item", "item_id"), ("session", None)),
        around("g(item.id)", "if item.x", SHORT),
        replaced("g(item.id)", "item.id", "item_id"),
        given("await h", "h(item, session)", (0, "item.id"), (1, None)),
        after="async def f(item_id):\n    async with F() as session:\n        item = await session.get(Item, item_id)\n"
        "        g(item_id)\n        if item.x:\n            await h(item.id)\n",
    ),
    case(
        "block_in_a_block_over_the_same",
        "async def f(s):\n    a(s)\n    b(s)\n",
        around("a(s)", "b(s)", "x = 1"),
        lambda text: OpenBlock("app/a.py", None, 2, 3, True, "inner", "G()", prologue="y = x"),
        after="async def f(s):\n    async with G() as inner:\n        y = x\n"
        "        async with F() as session:\n            x = 1\n"
        "            a(s)\n            b(s)\n",
    ),
    case(
        "block_with_a_creation_and_a_prologue",
        "async def f():\n    s = G()  # made\n    # of a\n    a(s)\n",
        lambda text: OpenBlock("app/a.py", 2, 4, 4, True, "s", prologue="x = 1"),
        after="async def f():\n    async with G() as s:  # made\n        x = 1\n        # of a\n        a(s)\n",
    ),
    case(
        "creation_alone_and_a_prologue",
        "async def f():\n    s = G()\n    # nothing\n    a()\n",
        lambda text: OpenBlock("app/a.py", 2, 2, 2, True, "s", prologue="x = 1"),
        after="async def f():\n    async with G() as s:\n        x = 1\n    # nothing\n    a()\n",
    ),
    case(
        "body_with_carriage_returns",
        "async def f(i, s):\r\n    '''d\r\n    '''\r\n    a(i)\r\n    b = '''\r\n  '''\r\n",
        taking("async def", ("i", "i_id"), ("s", None)),
        around("a(i)", "b = ", "i = await session.get(I, i_id)\nif i is None:\n    return"),
        after="async def f(i_id):\r\n    '''d\r\n    '''\r\n    async with F() as session:\r\n"
        "        i = await session.get(I, i_id)\r\n        if i is None:\r\n            return\r\n"
        "        a(i)\r\n        b = '''\r\n  '''\r\n",
    ),
    case(
        "body_with_tabs",
        "async def f(i, s):\n\ta(i)\n\tif i:\n\t\tb()\n",
        taking("async def", ("i", "i_id"), ("s", None)),
        around("a(i)", "if i", "i = await session.get(I, i_id)\nif i is None:\n    return"),
        after="async def f(i_id):\n\tasync with F() as session:\n\t\ti = await session.get(I, i_id)\n"
        "\t\tif i is None:\n\t\t\treturn\n\t\ta(i)\n\t\tif i:\n\t\t\tb()\n",
        indent="\t",
    ),
    case(
        "docstring_replaced",
        'async def f(item):\n    """Do it.\n\n    Args:\n        item: the item\n        session: the session\n'
        '    """\n    a(item)\n',
        spanned(
            '"""Do it',
            '"""Do it.\n\n    Args:\n        item: the item\n        session: the session\n    """',
            '"""Do it.\n\n    Args:\n        item_id: the item\n    """',
        ),
        taking("async def", ("item", "item_id")),
        around("a(item)", "a(item)", "x = 1"),
        after='async def f(item_id):\n    """Do it.\n\n    Args:\n        item_id: the item\n    """\n'
        "    async with F() as session:\n        x = 1\n        a(item)\n",
    ),
    case(
        "docstring_replaced_between_carriage_returns",
        'def f():\r\n    """Do it.\r\n\r\n    :param s: x\r\n    """\r\n    a()\r\n',
        lambda text: ReplaceExpression("app/a.py", Span(2, 4, 5, 7), '"""Do it.\n\n    """'),
        after='def f():\r\n    """Do it.\r\n\r\n    """\r\n    a()\r\n',
    ),
]

FUNCTIONS = [
    case(
        "function_at_the_end_of_the_file",
        "async def f(item, session):\n    a()\n",
        behind("async def f"),
        after="async def f(item, session):\n    a()\n\n\n" + BACKGROUND,
    ),
    case(
        "file_without_a_last_line_end",
        "async def f(item, session):\n    a()",
        behind("async def f"),
        after="async def f(item, session):\n    a()\n\n\n" + BACKGROUND.rstrip("\n"),
    ),
    case(
        "function_before_another",
        "def f():\n    a()\n\n\ndef g():\n    b()\n",
        behind("def f"),
        after="def f():\n    a()\n\n\n" + BACKGROUND + "\n\ndef g():\n    b()\n",
    ),
    case(
        "function_before_a_statement",
        "def f():\n    a()\n\n\nx = f\n",
        behind("def f"),
        after="def f():\n    a()\n\n\n" + BACKGROUND + "\n\nx = f\n",
    ),
    case(
        "function_before_what_stands_close",
        "def f(): a()\nx = f\n",
        behind("def f"),
        after="def f(): a()\n\n\n" + BACKGROUND + "\n\nx = f\n",
    ),
    case(
        "function_before_what_stands_far",
        "def f():\n    a()\n\n\n\n\nx = f\n",
        behind("def f"),
        after="def f():\n    a()\n\n\n" + BACKGROUND + "\n\n\n\nx = f\n",
    ),
    case(
        "function_before_a_section",
        "def f():\n    a()\n\n\n# --- others ---\n\n\ndef g():\n    b()\n",
        behind("def f"),
        after="def f():\n    a()\n\n\n" + BACKGROUND + "\n\n# --- others ---\n\n\ndef g():\n    b()\n",
    ),
    case(
        "function_before_the_last_comment",
        "def f():\n    a()\n\n\n# end\n",
        behind("def f"),
        after="def f():\n    a()\n\n\n" + BACKGROUND + "\n\n# end\n",
    ),
    case(
        "function_behind_the_comments_that_end_one",
        "def f():\n    a()\n    # b()\n\n    # c()\n\n\nx = f\n",
        behind("def f"),
        after="def f():\n    a()\n    # b()\n\n    # c()\n\n\n" + BACKGROUND + "\n\nx = f\n",
    ),
    case(
        "function_behind_a_decorated_one",
        "@a\n@b(\n    c\n)\ndef f():\n    a()\n\n\n@d\ndef g(): pass\n",
        behind("def f"),
        after="@a\n@b(\n    c\n)\ndef f():\n    a()\n\n\n" + BACKGROUND + "\n\n@d\ndef g(): pass\n",
    ),
    case(
        "function_behind_a_class",
        "class A:\n    def f(self):\n        a()\n\n\nx = A\n",
        behind("class A"),
        after="class A:\n    def f(self):\n        a()\n\n\n" + BACKGROUND + "\n\nx = A\n",
    ),
    case(
        "method_behind_a_method",
        "class A:\n    @staticmethod\n    def f():\n        a()\n\n    x = 1\n\n\ny = A\n",
        behind("def f", "@staticmethod\ndef g():\n    b()\n"),
        after="class A:\n    @staticmethod\n    def f():\n        a()\n\n    @staticmethod\n    def g():\n"
        "        b()\n\n"
        "    x = 1\n\n\ny = A\n",
    ),
    case(
        "method_at_the_end_of_a_class",
        "class A:\n    def f():\n        a()\n\n    # end of A\n\n\ny = A\n",
        behind("def f", "def g():\n    if a:\n        b()\n\n    c()"),
        after="class A:\n    def f():\n        a()\n\n    def g():\n        if a:\n            b()\n\n        c()\n\n"
        "    # end of A\n\n\ny = A\n",
    ),
    case(
        "function_in_a_function",
        "def f():\n    def g():\n        a()\n    return g\n",
        behind("def g", "def h():\n    b()\n"),
        after="def f():\n    def g():\n        a()\n\n    def h():\n        b()\n\n    return g\n",
    ),
    case(
        "function_under_a_condition",
        "if x:\n    def f():\n        a()\nelse:\n    f = 1\n",
        behind("def f", "def h():\n    b()\n"),
        after="if x:\n    def f():\n        a()\n\n    def h():\n        b()\nelse:\n    f = 1\n",
    ),
    case(
        "several_in_the_order_asked_for",
        "def f():\n    a()\n\n\nx = f\n",
        behind("def f", "def z(): pass"),
        behind("def f", "def y(): pass"),
        behind("def f", "def x2(): pass"),
        after="def f():\n    a()\n\n\ndef z(): pass\n\n\ndef y(): pass\n\n\ndef x2(): pass\n\n\nx = f\n",
    ),
    case(
        "functions_behind_neighbours",
        "def f():\n    a()\n\n\ndef g():\n    b()\n",
        behind("def f", "def z(): pass"),
        behind("def g", "def y(): pass"),
        after="def f():\n    a()\n\n\ndef z(): pass\n\n\ndef g():\n    b()\n\n\ndef y(): pass\n",
    ),
    case(
        "statements_put_after_come_below",
        "def f():\n    a()\n\n\ndef g():\n    b()\n",
        behind("def f", "def z(): pass"),
        after("def f", "y = z"),
        after="def f():\n    a()\n\n\ndef z(): pass\n\n\ny = z\n\n\ndef g():\n    b()\n",
    ),
    case(
        "behind_a_function_that_changes",
        "async def f(item, session):\n    # of a\n    a(item)\n\n\nx = f\n",
        taking("async def f", ("item", "item_id"), ("session", None)),
        around("a(item)", "a(item)", SHORT),
        behind("async def f", "def z(): pass"),
        after="async def f(item_id):\n    async with F() as session:\n"
        "        item = await session.get(Item, item_id)\n        # of a\n        a(item)\n\n\ndef z(): pass\n"
        "\n\nx = f\n",
    ),
    case(
        "inside_of_a_block_that_is_opened",
        "def f():\n    a()\n    def g():\n        b()\n    c()\n",
        around("a()", "def g", "x = 1", sync=True),
        behind("def g", "def z(): pass"),
        after="def f():\n    with F() as session:\n        x = 1\n        a()\n        def g():\n            b()\n\n"
        "        def z(): pass\n    c()\n",
    ),
    case(
        "the_next_statement_goes",
        "def f():\n    a()\n\n\nx = 1\n\n\ny = 2\n",
        behind("def f", "def z(): pass"),
        removed("x = 1"),
        after="def f():\n    a()\n\n\ndef z(): pass\n\n\ny = 2\n",
    ),
    case(
        "function_with_carriage_returns",
        "def f():\r\n    a()\r\n\r\n\r\nx = f\r\n",
        behind("def f", "def z():\n    '''d\n    '''\n\n    b()\n"),
        after="def f():\r\n    a()\r\n\r\n\r\ndef z():\r\n    '''d\r\n    '''\r\n\r\n    b()\r\n\r\n\r\nx = f\r\n",
    ),
    case(
        "function_with_tabs",
        "class A:\n\tdef f():\n\t\ta()\n\n\tx = f\n",
        behind("def f", "def z():\n    if a:\n        b()\n"),
        after="class A:\n\tdef f():\n\t\ta()\n\n\tdef z():\n\t\tif a:\n\t\t\tb()\n\n\tx = f\n",
        indent="\t",
    ),
    case(
        "with_imports_that_are_needed_and_not_needed",
        "from sqlalchemy.ext.asyncio import AsyncSession\n\nfrom app.models import Item\n\n\n"
        "async def f(item: Item, session: AsyncSession) -> None:\n    await session.commit()\n",
        taking("async def", ("item", "item_id: int"), ("session", None)),
        around("await session", "await session", SHORT),
        needs("from app.models", "app.db", "F", above=True),
        drop("from sqlalchemy", "AsyncSession"),
        after="from app.db import F\nfrom app.models import Item\n\n\n"
        "async def f(item_id: int) -> None:\n    async with F() as session:\n"
        "        item = await session.get(Item, item_id)\n        await session.commit()\n",
    ),
]

LOCAL = "def z():\n    from app.db import F\n\n    return F\n"
IMPORTING = [
    case(
        "imports_above_near_and_apart",
        "from m import M\n\n\ndef f(s):\n    return M\n",
        taking("def f", ("s", None)),
        needs("from m", "app.db", "F", above=True),
        needs("from m", "x", "y", above=True, apart=True),
        after="from x import y\n\nfrom app.db import F\nfrom m import M\n\n\ndef f():\n    return M\n",
    ),
    case(
        "imports_below_near_and_apart",
        "from m import M\n\n\ndef f(s):\n    return M\n",
        taking("def f", ("s", None)),
        needs("from m", "n", "N"),
        needs("from m", "app.db", "F", apart=True),
        after="from m import M\nfrom n import N\n\nfrom app.db import F\n\n\ndef f():\n    return M\n",
    ),
    case(
        "imports_near_and_apart_in_the_place_of_one_that_goes",
        "from m import M\n\n\ndef f(s: M):\n    return 1\n",
        taking("def f", ("s", None)),
        drop("from m", "M"),
        needs("from m", "app.db", "F", above=True),
        needs("from m", "x", "y", above=True, apart=True),
        needs("from m", "z", "Z", apart=True),
        after="from x import y\n\nfrom app.db import F\n\nfrom z import Z\n\n\ndef f():\n    return 1\n",
    ),
    case(
        "import_apart_from_the_line_above_one_that_goes",
        "import a\nfrom x import R\nfrom x.y import S\n\n\ndef f(s: S, r: R):\n    return a\n",
        taking("def f", ("s", None), ("r", None)),
        drop("from x.y", "S"),
        drop("from x import", "R"),
        needs("from x.y", "app.db", "F", apart=True),
        after="import a\n\nfrom app.db import F\n\n\ndef f():\n    return a\n",
    ),
    case(
        "import_in_the_place_of_one_that_goes",
        "from x import S\n\nfrom y import T\n\n\ndef f(s: S):\n    return T\n",
        taking("def f", ("s", None)),
        drop("from x", "S"),
        needs("from x", "uuid", "UUID", above=True, apart=True),
        after="from uuid import UUID\n\nfrom y import T\n\n\ndef f():\n    return T\n",
    ),
    case(
        "import_apart_from_the_one_below_that_goes",
        "from x import S\nfrom y import T\n\n\ndef f(s: S):\n    return T\n",
        taking("def f", ("s", None)),
        drop("from x", "S"),
        needs("from x", "uuid", "UUID", above=True, apart=True),
        after="from uuid import UUID\n\nfrom y import T\n\n\ndef f():\n    return T\n",
    ),
    case(
        "imports_around_one_that_goes",
        "from x import S\n\nfrom y import T\n\n\ndef f(s: S):\n    return T\n",
        taking("def f", ("s", None)),
        drop("from x", "S"),
        needs("from x", "uuid", "UUID", above=True, apart=True),
        needs("from x", "x2", "V"),
        after="from uuid import UUID\n\nfrom x2 import V\n\nfrom y import T\n\n\ndef f():\n    return T\n",
    ),
    case(
        "import_for_a_block_and_its_prologue",
        'async def f(s):\n    """Doc."""\n    # of a\n    a(s)\n',
        before("a(s)", "from app.db import F"),
        before("a(s)", "b()"),
        around("a(s)", "a(s)", "x = 1"),
        after='async def f(s):\n    """Doc."""\n    from app.db import F\n\n    async with F() as session:\n'
        "        x = 1\n        b()\n        # of a\n        a(s)\n",
    ),
    case(
        "import_for_a_block_without_a_prologue",
        "import a\n\n\ndef f(s):\n\n    # of a\n    a.b(s)\n    a.c(s)\n",
        before("a.b(s)", "from app.db import F\nimport x"),
        around("a.b(s)", "a.c(s)", sync=True),
        needs("import a", "b", "c"),
        after="import a\nfrom b import c\n\n\ndef f(s):\n    from app.db import F\n    import x\n\n    # of a\n"
        "    with F() as session:\n        a.b(s)\n        a.c(s)\n",
    ),
    case(
        "import_for_blocks_in_each_other",
        "def f(s):\n    a(s)\n    b(s)\n",
        before("a(s)", "from app.db import F"),
        around("a(s)", "b(s)", sync=True),
        around("a(s)", "a(s)", "x = 1", sync=True),
        after="def f(s):\n    from app.db import F\n\n    with F() as session:\n        with F() as session:\n"
        "            x = 1\n            a(s)\n        b(s)\n",
    ),
    case(
        "import_without_a_block",
        "def f(s):\n    b()\n    a(s)\n",
        before("a(s)", "import x"),
        after="def f(s):\n    b()\n    import x\n\n    a(s)\n",
    ),
    case(
        "function_that_imports",
        "import a\n\n\ndef f(s: S):\n    import b\n\n    return b\n",
        behind("def f", LOCAL),
        after="import a\n\n\ndef f(s: S):\n    import b\n\n    return b\n\n\n" + LOCAL,
    ),
    case(
        "function_that_imports_between_other_imports",
        "from x import S\n\n\ndef f(s: S):\n    from y import T\n\n    return s\n\n\ndef g():\n"
        "    from app.db import F\n",
        behind("def f", LOCAL),
        taking("def f", ("s", None)),
        drop("from x", "S"),
        drop("from y", "T"),
        needs("from x", "x", "U"),
        after="from x import U\n\n\ndef f():\n    return s\n\n\n" + LOCAL + "\n\ndef g():\n    from app.db import F\n",
    ),
]

CASES = [*ARGUMENTS, *PARAMETERS, *BODIES, *FUNCTIONS, *IMPORTING]


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


CALL = "def f():\n    r = g(%s)\n    return r\n"
HEADER = "def f(%s):\n    a()\n    return 1\n"
TYPED = "def f(a, s):\n    # type: (A, S) -> int\n    a()\n    return 1\n"
REFUSED: list[tuple[str, str, tuple[Asked, ...], str]] = [
    ("arguments_of_no_call", CALL % "a", (given("r = ", "a", (0, None)),), "is no call"),
    ("argument_that_is_not_there", CALL % "a", (given("r = ", "g(a)", (1, None)),), "no such argument"),
    ("argument_before_the_first", CALL % "a", (given("r = ", "g(a)", (-1, None)),), "no such argument"),
    ("no_change_of_arguments", CALL % "a", (given("r = ", "g(a)"),), "one by one"),
    ("one_argument_twice", CALL % "a", (given("r = ", "g(a)", (0, None), (0, "b")),), "one by one"),
    (
        "one_argument_two_texts",
        CALL % "a",
        (given("r = ", "g(a)", (0, "c")), given("r = ", "g(a)", (0, "b"))),
        "one by one",
    ),
    ("empty_text", CALL % "a", (given("r = ", "g(a)", (0, "")),), "is no argument"),
    ("text_with_a_comma", CALL % "a", (given("r = ", "g(a)", (0, "b,")),), "is no argument"),
    ("text_that_closes_the_call", CALL % "a", (given("r = ", "g(a)", (0, "b)(c")),), "is no argument"),
    ("text_that_is_a_comment", CALL % "a", (given("r = ", "g(a)", (0, "# b")),), "is no argument"),
    ("text_that_cannot_be_read", CALL % "a", (given("r = ", "g(a)", (0, "b c")),), "is no argument"),
    ("place_behind_a_name", CALL % "k=1, l=2", (given("r = ", "g(k=1, l=2)", (1, "b")),), "positional argument"),
    ("name_that_is_there", CALL % "k=1, l=2", (given("r = ", "g(k=1, l=2)", (1, "k=2")),), "repeated"),
    (
        "comment_in_an_argument_that_goes",
        "r = g(a, (  # b\n  b))\n",
        (given("r = ", "g(a, (  # b\n  b))", (1, None)),),
        "has a comment in it",
    ),
    (
        "comment_before_the_comma",
        "r = g(a  # a\n, b)\n",
        (given("r = ", "g(a  # a\n, b)", (0, None)),),
        "has a comment in it",
    ),
    (
        "edit_in_an_argument_that_is_replaced",
        CALL % "h(a), b",
        (given("r = ", "g(h(a), b)", (0, "x")), given("r = ", "h(a)", (0, None))),
        "taken away too",
    ),
    (
        "edit_of_an_argument_that_goes",
        CALL % "a, b",
        (given("r = ", "g(a, b)", (1, None)), replaced("r = ", "b", "c")),
        "taken away too",
    ),
    (
        "edit_of_a_named_argument_that_goes",
        CALL % "a, k=b",
        (given("r = ", "g(a, k=b)", (1, None)), replaced("r = ", "b", "c")),
        "taken away too",
    ),
    (
        "arguments_of_an_expression_that_is_replaced",
        CALL % "a, b",
        (given("r = ", "g(a, b)", (1, None)), replaced("r = ", "g(a, b)", "c")),
        "lie in each other",
    ),
    (
        "arguments_in_a_statement_that_goes",
        CALL % "a",
        (given("r = ", "g(a)", (0, None)), removed("r = ")),
        "taken away",
    ),
    (
        "arguments_of_a_decorator",
        "@g(a)\ndef f(): pass\n",
        (given("@g", "g(a)", (0, None)),),
        "belongs to a definition",
    ),
    ("parameters_of_no_function", HEADER % "a", (taking("a()", ("a", None)),), "defines no function"),
    ("parameters_of_a_class", "class A:\n    x = 1\n", (taking("class", ("a", None)),), "defines no function"),
    ("parameter_that_is_not_there", HEADER % "a", (taking("def", ("s", None)),), "no parameter `s`"),
    ("parameter_with_a_star", HEADER % "*a", (taking("def", ("a", None)),), "no parameter `a`"),
    ("parameter_with_two_stars", HEADER % "**a", (taking("def", ("a", None)),), "no parameter `a`"),
    ("no_change_of_parameters", HEADER % "a", (taking("def"),), "one by one"),
    ("one_parameter_twice", HEADER % "a", (taking("def", ("a", None), ("a", "b")),), "one by one"),
    ("one_parameter_two_texts", HEADER % "a", (taking("def", ("a", "c")), taking("def", ("a", "b"))), "one by one"),
    ("parameter_without_a_default", HEADER % "a=1, b=2", (taking("def", ("b", "c")),), "without a default"),
    ("parameter_by_place_without_one", HEADER % "a=1, /, b=2", (taking("def", ("b", "c")),), "without a default"),
    ("two_parameters_of_one_name", HEADER % "a, b", (taking("def", ("b", "a: int")),), "two parameters `a`"),
    ("name_of_the_starred_parameter", HEADER % "a, *b", (taking("def", ("a", "b")),), "two parameters `b`"),
    ("empty_parameter", HEADER % "a", (taking("def", ("a", "")),), "is no parameter"),
    ("starred_text", HEADER % "a", (taking("def", ("a", "*b")),), "is no parameter"),
    ("text_with_a_star_alone", HEADER % "a", (taking("def", ("a", "*, b")),), "is no parameter"),
    ("text_with_a_slash", HEADER % "a", (taking("def", ("a", "b, /")),), "is no parameter"),
    ("parameter_with_a_comma", HEADER % "a", (taking("def", ("a", "b,")),), "is no parameter"),
    ("text_that_closes_the_header", HEADER % "a", (taking("def", ("a", "b): pass\ndef g(c")),), "is no parameter"),
    (
        "comment_in_a_parameter_that_goes",
        HEADER % "a, b: dict[  # b\n    int, int]",
        (taking("def", ("b", None)),),
        "has a comment in it",
    ),
    ("types_in_a_comment", TYPED, (taking("def", ("s", None)),), "declares the types"),
    (
        "types_behind_parameters",
        "def f(\n    a,  # type: A\n    s,  # type: S\n):\n    return 1\n",
        (taking("def", ("s", None)),),
        "declares the types",
    ),
    ("import_for_the_module", "a()\nb()\n", (before("b()", "import x"),), "imports something"),
    ("import_among_others", HEADER % "", (before("a()", "import x\nb()"),), "imports something"),
    (
        "import_below_a_creation",
        "async def f():\n    s = F()\n    a(s)\n",
        (lambda text: OpenBlock("app/a.py", 2, 3, 3, True, "s"), before("a(s)", "import x")),
        "between a creation and its block",
    ),
    ("prologue_below_the_types", TYPED, (around("a()", "return", "x = 1", sync=True),), "declares the types"),
    ("prologue_that_cannot_be_read", HEADER % "", (around("a()", "return", "x ="),), "cannot be read"),
    ("prologue_of_comments", HEADER % "", (around("a()", "return", "# x"),), "holds no statement"),
    ("prologue_that_imports", HEADER % "", (around("a()", "return", "import x"),), "imports something"),
    (
        "docstring_in_a_block",
        "def f():\n    'doc'\n    a()\n",
        (around("'doc'", "a()", sync=True),),
        "documents",
    ),
    (
        "body_on_the_line_of_its_header",
        "def f(s): return g(s)\n",
        (around("def", "def", sync=True),),
        "shares its line",
    ),
    ("function_behind_a_statement", HEADER % "", (behind("a()"),), "defines no function or class"),
    (
        "function_behind_nothing",
        HEADER % "",
        (lambda text: AddFunction("app/a.py", 9, BACKGROUND),),
        "no statement starts",
    ),
    ("function_that_cannot_be_read", HEADER % "", (behind("def", "def g("),), "cannot be read"),
    ("code_that_is_no_function", HEADER % "", (behind("def", "x = 1"),), "not one function"),
    ("code_that_is_two_functions", HEADER % "", (behind("def", "def g(): pass\ndef h(): pass"),), "not one function"),
    ("code_that_is_none", HEADER % "", (behind("def", "# g"),), "not one function"),
    ("name_of_another_function", HEADER % "", (behind("def", "def f(): pass"),), "`f` is taken"),
    ("name_of_a_variable", HEADER % "" + "g = 1\n", (behind("def", "def g(): pass"),), "`g` is taken"),
    ("name_of_an_import", "import g.h\n" + HEADER % "", (behind("def", "def g(): pass"),), "`g` is taken"),
    (
        "two_functions_of_one_name",
        HEADER % "" + "def h(): pass\n",
        (behind("def f", "def g(): pass"), behind("def h", "def g(a): pass")),
        "`g` is taken",
    ),
]


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


BEFORE = "def f(a, s=1):\n    g(a, s)\n    return a\n"
ARGUMENT = ChangeArguments("app/a.py", Span(2, 4, 2, 11), (ArgumentChange(0, "a.id"), ArgumentChange(1, None)))
PARAMETER = ChangeParameters("app/a.py", 1, (ParameterChange("a", "i: int"), ParameterChange("s", None)))
BLOCK = OpenBlock("app/a.py", None, 2, 3, False, "s", "F()", prologue="b()")
ADDED = AddFunction("app/a.py", 1, "def h():\n    b()")


@pytest.mark.parametrize(
    ("edit", "wrong"),
    [
        (ARGUMENT, "def f(a, s=1):\n    g(a, s)\n    return a\n"),
        (ARGUMENT, "def f(a, s=1):\n    g(a.id, s)\n    return a\n"),
        (ARGUMENT, "def f(a, s=1):\n    g(s)\n    return a\n"),
        (ARGUMENT, "def f(a, s=1):\n    g(a=a.id)\n    return a\n"),
        (PARAMETER, "def f(i: int, s=1):\n    g(a, s)\n    return a\n"),
        (PARAMETER, "def f(i):\n    g(a, s)\n    return a\n"),
        (PARAMETER, "def f(i: int = 1):\n    g(a, s)\n    return a\n"),
        (PARAMETER, "def f(*, i: int):\n    g(a, s)\n    return a\n"),
        (BLOCK, "def f(a, s=1):\n    with F() as s:\n        g(a, s)\n        return a\n"),
        (BLOCK, "def f(a, s=1):\n    b()\n    with F() as s:\n        g(a, s)\n        return a\n"),
        (BLOCK, "def f(a, s=1):\n    with F() as s:\n        b()\n        g(a, s)\n    return a\n"),
        (ADDED, BEFORE),
        (ADDED, "def h():\n    b()\n" + BEFORE),
        (ADDED, BEFORE + "    def h():\n        b()\n"),
        (ADDED, BEFORE + "def h():\n    c()\n"),
    ],
)
def test_second_opinion_sees_a_wrong_text(edit: Edit, wrong: str) -> None:
    with pytest.raises(ComposeError, match="ought to hold"):
        check_statements(BEFORE, wrong, [edit])


def test_order_of_edits_does_not_matter() -> None:
    edits: list[Edit] = [ARGUMENT, PARAMETER, BLOCK, ADDED]
    made = compose(source(BEFORE), edits, ())
    assert made.decode() == (
        "def f(i: int):\n    with F() as s:\n        b()\n        g(a.id)\n        return a\n\n\ndef h():\n    b()\n"
    )
    assert compose(source(BEFORE), edits[::-1], ()) == made


def test_bytes_outside_of_what_changes_stay() -> None:
    head, tail = "x = 1  \n\x0c\n\n\n", "\n\n\n\n\nif x : y = (  1 )\nz  =  2"
    edits: list[Edit] = [
        replace(ARGUMENT, span=Span(6, 4, 6, 11)),
        replace(PARAMETER, line=5),
        replace(BLOCK, first=6, last=7),
        replace(ADDED, line=5),
    ]
    made = compose(source(head + BEFORE + tail), edits, ()).decode()
    assert made.startswith(head + "def f(i: int):\n")
    assert made.endswith("def h():\n    b()\n" + tail)


def test_comments_and_strings_of_what_stays_are_not_given_up_with_what_goes() -> None:
    text = "def f(a='x', s='x'):\n    g(s, 'x')\n    return 'x'\n"
    edits: list[Edit] = [
        ChangeParameters("app/a.py", 1, (ParameterChange("s", None),)),
        ChangeArguments("app/a.py", Span(2, 4, 2, 13), (ArgumentChange(0, None),)),
    ]
    given = source(text)
    assert compose(given, edits, ()).decode() == "def f(a='x'):\n    g('x')\n    return 'x'\n"
    for wrong in (b"def f(a=1):\n    g('x')\n    return 'x'\n", b"def f(a='x'):\n    g(1)\n    return 'x'\n"):
        with pytest.raises(ComposeError, match="lacks a string"):
            verify_bytes(given, wrong, edits)


def test_an_import_that_is_lost_in_an_added_function_is_seen() -> None:
    edits = [replace(ADDED, code="def h():\n    import b\n    b()")]
    for wrong in (BEFORE + "def h():\n    b()\n", "import b\n" + BEFORE + "def h():\n    b()\n    import b\n"):
        check_statements(BEFORE, wrong, edits)
        with pytest.raises(ComposeError, match="the imports that it ought to hold"):
            added_imports(BEFORE, wrong, edits)


def test_an_import_that_stands_inside_of_its_block_is_seen() -> None:
    edits: list[Edit] = [BLOCK, InsertBefore("app/a.py", 2, "import F")]
    wrong = "def f(a, s=1):\n    with F() as s:\n        import F\n        b()\n        g(a, s)\n        return a\n"
    check_statements(BEFORE, wrong, edits)
    with pytest.raises(ComposeError, match="the imports that it ought to hold"):
        added_imports(BEFORE, wrong, edits)


HEADERS = [
    ("on_an_inner_line", "def f(user: User, order: Order, count: int = 1) -> int:"),
    (
        "one_line_each",
        "async def f(user: User, order: Order, *, count: int = 1, **more: dict[str, int]) -> dict[str, int]:",
    ),
    ("strings_and_brackets", "def f(user: User, x=(',', ')'), y: Annotated[int, Depends(a, b)] = {1: 2}):"),
    ("no_result", "def f(session, user: User, message_of_the_day='hello', /, x=1):"),
]


def long_header(header: str, limit: int, **of_file: str) -> str:
    text = f"class A:\n    {header}\n        return 1\n"
    edit = ChangeParameters("app/a.py", 2, (ParameterChange("user", "user_telegram_id: UUID"),), limit)
    return compose(source(text, **of_file), [edit], ()).decode()  # type: ignore[arg-type]


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@pytest.mark.parametrize("header", [one[1] for one in HEADERS], ids=[one[0] for one in HEADERS])
def test_a_header_that_became_too_long_is_laid_out_as_ruff_would(header: str) -> None:
    limit = len(header) + 4
    made = long_header(header, limit)
    assert made.count("\n") > 3
    assert made.replace("'", '"') == formatted(long_header(header, 0), limit)


def test_a_header_that_fits_exactly_stays() -> None:
    header = HEADERS[0][1]
    width = len(long_header(header, 0).split("\n")[1])
    assert long_header(header, width) == long_header(header, 0)
    assert long_header(header, width - 1) != long_header(header, 0)


@pytest.mark.parametrize(
    "header",
    [
        "def f(user: User, x=1):  # noqa: E501",
        "def f(user: User, x=1,):",
        "def f(user: User) -> dict[str, dict[str, dict[str, int]]]:",
    ],
)
def test_a_header_that_cannot_be_laid_out_for_certain_stays_long(header: str) -> None:
    assert long_header(header, 50 if "dict" in header else len(header) + 4).count("\n") == 3


def test_a_header_that_was_too_long_stays() -> None:
    header = HEADERS[0][1]
    assert long_header(header, len(header)) == long_header(header, 0)


def test_a_call_that_became_too_long_is_laid_out() -> None:
    text = "def f(t, user, order):\n    t.add_task(g, user, session, order, 1)\n"
    edit = given("t.add", "t.add_task(g, user, session, order, 1)", (1, "user.telegram_id"), (2, None), limit=44)(text)
    assert composed(source(text), [lambda _: edit]).decode() == (
        "def f(t, user, order):\n    t.add_task(\n        g, user.telegram_id, order, 1\n    )\n"
    )


def test_a_call_that_was_too_long_or_became_shorter_stays() -> None:
    text = "def f(t, user, order):\n    t.add_task(g, user, session, order, 1)\n"
    call = "t.add_task(g, user, session, order, 1)"
    for limit in (41, 42, 200):
        asked = given("t.add", call, (1, "user.id"), (2, None), limit=limit)
        assert composed(source(text), [asked]).decode().endswith("    t.add_task(g, user.id, order, 1)\n")


BREAKS = [
    "\n        ",
    "\n      ",
    "  # c%d\n        ",
    "\n        # o%d\n        ",
    "\n\n        ",
    "  # c%d\n\n        # o%d\n        ",
]


@st.composite
def bracketed(draw: st.DrawFn) -> tuple[str, list[str | None]]:
    """Names in brackets, on lines of every kind, and what becomes of each: itself, another one, nothing."""
    count = draw(st.integers(1, 5))
    comments = iter(range(100))
    text = ""
    for index in range(count):
        gap = draw(st.sampled_from(["", " ", *BREAKS]))
        text += re.sub("%d", lambda _: str(next(comments)), gap) + f"a{index}"
        text += draw(st.sampled_from([",", " ,"])) if index + 1 < count else draw(st.sampled_from(["", ","]))
    end = draw(st.sampled_from(["", " ", *(one.rstrip(" ") + "    " for one in BREAKS)]))
    made = [draw(st.sampled_from([f"a{index}", f"b{index}", None])) for index in range(count)]
    return text + re.sub("%d", lambda _: str(next(comments)), end), made


@settings(max_examples=150, deadline=None)
@given_any(bracketed())
def test_any_layout_keeps_its_comments_and_the_lines_of_what_stays(case: tuple[str, list[str | None]]) -> None:
    inner, wanted = case
    changes = [(index, one) for index, one in enumerate(wanted) if one != f"a{index}"]
    if not changes:
        return
    text = f"class A:\n    def f({inner}):\n        g({inner})\n"
    lines = text.split("\n")
    first = 2 + inner.count("\n") + 1
    span = Span(first, 8, first + inner.count("\n"), len(lines[-2]))
    edits: list[Edit] = [
        ChangeParameters("app/a.py", 2, tuple(ParameterChange(f"a{index}", one) for index, one in changes)),
        ChangeArguments("app/a.py", span, tuple(ArgumentChange(index, one) for index, one in changes)),
    ]
    made = compose(source(text), edits, ()).decode()
    left = [one for one in wanted if one is not None]
    assert ast.dump(ast.parse(made)) == ast.dump(
        ast.parse(f"class A:\n    def f({', '.join(left)}):\n        g({', '.join(left)})\n")
    )
    assert sorted(re.findall("# .*", made)) == sorted(re.findall("# .*", text))
    assert not re.search(r"[^,\s] *,? +$|^ +$|^ *,", made, re.M)
    assert made.count("\n\n") <= text.count("\n\n")
    assert made.count("\n") <= text.count("\n") + text.count("# c")
