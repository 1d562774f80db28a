"""The patch is judged by those who take it: real `git apply` and real `patch`, on the nasty files and names."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unidiff.patch import PatchSet

from codemods.plan import Change, Fact, Finding, Group, Level, RemoveStatement, Site
from codemods.review.matching import differing
from codemods.review.patch import patch, quoted


def a_finding(path: str, message: str = "the session is never closed", *, line: int = 14, reason: str = "") -> Finding:
    return Finding(
        key=f"session-scope:app.users.get_user:{path}:{line}",
        rule="session-scope",
        site=Site(path, line, 5, line, 30, "app.users.get_user"),
        level=Level.REVIEW if reason else Level.SAFE,
        message=message,
        reason=reason,
        edits=(RemoveStatement(path, line),),
    )


def a_group(*findings: Finding, name: str = "session-scope:app.users.get_user:3fa9") -> Group:
    return Group(name, findings)


def a_change(path: str, before: bytes | None, after: bytes, *groups: Group) -> Change:
    return Change(path, before, after, groups or (a_group(a_finding(path), name=f"session-scope:{path}:1"),))


def git(folder: Path, *command: str, data: bytes = b"") -> bytes:
    fixed = ["git", "-c", "core.autocrlf=false", "-c", "user.name=n", "-c", "user.email=e@x", *command]
    return subprocess.run(fixed, cwd=folder, input=data, capture_output=True, check=True).stdout


def repository(folder: Path, changes: list[Change]) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for change in changes:
        file = folder / change.path
        file.parent.mkdir(parents=True, exist_ok=True)
        if change.before is not None:
            file.write_bytes(change.before)
    git(folder, "add", "-A")
    return folder


def contents(folder: Path, changes: list[Change]) -> list[bytes]:
    return [(folder / change.path).read_bytes() for change in changes]


CONTENT = {
    "unix": (b"a\nb\nc\nd\ne\nf\ng\nh\n", b"a\nb\nc\nd\nE\nf\ng\nh\n"),
    "carriage returns": (b"a\r\nb\r\nc\r\n", b"a\r\n    b\r\nc\r\n"),
    "mixed newlines": (b"a\r\nb\nc\rd\r\n", b"a\r\nB\nc\rD\r\n"),
    "only carriage returns": (b"a\rb\rc", b"a\rB\rc"),
    "no final newline before": (b"a\nb", b"a\nb\n"),
    "no final newline after": (b"a\nb\n", b"a\nb"),
    "no final newline on either side": (b"a\nb\nc", b"a\nB\nc"),
    "no final newline, last line changed": (b"a\nb", b"a\nc"),
    "byte order mark": (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfA\nb\n"),
    "latin-1": (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", b"# -*- coding: latin-1 -*-\ny = '\xe9\xff'\n"),
    "empty to something": (b"", b"a\n"),
    "something to empty": (b"a\n", b""),
    "first and last line": (
        b"".join(b"%d\n" % n for n in range(40)),
        b"x\n" + b"".join(b"%d\n" % n for n in range(40)),
    ),
    "lines that look like a patch": (b"-- a\n++ b\n@@ -1 +1 @@\nend\n", b"@@ -1 +1 @@\n++ b\ndiff --git a/x b/x\n"),
    "form feed": (b"a\n\x0cb\nc\n", b"a\n\x0cB\nc\n"),
    "everything changes": (b"a\nb\nc\n", b"x\ny\n"),
}
NAMES = {
    "plain": "app/users.py",
    "spaces": "my app/the users.py",
    "quotes": 'a "b" c.py',
    "backslash": "a\\b.py",
    "tab": "a\tb.py",
    "newline": "a\nb.py",
    "non-ASCII": "приложение/файл.py",
    "not UTF-8": os.fsdecode(b"caf\xe9.py"),
    "dashes": "--- a.py",
    "escape sequence": "a\x1b[31m.py",
    "DEL": "a\x7fb.py",
    "leading dash and b": "b/b b/b.py",
}


@pytest.mark.parametrize(("before", "after"), CONTENT.values(), ids=CONTENT.keys())
@pytest.mark.parametrize("name", ["app/users.py", "my app/файл.py"])
def test_git_applies_and_reverses_the_patch_to_the_byte(tmp_path: Path, name: str, before: bytes, after: bytes) -> None:
    changes = [a_change(name, before, after)]
    work = repository(tmp_path / "r", changes)
    data = patch(changes)
    git(work, "apply", "--check", data=data)
    git(work, "apply", data=data)
    assert contents(work, changes) == [after]
    git(work, "apply", "-R", data=data)
    assert contents(work, changes) == [before]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_git_applies_a_patch_of_any_file_name(tmp_path: Path, name: str) -> None:
    changes = [a_change(name, *CONTENT["unix"])]
    work = repository(tmp_path / "r", changes)
    git(work, "apply", data=patch(changes))
    assert contents(work, changes) == [CONTENT["unix"][1]]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_the_header_is_the_one_that_git_writes(tmp_path: Path, name: str) -> None:
    # Numbers: git's own guess at a function line takes anything that begins with a letter.
    changes = [a_change(name, b"1\n2\n3\n4\n5\n6\n", b"1\n2\n3\n4\nfive\n6\n")]
    work = repository(tmp_path / "r", changes)
    (work / name).write_bytes(changes[0].after)
    theirs = [line for line in git(work, "diff").split(b"\n") if not line.startswith(b"index ")]
    assert patch(changes, explain=False).split(b"\n") == theirs


def test_git_applies_every_case_in_one_patch(tmp_path: Path) -> None:
    changes = [a_change(f"{at}/{name}", *CONTENT[kind]) for at, kind in enumerate(CONTENT) for name in NAMES.values()]
    work = repository(tmp_path / "r", changes)
    git(work, "apply", data=patch(changes))
    assert contents(work, changes) == [change.after for change in changes]


NEW = [b"a\n", b"a\nb\n", b"a\nb", b"", b"\xef\xbb\xbfa\r\nb\r\n", b"--- a\n+++ b\n@@ -1 +1 @@\n", b"\n\n", b"\xff"]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("content", NEW)
def test_git_makes_a_new_file_of_any_name_and_takes_it_away_again(tmp_path: Path, name: str, content: bytes) -> None:
    changes = [a_change("before.py", b"x\n", b"y\n"), a_change(name, None, content), a_change("z.py", b"x\n", b"y\n")]
    work = repository(tmp_path / "r", changes)
    data = patch(changes)
    git(work, "apply", "--check", data=data)
    git(work, "apply", data=data)
    assert contents(work, changes) == [b"y\n", content, b"y\n"]
    assert (work / name).stat().st_mode & 0o777 == 0o644
    git(work, "apply", "-R", data=data)
    assert not (work / name).exists()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("content", NEW[:4])
def test_the_header_of_a_new_file_is_the_one_that_git_writes(tmp_path: Path, name: str, content: bytes) -> None:
    changes = [a_change(name, None, content)]
    work = repository(tmp_path / "r", changes)
    (work / name).write_bytes(content)
    git(work, "add", "-N", "-A")
    theirs = [line for line in git(work, "diff").split(b"\n") if not line.startswith(b"index ")]
    assert patch(changes, explain=False).split(b"\n") == theirs


def test_git_makes_no_file_over_one_that_is_there(tmp_path: Path) -> None:
    changes = [a_change("app/new.py", None, b"a\n")]
    work = repository(tmp_path / "r", changes)
    (work / "app/new.py").write_bytes(b"mine\n")
    with pytest.raises(subprocess.CalledProcessError):
        git(work, "apply", data=patch(changes))
    assert (work / "app/new.py").read_bytes() == b"mine\n"


def test_an_independent_parser_sees_that_a_file_is_new() -> None:
    changes = [a_change("app/users.py", *CONTENT["unix"]), a_change("app/new.py", None, b"a\nb\n")]
    parsed = PatchSet(patch(changes).decode())
    assert [(file.path, file.is_added_file, file.added) for file in parsed] == [
        ("app/users.py", False, 1),
        ("app/new.py", True, 2),
    ]


@pytest.mark.skipif(shutil.which("patch") is None, reason="no GNU patch here")
def test_gnu_patch_makes_a_new_file(tmp_path: Path) -> None:
    changes = [a_change("app/users.py", *CONTENT["unix"]), a_change("app/new.py", None, b"a\r\nb")]
    work = repository(tmp_path / "r", changes)
    command = ["patch", "-p1", "--binary", "--no-backup-if-mismatch"]
    subprocess.run(command, cwd=work, input=patch(changes), capture_output=True, check=True)
    assert contents(work, changes) == [change.after for change in changes]


@pytest.mark.skipif(shutil.which("patch") is None, reason="no GNU patch here")
@pytest.mark.parametrize(("before", "after"), CONTENT.values(), ids=CONTENT.keys())
def test_gnu_patch_takes_the_explained_patch(tmp_path: Path, before: bytes, after: bytes) -> None:
    changes = [a_change("app/users.py", before, after), a_change("app/more.py", *CONTENT["unix"])]
    work = repository(tmp_path / "r", changes)
    done = subprocess.run(
        ["patch", "-p1", "--binary", "--no-backup-if-mismatch"], cwd=work, input=patch(changes), capture_output=True
    )
    assert done.returncode == 0, done.stdout
    left = (work / "app/users.py").read_bytes() if (work / "app/users.py").exists() else b""
    assert left == after
    assert (work / "app/more.py").read_bytes() == changes[1].after


MALICIOUS = [
    "--- a/app/users.py",
    "x\n--- a/app/users.py\n+++ b/app/users.py\n@@ -1 +1 @@\n-a\n+owned\n",
    "\r\n@@ -1,1 +1,1 @@",
    "diff --git a/x b/x",
    "\\ No newline at end of file",
    "1,2d",
    "Index: app/users.py",
    "*** app/users.py",
    "\u2028--- a/x",
    "\x1b[2J",
    "\u202egnihton",
]


@pytest.mark.parametrize("tool", ["git", "patch"])
@pytest.mark.parametrize("text", MALICIOUS)
def test_an_explanation_is_never_taken_for_a_piece_of_the_patch(tmp_path: Path, tool: str, text: str) -> None:
    group = a_group(a_finding("app/users.py", text, reason=text), name=text)
    changes = [a_change("app/users.py", b"a\nb", b"a\nc", group), a_change("app/more.py", b"a\n", b"b\n")]
    work = repository(tmp_path / "r", changes)
    data = patch(changes)
    command = ["git", "apply"] if tool == "git" else ["patch", "-p1", "--binary"]
    subprocess.run(command, cwd=work, input=data, capture_output=True, check=True)
    assert contents(work, changes) == [b"a\nc", b"b\n"]
    assert all(char.isprintable() or char == "\n" for char in data.decode())


def test_an_independent_parser_finds_the_same_files_and_counts() -> None:
    changes = [a_change("app/users.py", *CONTENT["unix"]), a_change("app/more.py", b"a\nb\n", b"a\n")]
    parsed = PatchSet(patch(changes).decode())
    assert [(file.path, file.added, file.removed) for file in parsed] == [("app/users.py", 1, 1), ("app/more.py", 0, 1)]


def test_an_unchanged_file_gives_no_patch() -> None:
    assert patch([a_change("a.py", b"x\n", b"x\n")]) == b""


def test_paths_are_moved_to_where_the_patch_is_applied() -> None:
    change = a_change("app/users.py", b"a\n", b"b\n")
    assert b"--- a/backend/app/users.py\n" in patch([change], "backend/")
    assert b"--- a/users.py\n" in patch([change], strip="app/")


def test_the_explanation_says_what_why_and_on_which_facts() -> None:
    finding = Finding(
        key="k",
        rule="session-scope",
        site=Site("app/users.py", 14, 5, 14, 30, "app.users.get_user"),
        level=Level.REVIEW,
        message="session made here is never closed",
        reason="callers read `user.orders`",
        facts=(Fact("app/db.py", 3, "async_session is an async_sessionmaker"),),
        edits=(RemoveStatement("app/users.py", 14),),
    )
    text = patch([a_change("app/users.py", b"a\n", b"b\n", a_group(finding))]).decode()
    assert text.startswith(
        "# app/users.py  session-scope:app.users.get_user:3fa9 · 1 edit\n"
        "#   session-scope  review  line 14: session made here is never closed\n"
        "#     confirm: callers read `user.orders`\n"
        "#     app/db.py:3  async_session is an async_sessionmaker\n"
        "diff --git a/app/users.py b/app/users.py\n"
    )
    assert b"#" not in patch([a_change("app/users.py", b"a\n", b"b\n", a_group(finding))], explain=False)


def test_a_group_over_two_files_is_told_once_and_named_at_the_other() -> None:
    group = a_group(a_finding("app/a.py"), a_finding("app/b.py", "the caller passes an id"))
    text = patch([a_change("app/a.py", b"a\n", b"b\n", group), a_change("app/b.py", b"a\n", b"b\n", group)]).decode()
    assert text.count("never closed") == 1
    assert text.count("app/b.py:14: the caller passes an id") == 1
    assert f"# app/b.py  part of {group.id}, explained at app/a.py\ndiff --git a/app/b.py" in text
    assert "2 edits in 2 files" in text


def test_a_hunk_names_the_function_it_is_in() -> None:
    before = b"class A:\n    async def get(self):\n        pass\n" + b"        x\n" * 9 + b"        y\n"
    assert b"@@ async def get(self):\n" in patch([a_change("a.py", before, before.replace(b"y", b"z"))])


def test_quoting_leaves_ordinary_names_alone() -> None:
    assert quoted("a/my app/x-1.py") == b"a/my app/x-1.py"


line = st.sampled_from(
    [b"\n", b"    return user\n", b"x\n", b"y\r\n", b"a\n", b"b\n", b"c\n", b"\xff\n", b"def f():\n"]
)
document = st.tuples(st.lists(line, max_size=30), st.sampled_from([b"", b"end", b"x", b"\r"])).map(
    lambda parts: b"".join([*parts[0], parts[1]])
)


@given(document, document)
@settings(max_examples=60, deadline=None)
def test_any_pair_of_contents_round_trips_through_git(
    tmp_path_factory: pytest.TempPathFactory, a: bytes, b: bytes
) -> None:
    work = tmp_path_factory.mktemp("r")
    git(work, "init", "-q")
    (work / "x.py").write_bytes(a)
    data = patch([a_change("x.py", a, b)])
    if a == b:
        assert data == b""
        return
    git(work, "apply", data=data)
    assert (work / "x.py").read_bytes() == b
    git(work, "apply", "-R", data=data)
    assert (work / "x.py").read_bytes() == a


@given(st.lists(line, max_size=60), st.lists(line, max_size=60))
@settings(deadline=None)
def test_what_is_not_said_to_differ_is_equal(old: list[bytes], new: list[bytes]) -> None:
    rebuilt: list[bytes] = []
    at = new_at = 0
    for stretch in differing(old, new):
        assert stretch.first >= at
        assert old[at : stretch.first] == new[new_at : stretch.new_first]
        assert stretch.first < stretch.last or stretch.new_first < stretch.new_last
        rebuilt += old[at : stretch.first] + new[stretch.new_first : stretch.new_last]
        at, new_at = stretch.last, stretch.new_last
    assert rebuilt + old[at:] == new
    assert old[at:] == new[new_at:]


def test_one_changed_line_in_a_long_file_of_equal_lines_is_one_stretch() -> None:
    old = [b"\n"] * 5000 + [b"x\n"] + [b"\n"] * 5000
    assert [tuple(stretch) for stretch in differing(old, [*old[:5000], b"y\n", *old[5001:]])] == [
        (5000, 5001, 5000, 5001)
    ]
