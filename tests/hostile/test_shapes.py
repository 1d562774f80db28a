"""Projects of odd shapes: imports in circles, modules of one name, namespace packages, copies of others' code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codemods.settings import Settings
from hostile.projects import CURED, DB, LEAK, SCOPE_ONLY, after, failed, lay, run


def changed(root: Path, settings: Settings = SCOPE_ONLY) -> set[str]:
    """The files that a run changes; none may fail."""
    plan = run(root, settings)
    assert failed(plan) == {}
    for data in after(plan).values():
        compile(data, "changed", "exec")
    return set(after(plan))


def test_imports_in_a_circle_end(tmp_path: Path) -> None:
    circle = {f"m{number}.py": f"from m{(number + 1) % 5} import new_session as new_session\n" for number in range(5)}
    lay(tmp_path, {**circle, "a.py": LEAK.replace("from db", "from m0"), "good.py": LEAK})
    assert changed(tmp_path) == {"good.py"}


def test_a_circle_that_a_session_comes_out_of_is_followed(tmp_path: Path) -> None:
    lay(tmp_path, {"a.py": "from b import *\nfrom db import new_session\n", "b.py": "from a import *\n"})
    lay(tmp_path, {"good.py": LEAK.replace("from db", "from a")})
    assert changed(tmp_path) == {"good.py"}


def test_star_imports_of_each_other_and_oneself_end(tmp_path: Path) -> None:
    lay(tmp_path, {"a.py": "from a import *\nfrom b import *\n", "b.py": "from a import *\nfrom b import *\n"})
    lay(
        tmp_path, {"c.py": LEAK.replace("import new_session", "import *").replace("from db", "from a"), "good.py": LEAK}
    )
    assert changed(tmp_path) == {"good.py"}


def test_a_chain_of_a_thousand_imports_is_followed_or_left(tmp_path: Path) -> None:
    chain = {f"m{number}.py": f"from m{number + 1} import new_session\n" for number in range(1000)}
    lay(tmp_path, {**chain, "m1000.py": DB, "a.py": LEAK.replace("from db", "from m0"), "good.py": LEAK})
    assert changed(tmp_path) - {"a.py"} == {"good.py"}


def test_classes_that_inherit_in_a_circle_end(tmp_path: Path) -> None:
    lay(tmp_path, {"a.py": "from b import B\nclass A(B): pass\n", "b.py": "from a import A\nclass B(A): pass\n"})
    lay(
        tmp_path, {"c.py": f"from a import A\n{LEAK}\n\nclass C(A, C):\n    session = new_session()\n", "good.py": LEAK}
    )
    assert "good.py" in changed(tmp_path)


def test_functions_that_call_each_other_with_a_session_end(tmp_path: Path) -> None:
    mutual = "".join(
        f"\n\nasync def f{number}(session, query):\n    return await f{(number + 1) % 30}(session, query)\n"
        for number in range(30)
    )
    lay(tmp_path, {"a.py": LEAK.replace("session.execute(query)", "f0(session, query)") + mutual, "good.py": LEAK})
    assert "good.py" in changed(tmp_path)


def test_two_modules_of_one_name_are_never_taken_for_each_other(tmp_path: Path) -> None:
    other = "def new_session():\n    return object()\n"
    lay(tmp_path, {"one/app/__init__.py": "", "one/app/db.py": DB, "two/app/__init__.py": "", "two/app/db.py": other})
    uses = LEAK.replace("from db", "from app.db")
    lay(tmp_path, {"one/app/a.py": uses, "two/app/a.py": uses})
    assert "two/app/a.py" not in changed(tmp_path)


def test_a_file_beside_a_package_of_its_name_is_no_reason_to_guess(tmp_path: Path) -> None:
    lay(tmp_path, {"db/__init__.py": "def new_session():\n    return object()\n", "a.py": LEAK})
    assert changed(tmp_path) == set()


@pytest.mark.parametrize(
    "place",
    ["app/db.py", "src/app/db.py", "app/a/b/db.py", "src/app/a/db.py"],
    ids=lambda place: place.replace("/", "."),
)
def test_packages_without_an_init_file_are_resolved(tmp_path: Path, place: str) -> None:
    dotted = place.removesuffix(".py").removeprefix("src/").replace("/", ".")
    lay(tmp_path, {place: DB, "src/service.py": LEAK.replace("from db", f"from {dotted}")})
    assert changed(tmp_path) == {"src/service.py"}


def test_relative_imports_that_leave_the_project_are_no_error(tmp_path: Path) -> None:
    lay(tmp_path, {"a.py": LEAK.replace("from db", "from ......db"), "p/b.py": LEAK.replace("from db", "from ..db")})
    lay(tmp_path, {"good.py": LEAK})
    assert "a.py" not in changed(tmp_path)


def test_notebooks_stubs_and_other_kinds_are_not_read(tmp_path: Path) -> None:
    others = ("n.ipynb", "s.pyi", "c.pyc", "x.pyx", "t.py.txt", "u.PY", "v.py~", "w.py.orig", ".ipynb_checkpoints/n.py")
    lay(tmp_path, {**dict.fromkeys(others, LEAK.encode() + b"\0("), "good.py": LEAK})
    assert changed(tmp_path) == {"good.py"}


@pytest.mark.parametrize(
    "folder", ["venv", ".venv", "node_modules/x", "site-packages/x", "build", ".tox/py", "env_of_ours"]
)
def test_copies_of_other_peoples_code_are_left(tmp_path: Path, folder: str) -> None:
    lay(tmp_path, {f"{folder}/a.py": LEAK, "env_of_ours/pyvenv.cfg": "", "good.py": LEAK})
    assert changed(tmp_path) == {"good.py"}


@pytest.mark.parametrize("in_git", [True, False])
def test_ignores_in_each_other_with_negation_hold(tmp_path: Path, in_git: bool) -> None:
    root = tmp_path / "project"
    lay(root, {".gitignore": "gen/*\n!gen/keep\n*.py\n!good.py\n", "gen/keep/.gitignore": "!a.py\nb.py\n!sub/\n"})
    lay(root, {"gen/a.py": LEAK, "gen/keep/a.py": LEAK, "gen/keep/b.py": LEAK, "good.py": LEAK, "other.py": LEAK})
    lay(root, {".gitignore": "gen/*\n!gen/keep\n*.py\n!good.py\n!db.py\n"})
    if in_git:
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    assert changed(root, Settings(select=("session-scope",))) == {"gen/keep/a.py", "good.py"}


def test_a_module_that_hides_one_of_the_standard_library_or_of_sqlalchemy(tmp_path: Path) -> None:
    lay(tmp_path, {"sqlalchemy/__init__.py": "", "sqlalchemy/ext/asyncio.py": "def async_sessionmaker(*a, **k): ...\n"})
    lay(tmp_path, {"typing.py": "", "contextlib.py": "x = 1\n", "a.py": LEAK})
    run(tmp_path)  # whatever it says, it says it


def test_a_project_of_broken_files_only_names_them_all(tmp_path: Path) -> None:
    names = {f"b{number}.py": f"new_session = (\nasync_sessionmaker {number}" for number in range(30)}
    plan = run(lay(tmp_path, names))
    assert set(failed(plan)) == set(names)
    assert after(plan) == {}


def test_what_is_cured_is_cured(tmp_path: Path) -> None:
    assert changed(lay(tmp_path, {"a.py": CURED})) == set()


def test_findings_of_files_with_one_name_have_ids_of_their_own(tmp_path: Path) -> None:
    # a file each of hundreds of services: of four digits of a hash, some would be the same by chance
    services = {f"s{number}/app/{name}": text for number in range(400) for name, text in _SERVICE.items()}
    lay(tmp_path, services)
    plan = run(tmp_path, Settings(respect_gitignore=False, select=("engine-pool",)))
    ids = {finding.key for group in plan.groups for finding in group.findings}
    assert len(ids) == len(services) // 2
    assert failed(plan) == {}


_SERVICE = {
    "__init__.py": "",
    "db.py": """from sqlalchemy.ext.asyncio import create_async_engine
engine = create_async_engine("postgresql+asyncpg://localhost/shop")
""",
}
