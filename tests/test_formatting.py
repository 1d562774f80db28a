"""The user's formatter sees copies, and only what it does to our lines is taken over. Real ruff."""

from __future__ import annotations

import ast
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviews.projects import frozen, odd_project
from reviews.projects import write as write_files

from codemods import planned
from codemods.formatted_lines import NotTaken, for_formatter, taken_over
from codemods.formatting import FormatError, Formatter
from codemods.plan import Change

RUFF = f"{shlex.quote(str(Path(sys.executable).with_name('ruff')))} format --no-cache -q {{files}}"
PYTHON = shlex.quote(sys.executable)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    return root


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def formatted(
    root: Path, before: str | bytes | None, after: str | bytes, command: str = RUFF, path: str = "app/a.py"
) -> bytes:
    old, new = (one.encode() if isinstance(one, str) else one for one in (before, after))
    assert new is not None
    found = Formatter(root, command).formatted([Change(path, old, new, ())])
    assert found.kept == {}
    return found.changes[0].after


UGLY = "x = {  'a':1 }\n"
BEFORE = f"{UGLY}\n\ndef f():\n    y = [ 1,2 ]\n    return y\n\n\n{UGLY}"


def test_only_our_lines_are_formatted(root: Path) -> None:
    after = BEFORE.replace("return y", "return  g( y )")
    assert formatted(root, BEFORE, after).decode() == BEFORE.replace("    return y", "    return g(y)").replace(
        "y = [ 1,2 ]", "y = [1, 2]"
    )  # the line next to ours, too
    far = BEFORE.replace("[ 1,2 ]\n", "[ 1,2 ]\n    z = 1\n    z = 2\n")
    after = far.replace("return y", "return  g( y )")
    assert formatted(root, far, after).decode() == far.replace("return y", "return g(y)")


def test_a_new_file_is_formatted_whole(root: Path) -> None:
    assert formatted(root, None, UGLY) == b'x = {"a": 1}\n'


def test_what_the_formatter_does_not_touch_stays(root: Path) -> None:
    after = BEFORE.replace("y = [ 1,2 ]", "y = [1, 2]")
    assert formatted(root, after, after) == after.encode()
    assert formatted(root, BEFORE, BEFORE) == BEFORE.encode()


def test_a_statement_over_several_lines_is_formatted_whole(root: Path) -> None:
    before = f"{UGLY}\n\n\ny = 0\nz = call(1,\n    2,\n    3)\n\n\n\n{UGLY}"
    after = before.replace("    2,\n", "    'two',\n")
    assert formatted(root, before, after).decode() == before.replace(
        "z = call(1,\n    2,\n    3)", 'z = call(1, "two", 3)'
    )


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "[tool.ruff]\nline-length = 40\n"),
        ("ruff.toml", "line-length = 40\n"),
        ("app/.ruff.toml", "line-length = 40\n"),
        ("../ruff.toml", "line-length = 40\n"),
        ("app/sub/ruff.toml", 'extend = "../../base/pyproject.toml"\n'),
    ],
)
def test_the_settings_of_the_project_hold(root: Path, file: str, text: str) -> None:
    write_files(root, {file: text})
    line = f"def f():\n    value = call({', '.join(['argument'] * 5)})\n"
    if "extend" in text:
        with pytest.raises(FormatError, match="failed with exit code 2"):
            formatted(root, None, line, path="app/sub/a.py")
        write_files(root, {"base/pyproject.toml": "[tool.ruff]\nline-length = 40\n", "base/x.py": ""})
        changes = [Change(path, None, line.encode(), ()) for path in ("base/x.py", "app/sub/a.py")]
        assert b"call(\n" in Formatter(root, RUFF).formatted(changes).changes[1].after
        return
    assert b"call(\n" in formatted(root, None, line, path="app/sub/a.py")


def test_nothing_but_a_temporary_folder_is_touched(root: Path, scratch: Path) -> None:
    write_files(root, {"app/a.py": BEFORE, "pyproject.toml": ""})

    def state() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}

    now = state()
    formatted(root, BEFORE, BEFORE.replace("return y", "return  2"), RUFF.replace("--no-cache ", ""))
    assert state() == now
    assert os.listdir(scratch) == []


