"""A rule that is not asked about a file, as it holds none of its words, would have had nothing to say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_engine import APP, WORDLESS, planned, written

from codemods.engine import _Look
from codemods.plan import End
from codemods.rules import RULES, SILENT_WITHOUT_WORDS

OTHER_WORDS = "# submit gather sqlite elationship(\n"  # they bring a file in for other rules
JOB = "def job(pool, work):\n    pool.submit(work)\n"


def test_the_rules_that_need_their_words_are_rules() -> None:
    assert {rule.name for rule in RULES} > SILENT_WITHOUT_WORDS


@pytest.mark.parametrize("situation", WORDLESS)
def test_a_file_that_another_rule_brings_in_is_still_looked_at_when(situation: str, tmp_path: Path) -> None:
    files = {path: text + OTHER_WORDS for path, text in {**APP, **WORDLESS[situation]}.items()}
    root = written(tmp_path, files)
    plan = planned(root)
    assert plan == planned(root, prefilter=False)
    assert [entry for end in (End.CHANGED, End.REFUSED) for entry in plan.ledger.of(end)]


def test_a_file_without_a_word_of_sessions_costs_the_rules_for_sessions_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    may_speak = _Look._may_speak

    def noted(self: _Look, rule: object, source: object) -> bool:
        answer = may_speak(self, rule, source)  # type: ignore[arg-type]
        if answer:
            asked.append((rule.name, source.path))  # type: ignore[attr-defined]
        return answer

    monkeypatch.setattr(_Look, "_may_speak", noted)
    root = written(tmp_path, {**APP, "app/job.py": JOB})
    planned(root)
    names = {name for name, path in asked if path == "app/job.py"}
    assert names == {rule.name for rule in RULES} - SILENT_WITHOUT_WORDS
    assert {name for name, path in asked if path == "app/db.py"} == {rule.name for rule in RULES}
