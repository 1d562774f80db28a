"""Dependencies that guard and close what they hand out: exact texts before and after."""

from __future__ import annotations

import re

import pytest
from test_compose import Asked, Case, case, composed, line_of, opened, removed, source, widened
from test_compose_dissolve import dissolved, entered
from test_compose_expressions import replaced

from codemods.plan import AddFinally, GuardBlock
from codemods.transformers import slices
from codemods.transformers.compose import ComposeError


def guarded(first: str, last: str, name: str = "session", *, is_async: bool = True) -> Asked:
    return lambda text: GuardBlock("app/a.py", line_of(text, first), line_of(text, last), is_async, name)


def closed(start: str, name: str = "session", *, is_async: bool = True) -> Asked:
    return lambda text: AddFinally("app/a.py", line_of(text, start), is_async, name)


CASES = [
    case(
        "uses_and_a_commit",
        """\
async def dep():
    session = F()
    yield session  # hand it out
    await session.commit()
""",
        guarded("yield", "await session.commit"),
        after="""\
async def dep():
    session = F()
    try:
        yield session  # hand it out
        await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "the_old_close_goes_its_comments_stay",
        """\
async def dep():
    \"\"\"Hand out a session.\"\"\"
    session = F()  # make

    # hand it out
    yield session  # here

    await session.commit()
    # give it back
    await session.close()  # done

# after
x = 1
""",
        guarded("yield", "await session.close"),
        removed("await session.close"),
        after="""\
async def dep():
    \"\"\"Hand out a session.\"\"\"
    session = F()  # make

    try:
        # hand it out
        yield session  # here

        await session.commit()
        # give it back
        # done
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()

# after
x = 1
""",
    ),
    case(
        "close_after_the_guard",
        """\
async def dep():
    session = F()
    yield session
    await session.close()  # done
""",
        guarded("yield", "yield"),
        removed("await session.close"),
        after="""\
async def dep():
    session = F()
    try:
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
    # done
""",
    ),
    case(
        "sync_session",
        """\
def dep():
    session = F()
    yield session
    session.close()
""",
        guarded("yield", "session.close", is_async=False),
        removed("session.close"),
        after="""\
def dep():
    session = F()
    try:
        yield session
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
""",
    ),
    case(
        "comments_far_above_stay_above",
        """\
async def dep():
    session = F()
    # far

    # near
    yield session
    # below

    return
""",
        guarded("yield", "yield"),
        after="""\
async def dep():
    session = F()
    # far

    try:
        # near
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
    # below

    return
""",
    ),
    case(
        "blank_lines_inside_stay",
        """\
async def dep():
    session = F()


    yield session


    await session.commit()


    log()
""",
        guarded("yield", "await session.commit"),
        after="""\
async def dep():
    session = F()


    try:
        yield session


        await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()


    log()
""",
    ),
    case(
        "statements_below_stay_below",
        """\
async def dep():
    session = F()
    yield session
    log()
    return
""",
        guarded("yield", "yield"),
        after="""\
async def dep():
    session = F()
    try:
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
    log()
    return
""",
    ),
    case(
        "strings_and_continued_lines",
        """\
async def dep():
    session = F()
    await session.execute(\"\"\"
  select
        1\"\"\",
        {},  # none
    )
    x = 1 + \\
        2
    yield session
""",
        guarded("await session.execute", "yield"),
        after="""\
async def dep():
    session = F()
    try:
        await session.execute(\"\"\"
  select
        1\"\"\",
            {},  # none
        )
        x = 1 + \\
            2
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "compound_statements",
        """\
async def dep(x):
    session = F()
    # once
    if x:
        # deep
        yield session  # one
        # end of it
    else:
        yield None
    # after
    log()
""",
        guarded("if x", "if x"),
        after="""\
async def dep(x):
    session = F()
    try:
        # once
        if x:
            # deep
            yield session  # one
            # end of it
        else:
            yield None
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
    # after
    log()
""",
    ),
    case(
        "beside_a_block_inside",
        """\
async def dep():
    session = F()
    # other
    other = G()
    await other.use(session)
    yield session
""",
        guarded("other = ", "yield"),
        opened("other = ", "await other", "await other", "other"),
        after="""\
async def dep():
    session = F()
    try:
        # other
        async with G() as other:
            await other.use(session)
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "block_made_above_is_around",
        """\
async def dep():
    other = G()
    session = F()
    await other.use(session)
    yield session
""",
        guarded("await other", "yield"),
        opened("other = ", "session = ", "yield", "other"),
        after="""\
async def dep():
    async with G() as other:
        session = F()
        try:
            await other.use(session)
            yield session
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()
""",
    ),
    case(
        "block_over_the_same_statements_made_above_is_around",
        """\
async def dep(session):
    other = G()  # made
    await other.use(session)
    yield session
""",
        guarded("await other", "yield"),
        opened("other = ", "await other", "yield", "other"),
        after="""\
async def dep(session):
    async with G() as other:  # made
        try:
            await other.use(session)
            yield session
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()
""",
    ),
    case(
        "block_over_the_same_statements_made_inside_is_inside",
        """\
async def dep(session):
    # use
    other = G()  # made
    await other.use(session)
    yield session
""",
        guarded("other = ", "yield"),
        opened("other = ", "other = ", "yield", "other"),
        after="""\
async def dep(session):
    try:
        # use
        async with G() as other:  # made
            await other.use(session)
            yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "block_entered_late_is_inside",
        """\
async def dep(session):
    yield session
    await session.commit()
""",
        guarded("yield", "await session.commit"),
        entered("yield", "await session.commit", "session.begin()", None),
        after="""\
async def dep(session):
    try:
        async with session.begin():
            yield session
            await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "two_guards_over_the_same_statements",
        """\
async def dep():
    a = F()
    b = F()
    yield a, b
""",
        guarded("yield", "yield", "a"),
        guarded("yield", "yield", "b"),
        after="""\
async def dep():
    a = F()
    b = F()
    try:
        try:
            yield a, b
        except Exception:
            await b.rollback()
            raise
        finally:
            await b.close()
    except Exception:
        await a.rollback()
        raise
    finally:
        await a.close()
""",
    ),
    case(
        "guards_in_each_other",
        """\
async def dep():
    a = F()
    await a.x()
    b = F()
    yield a, b
    await a.y()
""",
        guarded("await a.x", "await a.y", "a"),
        guarded("yield", "yield", "b"),
        after="""\
async def dep():
    a = F()
    try:
        await a.x()
        b = F()
        try:
            yield a, b
        except Exception:
            await b.rollback()
            raise
        finally:
            await b.close()
        await a.y()
    except Exception:
        await a.rollback()
        raise
    finally:
        await a.close()
""",
    ),
    case(
        "widened_block_inside",
        """\
async def dep():
    session = F()
    async with G() as other:
        await other.a()
    await other.b(session)
    yield session
""",
        guarded("async with", "yield"),
        widened("async with", "await other.b"),
        after="""\
async def dep():
    session = F()
    try:
        async with G() as other:
            await other.a()
            await other.b(session)
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "guard_in_a_widened_block",
        """\
async def dep():
    async with G() as other:
        session = F()
    yield session, other
""",
        guarded("yield", "yield"),
        widened("async with", "yield"),
        after="""\
async def dep():
    async with G() as other:
        session = F()
        try:
            yield session, other
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()
""",
    ),
    case(
        "first_statement_of_the_range_goes",
        """\
async def dep(session):
    # begin
    await session.begin()  # now

    yield session
""",
        guarded("await session.begin", "yield"),
        removed("await session.begin"),
        after="""\
async def dep(session):
    try:
        # begin
        # now

        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "everything_inside_goes",
        """\
async def dep(session):
    await session.close()  # now
""",
        guarded("await session.close", "await session.close"),
        removed("await session.close"),
        after="""\
async def dep(session):
    try:
        # now
        pass
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "statement_above_it_goes_from_the_start_of_the_suite",
        """\
async def dep(session):
    await session.close()

    yield session
""",
        guarded("yield", "yield"),
        removed("await session.close"),
        after="""\
async def dep(session):
    try:
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "try_inside_loses_its_finally",
        """\
async def dep():
    session = F()
    try:  # guard
        yield session
    finally:  # back
        await session.close()  # done
""",
        guarded("try", "try"),
        dissolved("try", "await session.close"),
        after="""\
async def dep():
    session = F()
    try:
        # guard
        yield session
        # back
        # done
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "try_inside_loses_its_finally_after_a_block_under_the_guard",
        """\
async def dep():
    session = F()
    try:
        other = G()
        yield session, other
    finally:  # back
        await session.close()
""",
        guarded("yield", "yield"),
        dissolved("try", "await session.close"),
        opened("other = ", "yield", "yield", "other"),
        after="""\
async def dep():
    session = F()
    async with G() as other:
        try:
            yield session, other
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()
        # back
""",
    ),
    case(
        "expression_inside_replaced",
        """\
async def dep():
    session = F()
    await run(F(), 1)  # run
    yield session
""",
        guarded("await run", "yield"),
        replaced("await run", "F()", "session"),
        after="""\
async def dep():
    session = F()
    try:
        await run(session, 1)  # run
        yield session
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "in_a_branch",
        """\
async def dep(x):
    if x:
        session = F()
        yield session
        # back
        await session.close()
    else:
        yield None
""",
        guarded("yield session", "await session.close"),
        removed("await session.close"),
        after="""\
async def dep(x):
    if x:
        session = F()
        try:
            yield session
            # back
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()
    else:
        yield None
""",
    ),
    case(
        "method",
        """\
class A:
    async def dep(self):
        session = F()
        yield session

    def other(self): ...
""",
        guarded("yield", "yield"),
        after="""\
class A:
    async def dep(self):
        session = F()
        try:
            yield session
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()

    def other(self): ...
""",
    ),
    case(
        "module_level",
        """\
session = F()
run(session)  # all

x = 1
""",
        guarded("run", "run", is_async=False),
        after="""\
session = F()
try:
    run(session)  # all
except Exception:
    session.rollback()
    raise
finally:
    session.close()

x = 1
""",
    ),
    case(
        "step_of_the_suite",
        """\
async def dep():
  session = F()
  yield session
""",
        guarded("yield", "yield"),
        after="""\
async def dep():
  session = F()
  try:
    yield session
  except Exception:
    await session.rollback()
    raise
  finally:
    await session.close()
""",
        indent="  ",
    ),
    case(
        "module_level_with_blank_lines",
        """\
session = F()
run(session)


# why

x = (  # x

    1)

def f():
    pass
""",
        guarded("run", "def f", is_async=False),
        after="""\
session = F()
try:
    run(session)


    # why

    x = (  # x

        1)

    def f():
        pass
except Exception:
    session.rollback()
    raise
finally:
    session.close()
""",
    ),
    case(
        "block_opened_at_module_level_with_blank_lines",
        """\
session = F()
run(session)

# why
x = 1
""",
        opened("session = ", "run", "x = ", sync=True),
        after="""\
with F() as session:
    run(session)

    # why
    x = 1
""",
    ),
    case(
        "tabs",
        "async def dep():\n\tif x:\n\t\tsession = F()\n\t\tyield session\n",
        guarded("yield", "yield"),
        after="async def dep():\n\tif x:\n\t\tsession = F()\n\t\ttry:\n\t\t\tyield session\n"
        "\t\texcept Exception:\n\t\t\tawait session.rollback()\n\t\t\traise\n\t\tfinally:\n"
        "\t\t\tawait session.close()\n",
        indent="\t",
    ),
    case(
        "windows_line_ends",
        "async def dep():\r\n    session = F()\r\n    # out\r\n    yield session  # here\r\n"
        "    await session.close()\r\n",
        guarded("yield", "await session.close"),
        removed("await session.close"),
        after="async def dep():\r\n    session = F()\r\n    try:\r\n        # out\r\n"
        "        yield session  # here\r\n    except Exception:\r\n"
        "        await session.rollback()\r\n        raise\r\n    finally:\r\n"
        "        await session.close()\r\n",
    ),
    case(
        "no_newline_at_the_end_of_the_file",
        "async def dep():\n    session = F()\n    yield session  # out",
        guarded("yield", "yield"),
        after="async def dep():\n    session = F()\n    try:\n        yield session  # out\n"
        "    except Exception:\n        await session.rollback()\n        raise\n    finally:\n"
        "        await session.close()",
    ),
    case(
        "comment_outside_the_indentation",
        """\
async def dep():
    session = F()
# left
    yield session
# left too
    log()
""",
        guarded("yield", "log"),
        after="""\
async def dep():
    session = F()
    try:
# left
        yield session
# left too
        log()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "finally_after_handlers",
        """\
async def dep():
    session = F()
    try:
        yield session
    except E:  # e
        await session.rollback()
        raise
""",
        closed("try"),
        after="""\
async def dep():
    session = F()
    try:
        yield session
    except E:  # e
        await session.rollback()
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "finally_after_comments_of_the_last_handler",
        """\
async def dep():
    session = F()
    try:
        yield session
    except E:
        raise
        # deep

    # after
    return
""",
        closed("try"),
        after="""\
async def dep():
    session = F()
    try:
        yield session
    except E:
        raise
        # deep
    finally:
        await session.close()

    # after
    return
""",
    ),
    case(
        "finally_after_an_else",
        """\
def dep():
    session = F()
    try:
        yield session
    except E: raise
    else:
        # fine
        session.commit()  # now

    log()
""",
        closed("try", is_async=False),
        after="""\
def dep():
    session = F()
    try:
        yield session
    except E: raise
    else:
        # fine
        session.commit()  # now
    finally:
        session.close()

    log()
""",
    ),
    case(
        "finally_of_a_try_on_one_line",
        """\
def dep():
  session = F()
  try: yield session
  except E: raise  # e
""",
        closed("try", is_async=False),
        after="""\
def dep():
  session = F()
  try: yield session
  except E: raise  # e
  finally:
    session.close()
""",
        indent="  ",
    ),
    case(
        "finally_with_the_step_of_the_try",
        """\
async def dep():
    session = F()
    try:
      yield session
    except E:
      raise
""",
        closed("try"),
        after="""\
async def dep():
    session = F()
    try:
      yield session
    except E:
      raise
    finally:
      await session.close()
""",
    ),
    case(
        "finally_of_a_try_whose_body_is_edited",
        """\
async def dep():
    session = F()
    try:
        other = G()  # other
        yield session, other
        await session.close()  # done
    except E:
        raise
""",
        closed("try"),
        opened("other = ", "yield", "yield", "other"),
        removed("await session.close"),
        after="""\
async def dep():
    session = F()
    try:
        async with G() as other:  # other
            yield session, other
        # done
    except E:
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "finally_of_a_try_in_a_block",
        """\
async def dep():
    other = G()
    session = F()
    try:
        yield session
    except E:
        raise
""",
        closed("try"),
        opened("other = ", "session = ", "try", "other"),
        after="""\
async def dep():
    async with G() as other:
        session = F()
        try:
            yield session
        except E:
            raise
        finally:
            await session.close()
""",
    ),
    case(
        "finally_for_groups_of_exceptions",
        """\
async def dep(session):
    try:
        yield session
    except* E:
        raise
""",
        closed("try"),
        after="""\
async def dep(session):
    try:
        yield session
    except* E:
        raise
    finally:
        await session.close()
""",
    ),
    case(
        "finally_windows_line_ends",
        "async def dep(s):\r\n    try:\r\n        yield s\r\n    except E:\r\n        raise\r\n\r\nx = 1\r\n",
        closed("try", "s"),
        after="async def dep(s):\r\n    try:\r\n        yield s\r\n    except E:\r\n        raise\r\n"
        "    finally:\r\n        await s.close()\r\n\r\nx = 1\r\n",
    ),
    case(
        "finally_without_newline_at_the_end_of_the_file",
        "def dep(s):\n    try:\n        yield s\n    except E:\n        raise  # e",
        closed("try", "s", is_async=False),
        after="def dep(s):\n    try:\n        yield s\n    except E:\n        raise  # e\n    finally:\n"
        "        s.close()",
    ),
    case(
        "finally_and_comments_at_the_end_of_the_file",
        """\
def dep(s):
    try:
        yield s
    except E:
        raise

        # deep
    # less
# out
""",
        closed("try", "s", is_async=False),
        after="""\
def dep(s):
    try:
        yield s
    except E:
        raise

        # deep
    finally:
        s.close()
    # less
# out
""",
    ),
]

