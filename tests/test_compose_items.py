"""Items added to dict displays, and several items or arguments at once: exact texts before and after, and what ruff
makes of them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compose import Asked, Case, case, composed, opened, removed, source
from test_compose_expressions import replaced, spanned
from test_compose_shapes import instead_of

from codemods.plan import AddArgument, AddItem, CreateFile, Edit, ReplaceExpression, Span
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.documents import width
from codemods.transformers.intended import check_statements

RUFF = Path(sys.executable).with_name("ruff")


def with_item(start: str, display: str, text: str = '"new": 1') -> Asked:
    return lambda given: AddItem("app/a.py", _span(start, display, given), text)


def with_argument(start: str, call: str, text: str) -> Asked:
    return lambda given: AddArgument("app/a.py", _span(start, call, given), text)


def _span(start: str, expression: str, text: str) -> Span:
    edit = spanned(start, expression, "")(text)
    assert isinstance(edit, ReplaceExpression)
    return edit.span


def item_added(situation: str, before: str, after: str, *, display: str = "") -> Case:
    """A case in which a dict display, of all its lines, gets one more item."""
    first, last = "def f():\n    r = ", "\n    return r\n"
    ask = with_item("r = ", display or before)
    return case(situation, f"{first}{before}{last}", ask, after=f"{first}{after}{last}")


ITEMS = [
    item_added("item_behind_others", '{"a": 1, "b": 2}', '{"a": 1, "b": 2, "new": 1}'),
    item_added("item_alone", "{}", '{"new": 1}'),
    item_added("item_alone_in_space", "{ }", '{"new": 1}'),
    item_added("item_alone_in_lines", "{\n    }", '{"new": 1}'),
    item_added("item_behind_a_comma", '{"a": 1,}', '{"a": 1, "new": 1,}'),
    item_added("item_behind_a_comma_and_a_space", '{"a": 1, }', '{"a": 1, "new": 1, }'),
    item_added("item_in_space", '{ "a": 1 }', '{ "a": 1, "new": 1 }'),
    item_added("item_behind_a_space_before_the_comma", '{"a" : 1 ,}', '{"a" : 1 , "new": 1,}'),
    item_added("item_behind_another_dict", "{**a}", '{**a, "new": 1}'),
    item_added("item_behind_another_dict_among_others", '{"a": 1, ** b}', '{"a": 1, ** b, "new": 1}'),
    item_added("item_behind_a_condition", '{"a": 1 if x else 2}', '{"a": 1 if x else 2, "new": 1}'),
    item_added("item_behind_a_function", '{"a": lambda: 1}', '{"a": lambda: 1, "new": 1}'),
    item_added("item_of_the_inner_dict", '{"a": {}}', '{"a": {"new": 1}}', display="{}"),
    item_added("item_in_parentheses", '({"a": 1})', '({"a": 1, "new": 1})', display='{"a": 1}'),
    item_added(
        "item_of_a_dict_that_is_handed_on", 'g(a, **{"a": 1})', 'g(a, **{"a": 1, "new": 1})', display='{"a": 1}'
    ),
    item_added(
        "item_of_a_dict_under_a_condition",
        'g(**({"a": 1} if x else {}))',
        'g(**({"a": 1, "new": 1} if x else {}))',
        display='{"a": 1}',
    ),
    item_added(
        "item_on_a_line_of_its_own",
        '{\n        "a": 1,\n        "b": 2,\n    }',
        '{\n        "a": 1,\n        "b": 2,\n        "new": 1,\n    }',
    ),
    item_added(
        "item_on_a_line_of_its_own_without_a_comma",
        '{\n        "a": 1,\n        "b": 2\n    }',
        '{\n        "a": 1,\n        "b": 2,\n        "new": 1\n    }',
    ),
    item_added(
        "item_on_a_line_of_its_own_behind_another_dict",
        '{\n        "a": 1,\n        **b,\n    }',
        '{\n        "a": 1,\n        **b,\n        "new": 1,\n    }',
    ),
    item_added(
        "item_on_a_line_of_its_own_before_the_brace",
        '{\n        "a": 1,\n        "b": 2}',
        '{\n        "a": 1,\n        "b": 2,\n        "new": 1}',
    ),
    item_added("item_in_a_column", '{"a": 1,\n         "b": 2}', '{"a": 1,\n         "b": 2,\n         "new": 1}'),
    item_added(
        "item_in_a_line_below", '{\n        "a": 1, "b": 2\n    }', '{\n        "a": 1, "b": 2, "new": 1\n    }'
    ),
    item_added(
        "item_in_a_line_below_with_a_comma",
        '{\n        "a": 1, "b": 2,\n    }',
        '{\n        "a": 1, "b": 2, "new": 1,\n    }',
    ),
    item_added(
        "item_behind_one_of_several_lines",
        '{\n        "a": [\n            1,\n        ],\n    }',
        '{\n        "a": [\n            1,\n        ],\n        "new": 1,\n    }',
    ),
    item_added("item_behind_a_hanging_one", '{"a": [\n        1,\n    ]}', '{"a": [\n        1,\n    ], "new": 1}'),
    item_added(
        "item_below_a_comment",
        '{\n        "a": 1,  # one\n        "b": 2,  # two\n    }',
        '{\n        "a": 1,  # one\n        "b": 2,  # two\n        "new": 1,\n    }',
    ),
    item_added(
        "item_below_a_comment_without_a_comma",
        '{\n        "a": 1  # one\n    }',
        '{\n        "a": 1,  # one\n        "new": 1,\n    }',
    ),
    item_added(
        "item_below_comments_on_lines_of_their_own",
        '{  # all\n        # a\n        "a": 1,\n        # "b": 2,\n\n        # c\n    }',
        '{  # all\n        # a\n        "a": 1,\n        # "b": 2,\n\n        # c\n        "new": 1,\n    }',
    ),
    item_added(
        "item_below_a_comment_behind_two",
        '{\n        "a": 1, "b": 2  # both\n    }',
        '{\n        "a": 1, "b": 2,  # both\n        "new": 1\n    }',
    ),
    item_added(
        "item_behind_a_comment_in_the_middle",
        '{\n        "a": 1,  # one\n        "b": 2, "c": 3\n    }',
        '{\n        "a": 1,  # one\n        "b": 2, "c": 3, "new": 1\n    }',
    ),
    case(
        "items_in_the_order_asked_for",
        'OPTIONS = {\n    "a": 1\n}\n',
        with_item("OPTIONS", '{\n    "a": 1\n}', '"z": 1'),
        with_item("OPTIONS", '{\n    "a": 1\n}', '"y": [1, 2]'),
        with_item("OPTIONS", '{\n    "a": 1\n}', '"x": {"b": None}'),
        after='OPTIONS = {\n    "a": 1,\n    "z": 1,\n    "y": [1, 2],\n    "x": {"b": None},\n}\n',
    ),
    case(
        "items_of_an_empty_dict_in_the_order_asked_for",
        "OPTIONS: dict[str, Any] = {}  # none\n",
        with_item("OPTIONS", "{}", '"z": 1'),
        with_item("OPTIONS", "{}", '"y": 2'),
        after='OPTIONS: dict[str, Any] = {"z": 1, "y": 2}  # none\n',
    ),
    case(
        "arguments_and_items_of_one_call",
        'engine = create(url, **{"a": 1})\n',
        with_item("engine", '{"a": 1}', '"b": 2'),
        with_argument("engine", 'create(url, **{"a": 1})', "c=3"),
        with_item("engine", '{"a": 1}', '"d": 4'),
        with_argument("engine", 'create(url, **{"a": 1})', "e=5"),
        after='engine = create(url, **{"a": 1, "b": 2, "d": 4}, c=3, e=5)\n',
    ),
    case(
        "item_whose_value_is_replaced_in_another_item",
        'r = {"a": f(x), "b": 2}\n',
        replaced("r = ", "f(x)", "y"),
        with_item("r = ", '{"a": f(x), "b": 2}'),
        after='r = {"a": y, "b": 2, "new": 1}\n',
    ),
    case(
        "item_in_a_windows_file",
        'r = {\r\n    "a": 1,  # a\r\n}\r\n',
        lambda text: AddItem("app/a.py", Span(1, 4, 3, 1), '"b": 1'),
        after='r = {\r\n    "a": 1,  # a\r\n    "b": 1,\r\n}\r\n',
    ),
    case(
        "item_in_a_block",
        """\
