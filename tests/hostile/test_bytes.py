"""Bytes as people and editors leave them, around a leak: the cure touches its own lines, or the file is refused."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from hostile.projects import CURED, LEAK, after, failed, lay, run


def cured(root: Path, data: bytes) -> bytes:
    """The new bytes of a file with these; fails when it was not changed."""
    plan = run(lay(root, {"odd.py": data}))
    assert failed(plan) == {}
    return after(plan)["odd.py"]


def refused(root: Path, data: bytes) -> str:
    """Why a file with these bytes is left as it is, be it as a file or as a place."""
    plan = run(lay(root, {"odd.py": data, "good.py": LEAK}))
    assert after(plan) == {"good.py": CURED.encode()}
    failures = failed(plan)
    if "odd.py" in failures:
        return failures["odd.py"]
    reasons = [entry.text for entry in plan.ledger.entries if entry.site.path == "odd.py"]
    assert reasons
    return " ".join(reasons)


@pytest.mark.parametrize(
    ("start", "codec"),
    [
        ("# -*- coding: latin-1 -*-\n# é\n", "latin-1"),
        ("# vim: set fileencoding=cp1252 :\n# €\n", "cp1252"),
        ("#!/usr/bin/python\n# coding: shift_jis\n# 日本\n", "shift_jis"),
        ("# coding: utf-8-unix\n# €\n", "utf-8"),
        ("\n# coding: koi8-r\n# привет\n", "koi8-r"),
    ],
)
def test_a_declared_encoding_is_kept(tmp_path: Path, start: str, codec: str) -> None:
    assert cured(tmp_path, (start + LEAK).encode(codec)) == (start + CURED).encode(codec)


def test_a_mark_and_windows_line_ends_are_kept_together(tmp_path: Path) -> None:
    data = codecs.BOM_UTF8 + LEAK.replace("\n", "\r\n").encode()
    assert cured(tmp_path, data) == codecs.BOM_UTF8 + CURED.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "data",
    [
        LEAK.encode("utf-16"),
        LEAK.encode("utf-32"),
        LEAK.encode("utf-16-le"),
        b"# coding: utf-16\n" + LEAK.encode(),
        b"# coding: no-such-codec\n" + LEAK.encode(),
        b"# coding: utf-8\n# \xe9\n" + LEAK.encode(),
        b"# coding: ascii\n# \xc3\xa9\n" + LEAK.encode(),
        codecs.BOM_UTF8 + b"# coding: latin-1\n" + LEAK.encode(),
        LEAK.encode() + b"\0",
        LEAK.replace("\n", "\r").encode(),
    ],
    ids=[
        *("utf16", "utf32", "utf16_without_mark", "utf16_declared", "unknown", "lies", "lies_ascii", "mark_and_cookie"),
        *("nul", "old_mac"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_reason(tmp_path: Path, data: bytes) -> None:
    reason = refused(tmp_path, data)
    assert reason
    assert "internal" not in reason


def test_line_ends_that_are_mixed_stay_each_as_it_is(tmp_path: Path) -> None:
    mixed = LEAK.replace("execute(query)\n", "execute(query)\r\n") + "x = 1\r\ny = 2\n"
    after_it = cured(tmp_path, mixed.encode())
    assert after_it.endswith(b"    return 1\nx = 1\r\ny = 2\n")
    assert b"        await session.execute(query)\r\n" in after_it


@pytest.mark.parametrize("odd", ["\x0c", "\x0c\n", "    \x0c\n"], ids=["alone", "page", "in_a_block"])
def test_a_form_feed_is_kept_or_the_place_is_refused(tmp_path: Path, odd: str) -> None:
    text = (
        LEAK.replace("    await", f"{odd}    await")
        if odd == "\x0c"
        else LEAK.replace("    return", f"{odd}    return")
    )
    plan = run(lay(tmp_path, {"odd.py": text}))
    assert failed(plan) == {}
    assert after(plan).get("odd.py", text.encode()).count(b"\x0c") == 1


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\x1d", "\x1e"])
def test_what_only_looks_like_a_line_end_is_text(tmp_path: Path, separator: str) -> None:
    added = f"    x = '{separator}'  # {separator} y\n"
    before, expected = (one.replace("    return", f"{added}    return") for one in (LEAK, CURED))
    assert cured(tmp_path, before.encode()) == expected.encode()


def test_text_in_triple_quotes_is_never_indented(tmp_path: Path) -> None:
    text = LEAK.replace("execute(query)", 'execute("""\nselect 1\n\tfrom x\n  """)')
    expected = CURED.replace("execute(query)", 'execute("""\nselect 1\n\tfrom x\n  """)')
    assert cured(tmp_path, text.encode()) == expected.encode()


def test_text_in_a_triple_quoted_f_string_is_never_indented(tmp_path: Path) -> None:
    text = LEAK.replace("execute(query)", 'execute(f"""\nselect {\nquery\n}\n  """)')
    plan = run(lay(tmp_path, {"odd.py": text}))
    after_it = after(plan).get("odd.py", text.encode()).decode()
    assert 'execute(f"""\nselect {\nquery\n}\n  """)' in after_it


def test_a_line_continued_inside_of_a_string_is_never_indented(tmp_path: Path) -> None:
    text = LEAK.replace("execute(query)", "execute('one\\\ntwo')")
    assert b"'one\\\ntwo'" in cured(tmp_path, text.encode())


@pytest.mark.parametrize("end", ["", "  # the end", "  # the end \\", "  ", "\n\n\n", "\n    ", "\n# last", "\n\t"])
def test_the_end_of_a_file_stays_as_it_is(tmp_path: Path, end: str) -> None:
    text = LEAK.removesuffix("    return 1\n").removesuffix("\n") + end
    plan = run(lay(tmp_path, {"odd.py": text}))
    assert failed(plan) == {}
    if "odd.py" in after(plan):
        changed = after(plan)["odd.py"].decode()
        assert changed.endswith(f"        await session.execute(query){end}")


def test_a_backslash_at_the_very_end_is_refused(tmp_path: Path) -> None:
    assert "not valid Python" in refused(tmp_path, (LEAK + "x = 1 \\").encode())


@pytest.mark.parametrize("step", [" ", "  ", "\t", "        ", "\t\t", "   "])
def test_the_step_of_indentation_is_that_of_the_file(tmp_path: Path, step: str) -> None:
    assert cured(tmp_path, LEAK.replace("    ", step).encode()) == CURED.replace("    ", step).encode()


def test_tabs_and_spaces_in_one_file_stay_where_they_are(tmp_path: Path) -> None:
    other = "\n\ndef other():\n\tif new_session:\n\t\treturn 2\n"
    assert cured(tmp_path, (LEAK + other).encode()) == (CURED + other).encode()


def test_tabs_and_spaces_that_no_python_reads_are_refused(tmp_path: Path) -> None:
    assert "inconsistent use of tabs" in refused(tmp_path, (LEAK + "if LEAK:\n        x = 1\n\ty = 1\n").encode())


def deep_function(levels: int, header: str) -> str:
    """A leak under that many blocks, in a function."""
    lines = ["from db import new_session", "", "", "async def count(query):"]
    lines += ["    " * (depth + 1) + header for depth in range(levels)]
    inside = "    " * (levels + 1)
    lines += [f"{inside}session = new_session()", f"{inside}await session.execute(query)"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("levels", [17, 18, 19, 20])
def test_one_block_more_than_cpython_takes_is_never_made(tmp_path: Path, levels: int) -> None:
    text = deep_function(levels, "with query:")
    plan = run(lay(tmp_path, {"odd.py": text}))
    for data in after(plan).values():
        compile(data, "odd.py", "exec")
    assert ("odd.py" in after(plan)) is (levels < 20)


@pytest.mark.parametrize("levels", [97, 98, 99])
def test_one_indent_more_than_cpython_takes_is_never_made(tmp_path: Path, levels: int) -> None:
    text = deep_function(levels, "if query:")
    plan = run(lay(tmp_path, {"odd.py": text}))
    for data in after(plan).values():
        compile(data, "odd.py", "exec")
    assert ("odd.py" in after(plan)) is (levels < 98)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1; y = 2",
        "x = 1;",
        "pass ; pass",
        "if query: x = 1; y = 2",
        "x = \\\n  1",
        "x = (\n1\n  )",
        "type = match = case = 1",
    ],
)
def test_odd_lines_inside_of_the_block_keep_their_tokens(tmp_path: Path, line: str) -> None:
    text = LEAK.replace("    await session", f"    await session.begin()\n    {line}\n    await session")
    if "; " in line.replace(" ;", ";") and not line.startswith("if"):
        assert "line" in refused(tmp_path, text.encode())
    else:
        compile(cured(tmp_path, text.encode()), "odd.py", "exec")