USED = "def f(s):\n    s.a()\n    s.b()\n    s.c()\n    s.d()\n"
TRIED = "def f(s):\n    try:\n        s.a()\n    except E:\n        s.b()\n"
REFUSED = [
    ("name_that_is_none", USED, (guarded("s.a", "s.b", "s.t", is_async=False),), "`s.t` is no name"),
    ("name_that_is_a_keyword", USED, (guarded("s.a", "s.b", "if", is_async=False),), "`if` is no name"),
    ("awaits_where_nothing_may", USED, (guarded("s.a", "s.b", "s"),), "does not compile"),
    ("out_of_order", USED, (guarded("s.b", "s.a", "s", is_async=False),), "out of order"),
    (
        "not_of_one_suite",
        TRIED,
        (guarded("try", "s.a", "s", is_async=False),),
        "not of one suite",
    ),
    (
        "guards_that_overlap",
        USED,
        (guarded("s.a", "s.c", "s", is_async=False), guarded("s.b", "s.d", "s", is_async=False)),
        "overlap",
    ),
    (
        "block_that_overlaps",
        USED.replace("s.b()", "t = F()"),
        (guarded("s.a", "s.c", "s", is_async=False), opened("t = ", "s.c", "s.d", "t", sync=True)),
        "overlap",
    ),
    (
        "guard_that_ends_inside_what_a_block_takes_in",
        "def f(s):\n    with s:\n        s.a()\n    s.b()\n    s.c()\n",
        (guarded("with", "s.b", "s", is_async=False), widened("with", "s.c")),
        "overlap",
    ),
    (
        "shares_its_line",
        USED.replace("s.a()\n    s.b()", "s.a(); s.b()"),
        (guarded("s.a", "s.c", "s", is_async=False),),
        "shares its line",
    ),
    ("no_try", TRIED, (closed("s.a", "s"),), "no `try` without a `finally`"),
    (
        "finally_that_is_there",
        TRIED + "    finally:\n        s.c()\n",
        (closed("try", "s", is_async=False),),
        "no `try` without a `finally`",
    ),
    ("finally_for_no_name", TRIED, (closed("try", "s()"),), "`s()` is no name"),
    ("two_finallies", TRIED, (closed("try", "s"), closed("try", "t")), "changed in two ways"),
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
