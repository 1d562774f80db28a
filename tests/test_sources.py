"""Sources: the project root, the files that belong to it, and their bytes as text. Nothing is ever written."""

from __future__ import annotations

import codecs
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codemods.plan import Failure, Source
from codemods.settings import Settings
from codemods.sources import SIZE_LIMIT, Discovery, SourceError, discover, find_root, has_word, read


def write(root: Path, *names: str, text: str = "x = 1\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def git(root: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """An empty folder in no repository and below no pyproject.toml."""
    assert not any((folder / mark).exists() for folder in tmp_path.parents for mark in (".git", "pyproject.toml"))
    return tmp_path.resolve()


@pytest.fixture
def repository(outside: Path) -> Path:
    root = outside / "repository"
    root.mkdir()
    git(root, "init", "-q")
    return root


@pytest.fixture(params=["git", "no git"])
def without_or_with_git(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no git":
        monkeypatch.setattr(shutil, "which", lambda name: None)


def files(root: Path, paths: Iterable[Path] = (), **options: object) -> list[str]:
    return list(discover(root, list(paths), Settings(**options)).files)  # type: ignore[arg-type]


# --- the root -------------------------------------------------------------------------------------------------------


def test_the_root_is_the_nearest_folder_with_a_pyproject_or_a_repository(repository: Path) -> None:
    write(repository, "service/pyproject.toml", text="")
    write(repository, "service/app/db.py", "other/db.py")
    assert find_root(repository / "service" / "app") == repository / "service"
    assert find_root(repository / "service" / "app" / "db.py") == repository / "service"
    assert find_root(repository / "other" / "db.py") == repository
    assert find_root(repository) == repository


def test_a_folder_that_git_ignores_is_its_own_root(repository: Path, without_or_with_git: None) -> None:
    write(repository, ".gitignore", text="aside/\n")
    write(repository, "aside/legacy/app/db.py", "aside/legacy/app/__init__.py", "app/db.py")
    assert find_root(repository / "aside" / "legacy") == repository / "aside" / "legacy"
    assert find_root(repository / "aside") == repository / "aside"
    assert find_root(repository / "aside" / "legacy" / "app" / "db.py") == repository / "aside" / "legacy"
    assert find_root(repository / "app") == repository


def test_a_project_put_aside_in_an_ignored_folder_is_the_root_of_its_folders(repository: Path) -> None:
    write(repository, ".gitignore", text="aside/\n")
    write(repository, "aside/legacy/pyproject.toml", "aside/legacy/app/db.py")
    assert find_root(repository / "aside" / "legacy" / "app") == repository / "aside" / "legacy"


def test_an_ignored_file_in_a_folder_that_is_not_belongs_to_the_repository(repository: Path) -> None:
    write(repository, ".gitignore", text="local.py\n")
    write(repository, "app/local.py")
    assert find_root(repository / "app" / "local.py") == repository


def test_outside_a_repository_a_folder_is_its_own_root_and_a_file_has_that_of_its_package(outside: Path) -> None:
    write(outside, "code/app/__init__.py", "code/app/core/__init__.py", "code/app/core/db.py", "code/script.py")
    assert find_root(outside / "code" / "app" / "core") == outside / "code" / "app" / "core"
    assert find_root(outside / "code" / "app" / "core" / "db.py") == outside / "code"
    assert find_root(outside / "code" / "script.py") == outside / "code"


def test_without_a_pyproject_or_a_repository_an_older_marker_tells_the_root(outside: Path) -> None:
    write(outside, "shop/requirements.txt", "shop/app/setup.cfg", "shop/app/db.py", "shop/jobs/run.py")
    assert find_root(outside / "shop" / "jobs") == outside / "shop"
    assert find_root(outside / "shop" / "app") == outside / "shop" / "app"


def test_an_older_marker_does_not_stand_against_a_repository(repository: Path) -> None:
    write(repository, "docs/requirements.txt", "docs/conf.py")
    assert find_root(repository / "docs") == repository


def test_a_path_that_does_not_exist_is_named(outside: Path) -> None:
    write(outside, "a.py")
    (outside / "round").symlink_to("round")
    for name in ("absent", "a.py/b", "round", "nul\0"):
        with pytest.raises(SourceError) as caught:
            find_root(outside / name)
        assert str(outside / name) in caught.value.message
        with pytest.raises(SourceError):
            discover(outside, [outside / name], Settings())


# --- which files ----------------------------------------------------------------------------------------------------


def test_all_python_files_of_the_project_are_read_and_those_under_the_paths_are_wanted(
    repository: Path, without_or_with_git: None
) -> None:
    write(
        repository, "app/db.py", "app/users/service.py", "apple.py", "tests/test_db.py", "app/notes.txt", "app/db.pyi"
    )
    found = discover(repository, [repository / "app"], Settings())
    assert found == Discovery(
        repository,
        ("app/db.py", "app/users/service.py", "apple.py", "tests/test_db.py"),
        frozenset({"app/db.py", "app/users/service.py"}),
        (),
    )
    assert discover(repository, [], Settings()).wanted == set(found.files)
    assert discover(repository, [repository], Settings()).wanted == set(found.files)


def test_git_ignored_files_are_left_out_and_tracked_ones_stay(repository: Path) -> None:
    write(repository, "kept.py", "forced/kept.py", "forced/ignored.py", "deleted.py")
    write(repository, ".gitignore", text="forced/\n")
    git(repository, "add", "-f", "kept.py", "forced/kept.py", "deleted.py")
    (repository / "deleted.py").unlink()
    assert files(repository) == ["forced/kept.py", "kept.py"]
    assert files(repository, respect_gitignore=False) == ["forced/ignored.py", "forced/kept.py", "kept.py"]


def test_a_nested_gitignore_takes_back_what_an_outer_one_ignores(repository: Path, without_or_with_git: None) -> None:
    write(repository, ".gitignore", text="*_gen.py\n/top.py\n/out/*\n!/out/kept/\r\n\n# note\n!\nsp\\ ace.py\n")
    write(repository, "app/.gitignore", text="!api_gen.py\n")
    write(repository, "a_gen.py", "app/api_gen.py", "app/b_gen.py", "app/deep/api_gen.py", "top.py", "app/top.py")
    write(repository, "out/x.py", "out/kept/y.py", "out/lost/!api_gen.py", "sp ace.py", "#.py")
    assert files(repository) == ["#.py", "app/api_gen.py", "app/deep/api_gen.py", "app/top.py", "out/kept/y.py"]


PARTS = ("a", "b", "x.py", "*", "**", "***", "*.py", "a*", "[ab]", "?", "[!a]*", "[z-a]", "[[:alpha:]].py", "\\a", "[")
PATTERN = st.builds(
    lambda bang, anchor, parts, slash: bang + anchor + "/".join(parts) + slash,
    st.sampled_from(["", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)


@given(st.lists(PATTERN, min_size=1, max_size=4), st.lists(PATTERN, max_size=2))
@example(["**/", "!a/**"], [])
@example(["*.py", "!/a/"], ["x.py", "!b/"])
@example(["a", "!**/*/"], [])
@example(["/*/*/", "!a/**/"], [])
@example(["*/", "!/***/a/"], [])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_git_the_files_are_those_that_git_would_list(
    repository: Path, outer: list[str], inner: list[str]
) -> None:
    for folder in ("", "a/", "b/", "a/b/", "a/a/", "c/a/"):
        write(repository, f"{folder}x.py", f"{folder}a.py", f"{folder}y.py")
    write(repository, ".gitignore", text="\n".join(outer))
    write(repository, "a/.gitignore", text="\n".join(inner))
    by_git = files(repository)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "which", lambda name: None)
        assert files(repository) == by_git


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [
        ("**/*.d/", {"a.d/x.py", "a.d/b.d/x.py"}),
        ("a.d/**/", {"a.d/b.d/x.py"}),
        ("a.d/**", {"a.d/x.py", "a.d/b.d/x.py"}),
        ("**/b.d/x.py", {"a.d/b.d/x.py"}),
        ("a.d/**/x.py", {"a.d/x.py", "a.d/b.d/x.py"}),
        ("*/x.py", {"a.d/x.py"}),
        ("*.d/x.py", {"a.d/x.py"}),
        ("a.d[/]x.py", set()),
        ("[z-a].py", {"z.py"}),
        ("[]-a].py", {"].py", "a.py"}),
        ("[a\\]].py", {"].py", "a.py"}),
        ("[[:digit:]-].py", {"-.py", "1.py"}),
        ("[^[:alnum:]].py", {"-.py", "].py"}),
        ("[[:letter:]].py", set()),
        ("[a.py", set()),
        ("a.py\\", set()),
        ("\\a.py   ", {"a.py"}),
        ("a.py\t", set()),
        ("*.py\\ ", set()),
        ("/?.py", {"-.py", "1.py", "].py", "a.py", "z.py"}),
        ("/??.py", {"é.py"}),
        ("/", set()),
        ("//a.py", set()),
    ],
)
def test_a_pattern_means_what_it_means_to_git(
    repository: Path, without_or_with_git: None, pattern: str, ignored: set[str]
) -> None:
    names = {"-.py", "1.py", "].py", "a.py", "z.py", "é.py", "a.d/x.py", "a.d/b.d/x.py"}
    write(repository, *names)
    write(repository, ".gitignore", text=f"{pattern}\n")
    assert names - set(files(repository)) == ignored


def test_two_stars_beside_a_name_are_as_good_as_one(outside: Path) -> None:
    # As gitignore(5) says; git before 2.52 reads `a**/x.py` as `a`, then `**/x.py`.
    write(outside, "a.d/x.py", "a.d/b.d/x.py", "ax.py")
    write(outside, ".gitignore", text="a**/x.py\n")
    assert files(outside) == ["a.d/b.d/x.py", "ax.py"]


def test_a_named_file_counts_however_it_is_ignored_excluded_or_called(
    repository: Path, without_or_with_git: None
) -> None:
    write(repository, ".gitignore", text="ignored.py\n")
    write(repository, "ignored.py", "build/excluded.py", "script", "a.py")
    named = [repository / name for name in ("ignored.py", "build/excluded.py", "script")]
    found = discover(repository, named, Settings())
    assert found.wanted == {"ignored.py", "build/excluded.py", "script"}
    assert found.files == ("a.py", "build/excluded.py", "ignored.py", "script")


def test_a_named_file_of_another_kind_is_a_failure(outside: Path) -> None:
    write(outside, "a.py", "notes.txt", "typed.pyi")
    write(outside, "serve.cgi", text="#!/usr/bin/env python3\n")
    found = discover(outside, [outside / name for name in ("notes.txt", "serve.cgi", "typed.pyi")], Settings())
    assert found.wanted == {"serve.cgi", "typed.pyi"}
    assert [(failure.path, "no Python file" in failure.message) for failure in found.failures] == [("notes.txt", True)]


def test_a_named_link_out_of_the_root_is_a_failure_and_one_inside_is_its_target(outside: Path) -> None:
    root = outside / "project"
    write(root, "pyproject.toml", "app/a.py")
    write(outside, "elsewhere/b.py")
    (root / "out.py").symlink_to(outside / "elsewhere" / "b.py")
    (root / "second.py").symlink_to("app/a.py")
    assert find_root(root / "out.py") == find_root(root / "second.py") == root
    found = discover(root, [root / "out.py", root / "second.py"], Settings())
    assert found.wanted == {"app/a.py"}
    (failure,) = found.failures
    assert failure.path == "out.py"
    assert str(outside / "elsewhere" / "b.py") in failure.message
    assert discover(root, [root / "out.py"], Settings()).wanted == frozenset()


def test_a_named_folder_counts_though_it_is_ignored_or_excluded(repository: Path, without_or_with_git: None) -> None:
    write(repository, ".gitignore", text="aside/\n*.bak.py\n")
    write(repository, "aside/a.py", "aside/.venv/b.py", "build/c.py", "d.py")
    found = discover(repository, [repository / "aside", repository / "build"], Settings())
    assert found.wanted == {"aside/a.py", "build/c.py"}
    assert found.files == ("aside/a.py", "build/c.py", "d.py")
    assert files(repository / "aside") == ["a.py"]


def test_environments_and_other_peoples_code_are_left_out(outside: Path) -> None:
    write(outside, *(f"{name}/x.py" for name in (".venv", "venv", "node_modules", "__pycache__", ".tox", "a/build")))
    write(outside, "lib/site-packages/x.py", "my-env/pyvenv.cfg", "my-env/bin/x.py", "app/x.py", "building/x.py")
    assert files(outside) == ["app/x.py", "building/x.py"]


def test_a_project_inside_its_own_virtual_environment_is_read(outside: Path) -> None:
    write(outside, "pyvenv.cfg", "app/x.py")
    assert files(outside) == ["app/x.py"]


def test_settings_exclude_more_and_take_back(repository: Path, without_or_with_git: None) -> None:
    write(repository, "app/a.py", "app/b_pb2.py", "migrations/m.py", "app/migrations/n.py", "build/c.py")
    assert files(repository, exclude=("/migrations/",), extend_exclude=("*_pb2.py",)) == [
        "app/a.py",
        "app/migrations/n.py",
    ]
    assert "build/c.py" in files(repository, exclude=("!build/",))


def test_a_path_outside_the_root_is_refused(outside: Path) -> None:
    write(outside, "one/a.py", "two/b.py")
    (outside / "one" / "link").symlink_to(outside / "two")
    for path in (outside / "two", outside / "two" / "b.py", outside / "one" / "link"):
        with pytest.raises(SourceError, match="lies outside the project root"):
            discover(outside / "one", [path], Settings())


def test_symbolic_links_are_not_followed_and_loops_do_not_hang(outside: Path, without_or_with_git: None) -> None:
    root = outside / "project"
    write(root, "app/a.py")
    write(outside, "elsewhere/b.py")
    (root / "out").symlink_to(outside / "elsewhere")
    (root / "out.py").symlink_to(outside / "elsewhere" / "b.py")
    (root / "app" / "up").symlink_to(root)
    (root / "round.py").symlink_to("round.py")
    (root / ".#a.py").symlink_to("editor@host.123")
    (root / "second.py").symlink_to("app/a.py")
    assert discover(root, [], Settings()) == Discovery(root, ("app/a.py",), frozenset({"app/a.py"}), ())
    git(root, "init", "-q")
    git(root, "add", ".")
    assert files(root) == ["app/a.py"]
    assert discover(root, [root / "second.py"], Settings()).wanted == {"app/a.py"}


def test_a_pipe_or_socket_called_py_is_a_failure_and_a_folder_called_py_is_walked(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(outside, "folder.py/a.py")
    os.mkfifo(outside / "pipe.py")
    monkeypatch.chdir(outside)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.py")
        found = discover(outside, [outside / "pipe.py"], Settings())
    assert found.files == ("folder.py/a.py",)
    assert [(failure.path, failure.stage) for failure in found.failures] == [("pipe.py", "read"), ("socket.py", "read")]
    assert isinstance(read(outside, "pipe.py"), Failure)


def test_hostile_names_are_listed_and_read(repository: Path, without_or_with_git: None) -> None:
    names = ["a b.py", "new\nline.py", "quo\"te'.py", "-rf.py", "ünï.py", os.fsdecode(b"latin\xe9.py"), ":(glob)*.py"]
    for name in names:
        (repository / name).write_bytes(b"x = 1\n")
    assert files(repository) == sorted(names)
    for name in names:
        assert isinstance(read(repository, name), Source)
    hostile = repository / os.fsdecode(b"dir\xff\n")
    write(hostile, "c.py")
    assert discover(repository, [hostile], Settings()).wanted == {os.fsdecode(b"dir\xff\n/c.py")}


def test_submodules_and_nested_repositories_are_left(repository: Path, without_or_with_git: None) -> None:
    write(repository, "a.py", "nested/b.py")
    git(repository / "nested", "init", "-q")
    assert files(repository) == ["a.py"]
    assert find_root(repository / "nested" / "b.py") == repository / "nested"


def test_repositories_below_a_folder_that_is_none_are_read(outside: Path) -> None:
    write(outside, "one/a.py")
    git(outside / "one", "init", "-q")
    assert files(outside) == ["one/a.py"]


def test_a_repository_that_git_refuses_to_read_is_walked(repository: Path) -> None:
    write(repository, ".gitignore", text="ignored.py\n")
    write(repository, "a.py", "ignored.py")
    (repository / ".git" / "HEAD").write_text("broken")
    assert files(repository) == ["a.py"]


def test_a_hook_that_sets_gits_environment_does_not_mislead(
    repository: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = outside / "other"
    write(other, "b.py")
    git(other, "init", "-q")
    write(repository, "a.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert files(repository) == ["a.py"]


def test_git_runs_no_program_of_the_repository(repository: Path) -> None:
    write(repository, "a.py")
    git(repository, "add", "a.py")
    witness = repository / ".git" / "witness"
    program = repository / ".git" / "program"
    program.write_text(f"#!/bin/sh\ntouch '{witness}'\n")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    git(repository, "ls-files", "--others")  # without the guard it runs
    assert witness.exists()
    witness.unlink()
    assert files(repository) == ["a.py"]
    find_root(repository / "a.py")
    assert not witness.exists()


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in root.rglob("*")
    } | {str(root): (root.lstat().st_mtime_ns, b"")}


def test_reading_writes_nothing_not_even_the_index(repository: Path) -> None:
    write(repository, "a.py", "b.py", "c/d.py")
    git(repository, "add", "a.py", "b.py")
    git(repository, "commit", "-qm", "x")
    os.utime(repository / "a.py", (1, 1))  # makes the index out of date, which `git status` would write
    before = snapshot(repository)
    find_root(repository / "c")
    for path in discover(repository, [repository / "c"], Settings()).files:
        read(repository, path)
    assert snapshot(repository) == before


def test_what_may_not_be_read_is_a_failure(repository: Path, without_or_with_git: None) -> None:
    write(repository, "secret.py", "closed/a.py", "b.py")
    (repository / "secret.py").chmod(0)
    if os.access(repository / "secret.py", os.R_OK):
        pytest.skip("this user may read everything")
    (repository / "closed").chmod(0)
    try:
        found = discover(repository, [], Settings())
        secret = read(repository, "secret.py")
    finally:
        (repository / "closed").chmod(0o755)
    assert found.files == ("b.py", "secret.py")
    assert [failure.path for failure in found.failures] == ["closed"]
    assert isinstance(secret, Failure)
    assert "Permission denied" in secret.message


def test_a_folder_that_cannot_be_listed_is_a_failure(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(outside, "closed/a.py", "b.py")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover(outside, [], Settings())
    assert found.files == ("b.py",)
    assert found.failures == (Failure("closed", "read", "the folder cannot be listed: Permission denied"),)


# --- one file -------------------------------------------------------------------------------------------------------


def source(root: Path, data: bytes, name: str = "a.py") -> Source:
    (root / name).write_bytes(data)
    result = read(root, name)
    assert isinstance(result, Source), result
    assert result.encode(result.text) == data == result.data
    return result


def failure(root: Path, data: bytes) -> Failure:
    (root / "a.py").write_bytes(data)
    result = read(root, "a.py")
    assert isinstance(result, Failure), result
    assert (result.path, result.stage) == ("a.py", "read")
    return result


def test_an_empty_file_is_text(tmp_path: Path) -> None:
    empty = source(tmp_path, b"")
    assert (empty.text, empty.encoding, empty.bom, empty.newline, empty.indent) == ("", "utf-8", b"", "\n", "    ")


def test_a_byte_order_mark_and_windows_line_ends_are_kept(tmp_path: Path) -> None:
    marked = source(tmp_path, codecs.BOM_UTF8 + "if x:\r\n  y = 'é'\r\n".encode())
    assert marked.bom == codecs.BOM_UTF8
    assert marked.text == "if x:\r\n  y = 'é'\r\n"
    assert (marked.encoding, marked.newline, marked.indent) == ("utf-8", "\r\n", "  ")


@pytest.mark.parametrize(
    ("cookie", "text"),
    [
        ("# -*- coding: latin-1 -*-", "é"),
        ("#!/usr/bin/env python\n# vim: set fileencoding=cp1251 :", "привет"),
        ("\n# coding=koi8-u", "ґ"),
        ("# coding: latin-1-unix", "é"),
        ("# coding: UTF_8", "€"),
        ("# coding: shift_jis", "日本"),
        ("# coding: euc_jp", "日本"),
        ("x = 1\n# coding: nonsense", "€"),  # the second line counts only after a comment or an empty line
        ("\n\n# coding: nonsense", "€"),
    ],
)
def test_the_declared_encoding_is_used(tmp_path: Path, cookie: str, text: str) -> None:
    codec = next((c for c in ("latin-1", "cp1251", "koi8-u", "shift_jis", "euc_jp") if c in cookie), "utf-8")
    whole = f"{cookie}\ns = '{text}'\n"
    assert source(tmp_path, whole.encode(codec)).text == whole


@pytest.mark.parametrize(
    ("data", "said", "line"),
    [
        (b"# coding: ascii\n\ns = '\xc3\xa9'\n", "the text is not ascii; correct its encoding declaration", 3),
        (b"x = 1\r\ns = '\xe9'\r\n", "the text is not utf-8; declare its encoding", 2),
        (b"s = '\xe9'\n", "invalid or missing encoding declaration", 1),
        (b"# coding: no-such-thing\n", "unknown encoding 'no-such-thing' declared", 1),
        (b"# coding: rot13\nk = 1\n", "'rot13' is no encoding for source text", 1),
        (b"# coding: hex\n6b", "'hex' is no encoding for source text", 1),
        (b"# coding: utf-16\nx = 1\n", "'utf-16' is no encoding for source text", 1),
        (b"# coding: utf-7\nx = 1\n", "'utf-7' is no encoding for source text", 1),
        (b"# coding: cp037\nx = 1\n", "'cp037' is no encoding for source text", 1),
        (codecs.BOM_UTF8 + b"# coding: latin-1\n", "encoding problem: utf-8", 1),
        ("x = 1\n".encode("utf-16"), "UTF-16", 0),
        ("x = 1\n".encode("utf-32"), "UTF-32", 0),
        ("x = 1\n".encode("utf-16-le"), "NUL byte", 1),
        (b"x = 1\ny = '\0'\n", "NUL byte", 2),
        (b"# a\r# b\r# coding: latin-1\rs = 1\r", "its lines end in CR", 1),
        (b"# coding: iso2022_jp\ns = '\x1b$B\x1b(B'\n", "the bytes change when decoded and encoded as iso2022_jp", 0),
    ],
)
def test_text_that_cannot_be_trusted_is_a_failure_that_says_what_to_do(
    tmp_path: Path, data: bytes, said: str, line: int
) -> None:
    failed = failure(tmp_path, data)
    assert said in failed.message
    assert "convert" in failed.message or "no text" in failed.message
    assert failed.line == line


def test_a_codec_that_someone_registered_is_never_run(tmp_path: Path) -> None:
    asked: list[str] = []

    def search(name: str) -> codecs.CodecInfo | None:
        asked.append(name)
        return None

    codecs.register(search)
    try:
        failure(tmp_path, b"# coding: future_fstrings_of_ours\nx = 1\n")
    finally:
        codecs.unregister(search)
    assert asked == []


COOKIES = [
    b"",
    codecs.BOM_UTF8,
    b"# coding: latin-1\n",
    b"# coding: cp1252\n",
    b"\r# coding: shift_jis\r",
    b"# coding: ",
]


@given(
    st.sampled_from(COOKIES),
    st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda t: t.encode("utf-8", "replace"))),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_either_a_failure_or_come_back_unchanged(tmp_path: Path, start: bytes, rest: bytes) -> None:
    (tmp_path / "a.py").write_bytes(start + rest)
    result = read(tmp_path, "a.py")
    assert isinstance(result, Failure) or result.encode(result.text) == start + rest


def test_a_file_that_is_gone_too_large_or_no_file_is_a_failure(tmp_path: Path) -> None:
    with (tmp_path / "large.py").open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    for name, said in {
        "gone.py": "gone",
        "large.py": "larger than 20 MB",
        "folder.py": "not a regular file",
        "pipe.py": "not a regular file",
        "../a.py": "leaves the project root",
        "/etc/passwd": "leaves the project root",
        "": "leaves the project root",
        "nul\0.py": "leaves the project root",
        "x" * 300 + ".py": "cannot be read: File name too long",
    }.items():
        result = read(tmp_path, name)
        assert isinstance(result, Failure)
        assert said in result.message


def test_nothing_is_read_through_a_symbolic_link(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "root/a.py", "other/b.py")
    (root / "link.py").symlink_to("a.py")
    (root / "folder").symlink_to(tmp_path / "other")
    (tmp_path / "second-root").symlink_to(root)
    for name in ("link.py", "folder/b.py"):
        result = read(root, name)
        assert isinstance(result, Failure)
        assert "symbolic link" in result.message
    assert isinstance(read(tmp_path / "second-root", "a.py"), Source)


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "\n"),
        ("a", "\n"),
        ("a\r\nb\r\nc\n", "\r\n"),
        ("a\nb\nc\r\n", "\n"),
        ("a\rb\r", "\r"),
        ("a\r\nb\n", "\n"),
        ("a\x0b\x0c\x85\u2028\r\n", "\r\n"),
    ],
)
def test_the_newline_is_the_most_common_one(tmp_path: Path, text: str, newline: str) -> None:
    assert source(tmp_path, text.encode()).newline == newline


@pytest.mark.parametrize(
    ("text", "indent"),
    [
        ("x = 1\n", "    "),
        ("def f():\n  if x:\n    y\n", "  "),
        ("def f():\n\tif x:\n\t\ty\n", "\t"),
        ("def f():\r   return 1\r", "   "),
        ("def f(\n        a,\n        b,\n):\n  return a\n", "  "),
        ("x = [\n        1,\n        2,\n]\nif x:\n  y\n", "  "),
        ('"""Title:\n\nif this:\n        that\nfor it:\n        those\n"""\ndef f():\n  return 1\n', "  "),
        ("s = '\"\"\"'\nif s:\n  y\nq = \"'''\"\n", "  "),
        ("if x:  # why\n\n      # odd\n  y\n", "  "),
        ("class A:\n  '''Doc.\n\n        if x:\n              y\n  '''\n  def f(self): pass\n", "  "),
        ("if a:\n    b\nif c:\n    d\nif e:\n  f\n", "    "),
    ],
)
def test_the_indentation_is_the_most_common_step_of_a_block(tmp_path: Path, text: str, indent: str) -> None:
    assert source(tmp_path, text.encode()).indent == indent


def module(root: Path, path: str) -> str:
    write(root, path)
    result = read(root, path)
    assert isinstance(result, Source)
    return result.module


def test_a_module_is_called_as_it_is_imported(tmp_path: Path) -> None:
    write(tmp_path, "src/app/__init__.py", "src/app/core/__init__.py", "odd-name/pkg/__init__.py")
    assert module(tmp_path, "src/app/core/db.py") == "app.core.db"
    assert module(tmp_path, "src/app/core/__init__.py") == "app.core"
    assert module(tmp_path, "odd-name/pkg/db.py") == "pkg.db"
    assert module(tmp_path, "service/users/api.py") == "service.users.api"
    assert module(tmp_path, "src/plain/db.py") == "plain.db"
    assert module(tmp_path, "main.py") == "main"
    assert module(tmp_path, "src.py") == "src"


def test_a_file_that_no_import_can_name_has_no_module_name(tmp_path: Path) -> None:
    for path in ("my-scripts/run.py", "2024.py", "a.b.py", "class.py", os.fsdecode(b"\xff.py"), "script"):
        assert module(tmp_path, path) == ""


def test_packages_above_the_root_belong_to_the_module_name(tmp_path: Path) -> None:
    write(tmp_path, "app/__init__.py", "app/core/__init__.py", "app/core/db.py")
    assert module(tmp_path / "app" / "core", "db.py") == "app.core.db"
    assert module(tmp_path / "app", "__init__.py") == "app"


def test_only_the_init_file_is_a_package(tmp_path: Path) -> None:
    assert source(tmp_path, b"", "__init__.py").is_package
    assert not source(tmp_path, b"", "init.py").is_package


def test_a_word_is_looked_for_in_bytes() -> None:
    assert has_word(b"from x import new_async_session", [b"nothing", b"async_session"])
    assert not has_word(b"x = 1", [b"session"])
    assert has_word(b"", [])
