"""Which calls make a maker of async sessions, and what is known of `expire_on_commit` there.

Writes small projects to temporary folders; nothing that it reads is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from codemods import sources
from codemods.flow.call_options import Reader
from codemods.flow.scope import Scope, scopes
from codemods.flow.session_makers import SessionMaker, Setting, count_of_makers, session_makers
from codemods.plan import Source
from codemods.project.link import Project, link
from codemods.project.scan import scan
from codemods.project.symbols import ModuleName

HEAD = """
import functools
from dependency_injector import providers
from outside import OutsideSession, engine, kw
from sqlalchemy.ext import asyncio as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession as ModelSession

from app.classes import Guarded, Maker, Own, Plain, Reader
"""
CLASSES = """
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session


class Plain(AsyncSession):
    pass


class Reader(Session):
    pass


class Own(AsyncSession):
    def __init__(self, bind=None, **options):
        super().__init__(bind, expire_on_commit=False, **options)


class Maker(async_sessionmaker):
    pass


class Guarded(async_sessionmaker):
    def __call__(self, **options):
        return super().__call__(expire_on_commit=False, **options)
"""


class Files:
    """A project in a temporary folder, as the analysis sees it."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        self.trees: dict[str, ast.Module] = {}
        read: dict[str, Source] = {}
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text).lstrip("\n"), "utf-8")
            source = sources.read(root, path)
            assert isinstance(source, Source)
            read[path] = source
            self.trees[path] = ast.parse(source.text)
        names = {path: ModuleName(one.module, one.is_package) for path, one in read.items()}
        self.project: Project = link([scan(one) for one in read.values()], names)
        self.reader = Reader(self.module, self.mentioning)

    def scopes(self, path: str) -> list[Scope]:
        return list(scopes(self.trees[path], path, self.project))

    def module(self, path: str) -> Scope | None:
        return self.scopes(path)[0] if path in self.trees else None

    def mentioning(self, word: str) -> Iterator[Scope]:
        for path, tree in self.trees.items():
            if word in ast.unparse(tree):
                yield self.scopes(path)[0]

    def makers(self, path: str) -> list[SessionMaker]:
        return [maker for scope in self.scopes(path) for maker in session_makers(scope, self.trees.get, self.reader)]


def makers(root: Path, text: str, **more: str) -> list[SessionMaker]:
    """The makers of `app/db.py`; `more` are modules of the same package."""
    files = {"app/__init__.py": "", "app/classes.py": CLASSES, "app/db.py": HEAD + dedent(text)}
    files |= {f"app/{name}.py": content for name, content in more.items()}
    return Files(root, files).makers("app/db.py")


@pytest.mark.parametrize(
    "text",
    [
        "make = async_sessionmaker(engine)",
        "make = async_sessionmaker[AsyncSession](engine)",
        "make = sa.async_sessionmaker(engine)",
        "make = async_sessionmaker()",
        "make = async_sessionmaker(engine, class_=ModelSession)",
        "make = async_sessionmaker(engine, class_=Plain)",
        "make = sessionmaker(engine, class_=AsyncSession)",
        "make = sessionmaker(bind=engine, class_=Plain, autoflush=False)",
        "make = sessionmaker(engine, AsyncSession)",
        "make = Maker(engine)",
        "make = async_sessionmaker(engine, **{'autoflush': False})",
        "options = {'autoflush': False}\nmake = async_sessionmaker(engine, **options)",
        "options = dict(class_=AsyncSession)\nmake = sessionmaker(engine, **options)",
        "def build():\n    return async_sessionmaker(engine)",
        "class Db:\n    def __init__(self):\n        self.make = async_sessionmaker(engine)",
        "class Db:\n    make = async_sessionmaker(engine)",
        "make = None\ndef start():\n    global make\n    make = async_sessionmaker(engine)",
        "make = async_sessionmaker(engine) if engine else None",
        "make = async_sessionmaker(engine)\nmake.configure(bind=engine)",
    ],
)
def test_nothing_is_set(tmp_path: Path, text: str) -> None:
    assert [(maker.setting, maker.why) for maker in makers(tmp_path, text)] == [(Setting.MISSING, "")]


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("make = async_sessionmaker(engine, expire_on_commit=False)", Setting.FALSE),
        ("make = async_sessionmaker(engine, expire_on_commit=True)", Setting.TRUE),
        ("make = async_sessionmaker(engine, expire_on_commit=bool(kw))", Setting.OTHER),
        ("make = async_sessionmaker(engine, **kw, expire_on_commit=False)", Setting.FALSE),
        ("make = async_sessionmaker(engine, expire_on_commit=False, **kw)", Setting.FALSE),
        ("options = {'expire_on_commit': False}\nmake = async_sessionmaker(engine, **options)", Setting.FALSE),
        ("options = {}\nif kw:\n    options['expire_on_commit'] = False\nmake = async_sessionmaker(**options)",
         Setting.OTHER),
        ("make = sessionmaker(engine, AsyncSession, True, False, False)", Setting.FALSE),
        ("make = async_sessionmaker(engine, class_=Own, expire_on_commit=False)", Setting.FALSE),
        ("make = async_sessionmaker(engine)\nmake.configure(expire_on_commit=False)", Setting.FALSE),
        ("make = async_sessionmaker(engine)\nmake.configure(expire_on_commit=True)", Setting.TRUE),
        ("make = providers.Singleton(async_sessionmaker, engine, expire_on_commit=False)", Setting.FALSE),
    ],
)  # fmt: skip
def test_something_is_set(tmp_path: Path, text: str, setting: Setting) -> None:
    assert [maker.setting for maker in makers(tmp_path, text)] == [setting]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("make = async_sessionmaker(engine, **kw)", "kw"),
        ("def build(**options):\n    return async_sessionmaker(engine, **options)", "options"),
        ("make = async_sessionmaker(engine, class_=OutsideSession)", "`OutsideSession`, is not in view"),
        ("make = sessionmaker(engine, class_=kw['class'])", "is not in view"),
        ("make = sessionmaker(engine, **kw)", "kw"),
        ("make = async_sessionmaker(engine, class_=Own)", "`Own.__init__()` (app/classes.py:14) may set it"),
        ("make = Guarded(engine)", "`Guarded.__call__()` (app/classes.py:23) may set it"),
        ("make = functools.partial(async_sessionmaker, engine)", "`functools.partial()` calls `async_sessionmaker`"),
        ("make = providers.Singleton(async_sessionmaker, engine)", "`providers.Singleton()` calls"),
        ("make = async_sessionmaker(engine)\nmake.configure(**kw)", "may set it"),
        ("make = async_sessionmaker(engine)\nkw.make.configure(expire_on_commit=False)", "may be called on this one"),
    ],
)
def test_it_cannot_be_told(tmp_path: Path, text: str, why: str) -> None:
    (maker,) = makers(tmp_path, text)
    assert maker.setting is Setting.UNTOLD
    assert why in maker.why


