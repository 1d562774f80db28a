"""Code that is deep, wide or long: each file is handled or named with a reason, and the files beside it are handled.

What could end the process by a signal is tried in a process of its own.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from codemods import deep_stack, engine, nesting
from codemods.deep_stack import OutOfTime, time_limit, with_deep_stack
from codemods.rules.base import ModuleView
from hostile.projects import CURED, LEAK, SCOPE_ONLY, after, failed, lay, run


def nested(shape: str, levels: int) -> str:
    """A statement that is as deep as that."""
    return {
        "parentheses": "x = " + "(" * levels + "1" + ")" * levels,
        "lists": "x = " + "[" * levels + "]" * levels,
        "dicts": "x = " + "{1: " * levels + "1" + "}" * levels,
        "minus": "x = " + "-" * levels + "1",
        "nots": "x = " + "not " * levels + "1",
        "attributes": "x = query" + ".b" * levels,
        "calls": "x = query" + "()" * levels,
        "calls of calls": "x = " + "query(" * levels + ")" * levels,
        "subscripts": "x = query" + "[0]" * levels,
        "sums": "x = query" + " + query" * levels,
        "powers": "x = query" + " ** query" * levels,
        "lambdas": "x = " + "lambda: " * levels + "1",
        "conditions": "x = " + "1 if query else " * levels + "1",
        "awaits": "x = await session.execute(query" + " + query" * levels + ")",
        "elifs": "if query:\n        pass\n" + "    elif query:\n        pass\n" * levels,
        "stars": "x = [" + "*" * levels + "query]",
    }[shape]


SHAPES = (
    *("parentheses", "lists", "dicts", "minus", "nots", "attributes", "calls", "calls of calls", "subscripts"),
    *("sums", "powers", "lambdas", "conditions", "awaits", "elifs", "stars"),
)


def function_with(statement: str) -> str:
    return LEAK.replace("    return 1\n", f"    {statement}\n    return 1\n")


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("deep")
    deep = {f"{shape.replace(' ', '_')}.py": function_with(nested(shape, 10_000)) for shape in SHAPES}
    lay(root, {**deep, "good.py": LEAK})
    command = [sys.executable, "-m", "codemods", "diff", "--select", "session-scope", "--no-cache", "."]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert told.returncode == 3, told.stderr
    assert "+++ b/good.py" in told.stdout
    assert "Traceback" not in told.stderr
    return told.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_levels_are_a_failure_that_names_its_file(ten_thousand: str, shape: str) -> None:
    (line,) = [one for one in ten_thousand.splitlines() if f" {shape.replace(' ', '_')}.py" in one]
    assert "nested" in line or "not valid Python" in line
    assert "internal" not in line


@pytest.mark.parametrize("shape", ["minus", "attributes", "calls", "subscripts", "sums", "conditions", "awaits"])
def test_what_is_deep_but_can_be_read_is_followed_to_its_end(tmp_path: Path, shape: str) -> None:
    statement = nested(shape, 700)
    plan = run(lay(tmp_path, {"deep.py": function_with(statement)}))
    assert failed(plan) == {}
    where = "        " if shape == "awaits" else "    "
    assert f"\n{where}{statement}\n".encode() in after(plan)["deep.py"]


@pytest.mark.parametrize("shape", ["sums", "attributes", "conditions", "elifs"])
def test_more_levels_than_anyone_writes_are_refused_wherever_they_stand(tmp_path: Path, shape: str) -> None:
    text = function_with(nested(shape, nesting.LIMIT + 1))
    plan = run(lay(tmp_path, {"deep.py": text, "good.py": LEAK}))
    assert failed(plan) == {"deep.py": "nested too deeply to be read"}
    assert after(plan) == {"good.py": CURED.encode()}


def test_how_deep_a_tree_is_does_not_depend_on_lines_or_on_width() -> None:
    with_deep_stack(lambda: nesting.check(ast.parse("x = [" + "1, " * 100_000 + "]")))
    with_deep_stack(lambda: nesting.check(ast.parse("x = (1" + "\n+ 1" * (nesting.LIMIT - 10) + ")")))
    decorated = "@(f" + "\n.a" * nesting.LIMIT + ")\ndef f():\n    pass\n"
    for text in ("x = (1" + "\n+ 1" * nesting.LIMIT + ")", "x = 1" + " + 1" * nesting.LIMIT, decorated):
        tree = with_deep_stack(lambda text=text: ast.parse(text))  # type: ignore[misc]
        for known in (None, text):
            with pytest.raises(nesting.TooDeepError):
                nesting.check(tree, known)


@pytest.mark.parametrize(
    "statement",
    [
        "x = [" + "1, " * 20_000 + "]",
        "x = [" + "'é\u2028', " * 3_000 + "]",
        "x = {" + ", ".join(f"'{number}': query" for number in range(1_000)) + "}",
        "x = '" + "a" * 1_000_000 + "'",
        "x = 1  # " + "a" * 1_000_000,
        "x = query" + " and query" * 2_000,
        "x = query" + " < query" * 2_000,
        "x = " * 3_000 + "1",
        "x" * 100_000 + " = 1",
        "global " + ", ".join(f"g{number}" for number in range(5_000)),
    ],
    ids=[
        *("elements", "texts", "items", "long_string", "long_comment", "ands", "comparisons", "targets", "long_name"),
        "globals",
    ],
)
def test_what_is_wide_stays_to_the_byte(tmp_path: Path, statement: str) -> None:
    plan = run(lay(tmp_path, {"wide.py": function_with(statement)}))
    assert failed(plan) == {}
    assert after(plan)["wide.py"] == CURED.replace("    return 1\n", f"    {statement}\n    return 1\n").encode()


def test_a_hundred_thousand_lines_around_a_leak_stay_to_the_byte(tmp_path: Path) -> None:
    table = "".join(f"# row {number}\n" for number in range(100_000))
    plan = run(lay(tmp_path, {"long.py": f"{LEAK}\n\n{table}"}))
    assert after(plan)["long.py"] == f"{CURED}\n\n{table}".encode()


def test_ninety_blocks_in_each_other_are_followed(tmp_path: Path) -> None:
    blocks = "".join("    " * level + "if query:\n" for level in range(1, 97)) + "    " * 97 + "pass\n"
    plan = run(lay(tmp_path, {"deep.py": LEAK.replace("    return 1\n", f"{blocks}    return 1\n")}))
    assert blocks.encode() in after(plan)["deep.py"]


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def _hanging_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = engine.chosen_rules(SCOPE_ONLY)[0]
    examine = type(rule).examine

    def slow(self: object, view: ModuleView) -> object:
        while view.source.path == "slow.py":
            time.sleep(0.01)
        return examine(self, view)  # type: ignore[arg-type]

    monkeypatch.setattr(type(rule), "examine", slow)
    monkeypatch.setattr(engine, "SECONDS_PER_FILE", 0.5)


@pytest.mark.usefixtures("_hanging_rule")
def test_a_file_that_never_ends_is_named_and_the_others_are_handled(tmp_path: Path) -> None:
    plan = run(lay(tmp_path, {"a.py": LEAK, "slow.py": LEAK, "z.py": LEAK}))
    assert list(failed(plan)) == ["slow.py"]
    assert "took longer than" in failed(plan)["slow.py"]
    assert after(plan) == {"a.py": CURED.encode(), "z.py": CURED.encode()}


def test_time_is_limited_for_what_takes_too_long_and_nothing_else() -> None:
    def work() -> list[str]:
        said = []
        for seconds in (0.3, 30.0):
            try:
                with time_limit(seconds):
                    for _ in range(80):
                        time.sleep(0.01)
                said.append("done")
            except OutOfTime:
                said.append("stopped")
        time.sleep(0.4)  # nothing comes late
        return said

    assert with_deep_stack(work) == ["stopped", "done"]


def test_what_is_raised_on_the_deep_stack_is_raised_to_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        with_deep_stack(lambda: 1 // 0)
    with pytest.raises(SystemExit):
        with_deep_stack(sys.exit)


def test_limits_of_the_process_are_as_before() -> None:
    before = sys.getrecursionlimit(), threading.stack_size()
    assert with_deep_stack(sys.getrecursionlimit) > before[0]
    assert (sys.getrecursionlimit(), threading.stack_size()) == before


def test_ctrl_c_ends_the_work_too() -> None:
    program = (
        "import os, signal, threading, time\n"
        "from codemods.deep_stack import with_deep_stack\n"
        "ended = []\n"
        "def work():\n"
        "    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "    try:\n"
        "        while True: time.sleep(0.01)\n"
        "    finally: ended.append(True)\n"
        "try: with_deep_stack(work)\n"
        "except KeyboardInterrupt: print('interrupted', ended)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert told.stdout == "interrupted [True]\n", told.stderr


def test_with_little_room_for_a_stack_a_smaller_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        size = threading.stack_size()
        if size > deep_stack._STACKS[-1]:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert with_deep_stack(lambda: 1) == 1
