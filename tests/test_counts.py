"""What a run does, counted and not timed: files read and parsed, lines that libcst gets, modules that are imported.

Seconds differ between machines; these figures do not. They are held from above, so a run that does less passes too.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import libcst as cst
import pytest

from codemods import engine, sources
from codemods.plan import Plan, Source
from codemods.project import scan
from codemods.settings import Settings

REPOSITORY = Path(__file__).parent.parent
LEGACY_APP = REPOSITORY / "fixtures" / "legacy_app"

ADVICE = """
Does the change need this? Look first whether something is done twice, or for files that cannot matter (a word that is
too common in `Rule.words`, a look at the whole project for every file, an import that belongs into a function).
If it is worth it, put the new figure here, and say in the commit what it buys."""


def held(what: str, found: int, most: int) -> None:
    """Fails when a run does more than it did, and says what to do about it."""
    assert found <= most, f"{what}: {found:,}, and {most:,} were enough so far.{ADVICE}"


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts what is done within the block; `read:PATH` and `scanned:PATH` by file."""
    counts: Counter[str] = Counter()

    def noting(
        function: Callable[..., Any], note: Callable[[tuple[Any, ...]], Mapping[str, int]]
    ) -> Callable[..., Any]:
        def noted(*arguments: Any, **options: Any) -> Any:
            counts.update(note(arguments))
            return function(*arguments, **options)

        return noted

    def read(arguments: tuple[Any, ...]) -> Mapping[str, int]:
        return {"read": 1, f"read:{arguments[1]}": 1}

    def scanned(arguments: tuple[Any, ...]) -> Mapping[str, int]:
        source: Source = arguments[0]
        return {"scanned": 1, "lines scanned": source.text.count("\n"), f"scanned:{source.path}": 1}

    def parsed(arguments: tuple[Any, ...]) -> Mapping[str, int]:
        return {"parses": 1}

    def given_to_libcst(arguments: tuple[Any, ...]) -> Mapping[str, int]:
        return {"lines to libcst": max(1, str(arguments[0]).count("\n"))}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "read", noting(sources.read, read))
        patch.setattr(engine, "parse", noting(scan.parse, scanned))
        patch.setattr(ast, "parse", noting(ast.parse, parsed))
        for name in ("parse_module", "parse_statement", "parse_expression"):
            patch.setattr(cst, name, noting(getattr(cst, name), given_to_libcst))
        yield counts


def run(root: Path) -> tuple[Plan, Counter[str]]:
    settings = Settings(respect_gitignore=False)
    with counted() as counts:
        plan = engine.run(engine.RunRequest(root, (root,), settings))
    return plan, counts


def twice(counts: Counter[str], what: str) -> list[str]:
    return [name for name, count in counts.items() if name.startswith(f"{what}:") and count > 1]


def test_growth_is_said_with_what_to_do_about_it() -> None:
    held("files", 3, 3)
    with pytest.raises(AssertionError, match=r"files: 1,004, and 1,003 were enough so far[^$]*put the new figure here"):
        held("files", 1004, 1003)


# --- the bundled application -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Counter[str]]:
    root = tmp_path_factory.mktemp("project") / "legacy_app"
    shutil.copytree(LEGACY_APP, root, ignore=shutil.ignore_patterns("__pycache__"))
    return run(root)


def test_every_file_of_the_legacy_application_is_read_once(legacy: tuple[Plan, Counter[str]]) -> None:
    plan, counts = legacy
    assert counts["read"] == plan.files_read
    assert twice(counts, "read") == []


def test_files_of_the_legacy_application_are_parsed_again_only_where_they_changed(
    legacy: tuple[Plan, Counter[str]],
) -> None:
    plan, counts = legacy
    assert set(twice(counts, "scanned")) <= {f"scanned:{change.path}" for change in plan.changes}
    held("files scanned", counts["scanned"], 86)
    held("lines scanned", counts["lines scanned"], 5_200)
    held("calls of ast.parse", counts["parses"], 1_150)


def test_libcst_gets_few_lines_of_the_legacy_application(legacy: tuple[Plan, Counter[str]]) -> None:
    _, counts = legacy
    held("lines given to libcst", counts["lines to libcst"], 920)


# --- a tree that is made up ------------------------------------------------------------------------------------------

DATABASE = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

make = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"), expire_on_commit=False)
"""
FAR = "def double(number: int) -> int:\n    return 2 * number\n" * 20
HEAD = "from app.db import make\n\n\nasync def count(query):\n"
RIGHT = HEAD + "    async with make() as db:\n        await db.execute(query)\n"
WRONG = HEAD + "    db = make()\n    await db.execute(query)\n\n\n" + FAR
APART, OPENING, LEAKING = 200, 20, 5


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of which a tenth has to do with sessions, and less has to change."""
    root = tmp_path / "tree"
    files = {"pyproject.toml": '[project]\nname = "app"\ndependencies = ["sqlalchemy>=2"]\n', "app/db.py": DATABASE}
    files |= {f"app/far_{number}.py": FAR for number in range(APART)}
    files |= {f"app/right_{number}.py": RIGHT for number in range(OPENING)}
    files |= {f"app/wrong_{number}.py": WRONG for number in range(LEAKING)}
    (root / "app").mkdir(parents=True)
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_files_that_have_nothing_to_do_with_sessions_are_read_and_not_parsed(tree: Path) -> None:
    plan, counts = run(tree)
    assert len(plan.changes) == LEAKING
    assert counts["read"] == 1 + APART + OPENING + LEAKING
    assert not [name for name in counts if name.startswith("scanned:app/far")]
    # all that matter once, and once more what was changed
    assert counts["scanned"] == 1 + OPENING + LEAKING + LEAKING


def test_work_grows_with_the_places_and_not_with_the_lines_around_them(tree: Path) -> None:
    _, before = run(tree)
    for path in tree.glob("app/wrong_*.py"):
        path.write_text(path.read_text() + FAR * 10)
    _, after = run(tree)
    names = ("read", "scanned", "parses", "lines to libcst")
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
    held("lines given to libcst for each edit", after["lines to libcst"] // LEAKING, 4)
    held("calls of ast.parse for each edit", (after["parses"] - after["scanned"]) // LEAKING, 10)


def test_tree_twice_as_large_is_twice_the_work(tree: Path) -> None:
    _, once = run(tree)
    for path in list(tree.glob("app/*_*.py")):
        shutil.copyfile(path, path.with_name(f"copy_of_{path.name}"))
    _, twice = run(tree)
    for name in ("read", "scanned", "lines scanned", "parses", "lines to libcst"):
        assert twice[name] <= 2 * once[name], f"{name} grows faster than the tree.{ADVICE}"


# --- what is imported ------------------------------------------------------------------------------------------------


def imported(*arguments: str, folder: Path) -> set[str]:
    script = (
        "import sys\n"
        "from codemods.__main__ import main\n"
        f"main({list(arguments)!r})\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return set(done.stdout.decode().splitlines()[-1].split())


def ours(modules: set[str]) -> int:
    return sum(name.partition(".")[0] == "codemods" for name in modules)


def test_few_modules_are_imported(tree: Path) -> None:
    found = imported("--version", folder=tree)
    held("our modules for --version", ours(found), 3)
    assert not {"typer", "rich", "libcst", "ast", "re", "pathlib"} & found
    found = imported("diff", "-q", "--no-cache", folder=tree)
    held("our modules for a diff", ours(found), 322)
    assert not {"rich", "jinja2", "pygments", "asyncio", "cattrs"} & found
