"""The README says what is so: its rule table, its commands and settings, and the page of every rule."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from codemods import __main__, settings
from codemods.cli.program import app
from codemods.review.terminal import rule_table
from codemods.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
HEADINGS = ("What it changes", "Why", "Before", "After", "Leaves alone", "Safety")


def test_rule_table_is_the_one_that_the_tool_prints() -> None:
    found = re.search(r"<!-- made by [^>]*-->\n(.*?)<!-- end of rules -->", README, re.DOTALL)
    assert found is not None
    assert found[1].strip() == rule_table(RULES, True).strip()


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test", "lint"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_settings_of_the_readme_are_taken(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert block is not None
    (tmp_path / "pyproject.toml").write_text(block[1], encoding="utf-8")
    assert tomllib.loads(block[1])["tool"]["session-codemods"]
    loaded = settings.load(tmp_path, rules=[rule.name for rule in RULES])
    assert loaded.scope == "app.db.async_session"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_page_of_a_rule_has_every_heading_in_order(rule: object) -> None:
    page = rule.page  # type: ignore[attr-defined]
    places = [page.index(f"\n{heading}\n") for heading in HEADINGS]
    assert places == sorted(places)


def excerpt(beginning: str) -> list[str]:
    """The lines of the block that holds such a line, from there on, but for what stands for more."""
    (block,) = (one for one in BLOCKS if beginning in one)
    lines: list[str] = block[block.index(beginning) :].splitlines()
    return [line for line in lines if line != "..."]


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        (["diff", "--level", "safe", "--select", "session-scope", "app/services/users.py"], "# app/services/users.py"),
        (["check", "--checklist"], "Checklist: "),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_what_is_shown_of_the_bundled_application_is_what_is_printed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    arguments: list[str],
    beginning: str,
) -> None:
    monkeypatch.chdir(shutil.copytree(ROOT / "fixtures/legacy_app", tmp_path / "legacy_app"))
    assert __main__.main(arguments) == 1
    printed = iter(capfdbinary.readouterr().out.decode().splitlines())
    for line in excerpt(beginning):
        assert line in printed, f"{line!r} is not printed, or not in this order"


def commands_of_the_readme() -> list[list[str]]:
    typed = re.findall(r"^(?:\$ )?session-codemods (.*)", "".join(BLOCKS), re.MULTILINE)
    return [shlex.split(line.partition(" > ")[0], comments=True) for line in typed]


def test_commands_of_the_readme_are_there_with_their_options() -> None:
    commands = commands_of_the_readme()
    assert {words[0] for words in commands} >= {"check", "diff", "apply", "review", "report", "undo", "split", "fleet"}
    for name, *words in commands:
        command: Any = get_command(app)
        command = command.commands[name]
        if name == "scaffold":
            command = command.commands[words.pop(0)]
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        assert {word for word in words if re.match("--?[a-z]", word)} <= known, (name, words)


def test_hostile_cases_of_the_readme_are_there() -> None:
    said = {file: int(count) for count, file in re.findall(r"\| (\d+) \| `(tests/\S+\.py)` \|", README)}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *said]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    found = Counter(line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line)
    assert {str(one.relative_to(ROOT)) for one in (ROOT / "tests/hostile").glob("test_*.py")} <= set(said)
    assert {file: count for file, count in said.items() if found[file] < count} == {}
    (together,) = re.findall(r"\| all of `tests/hostile` \| (\d+) \|", README)
    assert int(together) == sum(count for file, count in said.items() if file.startswith("tests/hostile/"))
