"""Lines that an added argument or call makes too long: exact texts before and after, and what ruff makes of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compose import Asked, opened, source

from codemods.plan import AddArgument, ChainCall, Edit, Span
from codemods.transformers.compose import compose
from codemods.transformers.documents import Break, Document, Group, IfBroken, Indented, printed, width

RUFF = Path(sys.executable).with_name("ruff")
ROLES = ("selectinload(User.roles)",)
TWO = (*ROLES, "selectinload(User.cities)")
THREE = (*ROLES, "selectinload(User.cities).selectinload(City.roads)", "joinedload(User.manager)")
DEEP = ("selectinload(User.roles).selectinload(Role.permissions).selectinload(Permission.people)",)


def span_of(node: ast.expr, text: str) -> Span:
    lines = text.replace("\r\n", "\n").split("\n")
    assert node.end_lineno is not None
    start, end = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
    columns = (len(start[: node.col_offset].decode()), len(end[: node.end_col_offset].decode()))
    return Span(node.lineno, columns[0], node.end_lineno, columns[1])


def loaded(text: str, options: Sequence[str] = ROLES, limit: int = 88) -> list[Edit]:
    """Loader options for every `select(...)`, `query(...)` and `get(...)`."""
    made: list[Edit] = []
    given = ", ".join(options)
    for node in ast.walk(ast.parse(text)):
        callee = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and callee in ("select", "session.query"):
            made.append(ChainCall("app/a.py", span_of(node, text), f".options({given})", limit))
        elif isinstance(node, ast.Call) and callee == "session.get":
            made.append(AddArgument("app/a.py", span_of(node, text), f"options=[{given}]", limit))
    return made


def made_of(text: str, options: Sequence[str] = ROLES, limit: int = 88, *asked: Asked, **of_file: str) -> str:
    edits = [*loaded(text, options, limit), *(ask(text) for ask in asked)]
    return compose(source(text, **of_file), edits, []).decode()  # type: ignore[arg-type]


def long_of(text: str, options: Sequence[str] = ROLES) -> str:
    """What is made without a limit."""
    return made_of(text, options, 0)


def formatted(text: str, limit: int) -> str:
    command = [str(RUFF), "format", "--isolated", "--line-length", str(limit), "-"]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout.decode()


def in_function(*lines: str) -> str:
    return "async def f(user_id):\n" + "".join(f"    {line}\n" for line in lines)


CASES = [
    (
        "the_only_argument_goes_on_an_inner_line",
        ROLES,
        ["result = await session.execute(select(User).where(User.id == user_id))"],
        [
            "result = await session.execute(",
            "    select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "the_only_argument_is_broken_at_its_dots",
        TWO,
        ["result = await session.execute(select(User).where(User.id == user_id))"],
        [
            "result = await session.execute(",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "options_that_need_more_than_a_line",
        THREE,
        ["result = await session.execute(select(User).where(User.id == user_id))"],
        [
            "result = await session.execute(",
            "    select(User)",
            "    .options(",
            "        selectinload(User.roles),",
            "        selectinload(User.cities).selectinload(City.roads),",
            "        joinedload(User.manager),",
            "    )",
            "    .where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "one_option_that_needs_more_than_a_line",
        DEEP,
        ["return await session.scalar(select(User).where(User.id == user_id))"],
        [
            "return await session.scalar(",
            "    select(User)",
            "    .options(",
            "        selectinload(User.roles)",
            "        .selectinload(Role.permissions)",
            "        .selectinload(Permission.people)",
            "    )",
            "    .where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "a_query_that_is_given_a_name",
        TWO,
        ["query = select(User).where(User.id == user_id)"],
        [
            "query = (",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "a_query_that_is_returned",
        TWO,
        ["return select(User).where(User.id == user_id).order_by(User.name)"],
        [
            "return (",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id)",
            "    .order_by(User.name)",
            ")",
        ],
    ),
    (
        "a_query_with_nothing_behind",
        THREE,
        ["query = select(User)"],
        [
            "query = select(User).options(",
            "    selectinload(User.roles),",
            "    selectinload(User.cities).selectinload(City.roads),",
            "    joinedload(User.manager),",
            ")",
        ],
    ),
    (
        "an_awaited_call_in_parentheses",
        ROLES,
        ["user = (await session.execute(select(User).where(User.id == user_id))).scalar_one()"],
        [
            "user = (",
            "    await session.execute(",
            "        select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            "    )",
            ").scalar_one()",
        ],
    ),
    (
        "an_awaited_call_with_two_calls_behind",
        ROLES,
        ["users = (await session.execute(select(User).where(User.id == 1))).scalars().all()"],
        [
            "users = (",
            "    (",
            "        await session.execute(",
            "            select(User).options(selectinload(User.roles)).where(User.id == 1)",
            "        )",
            "    )",
            "    .scalars()",
            "    .all()",
            ")",
        ],
    ),
    (
        "one_of_several_arguments",
        TWO,
        ["return await paginate(session, select(User).where(User.id == user_id), size=1)"],
        [
            "return await paginate(",
            "    session,",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id),",
            "    size=1,",
            ")",
        ],
    ),
    (
        "a_keyword_argument",
        TWO,
        ["return await paginate(statement=select(User).where(User.id == user_id))"],
        [
            "return await paginate(",
            "    statement=select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "a_legacy_query",
        TWO,
        ["user = await session.query(User).filter(User.id == user_id).first()"],
        [
            "user = (",
            "    await session.query(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .filter(User.id == user_id)",
            "    .first()",
            ")",
        ],
    ),
    (
        "arguments_go_on_an_inner_line",
        TWO,
        ["user = await session.get(User, user_id)"],
        [
            "user = await session.get(",
            "    User, user_id, options=[selectinload(User.roles), selectinload(User.cities)]",
            ")",
        ],
    ),
    (
        "arguments_go_on_lines_of_their_own",
        TWO,
        ["user = await session.get(User, user_id, with_for_update=True)"],
        [
            "user = await session.get(",
            "    User,",
            "    user_id,",
            "    with_for_update=True,",
            "    options=[selectinload(User.roles), selectinload(User.cities)],",
            ")",
        ],
    ),
    (
        "a_list_in_the_arguments_is_broken",
        THREE,
        ["user = await session.get(User, user_id)"],
        [
            "user = await session.get(",
            "    User,",
            "    user_id,",
            "    options=[",
            "        selectinload(User.roles),",
            "        selectinload(User.cities).selectinload(City.roads),",
            "        joinedload(User.manager),",
            "    ],",
            ")",
        ],
    ),
    (
        "a_list_of_one_chain",
        DEEP,
        ["user = await session.get(User, user_id)"],
        [
            "user = await session.get(",
            "    User,",
            "    user_id,",
            "    options=[",
            "        selectinload(User.roles)",
            "        .selectinload(Role.permissions)",
            "        .selectinload(Permission.people)",
            "    ],",
            ")",
        ],
    ),
    (
        "arguments_that_have_lines_of_their_own_already",
        THREE,
        ["user = await session.get(", "    User,", "    user_id,", ")"],
        [
            "user = await session.get(",
            "    User,",
            "    user_id,",
            "    options=[",
            "        selectinload(User.roles),",
            "        selectinload(User.cities).selectinload(City.roads),",
            "        joinedload(User.manager),",
            "    ],",
            ")",
        ],
    ),
    (
        "arguments_that_stand_on_an_inner_line",
        ROLES,
        ["user = await session.get(", "    User, {'tenant': tenant, 'id': user_id}, populate_existing=True", ")"],
        [
            "user = await session.get(",
            "    User,",
            "    {'tenant': tenant, 'id': user_id},",
            "    populate_existing=True,",
            "    options=[selectinload(User.roles)],",
            ")",
        ],
    ),
    (
        "a_query_that_stands_on_an_inner_line",
        TWO,
        ["result = await session.execute(", "    select(User).where(User.id == user_id, User.name != name)", ")"],
        [
            "result = await session.execute(",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id, User.name != name)",
            ")",
        ],
    ),
    (
        "a_query_among_arguments_on_lines_of_their_own",
        TWO,
        ["return await page(", "    session,", "    select(User).where(User.id == user_id),", "    {'a': 1},", ")"],
        [
            "return await page(",
            "    session,",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id),",
            "    {'a': 1},",
            ")",
        ],
    ),
    (
        "a_query_beside_what_is_laid_out_in_its_own_way",
        TWO,
        ["return page(", "    select(User).where(User.id == user_id),", "    {", "        1", "    },", ")"],
        [
            "return page(",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id),",
            "    {",
            "        1",
            "    },",
            ")",
        ],
    ),
    (
        "calls_on_lines_of_their_own",
        THREE,
        ["query = (", "    select(User)", "    .where(User.id == user_id)", "    .order_by(User.name)", ")"],
        [
            "query = (",
            "    select(User)",
            "    .options(",
            "        selectinload(User.roles),",
            "        selectinload(User.cities).selectinload(City.roads),",
            "        joinedload(User.manager),",
            "    )",
            "    .where(User.id == user_id)",
            "    .order_by(User.name)",
            ")",
        ],
    ),
    (
        "a_query_in_parentheses_on_a_line_of_its_own",
        TWO,
        ["query = (", "    select(User).where(User.id == user_id).order_by(User.name)", ")"],
        [
            "query = (",
            "    select(User)",
            "    .options(selectinload(User.roles), selectinload(User.cities))",
            "    .where(User.id == user_id)",
            "    .order_by(User.name)",
            ")",
        ],
    ),
    (
        "a_comment_behind_the_statement",
        ROLES,
        ["result = await session.execute(select(User).where(User.id == user_id))  # one"],
        [
            "result = await session.execute(",
            "    select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            ")  # one",
        ],
    ),
    (
        "the_iterable_of_a_loop",
        ROLES,
        ["for user in await session.scalars(select(User).where(User.id == user_id)):  # all", "    use(user)"],
        [
            "for user in await session.scalars(",
            "    select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            "):  # all",
            "    use(user)",
        ],
    ),
    (
        "the_condition_of_a_branch",
        ROLES,
        ["if a:", "    pass", "elif await session.scalar(select(User).where(User.id == user_id)):", "    use()"],
        [
            "if a:",
            "    pass",
            "elif await session.scalar(",
            "    select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            "):",
            "    use()",
        ],
    ),
    (
        "an_attribute_with_an_annotation",
        ROLES,
        ["self.user: User = await session.scalar(select(User).where(User.id == user_id))"],
        [
            "self.user: User = await session.scalar(",
            "    select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            ")",
        ],
    ),
    (
        "a_call_around_the_awaited_one",
        ROLES,
        ["return UserOut.of(await session.scalar(select(User).where(User.id == user_id)))"],
        [
            "return UserOut.of(",
            "    await session.scalar(",
            "        select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            "    )",
            ")",
        ],
    ),
    (
        "a_comprehension",
        ROLES,
        ["return [u for u in await session.scalars(select(User).where(User.id == user)) if u]"],
        [
            "return [",
            "    u",
            "    for u in await session.scalars(",
            "        select(User).options(selectinload(User.roles)).where(User.id == user)",
            "    )",
            "    if u",
            "]",
        ],
    ),
    (
        "a_dictionary_whose_entries_would_fit_on_an_inner_line",
        ROLES,
        ["return {'found': await session.get(User, user_id), 'limit': 10, 'count': 0}"],
        [
            "return {",
            "    'found': await session.get(User, user_id, options=[selectinload(User.roles)]),",
            "    'limit': 10,",
            "    'count': 0,",
            "}",
        ],
    ),
    (
        "a_dictionary",
        ROLES,
        ["return {'u': await session.scalar(select(User).where(User.id == user_id)), **more}"],
        [
            "return {",
            "    'u': await session.scalar(",
            "        select(User).options(selectinload(User.roles)).where(User.id == user_id)",
            "    ),",
            "    **more,",
            "}",
        ],
    ),
]


@pytest.mark.parametrize(("options", "before", "after"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_line_that_became_too_long_is_laid_out(options: Sequence[str], before: list[str], after: list[str]) -> None:
    text = in_function(*before)
    assert made_of(text, options) == in_function(*after)


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@pytest.mark.parametrize(("options", "before"), [c[1:3] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_laid_out_is_what_ruff_would_write(options: Sequence[str], before: list[str]) -> None:
    text = formatted(in_function(*before), 88)
    assert made_of(text, options) == formatted(long_of(text, options), 88)


@pytest.mark.parametrize(("options", "before"), [c[1:3] for c in CASES], ids=[c[0] for c in CASES])
def test_without_a_limit_or_with_a_wide_one_nothing_is_laid_out(options: Sequence[str], before: list[str]) -> None:
    text = in_function(*before)
    assert made_of(text, options, 400) == long_of(text, options)


LEFT = [
    ("a_comment_for_programs", ["r = await session.scalar(select(User).where(User.id == user_id))  # noqa: E501"]),
    ("a_comment_for_the_type_checker", ["r = await session.scalar(select(User).where(User.id == id))  # type: ignore"]),
    ("a_line_too_long_before", ["r = await session.scalar(select(User).where(User.id == user_id))" + 30 * " "]),
    ("two_statements_on_a_line", ["a = 1; r = await session.scalar(select(User).where(User.id == user_id))"]),
    ("a_statement_behind", ["r = await session.scalar(select(User).where(User.id == user_id)); a = 1"]),
    ("a_body_beside_its_header", ["if a: r = await session.scalar(select(User).where(User.id == user_id))"]),
    ("a_body_beside_the_edited_header", ["if session.scalar(select(User).where(User.id == user_id)): a = 1"]),
    ("needless_parentheses", ["r = await session.scalar((select(User).where(User.id == user_id)), a)"]),
    ("parentheses_around_the_value", ["r = (await session.scalar((select(User).where(User.id == user_id))), a)"]),
    ("a_backslash", ["r = await session.scalar( \\", "    select(User).where(User.id == user_id, User.x == 'x'))"]),
    ("lines_aligned_at_a_bracket", ["r = run(select(User).where(User.id == user_id, User.x == x),", "        a)"]),
    ("a_comment_inside", ["r = run(  # a", "    select(User).where(User.id == user_id, User.x == 1 + 22)", ")"]),
    ("a_lambda", ["r = await session.run(lambda s: s.scalars(select(User).where(User.id == user_id)))"]),
    ("an_f_string", ["r = f'{await session.scalar(select(User).where(User.id == user_id)):>20} is found'"]),
    ("a_comparison", ["return (await session.scalar(select(User).where(User.id == user_id))) is not None"]),
    ("an_awaited_chain_without_a_name", ["await session.query(User).filter(User.id == user_id).delete(how='fetched')"]),
    ("an_or", ["return await session.scalar(select(User).where(User.id == user_id)) or User()"]),
    ("an_assertion", ["assert await session.scalar(select(User).where(User.id == user_id)), 'no user'"]),
    ("a_named_expression", ["if (r := await session.scalar(select(User).where(User.id == user_id))):", "    pass"]),
    ("a_text_of_several_lines", ["r = page(select(User).where(User.id == user_id), name, '''a", "    ''', user)"]),
    ("a_target_on_several_lines", ["r[", "    0", "] = await session.scalar(select(User).where(User.id == user_id))"]),
]  # fmt: skip


@pytest.mark.parametrize("before", [c[1] for c in LEFT], ids=[c[0] for c in LEFT])
def test_what_cannot_be_laid_out_for_certain_stays_long(before: list[str]) -> None:
    text = in_function(*before)
    long = long_of(text)
    assert max(len(line) for line in long.split("\n")) > 88
    assert made_of(text) == long


def test_what_does_not_fit_on_any_line_stays_long() -> None:
    text = in_function("user = await session.scalar(select(User).where(User.id == user_id))")
    options = ("selectinload(User." + "name" * 20 + ")",)
    assert made_of(text, options) == long_of(text, options)


def test_a_line_that_fits_exactly_stays() -> None:
    text = in_function("result = await session.execute(select(User).where(User.id == user_id))")
    longest = max(len(line) for line in long_of(text).split("\n"))
    assert made_of(text, ROLES, longest) == long_of(text)
    assert made_of(text, ROLES, longest - 1) != long_of(text)


def test_the_line_that_counts_is_the_one_in_the_block() -> None:
    text = """\
