"""Settings: what is read, what is refused and in which words, what the project declares by itself."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.project.drivers import FILE_DRIVERS, SERVER_DRIVERS, normalized
from codemods.settings import EnginePool, Settings, SettingsError, check_globs, check_rules, load

RULES = ("session-scope", "expunge-return", "task-arguments")


def project(root: Path, table: str = "", *, before: str = "") -> Path:
    (root / "pyproject.toml").write_text(f"{before}\n[tool.session-codemods]\n{table}\n", encoding="utf-8")
    return root


def message(root: Path, config: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(root, config, rules=RULES)
    return caught.value.message


def test_a_project_that_says_nothing_has_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, rules=RULES) == Settings()
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nsrc = ['app']\n")
    assert load(tmp_path, rules=RULES) == Settings()


def test_every_key_is_read(tmp_path: Path) -> None:
    project(
        tmp_path,
        """
        select = ["session-scope", "expunge-return"]
        ignore = ["expunge-return"]
        exclude = ["migrations/"]
        extend-exclude = ["*_pb2.py"]
        respect-gitignore = false
        sessions = ["app.db.new_async_session"]
        scope = "app.db.async_session"
        schedulers = ["app.jobs.enqueue"]
        expunge = "needed"
        tidy = true
        target-python = "3.10"
        sqlalchemy = "1.4"
        per-file-ignores = { "tests/**" = ["expunge-return"] }
        line-length = 100

        [tool.session-codemods.engine-pool]
        pool-size = 20
        """,
    )
    assert load(tmp_path, rules=RULES) == Settings(
        select=("session-scope", "expunge-return"),
        ignore=("expunge-return",),
        exclude=("migrations/",),
        extend_exclude=("*_pb2.py",),
        respect_gitignore=False,
        sessions=("app.db.new_async_session",),
        scope="app.db.async_session",
        schedulers=("app.jobs.enqueue",),
        expunge="needed",
        tidy=True,
        target_python=(3, 10),
        sqlalchemy=(1, 4),
        per_file_ignores=(("tests/**", ("expunge-return",)),),
        line_length=100,
        engine_pool=EnginePool(pool_size=20),
    )


def test_selecting_nothing_differs_from_not_selecting(tmp_path: Path) -> None:
    assert load(project(tmp_path, "select = []"), rules=RULES).select == ()
    assert load(project(tmp_path), rules=RULES).select is None


def test_per_file_ignores_hold_for_the_files_of_their_glob() -> None:
    settings = Settings(
        per_file_ignores=(("tests/**", ("expunge-return",)), ("*_jobs.py", ("task-arguments", "session-scope")))
    )
    assert settings.ignored_in("tests/deep/test_a.py") == {"expunge-return"}
    assert settings.ignored_in("tests/nightly_jobs.py") == set(RULES)
    assert settings.ignored_in("app/service.py") == set()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("selects = []", ("unknown key 'selects'", "did you mean 'select'?")),
        ("target_python = '3.11'", ("unknown key 'target_python'", "did you mean 'target-python'?")),
        ("zzzz = 1", ("unknown key 'zzzz'", "known are:", "per-file-ignores")),
        ("select = 'session-scope'", ("select: found the string 'session-scope'", "expected a list of rule names")),
        ("ignore = [1]", ("ignore: found the number 1", "expected a list of rule names")),
        ("select = ['session-scop']", ("select: unknown rule 'session-scop'", "did you mean 'session-scope'?")),
        ("ignore = ['E501']", ("ignore: unknown rule 'E501'", "known are: expunge-return, session-scope")),
        ("tidy = 1", ("tidy: found the number 1", "expected true or false")),
        ("respect-gitignore = 'no'", ("respect-gitignore: found the string 'no'",)),
        ("expunge = 'never'", ("expunge: found 'never'", "'always' or 'needed'")),
        ("expunge = true", ("expunge: found true",)),
        ("scope = ['a.b']", ("scope: found a list", "expected a dotted name")),
        ("scope = 'app.db:session'", ("scope: 'app.db:session' is not a dotted name",)),
        ("sessions = ['session']", ("sessions: 'session' is not a dotted name",)),
        ("target-python = 3.10", ("target-python: found the number 3.1", "in quotes")),
        ("target-python = 'py311'", ("target-python: found 'py311'", "such as '3.11'")),
        ("target-python = '2.7'", ("target-python: found '2.7'",)),
        ("sqlalchemy = 2", ("sqlalchemy: found the number 2", "such as '2.0'")),
        ("sqlalchemy = 1979-05-27", ("sqlalchemy: found the date or time",)),
        ("exclude = ['../other/']", ("exclude: '../other/' leaves the project root",)),
        ("exclude = ['!a/../../b']", ("leaves the project root",)),
        ("extend-exclude = ['~/code']", ("extend-exclude: '~/code' leaves the project root",)),
        ("exclude = ['C:\\\\code']", ("leaves the project root",)),
        ("exclude = ['']", ("exclude: '' is not a glob",)),
        ("exclude = ['!']", ("exclude: '!' is not a glob",)),
        ("line-length = '100'", ("line-length: found the string '100'", "such as 88")),
        ("line-length = 100.0", ("line-length: found the number 100.0", "such as 88")),
        ("line-length = true", ("line-length: found true",)),
        ("line-length = 39", ("line-length: found 39, expected 40 to 400 columns",)),
        ("line-length = 401", ("line-length: found 401",)),
        ("line_length = 100", ("unknown key 'line_length'", "did you mean 'line-length'?")),
        ("per-file-ignores = ['a']", ("per-file-ignores: found a list", "expected a table")),
        ("per-file-ignores = { '../x' = [] }", ("per-file-ignores: '../x' leaves the project root",)),
        ("per-file-ignores = { 'a/' = ['nope'] }", ("per-file-ignores: 'a/': unknown rule 'nope'",)),
        ("per-file-ignores = { 'a/' = 'x' }", ("per-file-ignores: 'a/': found the string 'x'",)),
        ("engine-pool = 5", ("engine-pool: found the number 5, expected a table",)),
        ("engine-pool = false", ("engine-pool: found false, expected a table",)),
        ("engine_pool = {}", ("unknown key 'engine_pool'", "did you mean 'engine-pool'?")),
        ("engine-pool.pool_size = 5", ("engine-pool: unknown key 'pool_size'", "did you mean 'pool-size'?")),
        ("engine-pool.size = 5", ("engine-pool: unknown key 'size'", "did you mean 'pool-size'?")),
        ("engine-pool.zzzz = 5", ("engine-pool: unknown key 'zzzz'; known are: echo-pool, makers, max-overflow,",)),
        (
            "engine-pool.pool-size = '5'",
            ("engine-pool: pool-size: found the string '5', expected a whole number such as 5, or false",),
        ),
        ("engine-pool.pool-size = true", ("engine-pool: pool-size: found true", "such as 5, or false")),
        ("engine-pool.pool-size = 5.0", ("engine-pool: pool-size: found the number 5.0", "a whole number")),
        ("engine-pool.pool-size = -1", ("engine-pool: pool-size: found -1, expected 0 or more, or false",)),
        ("engine-pool.max-overflow = -2", ("max-overflow: found -2, expected -1 or more",)),
        ("engine-pool.pool-timeout = 0", ("pool-timeout: found 0, expected 1 or more",)),
        ("engine-pool.pool-timeout = [30]", ("pool-timeout: found a list", "such as 30")),
        ("engine-pool.pool-recycle = -2", ("pool-recycle: found -2, expected -1 or more",)),
        ("engine-pool.pool-recycle = 01:00:00", ("pool-recycle: found the date or time", "such as 3600")),
        ("engine-pool.pool-pre-ping = 1", ("pool-pre-ping: found the number 1, expected true or false",)),
        ("engine-pool.echo-pool = 'debug'", ("echo-pool: found the string 'debug', expected true or false",)),
        ("engine-pool.makers = 0", ("makers: found the number 0, expected true or false",)),
        ("engine-pool.server = 'asyncpg'", ("server: found the string 'asyncpg', expected true or false",)),
    ],
)
def test_a_wrong_setting_is_named_with_its_file_and_what_would_be_right(
    tmp_path: Path, table: str, said: tuple[str, ...]
) -> None:
    text = message(project(tmp_path, table))
    assert text.startswith(f"{tmp_path / 'pyproject.toml'}: ")
    for part in said:
        assert part in text


def test_the_line_of_broken_toml_is_named(tmp_path: Path) -> None:
    assert message(project(tmp_path, "tidy = maybe")).startswith(f"{tmp_path / 'pyproject.toml'}:3: not valid TOML: ")
    (tmp_path / "pyproject.toml").write_bytes(b"a = 1\nb = '\xe9'\n")
    assert message(tmp_path) == f"{tmp_path / 'pyproject.toml'}:2: not valid TOML: the file is not UTF-8"
    (tmp_path / "pyproject.toml").write_text("a = 1\nb = ")
    assert message(tmp_path).startswith(f"{tmp_path / 'pyproject.toml'}:2: not valid TOML")
    (tmp_path / "pyproject.toml").write_text("a = " + "[" * 100_000)
    assert "not valid TOML" in message(tmp_path)


def test_a_misspelt_table_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.session_codemods]\ntidy = true\n")
    assert "did you mean [tool.session-codemods]?" in message(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool]\nsession-codemods = 3\n")
    assert "expected a table" in message(tmp_path)
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")
    assert "[tool] is the number 3" in message(tmp_path)


def test_a_pyproject_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    assert message(tmp_path) == f"{tmp_path / 'pyproject.toml'}: cannot be read: not a file"


def test_another_file_may_hold_the_table_or_the_bare_keys(tmp_path: Path) -> None:
    project(tmp_path, "tidy = true")
    bare = tmp_path / "bare.toml"
    bare.write_text("expunge = 'needed'\n")
    assert load(tmp_path, bare, rules=RULES) == Settings(expunge="needed")
    bare.write_text("[tool.session-codemods]\nexpunge = 'needed'\n[tool.other]\nx = 1\n")
    assert load(tmp_path, bare, rules=RULES) == Settings(expunge="needed")


def test_a_file_that_was_asked_for_must_be_there_and_hold_settings(tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    assert message(tmp_path, absent) == f"{absent}: cannot be read: No such file or directory"
    other = tmp_path / "other.toml"
    other.write_text("[project]\nname = 'x'\n")
    assert message(tmp_path, other) == f"{other}: there is no table [tool.session-codemods] in it"
    other.write_text("tidi = true")
    assert "unknown key 'tidi'; did you mean 'tidy'?" in message(tmp_path, other)


def test_isolated_reads_no_settings_but_still_what_the_project_declares(tmp_path: Path) -> None:
    project(tmp_path, "tidi = 1", before="[project]\nrequires-python = '>=3.12'")
    assert load(tmp_path, isolated=True, rules=RULES) == Settings(target_python=(3, 12))


def test_isolated_survives_a_broken_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[[[")
    assert load(tmp_path, isolated=True, rules=RULES) == Settings()


@pytest.mark.parametrize(
    ("stated", "lowest"),
    [
        (">=3.11", (3, 11)),
        (">= 3.9, <4", (3, 9)),
        (">=3.8,!=3.9.0,>=3.10", (3, 10)),
        ("~=3.10", (3, 10)),
        ("==3.12.*", (3, 12)),
        (">3.9", (3, 9)),
        ("^3.9", (3, 9)),
        ("^3.8 || ^3.11", (3, 8)),
        (">=3", (3, 0)),
        ("<4", None),
        ("*", None),
        ("", None),
        ("about three", None),
    ],
)
def test_the_lowest_python_is_taken_from_the_project(
    tmp_path: Path, stated: str, lowest: tuple[int, int] | None
) -> None:
    project(tmp_path, before=f"[project]\nrequires-python = '{stated}'")
    assert load(tmp_path, rules=RULES).target_python == lowest
    project(tmp_path, before=f"[tool.poetry.dependencies]\npython = '{stated}'")
    assert load(tmp_path, rules=RULES).target_python == lowest


def test_a_setting_wins_over_what_is_declared(tmp_path: Path) -> None:
    project(
        tmp_path,
        "target-python = '3.13'\nsqlalchemy = '1.4'",
        before="[project]\nrequires-python = '>=3.11'\ndependencies = ['sqlalchemy>=2']",
    )
    settings = load(tmp_path, rules=RULES)
    assert (settings.target_python, settings.sqlalchemy) == ((3, 13), (1, 4))


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"requirements.txt": "fastapi\nSQLAlchemy[asyncio]==2.0.38 \\\n    --hash=sha256:aa\n"}, (2, 0)),
        ({"requirements.txt": "sqlalchemy == 1.4.46 ; python_version > '3.7'  # old\n"}, (1, 4)),
        ({"requirements.txt": "sqlalchemy-utils==0.41\nsqlalchemy2-stubs==3.0\n"}, None),
        ({"requirements.txt": "# sqlalchemy==1.3\nsqlalchemy\n"}, None),
        ({"requirements.txt": "sqlalchemy>=2.0,<2.1", "requirements-dev.txt": "sqlalchemy>=1.4"}, (1, 4)),
        ({"requirements.txt": "sqlalchemy==2.0", "pyproject.toml": "project.dependencies=['sqlalchemy>=1.4']"}, (2, 0)),
        ({"pyproject.toml": "[project]\ndependencies = ['fastapi', 'SQLAlchemy[asyncio] (>=2.0,<3)']"}, (2, 0)),
        ({"pyproject.toml": "[tool.poetry.dependencies]\nSQLAlchemy = '^2.0.1'"}, (2, 0)),
        ({"pyproject.toml": "[tool.poetry.dependencies]\nsqlalchemy = {version = '~1.4', extras = []}"}, (1, 4)),
        ({"pyproject.toml": "[tool.poetry.dependencies]\nsqlalchemy = {git = 'x'}"}, None),
        ({"uv.lock": "[[package]]\nname='sqlalchemy'\nversion='2.0.3'", "requirements.txt": "sqlalchemy==1.4"}, (2, 0)),
        ({"poetry.lock": "[[package]]\nname = 'SQLAlchemy'\nversion = '1.4.54'"}, (1, 4)),
        ({"pdm.lock": "[[package]]\nname = 'other'\n[[package]]\nname = 'sqlalchemy'\nversion = '2.1.0b1'"}, (2, 1)),
        ({"uv.lock": "[[package", "requirements.txt": "sqlalchemy~=2.0.3"}, (2, 0)),
        ({"uv.lock": "package = 3\n", "pyproject.toml": "project = 3\n[tool.poetry]\ndependencies = 4"}, None),
    ],
)  # fmt: skip
def test_sqlalchemy_is_what_the_lock_then_a_pin_then_the_lowest_bound_says(
    tmp_path: Path, files: dict[str, str], version: tuple[int, int] | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert load(tmp_path, rules=RULES).sqlalchemy == version


@pytest.mark.parametrize(
    ("files", "length"),
    [
        ({}, 88),
        ({"pyproject.toml": "[tool.ruff]\nline-length = 100"}, 100),
        ({"pyproject.toml": "[tool.black]\nline-length = 79"}, 79),
        ({"pyproject.toml": "[tool.black]\nline-length = 79\n[tool.ruff]\nline-length = 100"}, 100),
        ({"pyproject.toml": "[tool.black]\nline-length = 79\n[tool.ruff.lint]\nselect = []"}, 79),
        ({"ruff.toml": "line-length = 110", "pyproject.toml": "[tool.ruff]\nline-length = 100"}, 110),
        ({".ruff.toml": "line-length = 90", "ruff.toml": "line-length = 110"}, 90),
        ({"ruff.toml": "line-length = [", ".flake8": "[flake8]\nmax-line-length = 99"}, 99),
        ({"pyproject.toml": "tool.ruff.line-length = '100'\ntool.black.line-length = true"}, 88),
        ({"pyproject.toml": "tool.ruff.line-length = 999", "tox.ini": "[flake8]\nmax-line-length = 101"}, 101),
        ({"pyproject.toml": "tool.ruff.line-length = 12"}, 88),
        ({"setup.cfg": "[flake8]\nexclude =\n    a,\n    b\nmax-line-length = 120  # wide\n"}, 120),
        ({"setup.cfg": "[pycodestyle]\nmax_line_length = 119"}, 119),
        ({"tox.ini": "[testenv]\ncommands = %(x)s {posargs}\n[flake8]\nmax-line-length: 95"}, 95),
        ({".flake8": "max-line-length = 95"}, 88),
        ({".flake8": "[flake8]\nmax-line-length = wide", "setup.cfg": "[flake8]\nmax-line-length = 80"}, 80),
        ({"pyproject.toml": "tool.black.line-length = 79", ".flake8": "[flake8]\nmax-line-length = 120"}, 79),
    ],
)  # fmt: skip
def test_the_line_length_is_that_of_the_formatter_then_of_the_linter(
    tmp_path: Path, files: dict[str, str], length: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert load(tmp_path, rules=RULES).line_length == length


def test_a_line_length_that_is_set_wins_over_what_is_declared(tmp_path: Path) -> None:
    project(tmp_path, "line-length = 60", before="[tool.ruff]\nline-length = 100")
    assert load(tmp_path, rules=RULES).line_length == 60
    assert load(tmp_path, isolated=True, rules=RULES).line_length == 100


def test_a_linter_configuration_in_odd_bytes_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".flake8").write_bytes(b"\xff\xfe[flake8]\n")
    (tmp_path / "setup.cfg").write_bytes(b"\xef\xbb\xbf[flake8]\r\nmax-line-length = 77\r\n")
    assert load(tmp_path, rules=RULES).line_length == 77


def test_requirements_written_by_powershell_are_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("SQLAlchemy==2.0.38\r\n".encode("utf-16"))
    assert load(tmp_path, rules=RULES).sqlalchemy == (2, 0)
    (tmp_path / "requirements.txt").write_bytes(b"\xff\xfeodd")
    assert load(tmp_path, rules=RULES).sqlalchemy is None


def test_the_engine_pool_has_the_house_values_until_others_are_set(tmp_path: Path) -> None:
    assert load(project(tmp_path, "engine-pool = {}"), rules=RULES).engine_pool == EnginePool()
    table = """
        [tool.session-codemods.engine-pool]
        pool-size = 0
        max-overflow = -1
        pool-timeout = 1
        pool-pre-ping = false
        pool-recycle = -1
        echo-pool = false
        makers = false
        server = true
        """
    settings = load(project(tmp_path, table), rules=RULES)
    assert settings.engine_pool == EnginePool(0, -1, 1, False, -1, False, False, True)


def test_false_leaves_an_option_of_the_engine_pool_alone(tmp_path: Path) -> None:
    keys = [one.name.replace("_", "-") for one in fields(EnginePool)]
    table = "\n".join(f"engine-pool.{key} = false" for key in keys)
    settings = load(project(tmp_path, table), rules=RULES)
    assert settings.engine_pool == EnginePool(None, None, None, False, None, False, False, False)


def test_the_engine_pool_may_stand_in_a_bare_file(tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text("[engine-pool]\npool-size = 7\n")
    assert load(tmp_path, tmp_path / "bare.toml", rules=RULES).engine_pool == EnginePool(7)


@pytest.mark.parametrize(
    ("files", "drivers"),
    [
        ({}, {}),
        ({"requirements.txt": "fastapi\nSQLAlchemy==2.0.38\n"}, {}),
        ({"requirements.txt": "asyncpg==0.30 \\\n    --hash=sha256:aa\n"}, {"asyncpg": "requirements.txt"}),
        ({"requirements.txt": "psycopg2_binary ; python_version > '3'  # x"}, {"psycopg2-binary": "requirements.txt"}),
        ({"requirements.txt": "# asyncpg\n./aiosqlite\n-c asyncpg.txt\nasyncpg-stubs\nasyncpg2\n"}, {}),
        ({"requirements.txt": "psycopg[binary,pool]>=3\n"}, {"psycopg": "requirements.txt"}),
        ({"requirements.txt": "asyncpg @ git+https://x/y.git\n"}, {"asyncpg": "requirements.txt"}),
        ({"requirements.txt": "-e git+https://x/y.git@main#egg=aiomysql\n"}, {"aiomysql": "requirements.txt"}),
        ({"requirements-dev.txt": "aiosqlite"}, {"aiosqlite": "requirements-dev.txt"}),
        ({"dev-requirements.txt": "aiosqlite"}, {"aiosqlite": "dev-requirements.txt"}),
        ({"requirements.in": "aiosqlite"}, {"aiosqlite": "requirements.in"}),
        ({"requirements/test.txt": "-r base.txt\naiosqlite"}, {"aiosqlite": "requirements/test.txt"}),
        (
            {"requirements.txt": "-r deps/base.txt\nasyncpg", "deps/base.txt": "-r ../requirements.txt\naiosqlite"},
            {"aiosqlite": "deps/base.txt", "asyncpg": "requirements.txt"},
        ),
        ({"requirements.txt": "-r ../outside.txt\n--requirement=/etc/hosts\n-r absent.txt\n"}, {}),
        (
            {"requirements.txt": "asyncpg", "pyproject.toml": "project.dependencies=['asyncpg']"},
            {"asyncpg": "requirements.txt"},
        ),
        ({"pyproject.toml": "[project]\ndependencies = ['asyncpg (>=0.29)', 3]"}, {"asyncpg": "pyproject.toml"}),
        ({"pyproject.toml": "project.optional-dependencies.test=['aiosqlite']"}, {"aiosqlite": "pyproject.toml"}),
        (
            {"pyproject.toml": "dependency-groups = {dev = ['PyMySQL', {include-group='a'}], a = ['aiosqlite']}"},
            {"aiosqlite": "pyproject.toml", "pymysql": "pyproject.toml"},
        ),
        (
            {
                "pyproject.toml": "[tool.poetry.dependencies]\nasyncpg = '^0.29'\n"
                "[tool.poetry.dev-dependencies]\naiomysql = '*'\n"
                "[tool.poetry.group.test.dependencies]\naiosqlite = {version='*'}"
            },
            {"aiomysql": "pyproject.toml", "aiosqlite": "pyproject.toml", "asyncpg": "pyproject.toml"},
        ),
        ({"pyproject.toml": "tool.pdm.dev-dependencies.test=['aiosqlite']"}, {"aiosqlite": "pyproject.toml"}),
        ({"pyproject.toml": "tool.uv.dev-dependencies=['aiosqlite']"}, {"aiosqlite": "pyproject.toml"}),
        ({"pyproject.toml": "tool.hatch.envs.test.dependencies=['aiosqlite']"}, {"aiosqlite": "pyproject.toml"}),
        ({"pyproject.toml": "project = 3\ndependency-groups = [1]\ntool.poetry.group = {a = 4}"}, {}),
        ({"setup.cfg": "[options]\ninstall_requires =\n    fastapi\n    asyncpg>=0.2\n"}, {"asyncpg": "setup.cfg"}),
        ({"setup.cfg": "[options.extras_require]\ntest = pytest; aiosqlite\n"}, {"aiosqlite": "setup.cfg"}),
        ({"setup.cfg": "install_requires = asyncpg\n"}, {}),
        ({"setup.py": "setup(install_requires=['asyncpg>=0.2', 'fastapi'])"}, {"asyncpg": "setup.py"}),
        ({"setup.py": "setup(install_requires=['asyncpg>=0.2'"}, {}),
        (
            {"Pipfile": "[packages]\nasyncpg = '*'\n[dev-packages]\naiosqlite = '*'\n[scripts]\naiomysql = 'x'"},
            {"aiosqlite": "Pipfile", "asyncpg": "Pipfile"},
        ),
        ({"requirements.txt": "SQLAlchemy[asyncio, postgresql_asyncpg]>=2"}, {"asyncpg": "requirements.txt"}),
        ({"requirements.txt": "sqlalchemy[aiosqlite]"}, {"aiosqlite": "requirements.txt"}),
        ({"requirements.txt": "databases[aiosqlite]\nother[postgresql]"}, {"aiosqlite": "requirements.txt"}),
        (
            {"pyproject.toml": "tool.poetry.dependencies.sqlalchemy = {extras = ['mysql'], version = '^2'}"},
            {"mysqlclient": "pyproject.toml"},
        ),
    ],
)  # fmt: skip
def test_drivers_are_taken_from_everything_that_the_project_asks_for(
    tmp_path: Path, files: dict[str, str], drivers: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for isolated in (False, True):
        settings = load(tmp_path, isolated=isolated, rules=RULES)
        assert dict(settings.driver_files) == drivers
        assert settings.drivers == tuple(sorted(drivers))


def test_requirements_in_odd_bytes_name_their_drivers_or_none(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("asyncpg==0.30\r\n".encode("utf-16"))
    (tmp_path / "setup.py").write_bytes(b"\x00\xff")
    (tmp_path / "setup.cfg").mkdir()
    (tmp_path / "Pipfile").write_bytes(b"\xff")
    (tmp_path / "pyproject.toml").write_text("project.dependencies = ['aiosqlite'")
    assert load(tmp_path, isolated=True, rules=RULES).drivers == ("asyncpg",)


def test_requirements_that_lead_to_themselves_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r again/requirements.txt\nasyncpg\n")
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "circle-requirements.txt").symlink_to("circle-requirements.txt")
    assert load(tmp_path, rules=RULES).driver_files == (("asyncpg", "requirements.txt"),)


def test_no_driver_is_of_a_server_and_of_a_file() -> None:
    assert not SERVER_DRIVERS & FILE_DRIVERS
    assert {normalized(name) for name in SERVER_DRIVERS | FILE_DRIVERS} == SERVER_DRIVERS | FILE_DRIVERS


@given(stated=st.text(max_size=40))
def test_no_requirement_is_ever_an_error(tmp_path_factory: pytest.TempPathFactory, stated: str) -> None:
    root = tmp_path_factory.mktemp("asked")
    for name in ("requirements.txt", "setup.cfg", "setup.py", "Pipfile"):
        (root / name).write_bytes(stated.encode("utf-8", "replace"))
    load(root, rules=RULES)


@given(stated=st.text(max_size=30), kind=st.sampled_from(["requires-python", "dependency"]))
def test_no_declaration_is_ever_an_error(tmp_path_factory: pytest.TempPathFactory, stated: str, kind: str) -> None:
    root = tmp_path_factory.mktemp("declared")
    quoted = '"' + "".join(f"\\U{ord(c):08X}" for c in stated if not 0xD800 <= ord(c) < 0xE000) + '"'
    key = "requires-python" if kind == "requires-python" else "dependencies"
    project(root, before=f"[project]\n{key} = {quoted if kind == 'requires-python' else f'[{quoted}]'}")
    load(root, rules=RULES)


def test_equal_settings_have_one_digest_and_a_changed_one_another() -> None:
    settings = Settings(select=("session-scope",))
    assert settings.digest() == Settings(select=("session-scope",)).digest()
    others = {
        replace(settings, **change).digest()
        for change in (
            {"select": None},
            {"ignore": ("session-scope",)},
            {"tidy": True},
            {"line_length": 100},
            {"target_python": (3, 11)},
            {"per_file_ignores": (("a", ("b",)),)},
            {"engine_pool": EnginePool(pool_size=6)},
            {"engine_pool": EnginePool(server=False)},
            {"drivers": ("asyncpg",)},
            {"driver_files": (("asyncpg", "setup.py"),)},
        )
    }
    assert len(others) == 10
    assert settings.digest() not in others
    assert replace(settings, file="elsewhere/pyproject.toml").digest() == settings.digest()


def test_the_command_line_can_check_its_own_names_and_globs() -> None:
    assert check_rules(["session-scope"], RULES, "--select") == ("session-scope",)
    assert check_globs(["a/", "!b"], "--exclude") == ("a/", "!b")
    with pytest.raises(SettingsError, match=r"^--select: unknown rule 'session-scopes'; did you mean 'session-scope'"):
        check_rules(["session-scopes"], RULES, "--select")
    with pytest.raises(SettingsError, match=r"^--exclude: '\.\.' leaves"):
        check_globs([".."], "--exclude")


def test_a_glob_that_can_match_nothing_is_no_failure(tmp_path: Path) -> None:
    text = "exclude = ['[z-a]']\nper-file-ignores = { '[z-a]' = ['session-scope'] }\n"
    (tmp_path / "settings.toml").write_text(f"[tool.session-codemods]\n{text}", encoding="utf-8")
    settings = load(tmp_path, tmp_path / "settings.toml", rules=["session-scope"])
    assert settings.ignored_in("app/db.py") == frozenset()


@pytest.mark.parametrize("glob", ["[", "a[b", "**/[[:nonsense:]]"])
def test_a_broken_glob_is_named(glob: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f"[tool.session-codemods]\nexclude = {[glob]!r}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not a glob"):
        load(tmp_path, tmp_path / "settings.toml", rules=["session-scope"])