async def f():
    session = F()
    options = {
        "a": 1,
    }
    return await session.get(User, 1, **options)
""",
        opened("session", "options", "return"),
        with_item("options", '{\n        "a": 1,\n    }'),
        after="""\
async def f():
    async with F() as session:
        options = {
            "a": 1,
            "new": 1,
        }
        return await session.get(User, 1, **options)
""",
    ),
    case(
        "item_after_letters_beyond_ascii",
        'r = h("é", {"ü": 1}, "ö")\n',
        with_item("r = ", '{"ü": 1}', '"ä": "ß"'),
        after='r = h("é", {"ü": 1, "ä": "ß"}, "ö")\n',
    ),
    case(
        "item_in_a_class_body",
        'class A:\n\toptions = {"a": 1}\n\tb = 2\n',
        with_item("options", '{"a": 1}'),
        after='class A:\n\toptions = {"a": 1, "new": 1}\n\tb = 2\n',
        indent="\t",
    ),
]


def asked_again(one: Case) -> bytes:
    return composed(source(one.before, indent=one.indent), one.asked)


@pytest.mark.parametrize("one", ITEMS, ids=lambda one: one.situation)
def test_exact_text(one: Case) -> None:
    assert asked_again(one).decode() == one.after


@pytest.mark.parametrize("one", ITEMS, ids=lambda one: one.situation)
def test_edits_asked_for_twice_are_made_once(one: Case) -> None:
    given = source(one.before, indent=one.indent)
    assert composed(given, [*one.asked, *one.asked]).decode() == one.after


@pytest.mark.parametrize("one", ITEMS, ids=lambda one: one.situation)
def test_whole_file_gives_the_same_text_as_a_slice(one: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "_edited_slice", lambda source, outline, run: None)
    assert asked_again(one).decode() == one.after


def test_situations_have_their_own_names() -> None:
    assert len({one.situation for one in ITEMS}) == len(ITEMS)


DICT = "def f():\n    r = {%s}\n    return r\n"
REFUSED: list[tuple[str, str, tuple[Asked, ...], str]] = [
    ("item_of_no_dict", DICT % "a, b", (with_item("r = ", "{a, b}"),), "is no dict display"),
    ("item_of_a_call", "r = dict(a=1)\n", (with_item("r = ", "dict(a=1)"),), "is no dict display"),
    (
        "item_of_a_comprehension",
        DICT % "x: 1 for x in y",
        (with_item("r = ", "{x: 1 for x in y}"),),
        "is no dict display",
    ),
    ("argument_of_a_dict", DICT % "", (with_argument("r = ", "{}", "a=1"),), "is no call"),
    ("item_of_nothing", DICT % "", (lambda text: AddItem("app/a.py", Span(2, 8, 2, 11), '"a": 1'),), "no expression"),
    ("items_at_once", DICT % "", (with_item("r = ", "{}", '"a": 1, "b": 2'),), "not one item"),
    ("item_with_a_comma", DICT % "", (with_item("r = ", "{}", '"a": 1,'),), "not one item"),
    ("empty_item", DICT % "", (with_item("r = ", "{}", ""),), "not one item"),
    ("item_that_is_an_argument", DICT % "", (with_item("r = ", "{}", "a=1"),), "not one item"),
    ("item_that_is_a_dict", DICT % "", (with_item("r = ", "{}", "**a"),), "not one item"),
    ("item_without_a_value", DICT % "", (with_item("r = ", "{}", '"a"'),), "not one item"),
    ("item_that_closes_the_dict", DICT % "", (with_item("r = ", "{}", '"a": 1} | {"b": 2'),), "not one item"),
    ("item_that_is_a_comprehension", DICT % "", (with_item("r = ", "{}", "x: 1 for x in y"),), "not one item"),
    ("item_that_is_a_comment", DICT % "", (with_item("r = ", "{}", "# a"),), "not one item"),
    ("item_that_is_there", DICT % "'a': 1", (with_item("r = ", "{'a': 1}", '"a": 2'),), "has the key 'a' already"),
    (
        "two_items_of_one_key",
        DICT % "",
        (with_item("r = ", "{}", '"a": 1'), with_item("r = ", "{}", '"a": 2')),
        "the key 'a' twice",
    ),
    ("item_beside_a_comment_alone", "r = {\n    # none\n}\n", (with_item("r = ", "{\n    # none\n}"),), "in the place"),
    (
        "item_beside_a_comment_without_a_line",
        'r = {"a": 1, "b": 2  # both\n}\n',
        (with_item("r = ", '{"a": 1, "b": 2  # both\n}'),),
        "leaves no line",
    ),
    (
        "item_of_a_default",
        "def f(a={}): pass\n",
        (with_item("def f", "{}"),),
        "belongs to a definition",
    ),
    (
        "item_of_a_dict_that_is_replaced",
        DICT % "",
        (with_item("r = ", "{}"), replaced("r = ", "{}", "a")),
        "lie in each other",
    ),
    ("item_in_a_statement_that_goes", DICT % "", (with_item("r = ", "{}"), removed("r = ")), "taken away too"),
    ("item_in_a_replaced_statement", DICT % "", (with_item("r = ", "{}"), instead_of("r = ", "r = 1")), "taken away"),
    ("file_that_is_there", "a = 1\n", (lambda text: CreateFile("app/a.py", "b = 1\n"),), "app/a.py is there already"),
]


@pytest.mark.parametrize(("text", "asked", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(text: str, asked: tuple[Asked, ...], message: str) -> None:
    with pytest.raises(ComposeError, match=re.escape(message)):
        composed(source(text), asked)


@pytest.mark.parametrize(
    "wrong",
    ["r = {'a': 1}\n", "r = {'a': 1, 'b': 3}\n", "r = {'b': 2, 'a': 1}\n", "r = {'a': 1, 'b': 2, 'c': 3}\n"],
)
def test_second_opinion_sees_a_wrong_text(wrong: str) -> None:
    edit: Edit = AddItem("app/a.py", Span(1, 4, 1, 12), '"b": 2')
    check_statements("r = {'a': 1}\n", "r = {'a': 1, 'b': 2}\n", [edit])
    with pytest.raises(ComposeError, match="ought to hold"):
        check_statements("r = {'a': 1}\n", wrong, [edit])


# --- several at once, in lines that become too long -------------------------------------------------------------------

OPTIONS = ("pool_size=5", "max_overflow=10", "pool_timeout=30", "pool_pre_ping=True", "pool_recycle=3600")


def pooled(text: str, limit: int = 88, options: Sequence[str] = OPTIONS) -> list[Edit]:
    """Options for every call of `create_async_engine` or `dict`, and as items for every dict display with `"echo"` or
    nothing in it."""
    made: list[Edit] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("create_async_engine", "dict"):
            made += [AddArgument("app/a.py", _at(node, text), option, limit) for option in options]
        if isinstance(node, ast.Dict) and (not node.keys or "echo" in ast.unparse(node)):
            items = [re.sub(r"(\w+)=(.*)", r'"\1": \2', option) for option in options]
            made += [AddItem("app/a.py", _at(node, text), item, limit) for item in items]
    return made


def _at(node: ast.expr, text: str) -> Span:
    lines = text.replace("\r\n", "\n").split("\n")
    assert node.end_lineno is not None
    start, end = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
    columns = (len(start[: node.col_offset].decode()), len(end[: node.end_col_offset].decode()))
    return Span(node.lineno, columns[0], node.end_lineno, columns[1])


def made_of(text: str, limit: int = 88, options: Sequence[str] = OPTIONS, **of_file: str) -> str:
    return compose(source(text, **of_file), pooled(text, limit, options), []).decode()  # type: ignore[arg-type]


def formatted(text: str, limit: int) -> str:
    command = [str(RUFF), "format", "--isolated", "--line-length", str(limit), "-"]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout.decode()


LINES = [f"    {option},\n" for option in OPTIONS]
ITEM_LINES = [re.sub(r"(\w+)=(.*),", r'"\1": \2,', line) for line in LINES]
BELOW, ITEMS_BELOW = "".join(LINES), "".join(ITEM_LINES)

# it does not fit on a line by itself
DSN = 'f"postgresql+asyncpg://{settings.user}:{settings.password}@{settings.host}:{settings.port}/{settings.database_of_the_shop}"'

LAID_OUT = [
    (
        "arguments_on_one_line",
        "engine = create_async_engine(settings.database_url, echo=True)\n",
        f"engine = create_async_engine(\n    settings.database_url,\n    echo=True,\n{BELOW})\n",
    ),
    (
        "arguments_and_a_comment_behind",
        "engine: AsyncEngine = create_async_engine(url)  # the only one\n",
        f"engine: AsyncEngine = create_async_engine(\n    url,\n{BELOW})  # the only one\n",
    ),
    (
        "arguments_on_an_inner_line",
        "engine = create_async_engine(\n    settings.database_url, echo=True\n)\n",
        f"engine = create_async_engine(\n    settings.database_url,\n    echo=True,\n{BELOW})\n",
    ),
    (
        "arguments_on_lines_of_their_own",
        "engine = create_async_engine(\n    settings.database_url,  # asyncpg\n    echo=True,\n)\n",
        f"engine = create_async_engine(\n    settings.database_url,  # asyncpg\n    echo=True,\n{BELOW})\n",
    ),
    (
        "arguments_behind_an_only_one_on_a_line_of_its_own",
        "engine = create_async_engine(\n    settings.database.url_of_the_primary_that_takes_all_writes_there_are\n)\n",
        "engine = create_async_engine(\n"
        f"    settings.database.url_of_the_primary_that_takes_all_writes_there_are,\n{BELOW})\n",
    ),
    (
        "arguments_behind_stars",
        "engine = create_async_engine(settings.database_url, **options)\n",
        f"engine = create_async_engine(\n    settings.database_url,\n    **options,\n{BELOW})\n",
    ),
    (
        "arguments_of_a_call_in_a_call",
        "maker = async_sessionmaker(create_async_engine(url), expire_on_commit=False)\n",
        "maker = async_sessionmaker(\n    create_async_engine(\n        url,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    ),\n    expire_on_commit=False,\n)\n",
    ),
    (
        "arguments_of_what_is_returned",
        "def f(url):\n    return create_async_engine(url)\n",
        "def f(url):\n    return create_async_engine(\n        url,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    )\n",
    ),
    (
        "arguments_of_an_attribute",
        "class A:\n    def f(self, url):\n        self.engine = create_async_engine(url)\n",
        "class A:\n    def f(self, url):\n        self.engine = create_async_engine(\n            url,\n"
        + "".join(f"        {line}" for line in LINES)
        + "        )\n",
    ),
    (
        "arguments_of_a_dict_that_is_called",
        "options = dict(echo=True)\n",
        f"options = dict(\n    echo=True,\n{BELOW})\n",
    ),
    (
        "arguments_of_a_line_that_was_too_long",
        "engine = create_async_engine(settings.database.url_of_the_primary, echo=settings.development.echo)\n",
        "engine = create_async_engine(\n    settings.database.url_of_the_primary,\n"
        f"    echo=settings.development.echo,\n{BELOW})\n",
    ),
    (
        "arguments_behind_one_that_does_not_fit_by_itself",
        f"engine = create_async_engine({DSN}, echo=True)\n",
        f"engine = create_async_engine(\n    {DSN},\n    echo=True,\n{BELOW})\n",
    ),
    (
        "arguments_of_a_call_in_a_call_behind_one_that_does_not_fit_by_itself",
        f"maker = async_sessionmaker(create_async_engine({DSN}), expire_on_commit=False)\n",
        f"maker = async_sessionmaker(\n    create_async_engine(\n        {DSN},\n"
        + "".join(f"    {line}" for line in LINES)
        + "    ),\n    expire_on_commit=False,\n)\n",
    ),
    (
        "arguments_under_a_condition",
        "engine = create_async_engine(url) if url else None\n",
        "engine = (\n    create_async_engine(\n        url,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    )\n    if url\n    else None\n)\n",
    ),
    (
        "arguments_behind_a_condition",
        "engine = (None if x else create_async_engine(url))\n",
        "engine = (\n    None\n    if x\n    else create_async_engine(\n        url,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    )\n)\n",
    ),
    (
        "arguments_in_a_condition_in_a_call",
        "engine = f(create_async_engine(url) if x else None)\n",
        "engine = f(\n    create_async_engine(\n        url,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    )\n    if x\n    else None\n)\n",
    ),
    (
        "arguments_behind_an_alternative",
        "engine = y or create_async_engine(url)\n",
        f"engine = y or create_async_engine(\n    url,\n{BELOW})\n",
    ),
    (
        "arguments_of_what_a_block_opens",
        "with create_async_engine(url).begin() as c:\n    pass\n",
        f"with create_async_engine(\n    url,\n{BELOW}).begin() as c:\n    pass\n",
    ),
    (
        "arguments_of_what_a_function_makes",
        "make = lambda: create_async_engine(url)\n",
        f"make = lambda: create_async_engine(\n    url,\n{BELOW})\n",
    ),
    (
        "arguments_of_what_is_named_within",
        "print(e := create_async_engine(url))\n",
        "print(\n    e := create_async_engine(\n        url,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    )\n)\n",
    ),
    (
        "arguments_in_parentheses",
        "assert create_async_engine((url), echo=(a or b))\n",
        f"assert create_async_engine(\n    (url),\n    echo=(a or b),\n{BELOW})\n",
    ),
    (
        "arguments_of_two_calls_in_one_statement",
        "pair = f(create_async_engine(one), create_async_engine(two))\n",
        "pair = f(\n    create_async_engine(\n        one,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    ),\n    create_async_engine(\n        two,\n"
        + "".join(f"    {line}" for line in LINES)
        + "    ),\n)\n",
    ),
    (
        "items_under_a_condition",
        'engine = create_engine(url, **({"echo": True} if x else {"a": 1}))\n',
        'engine = create_engine(\n    url,\n    **(\n        {\n            "echo": True,\n'
        + "".join(f"        {line}" for line in ITEM_LINES)
        + '        }\n        if x\n        else {"a": 1}\n    ),\n)\n',
    ),
    ("items_of_an_empty_dict", "options = {}\n", f"options = {{\n{ITEMS_BELOW}}}\n"),
    (
        "items_on_one_line",
        'options: dict[str, Any] = {"echo": True}\n',
        f'options: dict[str, Any] = {{\n    "echo": True,\n{ITEMS_BELOW}}}\n',
    ),
    (
        "items_behind_another_dict",
        'options = {"echo": True, **others}  # of every engine\n',
        f'options = {{\n    "echo": True,\n    **others,\n{ITEMS_BELOW}}}  # of every engine\n',
    ),
    (
        "items_on_lines_of_their_own",
        'options = {\n    # told by the environment\n    "echo": settings.echo,\n}\n',
        f'options = {{\n    # told by the environment\n    "echo": settings.echo,\n{ITEMS_BELOW}}}\n',
    ),
    (
        "items_of_a_dict_that_is_handed_on",
        'engine = create_engine(url, **{"echo": True})\n',
        'engine = create_engine(\n    url,\n    **{\n        "echo": True,\n'
        + "".join(f"    {line}" for line in ITEM_LINES)
        + "    },\n)\n",
    ),
]


@pytest.mark.parametrize(("before", "after"), [c[1:] for c in LAID_OUT], ids=[c[0] for c in LAID_OUT])
def test_several_are_laid_out_in_the_order_asked_for(before: str, after: str) -> None:
    assert made_of(before) == after


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@pytest.mark.parametrize("before", [c[1] for c in LAID_OUT], ids=[c[0] for c in LAID_OUT])
@pytest.mark.parametrize("limit", [60, 88, 120, 200])
def test_several_are_laid_out_as_ruff_would(before: str, limit: int) -> None:
    text = formatted(before, limit)
    assert made_of(text, limit) == formatted(made_of(text, 0), limit)


@pytest.mark.parametrize("before", [c[1] for c in LAID_OUT], ids=[c[0] for c in LAID_OUT])
def test_nothing_is_set_a_second_time(before: str) -> None:
    text = made_of(before.replace("= {}", '= {"echo": 1}'))
    with pytest.raises(ComposeError, match=r"has the key|repeated"):
        made_of(text)


def test_few_that_fit_stay_on_the_line() -> None:
    text = "engine = create_async_engine(settings.database_url)\n"
    after = "engine = create_async_engine(settings.database_url, pool_pre_ping=True)\n"
    assert made_of(text, 88, ["pool_pre_ping=True"]) == after


def test_some_that_fit_on_an_inner_line_go_there() -> None:
    text = "engine = create_async_engine(settings.database_url)\n"
    assert made_of(text, 88, OPTIONS[:2]) == (
        "engine = create_async_engine(settings.database_url, pool_size=5, max_overflow=10)\n"
    )
    assert made_of(text, 88, OPTIONS[:3]) == (
        "engine = create_async_engine(\n    settings.database_url, pool_size=5, max_overflow=10, pool_timeout=30\n)\n"
    )


def test_the_line_of_every_new_argument_counts() -> None:
    text = "engine = create_async_engine(\n    url,\n)\n"
    long = "connect_args={'server_settings': {'application_name': 'reports', 'jit': 'off', 'a': 'b'}}"
    after = made_of(text, 88, [long, "pool_pre_ping=True"])
    assert max(len(line) for line in after.splitlines()) <= 88
    assert made_of(text, 0, [long, "pool_pre_ping=True"]) == f"{text[:-2]}    {long},\n    pool_pre_ping=True,\n)\n"


def test_tabs_and_line_ends_of_the_file_are_used() -> None:
    text = 'def f():\r\n\toptions = {"echo": True}\r\n\treturn create_async_engine(url)\r\n'
    lines = [line.strip() for line in LINES]
    items = [line.strip() for line in ITEM_LINES]
    assert made_of(text, indent="\t", newline="\r\n") == "\r\n".join(
        [
            "def f():",
            "\toptions = {",
            *('\t\t"echo": True,', *(f"\t\t{item}" for item in items), "\t}"),
            "\treturn create_async_engine(",
            *("\t\turl,", *(f"\t\t{line}" for line in lines), "\t)", ""),
        ]
    )


# a formatter would break more around them, and keeps what is broken
SPLIT = [
    (
        "two_values",
        "a, b = create_async_engine(url), 1  # both\n",
        f"a, b = create_async_engine(\n    url,\n{BELOW}), 1  # both\n",
    ),
    (
        "two_calls",
        "a, b = create_async_engine(one), create_async_engine(two)\n",
        f"a, b = create_async_engine(\n    one,\n{BELOW}), create_async_engine(\n    two,\n{BELOW})\n",
    ),
    (
        "first_of_two_alternatives",
        "engine = create_async_engine(url) or y\n",
        f"engine = create_async_engine(\n    url,\n{BELOW}) or y\n",
    ),
    (
        "named_in_a_condition",
        "if (e := create_async_engine(url)) is None:\n    pass\n",
        f"if (e := create_async_engine(\n    url,\n{BELOW})) is None:\n    pass\n",
    ),
    (
        "parentheses_that_are_needed",
        "engine = (e := create_async_engine(url))\n",
        f"engine = (e := create_async_engine(\n    url,\n{BELOW}))\n",
    ),
    (
        "lines_of_a_part",
        'engine = create_async_engine(url, a={\n    "a": 1,\n}, b=2) or y\n',
        f'engine = create_async_engine(\n    url,\n    a={{\n        "a": 1,\n    }},\n    b=2,\n{BELOW}) or y\n',
    ),
    (
        "lines_of_a_string",
        'engine = create_async_engine(url, a="""a\nb""") or y\n',
        f'engine = create_async_engine(\n    url,\n    a="""a\nb""",\n{BELOW}) or y\n',
    ),
]


@pytest.mark.parametrize(("before", "after"), [c[1:] for c in SPLIT], ids=[c[0] for c in SPLIT])
def test_brackets_are_split_where_the_whole_cannot_be_laid_out(before: str, after: str) -> None:
    assert made_of(before) == after


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@pytest.mark.parametrize("before", [c[1] for c in SPLIT], ids=[c[0] for c in SPLIT])
@pytest.mark.parametrize("limit", [60, 88, 120])
def test_what_is_split_becomes_what_ruff_would_have_made(before: str, limit: int) -> None:
    text = formatted(before, limit)
    assert formatted(made_of(text, limit), limit) == formatted(made_of(text, 0), limit)


def test_what_is_split_has_the_line_ends_of_the_file() -> None:
    lines = [line.strip() for line in LINES]
    assert made_of("def f():\r\n\treturn create_async_engine(url), 1\r\n", indent="\t", newline="\r\n") == "\r\n".join(
        ["def f():", "\treturn create_async_engine(", *("\t\turl,", *(f"\t\t{line}" for line in lines)), "\t), 1", ""]
    )


def test_few_that_fit_on_an_inner_line_go_there_in_split_brackets_too() -> None:
    text = "engine = create_async_engine(settings.database_url_of_the_primary) or other_engine\n"
    assert made_of(text, 88, ["pool_pre_ping=True"]) == (
        "engine = create_async_engine(\n"
        "    settings.database_url_of_the_primary, pool_pre_ping=True\n"
        ") or other_engine\n"
    )


def test_what_follows_the_brackets_may_stay_too_long() -> None:
    text = f"engine = create_async_engine(settings.url_of_the_primary) or {'a' * 100}\n"
    assert made_of(text, 88, ["pool_pre_ping=True"]) == (
        f"engine = create_async_engine(\n    settings.url_of_the_primary, pool_pre_ping=True\n) or {'a' * 100}\n"
    )


LEFT = [
    'engine = create_async_engine(url, echo="of all", a="a" * 40) or b  # noqa: E501\n',
    'engine = f"{create_async_engine(url)}"\n',
    "engine = create_async_engine(\n    # the first\n    url, echo=True) or b\n",
    "engine = create_async_engine(settings.database_url)  # noqa: E501\n",
    "options = {  # all\n    'echo': True, 'a': 1}\n",
    "a = 1; engine = create_async_engine(settings.database_url)\n",
]


@pytest.mark.parametrize("before", LEFT)
def test_what_cannot_be_laid_out_for_certain_stays_long(before: str) -> None:
    try:
        long = made_of(before, 0)
    except ComposeError as error:
        assert "shares its line" in error.message  # noqa: PT017
        return
    assert made_of(before) == long


# --- any layout -------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(['"echo": True', '"future": settings.is_new', "**others", '"connect_args": {"jit": "off"}'])
ARGUMENTS = st.sampled_from(["echo=settings.echo", "future=True", "**others", 'connect_args={"jit": "off"}'])
GAPS = st.sampled_from(["", " ", "\n    ", "\n\n    ", "  # one\n    ", "\n    # alone\n    "])


@st.composite
def displays(draw: st.DrawFn) -> str:
    """A statement with an engine or with a dict of options, in any layout."""
    is_call = draw(st.booleans())
    kinds = ARGUMENTS if is_call else KEYS
    parts = draw(st.lists(kinds, max_size=3, unique_by=lambda part: part.split("=")[0]))
    parts = ["url", *parts] if is_call else ['"echo": 1', *(part for part in parts if "echo" not in part)]
    inner = "".join(draw(GAPS) + part + ("," if index + 1 < len(parts) else "") for index, part in enumerate(parts))
    inner += draw(st.sampled_from(["", ","])) + draw(GAPS)
    return f"made = create_async_engine({inner})\n" if is_call else f"made = {{{inner}}}\n"


@settings(deadline=None)
@given(before=displays(), limit=st.sampled_from([0, 60, 88, 120]))
def test_every_layout_gets_them_at_its_end_or_is_refused(before: str, limit: int) -> None:
    text = f"before = 1  # one\n{before}after()\n"
    try:
        after = made_of(text, limit)
    except ComposeError as error:
        assert "leaves no line" in error.message  # noqa: PT017
        return
    made = ast.parse(after).body[1]
    assert isinstance(made, ast.Assign)
    names: list[str | None] = []
    if isinstance(made.value, ast.Call):
        names = [keyword.arg for keyword in made.value.keywords]
    elif isinstance(made.value, ast.Dict):
        names = [None if key is None else ast.literal_eval(key) for key in made.value.keys]
    assert names[-len(OPTIONS) :] == [option.partition("=")[0] for option in OPTIONS]
    assert re.findall("#.*", after) == re.findall("#.*", text)
    assert after.startswith("before = 1  # one\nmade = ")
    assert after.endswith("\nafter()\n")
    long = made_of(text, 0)
    if after != long:
        assert all(width(line) <= limit for line in after.split("\n"))


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@settings(deadline=None, max_examples=40)
@given(before=displays(), limit=st.sampled_from([60, 88, 120]))
def test_what_was_formatted_is_left_long_or_as_ruff_would_write_it(before: str, limit: int) -> None:
    text = formatted(before, limit)
    try:
        long = made_of(text, 0)
    except ComposeError:
        return
    assert made_of(text, limit) in (long, formatted(long, limit))