NASTY = "# caf\u00e9\nx = {  'a':1 }\n\n\ndef f():\n    z = 1\n    y = 'caf\u00e9'\n    return y\n"


@pytest.mark.parametrize(
    ("mark", "encoding", "newline", "cookie"),
    [
        (b"", "utf-8", "\r\n", ""),
        (b"\xef\xbb\xbf", "utf-8", "\n", ""),
        (b"\xef\xbb\xbf", "utf-8", "\r\n", "# -*- coding: utf-8 -*-\n"),
        (b"", "latin-1", "\n", "# -*- coding: latin-1 -*-\n"),
        (b"", "cp1252", "\r\n", "# vim: set fileencoding=cp1252 :\n"),
    ],
)
def test_mark_encoding_and_line_ends_stay(root: Path, mark: bytes, encoding: str, newline: str, cookie: str) -> None:
    write_files(root, {"ruff.toml": '[format]\nline-ending = "lf"\n'})

    def data(text: str) -> bytes:
        return mark + (cookie + text).replace("\n", newline).encode(encoding)

    after = NASTY.replace("return y", "return  [ 'caf\u00e9' ]")
    wanted = NASTY.replace("return y", 'return ["caf\u00e9"]').replace("y = 'caf\u00e9'", 'y = "caf\u00e9"')
    assert formatted(root, data(NASTY), data(after)) == data(wanted)


def test_where_the_encoding_is_declared_nothing_is_taken_over(root: Path) -> None:
    after = b"#coding: latin-1\nx = '\xe9'\n"
    assert formatted(root, None, after) == b'#coding: latin-1\nx = "\xe9"\n'


def test_a_missing_final_newline_stays_missing_where_we_changed_nothing(root: Path) -> None:
    before = "a = 1\n\nb = [1]\n\nc = 2"
    assert formatted(root, before, before.replace("a = 1", "a  =  3")) == b"a = 3\n\nb = [1]\n\nc = 2"
    assert formatted(root, before, before.replace("c = 2", "c  =  3")) == b"a = 1\n\nb = [1]\n\nc = 3\n"


def program(root: Path, text: str) -> str:
    """A formatter: `text` sees a file's bytes as `data`, and changes it."""
    script = root.parent / "formatter.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfor path in map(Path, sys.argv[1:]):\n"
        f"    data = path.read_bytes()\n    {text}\n    path.write_bytes(data)\n"
    )
    return f"{PYTHON} {script} {{files}}"


@pytest.mark.parametrize(
    "text",
    [
        "data = data.replace(b'return  y', b'return z')",
        "data = data.replace(b'return  y', b'return (')",
        "data = data.replace(b'return  y  # why', b'return y')",
        "data = data.replace(b'return  y', b'return y\\xff')",
        "data = data.replace(b'return  y', b'return y\\0')",
    ],
)
def test_what_means_something_else_is_not_taken_over_and_said(root: Path, text: str) -> None:
    after = b"def f(y):\n    return  y  # why\n"
    found = Formatter(root, program(root, text)).formatted([Change("app/a.py", b"def f(y): pass\n", after, ())])
    assert found.changes[0].after == after
    assert list(found.kept) == ["app/a.py"]