async def f():
    session = F()
    user = await session.scalar(select(User).where(User.id == user_id))
    return user
"""
    longest = max(len(line) for line in long_of(text).split("\n"))
    assert made_of(text, ROLES, longest) == long_of(text)
    assert (
        made_of(text, ROLES, longest, opened("session", "user", "return"))
        == """\
async def f():
    async with F() as session:
        user = await session.scalar(
            select(User).options(selectinload(User.roles)).where(User.id == user_id)
        )
        return user
"""
    )


def test_other_long_lines_stay() -> None:
    other = "    other = call(" + ", ".join(["argument"] * 12) + ")\n"
    text = "async def f():\n" + other + "    user = await session.get(User, user_id)\n" + other
    after = made_of(text, ROLES, 60)
    assert after.count(other) == 2
    assert "    user = await session.get(\n        User, user_id, options=[selectinload(User.roles)]\n    )\n" in after


def test_two_edits_of_one_line_are_laid_out_together() -> None:
    text = in_function("return await union(select(User), select(User).where(User.id == user_id))")
    assert made_of(text) == in_function(
        "return await union(",
        "    select(User).options(selectinload(User.roles)),",
        "    select(User).options(selectinload(User.roles)).where(User.id == user_id),",
        ")",
    )


def test_the_smaller_of_two_limits_of_a_line_counts() -> None:
    text = in_function("return await union(select(User), select(User))")
    first, second = loaded(text, ROLES, 400)
    assert isinstance(second, ChainCall)
    edits = [first, replace(second, limit=88)]
    assert compose(source(text), edits, []).decode() == made_of(text)


def test_tabs_and_line_ends_of_the_file_are_used() -> None:
    text = (
        "async def f():\r\n\tuser = await session.scalar(select(User).where(User.id == user_id))\r\n\treturn user\r\n"
    )
    assert made_of(text, ROLES, 88, indent="\t", newline="\r\n") == (
        "async def f():\r\n"
        "\tuser = await session.scalar(\r\n"
        "\t\tselect(User).options(selectinload(User.roles)).where(User.id == user_id)\r\n"
        "\t)\r\n"
        "\treturn user\r\n"
    )


def test_the_last_line_of_a_file_stays_without_a_line_end() -> None:
    text = "user = await session.scalar(select(User).where(User.id == user_id))"
    text = f"async def f():\n    {text}"
    assert made_of(text).endswith("\n    )")


def test_wide_characters_take_two_columns() -> None:
    assert (width("a\tä"), width("名"), width("a\u0308")) == (6, 2, 1)
    text = in_function("return await session.scalar(select(User).where(User.name == '名名名名名名名'))")
    longest = max(width(line) for line in long_of(text).split("\n"))
    assert longest > max(len(line) for line in long_of(text).split("\n"))
    assert made_of(text, ROLES, longest) == long_of(text)
    assert made_of(text, ROLES, longest - 1) != long_of(text)


# --- any statement ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "user_id", "tenant_identifier", "the_name_of_a_customer"])
CONDITIONS = st.builds("User.{} == {}".format, NAMES, NAMES)
STEPS = st.one_of(
    st.builds(".where({})".format, CONDITIONS),
    st.builds(".where({}, {})".format, CONDITIONS, CONDITIONS),
    st.builds(".order_by(User.{})".format, NAMES),
    st.sampled_from([".limit(10)", ".distinct()"]),
)
QUERIES = st.builds("{}{}".format, st.just("select(User)"), st.lists(STEPS, max_size=3).map("".join))
GETS = st.builds("await session.get(User, {}{})".format, NAMES, st.sampled_from(["", ", with_for_update=True"]))
RUNS = st.one_of(
    GETS,
    st.builds("await session.{}({})".format, st.sampled_from(["scalar", "scalars", "execute"]), QUERIES),
    st.builds("await session.query(User){}.first()".format, st.lists(STEPS, max_size=2).map("".join)),
    st.builds("await page(session, {}, {})".format, QUERIES, NAMES),
    st.builds("await page({}, {}={})".format, NAMES, NAMES, QUERIES),
)
READ = st.sampled_from(["{}", "({}).one()", "({}).scalars().all()", "list(({}).all())", "wrapped({}, limit=1)"])
AROUND = st.sampled_from(["{}", "[{}]", "[one for one in {}]", "{{'found': {}, 'limit': 1}}", "first({})[0].name"])
VALUES = st.one_of(QUERIES, st.builds(lambda run, read, around: around.format(read.format(run)), RUNS, READ, AROUND))
STATEMENTS = st.builds(
    lambda value, form: form.format(value),
    VALUES,
    st.sampled_from(
        [
            "found = {}",
            "return {}",
            "{}",
            "self.found: Any = {}",
            "a = b = {}",
            "for one in {}:\n        use(one)",
            "if {}:\n        use()",
            "found = {}  # in the order of their names",
            "with a:\n        return {}",
        ]
    ),
)


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@settings(deadline=None, max_examples=40)
@given(
    statements=st.lists(STATEMENTS, min_size=1, max_size=8),
    limit=st.sampled_from([60, 79, 88, 100]),
    options=st.sampled_from([ROLES, TWO, THREE, DEEP]),
)
def test_every_statement_is_as_ruff_would_write_it_or_becomes_so(
    statements: list[str], limit: int, options: Sequence[str]
) -> None:
    for statement in statements:
        text = formatted(in_function(statement), limit)
        long = long_of(text, options)
        after = made_of(text, options, limit)
        assert formatted(after, limit) == formatted(long, limit)


@settings(deadline=None)
@given(statement=STATEMENTS, limit=st.integers(40, 120), options=st.sampled_from([ROLES, TWO, THREE, DEEP]))
def test_what_is_laid_out_gets_shorter_and_means_the_same(statement: str, limit: int, options: Sequence[str]) -> None:
    text = in_function("before = 1  # one", statement, "after()")
    long, after = long_of(text, options), made_of(text, options, limit)
    assert ast.dump(ast.parse(after)) == ast.dump(ast.parse(long))
    longest, now = (max(width(line) for line in one.split("\n")) for one in (long, after))
    assert now < longest or after == long
    assert after.startswith("async def f(user_id):\n    before = 1  # one\n")
    assert after.endswith("\n    after()\n")


# --- the printer ------------------------------------------------------------------------------------------------------


def test_a_group_that_fits_stands_on_one_line() -> None:
    items: Document = Group(("(", Indented((Break(), "a,", Break(" "), "b", IfBroken(","))), Break(), ")"))
    assert printed([items], limit=7, margin="", step="  ", column=0) == "(a, b)"
    assert printed([items], limit=5, margin=" ", step="  ", column=0) == "(\n   a,\n   b,\n )"
    assert printed(["f", items], limit=7, margin="", step="  ", column=0) == "f(a, b)"
    assert printed(["f", items, ":"], limit=7, margin="", step="  ", column=0) == "f(\n  a,\n  b,\n):"


def test_what_must_break_breaks_what_is_around_it() -> None:
    inner = Group(("[", Indented((Break(), "a")), Break(), "]"), must_break=True)
    outer = Group(("(", Indented((Break(), inner)), Break(), ")"))
    assert printed([outer], limit=80, margin="", step="  ", column=0) == "(\n  [\n    a\n  ]\n)"
