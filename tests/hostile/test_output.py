"""Names and source of a stranger in everything that is printed: no escape, no forged line, no command, no element.

Each format by itself has its own tests; here one hostile project goes through all of them, as a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from hostile.projects import LEAK, lay

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066\u200b\x85\u2028"
COMMAND = "::error file=x,line=1::owned"
ELEMENT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
HOSTILE = LEAK.replace(
    "    session = new_session()\n",
    f"    # {ESCAPES}\n    session = new_session()  # {ELEMENT} --> ]]> ``` {COMMAND}\n",
).replace("count", "count_\u0440\u0430\u0443")  # letters that look like others
BAD = f"new_session = async_sessionmaker = '{ESCAPES.replace(chr(0x85), '').replace(chr(0x2028), '')}\n{COMMAND}\n"
NAMES = (f"a\n{COMMAND}\n.py", "b\x1b[31m\u202e.py", ELEMENT.replace("/", "\\") + ".py", "d`|*_[x](y).py")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = dict.fromkeys(NAMES, HOSTILE)
    return lay(tmp_path_factory.mktemp("hostile"), {**files, **{f"bad{name}": BAD for name in NAMES}})


def told(project: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    command = [sys.executable, "-m", "codemods", *arguments, "--no-cache", "."]
    run = subprocess.run(
        command, cwd=project, capture_output=True, check=False, timeout=120, env=os.environ | environment
    )
    assert run.returncode == 3, run.stderr
    assert b"Traceback" not in run.stderr
    return run.stdout.decode(), run.stderr.decode()


def harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize("command", ["check", "diff"])
def test_what_people_read_holds_nothing_that_a_terminal_obeys(project: Path, command: str) -> None:
    out, error = told(project, command)
    assert harmless(error)
    assert command == "diff" or harmless(out)
    assert "\n::error" not in error
    assert command == "diff" or "\n::error" not in out


def test_a_patch_in_colour_is_escaped(project: Path) -> None:
    out, _ = told(project, "diff", "--color", "always")
    assert "\x1b[2J" not in out
    assert "\u202e" not in out
    assert "\x07" not in out


def test_a_runner_of_github_obeys_no_line_of_a_patch(project: Path) -> None:
    out, error = told(project, "diff", GITHUB_ACTIONS="true")
    first, *lines, last = out.splitlines()
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    assert last not in lines
    assert not any(line.startswith("::") for line in error.splitlines())


def test_annotations_of_github_are_ours(project: Path) -> None:
    out, _ = told(project, "check", "--output-format", "github")
    assert harmless(out)
    commands = [line for line in out.splitlines() if line.startswith("::")]
    assert len(commands) >= len(NAMES)
    assert not any(line.startswith("::error file=x,") for line in commands)


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_what_programs_read_is_one_object_without_control_characters(project: Path, form: str) -> None:
    out, _ = told(project, "check", "--output-format", form)
    json.loads(out)
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_markdown_has_no_element_of_a_strangers(project: Path) -> None:
    out, _ = told(project, "check", "--output-format", "markdown")
    assert harmless(out)
    page = MarkdownIt("commonmark").enable("table").render(out)
    assert "&lt;img" in page
    assert "<img" not in page
    assert "<script" not in page
    assert "\n::error" not in out
