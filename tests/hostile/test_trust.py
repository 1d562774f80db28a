"""A stranger's project is read and nothing of it is run: not its modules, its git, its codecs, or its tools."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostile.projects import LEAK, lay

# Runs the tool under an audit hook, and writes what was asked of Python to a file outside of the project.
WATCHED = """
import os, sys
project, report, *arguments = sys.argv[1:]
import codemods.__main__
seen = []
def hook(event, given):
    if event in ("exec", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "socket.connect",
                 "socket.getaddrinfo", "pty.spawn"):
        if event == "exec":
            where = getattr(given[0], "co_filename", "")
            if where.startswith("<") or not os.path.abspath(where).startswith(project):
                return
            seen.append((event, where))
        else:
            seen.append((event, [str(part) for part in given[:2]]))
    elif event == "open" and isinstance(given[0], str) and os.path.abspath(given[0]).startswith(project):
        writes = isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        if writes or (isinstance(given[1], str) and set(given[1]) & set("wax+")):
            seen.append(("write", given[0]))
    elif event in ("os.remove", "os.rename", "os.mkdir", "os.chmod", "os.link", "os.symlink", "os.utime"):
        if os.path.abspath(os.fsdecode(given[0])).startswith(project):
            seen.append(("change", str(given)))
sys.addaudithook(hook)
code = codemods.__main__.main(arguments)
with open(report, "w") as file:
    file.write(repr((code, [one for one in seen], sys.path)))
"""
BOOBY = "import pathlib\npathlib.Path(__file__).with_name('EXPLODED').touch()\n"
# what Python, tools and test runners load by themselves when it lies about
LIES_ABOUT = (
    *("sitecustomize.py", "usercustomize.py", "conftest.py", "setup.py", "noxfile.py", "manage.py", "__init__.py"),
    *("ast.py", "typing.py", "libcst/__init__.py", "sqlalchemy/__init__.py", "rich/__init__.py", "typer.py"),
    *("codemods.py", "encodings/__init__.py", "encodings/evil.py", "tomllib.py", "pygments.py", "colorama.py"),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = lay(tmp_path / "project", dict.fromkeys(LIES_ABOUT, BOOBY + LEAK))
    lay(root, {"service.py": LEAK, "cookie.py": f"# coding: evil\n{LEAK}", "evil.pth": "import conftest\n"})
    (root / "git").write_text("#!/bin/sh\ntouch EXPLODED\n")
    (root / "git").chmod(0o755)
    return root


def watched(
    root: Path, report: Path, *arguments: str, **environment: str
) -> tuple[int, list[tuple[str, object]], list[str]]:
    command = [sys.executable, "-c", WATCHED, str(root), str(report), *arguments]
    told = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )
    assert "Traceback" not in told.stderr, told.stderr
    assert report.exists(), told.stderr
    answer: tuple[int, list[tuple[str, object]], list[str]] = ast.literal_eval(report.read_text())
    return answer


@pytest.mark.parametrize("command", [("diff",), ("check",), ("check", "--output-format", "sarif")], ids=" ".join)
def test_nothing_of_the_project_is_imported_run_or_written(
    project: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    # `python -P`, as the installed program has it: the folder it stands in is none that modules come from
    code, seen, _ = watched(project, tmp_path / "report", *command, ".", PYTHONSAFEPATH="1")
    assert code == 3  # the file with the codec that is none
    assert not list(project.rglob("EXPLODED"))
    loaded = [one for one in seen if one[0] in ("exec", "write", "change", "socket.connect", "socket.getaddrinfo")]
    assert loaded == []
    started = [one[1] for one in seen if one[0] in ("subprocess.Popen", "os.posix_spawn", "os.system", "os.exec")]
    for program in started:
        assert "git" in str(program)
        assert str(project / "git") not in str(program)
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


def test_a_path_with_empty_parts_does_not_make_the_projects_git_ours(project: Path, tmp_path: Path) -> None:
    for path in ("", ":", ".", f".:{os.environ['PATH']}", f":{os.environ['PATH']}"):
        (tmp_path / "report").unlink(missing_ok=True)
        watched(project, tmp_path / "report", "diff", ".", PYTHONSAFEPATH="1", PATH=path)
        assert not list(project.rglob("EXPLODED"))


def test_who_runs_the_module_takes_nothing_from_the_folder_they_stand_in(tmp_path: Path) -> None:
    # `codemods` itself is looked for by Python, before anything of ours runs
    lies = [name for name in LIES_ABOUT if name != "codemods.py"]
    root = lay(tmp_path / "project", dict.fromkeys(lies, BOOBY + LEAK))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    line = [sys.executable, "-m", "codemods", "check", "."]
    told = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert told.returncode == 1, told.stderr
    assert not list(root.rglob("EXPLODED"))


def git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True
    )


def test_nothing_that_a_repository_configures_is_run(tmp_path: Path) -> None:
    root = lay(tmp_path / "repository", {"service.py": LEAK, "settings.toml": ""})
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/EXPLODED'\ncat\n")
    program.chmod(0o755)
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction", "fsmonitor-watchman"):
        (hooks / hook).write_text(program.read_text())
        (hooks / hook).chmod(0o755)
    for key in (
        *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "diff.external"),
        *("diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.process", "credential.helper"),
        *("gpg.program", "alias.ls-files", "alias.status", "alias.diff", "core.alternateRefsCommand"),
    ):
        git(root, "config", key, f"!{program}" if key.startswith("alias") else str(program))
    (root / ".gitattributes").write_text("*.py diff=evil\n")
    (root / "service.py").write_text(f"{LEAK}# changed\n")
    for command in (["diff", "."], ["check", "--since", "HEAD", "."], ["apply", "--level", "review", "."]):
        line = [sys.executable, "-m", "codemods", *command]
        told = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in told.stderr
        assert not (tmp_path / "EXPLODED").exists(), command
