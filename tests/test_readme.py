"""The README says what is so: its rule table, its commands and settings, and the page of every rule."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from codemods import settings
from codemods.review.terminal import rule_table
from codemods.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
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
