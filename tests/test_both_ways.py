"""What makes the tool fast changes nothing: the bytes that it prints are those of the long way."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import libcst as cst
import pytest
from field import both_ways, fetch, plainly, run

from codemods import engine, sources
from codemods.plan import Plan
from codemods.settings import Settings
from codemods.transformers import slices

REPOSITORY = Path(__file__).parent.parent
SHORT = [package for package in fetch.load() if package.short]
DATABASE = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

make = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"), expire_on_commit=False)
"""
WORDLESS = """\
from app.db import make


async def count(query) -> int:
    db = make()
    result = await db.execute(query)
    return int(result.scalar_one())
"""
APART = "def double(number: int) -> int:\n    return 2 * number\n"
# a second function that leaks, so that the file has two places to edit and lines between them
FILES = {
    "pyproject.toml": '[project]\nname = "app"\ndependencies = ["sqlalchemy>=2"]\n',
    "app/__init__.py": "",
    "app/db.py": DATABASE,
    "app/use.py": WORDLESS + "\n\n" + WORDLESS.partition("\n\n\n")[2].replace("count", "again"),
    "app/apart.py": APART,
}


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def git(folder: Path, *arguments: str) -> None:
    person = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return written(tmp_path / "project", FILES)


# --- the same bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", SHORT, ids=lambda short: short.name)
def test_published_package_is_told_the_same_both_ways(short: fetch.Package, tmp_path: Path) -> None:
    try:
        fetch.unpack(fetch.fetch(short), tmp_path / "tree")
    except fetch.Unreachable as error:
        pytest.skip(str(error))
    git(tmp_path / "tree", "init", "--quiet")
    git(tmp_path / "tree", "add", "--all", "--force")
    compared = both_ways.compare(tmp_path / "tree", tmp_path / "out", run.installed_tool())
    assert compared.problems == ()
    assert compared.remembered


@pytest.fixture(scope="module")
def legacy_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("project") / "legacy_app"
    shutil.copytree(REPOSITORY / "fixtures" / "legacy_app", tree, ignore=shutil.ignore_patterns("__pycache__"))
    return tree


@pytest.fixture(scope="module")
def plan(legacy_app: Path) -> Plan:
    return engine.run(engine.RunRequest(legacy_app, (legacy_app,), Settings()))


def test_legacy_application_is_told_the_same_both_ways(legacy_app: Path, tmp_path: Path) -> None:
    compared = both_ways.compare(legacy_app, tmp_path / "out", run.installed_tool())
    assert compared == both_ways.Compared((), True)
    assert (tmp_path / "out" / "fix.patch").stat().st_size > 10_000


@pytest.mark.parametrize("name", plainly.ACCELERATIONS)
def test_plan_of_the_legacy_application_is_the_same_without(name: str, legacy_app: Path, plan: Plan) -> None:
    with plainly.without([name]):
        assert engine.run(engine.RunRequest(legacy_app, (legacy_app,), Settings())) == plan


# --- what differs is noticed -----------------------------------------------------------------------------------------


def changed_tool(folder: Path, change: str) -> tuple[str, ...]:
    """The tool with a fault in it."""
    script = folder / "changed_tool.py"
    lines = ["import sys", "from codemods import __main__, engine, sources", change]
    script.write_text("\n".join([*lines, "sys.exit(__main__.main(sys.argv[1:]))"]), encoding="utf-8")
    return (sys.executable, "-P", str(script))


def test_filter_that_leaves_out_too_much_is_noticed(project: Path, tmp_path: Path) -> None:
    tool = changed_tool(tmp_path, "sources.has_word = lambda data, words: b'sessionmaker' in data")
    found = both_ways.compare(project, tmp_path / "out", tool).problems
    assert any("the report differs" in one and "app/use.py:5" in one for one in found), found
    assert any("the patch differs" in one for one in found)
    assert "exit codes differ: 0, 1" in found


def test_second_run_that_says_something_else_is_noticed(project: Path, tmp_path: Path) -> None:
    fault = (
        f"import pathlib; mark = pathlib.Path({str(tmp_path / 'mark')!r})\n"
        "if mark.exists(): sources.has_word = lambda data, words: False\n"
        "if '--output-format' not in sys.argv: mark.touch()\n"  # the first run is over
        "sys.argv.append('--no-cache')"
    )
    found = both_ways.compare(project, tmp_path / "out", changed_tool(tmp_path, fault)).problems
    assert any("the report that is remembered differs" in one for one in found), found


def test_long_way_that_breaks_is_noticed(project: Path, tmp_path: Path) -> None:
    plain = (sys.executable, "-c", "raise SystemExit('no such name')")
    found = both_ways.compare(project, tmp_path / "out", run.installed_tool(), plain).problems
    assert found == ("the long way gave nothing: no such name",)


# --- the long way is one ---------------------------------------------------------------------------------------------


def scanned(root: Path) -> set[str]:
    """The files that a run parses."""
    found: set[str] = set()
    scan = engine._scan

    def noted(codebase: engine.Codebase, paths: set[str], tell: engine.Progress) -> None:
        scan(codebase, paths, tell)
        found.update(codebase.trees)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_scan", noted)
        engine.run(engine.RunRequest(root, (root,), Settings()))
    return found


def test_words_leave_files_out_and_the_long_way_does_not(project: Path) -> None:
    assert "app/apart.py" not in scanned(project)
    with plainly.without(["words"]):
        assert "app/apart.py" in scanned(project)


def test_git_is_asked_for_files_and_the_long_way_looks_itself(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(project, "init", "--quiet")
    monkeypatch.setattr(sources, "_of_git", lambda *_: pytest.fail("git was asked"))
    with pytest.raises(pytest.fail.Exception):
        sources.discover(project, (), Settings())
    with plainly.without(["git"]):
        assert "app/use.py" in sources.discover(project, (), Settings()).files


def test_libcst_gets_statements_and_the_long_way_gives_it_the_file(project: Path) -> None:
    def given() -> set[int]:
        sizes = set[int]()
        transformed = slices._transformed

        def noted(module: cst.Module, *more: Any, **options: Any) -> str:
            sizes.add(module.code.count("\n"))
            return transformed(module, *more, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slices, "_transformed", noted)
            engine.run(engine.RunRequest(project, (project,), Settings()))
        return sizes

    size = FILES["app/use.py"].count("\n")
    assert given()
    assert max(given()) < size
    with plainly.without(["slices"]):
        assert given() == {size}


def test_everything_is_put_back_also_after_an_error() -> None:
    before = (sources.read, engine.run, engine._mentioning, slices._spliced)
    with contextlib.suppress(RuntimeError), plainly.without():
        assert all(one is not other for one, other in zip(before, (sources.read, engine.run), strict=False))
        raise RuntimeError
    assert before == (sources.read, engine.run, engine._mentioning, slices._spliced)