@pytest.mark.parametrize(
    "text",
    [
        "make = sessionmaker(engine)",
        "make = sessionmaker(engine, class_=Session)",
        "make = sessionmaker(engine, class_=Reader)",
        "make = sessionmaker(engine, **{'autoflush': False})",
        "def async_sessionmaker(engine): ...\nmake = async_sessionmaker(engine)",
        "session = AsyncSession(engine)",
        "make = functools.partial(AsyncSession, engine)",
        "make = async_sessionmaker",
    ],
)
def test_what_makes_no_maker_of_async_sessions_is_not_spoken_of(tmp_path: Path, text: str) -> None:
    assert makers(tmp_path, text) == []


def test_a_project_without_async_sessions_is_not_asked_what_its_makers_make(tmp_path: Path) -> None:
    text = "from outside import kw\nfrom sqlalchemy.orm import sessionmaker\nmake = sessionmaker(**kw)\n"
    assert Files(tmp_path, {"db.py": text}).makers("db.py") == []


def test_a_maker_that_is_imported_with_everything_is_seen(tmp_path: Path) -> None:
    text = "from sqlalchemy.ext.asyncio import *\nmake = async_sessionmaker()\n"
    assert [maker.setting for maker in Files(tmp_path, {"db.py": text}).makers("db.py")] == [Setting.MISSING]


IN_TWO_WAYS = """
try:
    from sqlalchemy.ext.asyncio import async_sessionmaker as maker
except ImportError:
    from sqlalchemy.orm import sessionmaker as maker

"""


def test_a_maker_that_is_imported_in_one_way_or_another_is_seen(tmp_path: Path) -> None:
    (maker,) = makers(tmp_path, f"{IN_TWO_WAYS}make = maker(engine, class_=AsyncSession)")
    assert maker.setting is Setting.UNTOLD
    assert "`maker` is imported in more than one way" in maker.why
    (maker,) = makers(tmp_path, f"{IN_TWO_WAYS}make = maker(engine, class_=AsyncSession, expire_on_commit=False)")
    assert maker.setting is Setting.FALSE
    assert makers(tmp_path, f"{IN_TWO_WAYS}def build(maker):\n    return maker(class_=AsyncSession)") == []


def test_another_file_configures_it(tmp_path: Path) -> None:
    start = "from app.db import make\n\n\ndef start(engine):\n    make.configure(bind=engine, expire_on_commit=False)\n"
    (maker,) = makers(tmp_path, "make = async_sessionmaker()", start=start)
    assert maker.setting is Setting.FALSE
    assert maker.why == "by `make.configure()` (app/start.py:5)"


def test_another_maker_is_configured(tmp_path: Path) -> None:
    text = "one = async_sessionmaker()\ntwo = async_sessionmaker()\ntwo.configure(expire_on_commit=False)\n"
    assert [(maker.origin, maker.setting) for maker in makers(tmp_path, text)] == [
        ("app/db.py:one", Setting.MISSING),
        ("app/db.py:two", Setting.FALSE),
    ]


def test_makers_of_tests_are_not_counted(tmp_path: Path) -> None:
    text = "from sqlalchemy.ext.asyncio import async_sessionmaker\nmake = async_sessionmaker()\n"
    files = Files(tmp_path, {"db.py": text, "tests/conftest.py": text, "reports.py": text + "more = make\n"})
    assert count_of_makers(files.project, files.trees.get, files.reader) == 2