def test_the_layout_of_docstrings_may_change(root: Path) -> None:
    after = 'def f():\n    """\n  What.   \n\n      More.\n    """\n'
    assert formatted(root, None, after) != after.encode()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("no-such-formatter {files}", "the shell found no such command"),
        ("echo it is broken >&2; exit 3; : {files}", "exit code 3.*it is broken"),
        ("rm {files}", "took app/a.py away"),
    ],
)
def test_a_command_that_fails_is_told(root: Path, scratch: Path, command: str, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        formatted(root, BEFORE, BEFORE + "z = 1\n", command)
    assert os.listdir(scratch) == []


def test_a_syntax_that_the_formatter_does_not_know_is_told(root: Path) -> None:
    with pytest.raises(FormatError, match="exit code 2"):
        formatted(root, None, "def (:\n")


def test_a_command_must_say_where_the_files_go(root: Path) -> None:
    with pytest.raises(FormatError, match=r"lacks \{files\}"):
        Formatter(root, "ruff format")


@pytest.mark.parametrize(
    "path", ["-x.py", "a b/it's.py", "$HOME;x.py", "a\nb.py", os.fsdecode(b"caf\xe9.py"), "\u0444.py"]
)
def test_odd_names_reach_the_formatter(root: Path, path: str) -> None:
    assert formatted(root, None, UGLY, path=path) == b'x = {"a": 1}\n'


def test_so_many_files_that_one_command_line_does_not_hold_them(root: Path) -> None:
    changes = [Change(f"app/{'long_name_' * 20}{n}.py", None, b"x=1\n", ()) for n in range(1200)]
    command = program(root, "data = data.replace(b'=', b' = ')")
    assert {one.after for one in Formatter(root, command).formatted(changes).changes} == {b"x = 1\n"}


def test_the_formatter_of_the_project_is_found_by_its_path(root: Path) -> None:
    (root / "bin").mkdir()
    (root / "bin/fmt").write_text('#!/bin/sh\nsed -i "s/=/ = /" "$@"\n')
    (root / "bin/fmt").chmod(0o755)
    assert formatted(root, None, "x=1\n", "bin/fmt {files}") == b"x = 1\n"


def test_nothing_is_made_twice(root: Path) -> None:
    runs = root.parent / "runs"
    formatter = Formatter(root, f"echo >> {runs}; : {{files}}")
    changes = [Change("app/a.py", None, b"x = 1\n", ())]
    formatter.formatted(changes)
    formatter.formatted(changes)
    assert formatter.contents({"app/a.py": None, "b.py": b"b"}, {"app/a.py": b"x = 1\n", "b.py": b"b"}) == {
        "app/a.py": b"x = 1\n",
        "b.py": b"b",
    }
    formatter.formatted([])
    assert runs.read_text() == "\n"


def test_real_changes_keep_everything_that_is_not_theirs(tmp_path: Path) -> None:
    root = odd_project(tmp_path / "project")
    plan = frozen(root)
    changes = planned.changes(plan, plan.groups)
    found = Formatter(root, RUFF).formatted(changes)
    assert found.kept == {}
    for change, new in zip(changes, found.changes, strict=True):
        assert new.groups == change.groups
        assert ast.dump(ast.parse(new.after)) == ast.dump(ast.parse(change.after))


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(root: Path, scratch: Path, number: signal.Signals) -> None:
    mark = root.parent / "running"
    text = (
        "import sys, tempfile\nfrom pathlib import Path\nfrom codemods.formatting import Formatter\n"
        "from codemods.plan import Change\ntempfile.tempdir = sys.argv[3]\n"
        "Formatter(Path(sys.argv[1]), sys.argv[2]).formatted([Change('a.py', None, b'x', ())])\n"
    )
    words = [sys.executable, "-c", text, str(root), f"touch {mark}; sleep 60; : {{files}}", str(scratch)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True)
    try:
        while not mark.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == -number
    assert os.listdir(scratch) == []


# --- the lines alone --------------------------------------------------------------------------------------------------

statement = st.sampled_from(
    [
        "x = {  'a':1 }\n",
        "y = 'b'\n",
        "def f( a,b ):\n    return  a\n",
        "# c\n",
        "\n",
        "z = call(1,\n  2)\n",
        "if  x:\n  y\n",
    ]
)
text = st.lists(statement, max_size=8).map("".join)


def pretty(data: bytes) -> bytes:
    """What a formatter would make of it."""
    return (ast.unparse(ast.parse(data)).replace("'", '"') + "\n").encode()


def meaning(data: bytes) -> str:
    return ast.dump(ast.parse(data))


@given(text, text)
@settings(deadline=None)
def test_the_result_means_what_ours_meant(before: str, after: str) -> None:
    try:
        made = taken_over(before.encode(), after.encode(), pretty(after.encode()))
    except NotTaken:
        return
    assert meaning(made) == meaning(after.encode())


@given(text, text, st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None)
def test_files_without_any_change_of_ours_stay(one: str, other: str, newline: str) -> None:
    data = (one + other).replace("\n", newline).encode()
    assert taken_over(data, data, pretty(data)) == data
    assert for_formatter(data) == data
