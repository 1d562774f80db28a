"""What is remembered of a run: never another answer than without it, and never the reason of an error."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import inspect
import itertools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods import __main__, engine
from codemods.cli import check, diff, dry_run, options
from codemods.cli.plain_arguments import plain_call
from codemods.engine import NoPythonFiles
from codemods.plan import Plan
from codemods.run_cache import notes, place, plan_json, store, tool
from codemods.settings import SettingsError
from codemods.sources import SourceError

REPOSITORY = Path(__file__).parent.parent

DATABASE = """from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://host/db")
new_session = async_sessionmaker(engine)
"""
LEAK = """from app.database import new_session


async def names(group: int) -> list[str]:
    session = new_session()
    return list(await session.scalars(query(group)))
"""
CLEAN = """from app.database import new_session


async def names(group: int) -> list[str]:
    async with new_session() as session:
        return list(await session.scalars(query(group)))
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def git(root: Path, *arguments: str) -> None:
    mine = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *mine, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a tool that nobody changes meanwhile."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tool, "identity", lambda: "this tool")
    return tmp_path / "cache" / "session-codemods"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(
        root,
        {
            "pyproject.toml": '[project]\nname = "app"\ndependencies = ["sqlalchemy>=2", "asyncpg"]\n',
            "requirements/base.txt": "-r more.in\nfastapi\n",
            "app/__init__.py": "",
            "app/database.py": DATABASE,
            "app/names.py": LEAK,
            "app/right.py": CLEAN,
        },
    )
    return root


def asked_for(*paths: Path, **changes: object) -> options.Wanted:
    given: dict[str, object] = {
        "paths": list(paths),
        **dict.fromkeys(("select", "ignore", "exclude", "extend_exclude", "respect_gitignore", "config", "output")),
        **dict.fromkeys(("cross_paths", "isolated", "statistics"), False),
        "level": options.LevelName.review,
        "output_format": options.OutputFormat.text,
        "quiet": True,
        **changes,
    }
    return options.wanted(**given)  # type: ignore[arg-type]


def plan_of(wanted: options.Wanted) -> Plan | str:
    """What is found, or why it could not be looked for."""
    try:
        return dry_run.Look(wanted).planned()[0]
    except (SettingsError, SourceError, NoPythonFiles) as error:
        return f"{type(error).__name__}: {error}"


