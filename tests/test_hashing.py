"""Values that remember their hash are the values that they would be without."""

from __future__ import annotations

import ast
import dataclasses
import pickle

import pytest

from codemods.plan import Source
from codemods.project.expressions import expression
from codemods.project.facts import Call, Literal, Name, ParameterUse, Passed, Summary
from codemods.project.scan import scan
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning


def parsed(text: str) -> Call:
    found = expression(ast.parse(text, mode="eval").body)
    assert isinstance(found, Call)
    return found


def test_equal_values_have_one_hash_whichever_was_asked_first() -> None:
    first, second = parsed("make(engine, expire_on_commit=False)"), parsed("make(engine, expire_on_commit=False)")
    before = hash(first)
    assert first is not second
    assert (first, before) == (second, hash(second)) == (first, hash(first))


def test_a_changed_copy_does_not_keep_the_hash_of_what_it_was_made_from() -> None:
    one = InstanceMeaning(External("a.B"))
    known = {one: "external"}
    other = dataclasses.replace(one, of=ClassMeaning("a.py", "B"))
    assert other not in known
    assert hash(other) == hash(InstanceMeaning(ClassMeaning("a.py", "B")))


def test_a_hash_is_not_pickled_as_texts_hash_otherwise_in_another_process() -> None:
    one = parsed("make(engine)")
    hash(one)
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    assert not hasattr(again, "_hash")


@pytest.mark.parametrize("number", [1, 1.0])
def test_true_is_not_the_number_that_python_takes_for_it(number: float) -> None:
    assert Literal(True) != Literal(number)
    assert {Literal(True): "bool", Literal(number): "number"} == {Literal(number): "number", Literal(True): "bool"}
    assert len({parsed("make(expire_on_commit=True)"), parsed(f"make(expire_on_commit={number})")}) == 2


def test_the_summary_of_a_function_is_worked_out_once_and_pickled_as_what_it_is() -> None:
    asked: list[str] = []
    use = ParameterUse("session", passed=(Passed(Name("f"), 0, None, awaited=False, line=2),))

    def find() -> tuple[ParameterUse, ...]:
        asked.append("session")
        return (use,)

    summary = Summary(find)
    assert asked == []
    assert summary.uses == summary.uses == (use,)
    assert pickle.loads(pickle.dumps(summary)) == summary == Summary((use,))
    assert hash(summary) == hash(Summary((use,)))
    assert asked == ["session"]


def test_the_facts_of_a_file_can_be_pickled_and_compared() -> None:
    text = "def f(session):\n    save(session)\n\n\nclass A:\n    def g(self, s):\n        self.s = s\n"
    source = Source("a.py", "a", False, text.encode(), text, "utf-8", b"", "\n", "    ")
    facts = scan(source)
    assert pickle.loads(pickle.dumps(facts)) == facts == scan(source)
    assert [[use.name for use in one.uses] for one in facts.functions] == [["session"], ["self", "s"]]