def recalled(wanted: options.Wanted, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the request is answered without the engine and the settings."""
    with monkeypatch.context() as patch:
        patch.setattr(engine, "run", lambda *_: pytest.fail("the engine runs"))
        patch.setattr(dry_run, "requested", lambda _: (_ for _ in ()).throw(SettingsError("asked")))
        try:
            dry_run.Look(wanted).planned()
        except SettingsError:
            return False
        return True


def without_engine(wanted: options.Wanted, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the request is answered from what was found before, though settings and files are looked at anew."""

    class Ran(Exception):
        pass

    def refuse(*_: object) -> Plan:
        raise Ran

    with monkeypatch.context() as patch:
        patch.setattr(engine, "run", refuse)
        try:
            dry_run.Look(wanted).planned()
        except Ran:
            return False
        return True


# --- the same answer -------------------------------------------------------------------------------------------------

FORMS = [
    *(["check", "--output-format", one] for one in ("text", "json", "sarif", "github", "markdown")),
    ["check", "--checklist"],
    ["check", "--level", "safe", "--statistics"],
    *(["diff", "--output-format", one] for one in ("text", "json")),
    ["diff", "--no-explain"],
]


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
@pytest.mark.parametrize("kind", ["made up", "in git", "the legacy application"])
def test_the_second_run_prints_the_same_bytes(
    kind: str,
    form: list[str],
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    if kind == "the legacy application":
        project = tmp_path / "legacy_app"
        shutil.copytree(REPOSITORY / "fixtures" / "legacy_app", project, ignore=shutil.ignore_patterns("__pycache__"))
    elif kind == "in git":
        git(project, "init", "-q")
    monkeypatch.chdir(project)

    def run(*more: str) -> tuple[int, bytes, list[bytes]]:
        code = __main__.main([*form, *more, "."])
        out, err = capfdbinary.readouterr()
        return code, out, [line for line in err.splitlines() if b"files read in" not in line]

    expected = run("--no-cache")
    assert run() == expected
    with monkeypatch.context() as patch:
        patch.setattr(engine, "run", lambda *_: pytest.fail("the engine runs"))
        assert run() == expected
    assert expected[1] or expected[2]


def test_a_plan_comes_back_from_json_as_it_was(project: Path, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "fixtures" / "legacy_app", tmp_path / "legacy_app")
    for root in (project, tmp_path / "legacy_app"):
        plan = plan_of(asked_for(root, cache=False, no_cache=True))
        assert isinstance(plan, Plan)
        assert plan.groups
        assert plan.changes
        assert plan_json.parse(plan_json.dump(plan)) == plan


def test_nothing_is_written_into_the_project(project: Path) -> None:
    before = {path: path.stat() for path in sorted(project.rglob("*"))}
    for _ in range(2):
        plan_of(asked_for(project))
    after = {path: path.stat() for path in sorted(project.rglob("*"))}
    assert {path: (one.st_mtime_ns, one.st_ctime_ns) for path, one in before.items()} == {
        path: (one.st_mtime_ns, one.st_ctime_ns) for path, one in after.items()
    }


def test_what_is_applied_from_memory_is_what_is_applied_without(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project.with_name("other")
    shutil.copytree(project, other)
    for root, more in ((project, []), (other, ["--no-cache"])):
        monkeypatch.chdir(root)
        for _ in range(2):
            __main__.main(["diff", "-q", "-o", os.devnull, *more])
        assert __main__.main(["apply", "--allow-no-vcs", "--level", "review", "-q", "-o", os.devnull, *more]) == 0
    assert (project / "app/names.py").read_text() == (other / "app/names.py").read_text() != LEAK


# --- when it is used, and when not -----------------------------------------------------------------------------------


def test_a_request_that_was_answered_is_answered_without_reading_settings(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not recalled(asked_for(project), monkeypatch)
    plan_of(asked_for(project))
    assert recalled(asked_for(project), monkeypatch)
    assert not recalled(asked_for(project, level=options.LevelName.safe), monkeypatch)
    assert not recalled(asked_for(project / "app"), monkeypatch)
    assert not recalled(asked_for(project, select=["session-scope"]), monkeypatch)
    assert not recalled(asked_for(project, no_cache=True), monkeypatch)
    monkeypatch.setenv("SESSION_CODEMODS_NO_CACHE", "1")
    assert not recalled(asked_for(project), monkeypatch)


def test_a_file_that_is_only_touched_is_read_and_not_looked_through(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_of(asked_for(project))
    (project / "app/names.py").touch()
    assert recalled(asked_for(project), monkeypatch)


def test_settings_that_come_to_the_same_do_not_need_the_engine(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of(asked_for(project))
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.other]\nkey = "value"\n')
    assert not recalled(asked_for(project), monkeypatch)
    assert without_engine(asked_for(project), monkeypatch)


def test_going_back_to_an_earlier_state_does_not_need_the_engine(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_of(asked_for(project))
    (project / "app/names.py").write_text(CLEAN)
    assert not without_engine(asked_for(project), monkeypatch)
    plan_of(asked_for(project))
    (project / "app/names.py").write_text(LEAK)
    assert without_engine(asked_for(project), monkeypatch)


def test_another_tool_does_not_use_what_this_one_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_of(asked_for(project))
    monkeypatch.setattr(tool, "identity", lambda: "another tool")
    assert not without_engine(asked_for(project), monkeypatch)


def test_a_failure_that_need_not_come_again_is_not_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, {"app/deep.py": f"from app.database import new_session\nx = {'-' * 20000}1\n"})
    plan = plan_of(asked_for(project))
    assert isinstance(plan, Plan)
    assert plan.failures
    assert not without_engine(asked_for(project), monkeypatch)


def test_what_changes_while_it_is_looked_at_is_not_remembered(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.run

    def meanwhile(*arguments: object) -> Plan:
        plan = run(*arguments)  # type: ignore[arg-type]
        (project / "app/names.py").write_text(CLEAN)
        return plan

    with monkeypatch.context() as patch:
        patch.setattr(engine, "run", meanwhile)
        plan_of(asked_for(project))
    assert plan_of(asked_for(project)) == plan_of(asked_for(project, no_cache=True))


def test_a_file_that_is_known_is_not_read_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "SETTLED", 20_000_000)
    time.sleep(0.1)
    plan_of(asked_for(project))
    with monkeypatch.context() as patch:
        patch.setattr(notes, "source_content", lambda _: pytest.fail("a source file is read"))
        assert recalled_but_for_the_absent(asked_for(project), patch)


def recalled_but_for_the_absent(wanted: options.Wanted, patch: pytest.MonkeyPatch) -> bool:
    """As `recalled`; files and folders that are not there are asked for again."""
    patch.setattr(notes, "_content", lambda path: "not there" if not os.path.exists(path) else pytest.fail(path))
    patch.setattr(notes, "_listing", lambda path, *_: "not there" if not os.path.exists(path) else pytest.fail(path))
    return recalled(wanted, patch)


def test_a_change_in_the_moment_of_looking_is_seen_though_size_and_time_are_the_same(project: Path) -> None:
    file = project / "app/names.py"
    before = file.stat()
    plan_of(asked_for(project))
    file.write_text(LEAK.replace("group)))", "grope)))"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert plan_of(asked_for(project)) == plan_of(asked_for(project, no_cache=True))


# --- a cache that cannot be used -------------------------------------------------------------------------------------


def the_database(folder: Path) -> Path:
    (file,) = folder.glob("*.sqlite")
    return file


def test_the_cache_is_the_users_alone(project: Path, cache_folder: Path) -> None:
    plan_of(asked_for(project))
    assert cache_folder.stat().st_mode & 0o777 == 0o700
    assert the_database(cache_folder).stat().st_mode & 0o777 == 0o600


DAMAGES: Mapping[str, Callable[[bytes, int], bytes]] = {
    "no database": lambda data, at: b"something else entirely",
    "empty": lambda data, at: b"",
    "cut off": lambda data, at: data[:at],
    "one byte is another": lambda data, at: data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_not_used_and_mended_by_the_next_run(
    damage: str, project: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = plan_of(asked_for(project))
    file = the_database(cache_folder)
    whole = file.read_bytes()
    for at in random.Random(0).sample(range(len(whole)), 15):
        file.write_bytes(DAMAGES[damage](whole, at))
        assert plan_of(asked_for(project)) == expected
    for _ in range(2):  # the first finds what is damaged and removes it, at the latest
        plan_of(asked_for(project))
    assert recalled(asked_for(project), monkeypatch)


def test_a_database_that_others_could_have_written_is_not_used(
    project: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan_of(asked_for(project))
    for one in (the_database(cache_folder), cache_folder):
        mode = one.stat().st_mode
        one.chmod(mode | 0o002)
        assert not without_engine(asked_for(project), monkeypatch)
        plan_of(asked_for(project, verbose=True))
        assert "others may write to" in capsys.readouterr().err
        one.chmod(mode)
    assert recalled(asked_for(project), monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        plan_of(asked_for(project, verbose=True))
    assert "belongs to somebody else" in capsys.readouterr().err


def test_a_link_in_the_place_of_the_database_is_not_followed(
    project: Path, cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_of(asked_for(project))
    file = the_database(cache_folder)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert not without_engine(asked_for(project), monkeypatch)


def test_a_locked_database_is_not_waited_for(
    project: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(store, "_WAIT", 0.01)
    expected = plan_of(asked_for(project))
    with contextlib.closing(sqlite3.connect(the_database(cache_folder), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert plan_of(asked_for(project, verbose=True)) == expected
    assert "locked" in capsys.readouterr().err
    assert recalled(asked_for(project), monkeypatch)


@pytest.mark.parametrize("where", ["", "relative/folder", "/dev/null/cache"])
def test_without_a_usable_cache_folder_there_is_no_cache(
    where: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", where)
    monkeypatch.chdir(project)
    assert isinstance(plan_of(asked_for(project)), Plan)
    assert not recalled(asked_for(project), monkeypatch)
    assert not (project / "relative").exists()


def test_a_fault_of_the_cache_costs_no_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(_: object) -> str:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(plan_json, "dump", fault)
    assert isinstance(plan_of(asked_for(project, verbose=True)), Plan)
    assert "ZeroDivisionError: a fault" in capsys.readouterr().err


def test_a_tool_that_is_being_changed_remembers_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changing() -> str:
        raise place.Unusable("the program itself was changed just now")

    plan_of(asked_for(project))
    monkeypatch.setattr(tool, "identity", changing)
    assert not without_engine(asked_for(project), monkeypatch)


def test_the_last_runs_are_kept_and_no_more(project: Path, cache_folder: Path) -> None:
    for number in range(store.KEPT + 3):
        (project / "app/names.py").write_text(f"{LEAK}# {number}\n")
        plan_of(asked_for(project))
        plan_of(asked_for(project, extend_exclude=[f"{number}/"]))
    with contextlib.closing(sqlite3.connect(the_database(cache_folder))) as database:
        for table in ("plans", "requests"):
            ((count,),) = database.execute(f"SELECT count(*) FROM {table}").fetchall()
            assert 1 <= count <= store.KEPT


def test_the_folder_is_bounded_and_the_oldest_databases_go(
    project: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_folder.mkdir(parents=True, mode=0o700)
    for number in range(4):
        other = cache_folder / f"runs-0-{number}.sqlite"
        other.write_bytes(b"x" * 100_000)
        os.utime(other, (number, number))
    monkeypatch.setattr(place, "LIMIT", 350_000)
    plan_of(asked_for(project))
    left = sorted(path.name for path in cache_folder.iterdir())
    assert "runs-0-0.sqlite" not in left
    assert "runs-0-3.sqlite" in left
    assert recalled(asked_for(project), monkeypatch)


# --- the tool itself -------------------------------------------------------------------------------------------------


def test_the_tool_is_another_one_when_its_code_changes(tmp_path: Path) -> None:
    copy = tmp_path / "installed"
    shutil.copytree(REPOSITORY / "codemods", copy / "codemods", ignore=shutil.ignore_patterns("__pycache__"))

    def identity() -> str:
        script = "from codemods.run_cache import tool; tool.SETTLED = -10**12; print(tool.identity())"
        environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        return done.stdout.decode()

    first = identity()
    assert identity() == first
    module = copy / "codemods/rules/base.py"
    status = module.stat()
    module.write_bytes(module.read_bytes().replace(b"e", b"f", 1))
    os.utime(module, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = identity()
    assert second != first
    (copy / "codemods/rules/new.py").touch()
    assert identity() not in (first, second)


# --- whatever happens to the files -----------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["app/names.py", "app/right.py", "app/database.py", "app/__init__.py", "app/new.py", "more/deep/x.py", "top.py"]
)
TEXTS = st.sampled_from(
    [LEAK, CLEAN, DATABASE, "", LEAK.replace("group)))", "grope)))"), "def broken(:\n", LEAK + "# é\n"]
)
DECLARING = {
    "pyproject.toml": [
        '[project]\nname = "app"\ndependencies = ["sqlalchemy>=2", "asyncpg"]\n',
        '[tool.session-codemods]\nignore = ["session-scope"]\n',
        '[tool.session-codemods]\nexclude = ["app/names.py"]\n',
        "[tool.session-codemods]\nrespect-gitignore = false\n",
        "[tool.session-codemods]\nwrong = 1\n",
        "[tool.ruff]\nline-length = 60\n",
    ],
    "requirements.txt": ["sqlalchemy==1.4\n", "-r requirements/other.txt\n", "aiosqlite\n"],
    "requirements/other.txt": ["sqlalchemy==1.4\naiosqlite\n", "asyncpg\n"],
    "requirements/more.in": ["aiosqlite\n", ""],
    "setup.cfg": ["[flake8]\nmax-line-length = 50\n", "[options]\ninstall_requires =\n    aiosqlite\n"],
    "ruff.toml": ["line-length = 60\n"],
    ".env": ["URL=sqlite+aiosqlite:///x.db\n", "URL=postgresql://x\n"],
    "uv.lock": ['[[package]]\nname = "sqlalchemy"\nversion = "1.4.1"\n'],
    ".gitignore": ["app/names.py\n", "more/\n", "*.py\n!names.py\n", ""],
    "app/.gitignore": ["names.py\n", "!names.py\n"],
    ".github/workflows/test.yml": ["env:\n  URL: sqlite:///x\n"],
    "app/pyvenv.cfg": ["home = x\n"],
    "more/pyvenv.cfg": ["home = x\n"],
}
EDITS = st.one_of(
    st.tuples(st.just("write"), NAMES, TEXTS),
    st.tuples(st.just("write keeping the time"), NAMES, TEXTS),
    st.tuples(st.sampled_from(["remove", "touch", "unreadable", "readable", "folder"]), NAMES, st.just("")),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("link"), NAMES, NAMES),
    st.tuples(st.just("link"), st.sampled_from(["app", "more", "again"]), st.sampled_from(["app", "more", "moved"])),
    st.tuples(st.just("rename"), st.sampled_from(["app", "more"]), st.sampled_from(["moved", "app"])),
    st.sampled_from(sorted(DECLARING)).flatmap(
        lambda name: st.tuples(st.just("write"), st.just(name), st.sampled_from(DECLARING[name]))
    ),
    st.tuples(st.sampled_from(["remove", "folder"]), st.sampled_from(sorted(DECLARING)), st.just("")),
    st.tuples(
        st.just("git"), st.sampled_from(["init -q", "add -A", "commit -qam x", "rm -rq --cached ."]), st.just("")
    ),
    st.tuples(st.just("write"), st.just(".git/info/exclude"), st.sampled_from(["names.py\n", ""])),
    st.tuples(st.just("write"), st.sampled_from(["../pyproject.toml", "../__init__.py", "__init__.py"]), st.just("")),
)


def edit(root: Path, what: str, name: str, value: str) -> None:
    """One change, as far as the files let it be made."""
    target = root / name
    with contextlib.suppress(OSError, shutil.Error, subprocess.CalledProcessError):
        match what:
            case "write":
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(value, encoding="latin-1")
            case "write keeping the time":
                before = target.stat()
                target.write_text(value, encoding="latin-1")
                os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
            case "remove":
                target.unlink()
            case "touch":
                target.touch()
            case "unreadable":
                target.chmod(0)
            case "readable":
                target.chmod(0o644)
            case "folder":
                target.mkdir(parents=True)
            case "rename":
                target.rename(root / value)
            case "link":
                if target.is_symlink() or target.is_file():
                    target.unlink()
                target.symlink_to(root / value)
            case "git":
                git(root, *name.split())


NUMBER = itertools.count()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    steps=st.lists(st.lists(EDITS, min_size=1, max_size=2), min_size=1, max_size=4),
    in_git=st.booleans(),
    below=st.booleans(),
    settled=st.booleans(),
)
def test_any_changes_of_the_files_give_what_is_found_without_a_cache(
    project: Path, steps: list[list[tuple[str, str, str]]], in_git: bool, below: bool, settled: bool
) -> None:
    root = project.parent / f"{next(NUMBER)}" / "project"
    shutil.copytree(project, root)
    if in_git:
        git(root, "init", "-q")
    with pytest.MonkeyPatch.context() as patch:
        if settled:  # statuses are trusted soon: as they are two seconds later in life
            patch.setattr(notes, "SETTLED", 30_000_000)
        for changes in [[], *steps, []]:
            for change in changes:
                edit(root, *change)
            if settled:
                time.sleep(0.04)
            for paths in ([root], *([[root / "app"]] if below else [])):
                assert plan_of(asked_for(*paths)) == plan_of(asked_for(*paths, no_cache=True))
    shutil.rmtree(root.parent)


# --- all that is asked is known --------------------------------------------------------------------------------------

WATCHED = """
import builtins, json, os, sys
root, *paths = sys.argv[1:]
from pathlib import Path
import codemods.engine, codemods.transformers.compose, codemods.review.terminal, codemods.safe_git
from codemods.cli import check, diff, dry_run, options
from codemods.cli.plain_arguments import plain_call
from codemods.run_cache import memory, notes, tool
tool.identity = lambda: "this tool"
asked = set()
quiet = [0]

def note(path):
    if not quiet[0] and isinstance(path, (str, bytes, os.PathLike)):
        asked.add(os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(path))))

def hook(event, arguments):
    if event in ("open", "os.scandir", "os.listdir", "os.readlink"):
        note(arguments[0])

sys.addaudithook(hook)

def watched(real):  # audit events do not tell of these
    def ask(path, *more, **options):
        note(path)
        return real(path, *more, **options)
    return ask

os.stat, os.lstat = watched(os.stat), watched(os.lstat)
known, listed = set(), []

put = memory.Store.put
def kept(self, request, remembered, plan):
    for place in (*remembered.notes.files, *remembered.notes.kinds, *(one for one, *_ in remembered.notes.folders)):
        known.add(os.path.normpath(place))
    listed.extend([folder, globs] for folder, globs, _ in remembered.notes.folders)
    for path in remembered.sources.noted:
        known.add(os.path.normpath(os.path.join(remembered.sources.root, path)))
    quiet[0] += 1
    return put(self, request, remembered, plan)
memory.Store.put = kept

wanted = options.wanted(paths=[Path(one) for one in paths], select=None, ignore=None, level=options.LevelName.review,
    cross_paths=False, exclude=None, extend_exclude=None, respect_gitignore=None, config=None, isolated=False,
    output_format=options.OutputFormat.text, output=None, statistics=False, quiet=True)
look = dry_run.Look(wanted)
look.planned()
print(json.dumps([sorted(asked), sorted(known), listed, look._memory.trouble]))
"""


@pytest.mark.parametrize("kind", ["plain", "in git", "older", "nested"])
def test_no_file_of_the_project_is_asked_for_that_a_remembered_run_does_not_look_at(
    kind: str, project: Path, tmp_path: Path
) -> None:
    paths = [project, project / "app"]
    if kind == "in git":
        git(project, "init", "-q")
    elif kind == "older":
        (project / "pyproject.toml").unlink()
        write(project, {"requirements.txt": "-r requirements/base.txt\n-r ../outside.txt\n", "setup.cfg": "[flake8]\n"})
        write(project, {".env": "A=1\n", ".gitignore": "*.log\n", "app/.gitignore": "x.py\n", "app/x.py": LEAK})
    elif kind == "nested":
        write(tmp_path, {"__init__.py": "", "pyproject.toml": "", ".gitignore": "nothing/\n"})
        write(project, {"__init__.py": "", "app/deep/deeper/x.py": LEAK, "app/deep/deeper/__init__.py": ""})
    for path in paths:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "another cache")}
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, str(project), str(path)], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        asked, known, listed, trouble = json.loads(done.stdout.splitlines()[-1])
        assert trouble == ""
        about = [one for one in asked if one.startswith(str(tmp_path)) and "another cache" not in one]
        assert str(project / "app/names.py") in about
        assert [one for one in about if not is_known(one, known, listed)] == []
        if kind == "plain":  # and this would be seen
            assert not is_known(str(project / "README.md"), known, listed)
            assert not is_known(str(project / "app/data.json"), known, listed)


def is_known(path: str, known: list[str], listed: list[tuple[str, list[str]]]) -> bool:
    """Whether a remembered run looks at a place, at what is below it, or for its name in the folder above."""
    folder, name = os.path.split(path)
    return any(one == path or one.startswith(f"{path}/") for one in known) or any(
        os.path.normpath(one) == folder and any(fnmatch.fnmatch(name, glob) for glob in globs) for one, globs in listed
    )


# --- what is imported ------------------------------------------------------------------------------------------------

HEAVY = {"libcst", "rich", "jinja2", "asyncio", "pygments", "cattrs", "codemods.engine", "codemods.rules"}
HEAVY |= {"codemods.flow", "codemods.project", "codemods.transformers", "codemods.settings", "ast"}


def imported_by(*arguments: str, folder: Path) -> set[str]:
    script = (
        "import sys\n"
        "from codemods.run_cache import tool\n"
        "tool.identity = lambda: 'this tool'\n"
        "from codemods.__main__ import main\n"
        f"main({list(arguments)!r})\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, check=True)
    return set(done.stdout.decode().splitlines()[-1].split())


def test_a_remembered_check_imports_nothing_heavy(project: Path) -> None:
    plan_of(asked_for(project))
    first = imported_by("check", "-q", folder=project)
    second = imported_by("check", "-q", folder=project)
    assert first >= {"codemods.engine", "codemods.rules"}
    # typer brings `ast` (by `inspect`)
    assert second & (HEAVY - {"ast"}) == set()
    assert len([name for name in second if name.startswith("codemods")]) < 45


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_nothing_heavy(option: str, project: Path) -> None:
    found = imported_by(option, folder=project)
    assert found & (HEAVY - {"ast"}) == set()
    assert "sqlite3" not in found
    assert len([name for name in found if name.startswith("codemods")]) < (9 if option == "--version" else 31)


# --- the command line without typer -----------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *(".", "app", "a b", "", "-", "--", "x=y", "safe", "review", "json", "sarif", "nonsense", "always"),
        *("-q", "--quiet", "-v", "-qv", "--verbose", "--statistics", "--exit-zero", "--no-cache", "--isolated"),
        *("--select", "--select=a", "--select=", "--ignore", "--level", "--level=safe", "--level=SAFE", "--lev"),
        *("--output-format", "--output-format=json", "-o", "-ofile", "-o=file", "--output", "--output=file"),
        *("--config", "--config=x", "--respect-gitignore", "--no-respect-gitignore", "--explain", "--no-explain"),
        *("--color", "--color=never", "--help", "-h", "--exclude=*", "--quiet=1", "--checklist", "--since=HEAD"),
        *("--save=plan.json", "--format-cmd", "--cross-paths", "--unknown", "-x", "--baseline=f", "--witness", "é"),
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=st.sampled_from(["check", "diff"]), words=st.lists(WORDS, max_size=6))
def test_what_is_read_without_typer_is_what_typer_reads(command: str, words: list[str]) -> None:
    commands: dict[str, Callable[..., int]] = {"check": check.check, "diff": diff.diff}
    function = commands[command]
    plain = plain_call(function, words)
    if plain is None:
        return
    called: list[dict[str, object]] = []

    @functools.wraps(function)
    def record(**given: object) -> int:
        called.append(given)
        return 0

    program = typer.Typer()
    program.command(name=command)(record)
    program.command(name="another")(lambda: None)
    program([command, *words], standalone_mode=False)
    defaults = {key: one.default for key, one in inspect.signature(function).parameters.items()}
    assert called == [{**defaults, **plain}]


@pytest.mark.parametrize("words", [[], ["."], ["-q", "app", "--level", "safe"], ["--output-format=json", "-v"]])
def test_plain_words_are_read_without_typer(words: list[str]) -> None:
    assert plain_call(check.check, words) is not None
    assert plain_call(diff.diff, words) is not None
