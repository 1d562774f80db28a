"""Which engines are made anew on each call of the function they stand in; and which are kept, or made only once.

Small projects are written to temporary folders and never imported.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from codemods import sources
from codemods.flow.engine_lifetime import PerCall, per_call
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.scope import scopes
from codemods.flow.tasks.index import Tasks
from codemods.plan import Source
from codemods.project.link import link
from codemods.project.mentions import Mention, mentions
from codemods.project.openers import Customs
from codemods.project.scan import scan
from codemods.project.symbols import ModuleName

HEAD = """
import asyncio
import contextlib
import functools
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, partial

import click
import outside
import pandas as pd
import tenacity
from celery import Celery, shared_task
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

app = FastAPI()
router = APIRouter()
celery_app = Celery("app")
_engine = None
_engines = {}
"""
MAKERS = frozenset({"create_engine", "create_async_engine"})


def judged(root: Path, files: Mapping[str, str]) -> PerCall | None:
    """What is said of the first engine of `app/db.py`."""
    read: dict[str, Source] = {}
    for path, content in {"app/__init__.py": "", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
        source = sources.read(root, path)
        assert isinstance(source, Source)
        read[path] = source
    names = {path: ModuleName(one.module, one.is_package) for path, one in read.items()}
    project = link([scan(one) for one in read.values()], names)
    trees = {path: ast.parse(one.text) for path, one in read.items()}

    def mentioned(wanted: Collection[str]) -> Iterator[Mention]:
        for path, tree in trees.items():
            yield from mentions(tree, path, wanted)

    summaries = FunctionSummaries(project, trees.get)
    tasks = Tasks(project, summaries, trees.get, mentioned)
    customs = Customs(project, mentioned)
    where = "tests/test_db.py" if "tests/test_db.py" in files else "app/db.py"
    for scope in scopes(trees[where], where, project):
        for node in scope.watched():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                return per_call(node, scope, customs, tasks)
    raise AssertionError("there is no engine")


def files(text: str, **others: str) -> dict[str, str]:
    """`app/db.py` below the usual imports; further files of the package by their names."""
    found = {"app/db.py": HEAD + dedent(text)}
    return found | {f"app/{name}.py": HEAD + dedent(other) for name, other in others.items()}


PER_CALL = {
    "local, and nobody is seen to call it": (
        """
        def load(url):
            engine = create_engine(url)
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()
        """,
        "`load` makes a new engine, with a pool of its own, each time it runs",
    ),
    "only begun": (
        """
        async def prepare(url):
            engine = create_async_engine(url)
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))
        """,
        "`prepare` makes a new engine",
    ),
    "inline in a maker that is called at once": (
        """
        def load(url):
            with sessionmaker(create_engine(url))() as session:
                return session.execute(text("select 1")).all()
        """,
        "`load` makes a new engine",
    ),
    "inline in a session": (
        """
        def load(url):
            session = Session(bind=create_engine(url))
            try:
                return session.execute(text("select 1")).all()
            finally:
                session.close()
        """,
        "`load` makes a new engine",
    ),
    "read by pandas": (
        """
        def frame(url):
            engine = create_engine(url)
            return pd.read_sql("select 1", engine)
        """,
        "`frame` makes a new engine",
    ),
    "handed to a function of the project that only uses it": (
        """
        def count(engine):
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()

        def load(url):
            engine = create_engine(url)
            return count(engine)
        """,
        "`load` makes a new engine",
    ),
    "listened to": (
        """
        def load(url):
            engine = create_engine(url)

            @event.listens_for(engine, "connect")
            def configure(connection, record):
                connection.execute("select 1")

            with engine.begin() as connection:
                connection.execute(text("select 1"))
        """,
        "`load` makes a new engine",
    ),
    "called in another function": (
        """
        def load(url):
            engine = create_engine(url)
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()

        def answer():
            return load("x")
        """,
        "`load` makes a new engine",
    ),
    "called again and again at the start": (
        """
        def load(url):
            engine = create_engine(url)
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()

        def main():
            for url in ("a", "b"):
                load(url)

        if __name__ == "__main__":
            main()
        """,
        "`load` makes a new engine",
    ),
    "a task of a queue": (
        """
        @shared_task
        def clean():
            engine = create_engine("x")
            with engine.begin() as connection:
                connection.execute(text("select 1"))
        """,
        "`clean` makes a new engine",
    ),
    "a task of a queue's application": (
        """
        @celery_app.task(bind=True)
        def clean(self):
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))
        """,
        "`clean` makes a new engine",
    ),
    "a task of a queue that starts a loop of events": (
        """
        async def clean():
            async with create_async_engine("x").begin() as connection:
                await connection.execute(text("select 1"))

        @shared_task
        def job():
            asyncio.run(clean())
        """,
        "`clean` makes a new engine",
    ),
    "a job that is tried again": (
        """
        @tenacity.retry(stop=3)
        def clean():
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))
        """,
        "`clean` makes a new engine",
    ),
    "scheduled in an endpoint": (
        """
        async def clean():
            engine = create_async_engine("x")
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))

        @router.post("/clean")
        async def endpoint(tasks: BackgroundTasks):
            tasks.add_task(clean)
        """,
        "`clean` makes a new engine",
    ),
    "an endpoint": (
        """
        @router.get("/health")
        async def health():
            engine = create_async_engine("x")
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))
        """,
        "an engine per request: a pool is built and never disposed of",
    ),
    "an endpoint that disposes of it": (
        """
        @app.get("/health")
        async def health():
            engine = create_async_engine("x")
            try:
                async with engine.connect() as connection:
                    await connection.execute(text("select 1"))
            finally:
                await engine.dispose()
        """,
        "an engine per request: a pool is built and thrown away each time",
    ),
    "a router of the project's own class": (
        """
        class Router(APIRouter):
            pass

        mine = Router()

        @mine.get("/health")
        async def health():
            engine = create_async_engine("x")
            await engine.dispose()
        """,
        "an engine per request: a pool is built and thrown away each time",
    ),
    "an endpoint that is added by a call": (
        """
        async def health():
            engine = create_async_engine("x")
            await engine.dispose()

        router.add_api_route("/health", health)
        """,
        "an engine per request: a pool is built and thrown away each time",
    ),
    "a middleware": (
        """
        @app.middleware("http")
        async def audit(request, call_next):
            engine = create_async_engine("x")
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))
            return await call_next(request)
        """,
        "an engine per request",
    ),
    "a dependency that yields a session": (
        """
        async def get_session():
            engine = create_async_engine("x")
            maker = async_sessionmaker(engine, expire_on_commit=False)
            async with maker() as session:
                yield session

        @router.get("/items")
        async def items(session: AsyncSession = Depends(get_session)):
            return []
        """,
        "an engine per request: a pool is built and never disposed of",
    ),
    "a dependency that disposes of it": (
        """
        async def get_session():
            engine = create_async_engine("x")
            async with AsyncSession(engine) as session:
                yield session
            await engine.dispose()

        @router.get("/items")
        async def items(session: AsyncSession = Depends(get_session)):
            return []
        """,
        "an engine per request: a pool is built and thrown away each time",
    ),
    "a dependency that returns it": (
        """
        def get_engine():
            return create_async_engine("x")

        @router.get("/items")
        async def items(engine=Depends(get_engine)):
            return []
        """,
        "an engine per request",
    ),
    "a function that a dependency calls": (
        """
        def make_engine():
            return create_async_engine("x")

        async def get_session():
            async with AsyncSession(make_engine()) as session:
                yield session

        @router.get("/items")
        async def items(session: AsyncSession = Depends(get_session)):
            return []
        """,
        "an engine per request (`get_session`, app/db.py:",
    ),
    "a check that an endpoint awaits": (
        """
        async def check():
            engine = create_async_engine("x")
            try:
                async with engine.connect() as connection:
                    await connection.execute(text("select 1"))
            finally:
                await engine.dispose()

        @router.get("/health")
        async def health():
            await check()
        """,
        "an engine per request (`health`, app/db.py:",
    ),
    "an endpoint of a router that is not in view": (
        """
        from outside import router as theirs

        def get_url():
            return "x"

        @theirs.get("/health")
        async def health(url: str = Depends(get_url)):
            engine = create_async_engine(url)
            await engine.dispose()
        """,
        "an engine per request",
    ),
    "returned to a caller that lets it go": (
        """
        def make_engine():
            return create_engine("x")

        def load():
            engine = make_engine()
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()
        """,
        "`make_engine` makes a new engine on each call, and `load` calls it each time it runs (app/db.py:",
    ),
    "returned through another function": (
        """
        def make_engine():
            engine = create_engine("x")
            return engine

        def make_session():
            return Session(make_engine())

        def load():
            with make_session() as session:
                return session.execute(text("select 1")).all()
        """,
        "`make_engine` makes a new engine on each call, and `make_session` calls it each time it runs (app/db.py:",
    ),
    "yielded to a caller": (
        """
        @contextmanager
        def session_scope():
            engine = create_engine("x")
            with Session(engine) as session:
                yield session

        def load():
            with session_scope() as session:
                return session.execute(text("select 1")).all()
        """,
        "`session_scope` makes a new engine on each call, and `load` calls it each time it runs (app/db.py:",
    ),
    "a property that is read by a method": (
        """
        class Repository:
            @property
            def engine(self):
                return create_engine("x")

            def load(self):
                with self.engine.connect() as connection:
                    return connection.execute(text("select 1")).scalar()
        """,
        "`engine` makes a new engine on each call, and `Repository.load` calls it each time it runs (app/db.py:",
    ),
    "a method that nobody is seen to call": (
        """
        class Repository:
            def load(self):
                with create_engine("x").begin() as connection:
                    connection.execute(text("select 1"))
        """,
        "`load` makes a new engine",
    ),
    "a method that the object itself calls": (
        """
        class Repository:
            def load(self):
                with create_engine("x").begin() as connection:
                    connection.execute(text("select 1"))

            def again(self):
                self.load()
        """,
        "`load` makes a new engine",
    ),
    "kept in a module by one caller, and let go by another": (
        """
        def make_engine():
            return create_engine("x")

        engine = make_engine()

        def load():
            return pd.read_sql("select 1", make_engine())
        """,
        "`make_engine` makes a new engine on each call, and `load` calls it",
    ),
}

KEPT_OR_ONCE = {
    "module level": 'engine = create_engine("x")',
    "under a condition of the module": 'if __debug__:\n    engine = create_engine("x")',
    "class body": 'class Database:\n    engine = create_engine("x")',
    "a lambda of the module": 'make = lambda: create_engine("x")',
    "cached": """
        @lru_cache
        def get_engine():
            return create_engine("x")

        def load():
            with get_engine().connect() as connection:
                return connection.execute(text("select 1"))
    """,
    "cached with a size": """
        @functools.lru_cache(maxsize=None)
        def get_engine(url):
            return create_engine(url)

        @router.get("/items")
        async def items(engine=Depends(get_engine)):
            return []
    """,
    "a cached property": """
        class Database:
            @functools.cached_property
            def engine(self):
                return create_engine("x")

            def load(self):
                return self.engine.connect()
    """,
    "decorated with something unknown": """
        @outside.singleton
        def get_engine():
            return create_engine("x")

        def load():
            return pd.read_sql("select 1", get_engine())
    """,
    "decorated with a function of the project": """
        def once(function):
            return function

        @once
        def prepare():
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))
    """,
    "global": """
        def get_engine():
            global _engine
            if _engine is None:
                _engine = create_engine("x")
            return _engine

        def load():
            return pd.read_sql("select 1", get_engine())
    """,
    "global by way of a local name": """
        def get_engine():
            global _engine
            if _engine is None:
                engine = create_engine("x")
                _engine = engine
            return _engine
    """,
    "global together with a local name": """
        def get_engine():
            global _engine
            engine = _engine = create_engine("x")
            return engine

        def load():
            return pd.read_sql("select 1", get_engine())
    """,
    "a maker in a global": """
        def setup():
            global maker
            engine = create_engine("x")
            maker = sessionmaker(engine)
    """,
    "nonlocal": """
        def provider():
            engine = None

            def get():
                nonlocal engine
                engine = create_engine("x")
                return engine

            return get
    """,
    "on self": """
        class Database:
            def __init__(self, url):
                self.engine = create_engine(url)
    """,
    "a maker on self": """
        class Database:
            def connect(self, url):
                engine = create_engine(url)
                self.maker = sessionmaker(engine)
    """,
    "on the class": """
        class Database:
            @classmethod
            def connect(cls, url):
                cls.engine = create_engine(url)
    """,
    "on the state of an app": """
        def setup(app):
            app.state.engine = create_engine("x")
    """,
    "on the app of the module": """
        def setup():
            app.state.engine = create_engine("x")
    """,
    "in a dict of the module": """
        def get_engine(url):
            if url not in _engines:
                _engines[url] = create_engine(url)
            return _engines[url]

        def load(url):
            return pd.read_sql("select 1", get_engine(url))
    """,
    "set as a default of a dict": """
        def get_engine(url):
            return _engines.setdefault(url, create_engine(url))

        def load(url):
            return pd.read_sql("select 1", get_engine(url))
    """,
    "only where none is given": """
        def load(engine=None):
            if engine is None:
                engine = create_engine("x")
            with engine.connect() as connection:
                return connection.execute(text("select 1"))
    """,
    "only where none is given, in an expression": """
        def load(given=None):
            engine = given or create_engine("x")
            with engine.connect() as connection:
                return connection.execute(text("select 1"))
    """,
    "a maker of the module is configured": """
        maker = sessionmaker()

        def setup(url):
            engine = create_engine(url)
            maker.configure(bind=engine)
    """,
    "handed to something that may keep it": """
        def setup(url):
            outside.register(create_engine(url))
    """,
    "handed to a function of the project that keeps it": """
        def keep(engine):
            global _engine
            _engine = engine

        def setup(url):
            keep(create_engine(url))
    """,
    "held by a nested function": """
        def setup(url):
            engine = create_engine(url)

            def get_session():
                return Session(engine)

            return get_session
    """,
    "a lifespan that yields": """
        @asynccontextmanager
        async def lifespan(app):
            engine = create_async_engine("x")
            app.state.maker = async_sessionmaker(engine)
            yield
            await engine.dispose()

        served = FastAPI(lifespan=lifespan)
    """,
    "a lifespan that yields its state": """
        @asynccontextmanager
        async def lifespan(app):
            engine = create_async_engine("x")
            yield {"engine": engine}

        served = FastAPI(lifespan=lifespan)
    """,
    "a lifespan that only prepares": """
        @asynccontextmanager
        async def lifespan(app):
            engine = create_async_engine("x")
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))
            yield

        served = FastAPI(lifespan=lifespan)
    """,
    "prepared by a function that a lifespan calls": """
        async def prepare():
            engine = create_async_engine("x")
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))

        @asynccontextmanager
        async def lifespan(app):
            await prepare()
            yield

        served = FastAPI(lifespan=lifespan)
    """,
    "at startup": """
        @app.on_event("startup")
        async def prepare():
            engine = create_async_engine("x")
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))
    """,
    "disposed of at the end": """
        async def migrate():
            engine = create_async_engine("x")
            async with engine.begin() as connection:
                await connection.execute(text("select 1"))
            await engine.dispose()
    """,
    "disposed of in a finally": """
        def load():
            engine = create_engine("x")
            try:
                return pd.read_sql("select 1", engine)
            finally:
                engine.dispose()
    """,
    "disposed of by a stack": """
        async def load():
            async with contextlib.AsyncExitStack() as stack:
                engine = create_async_engine("x")
                stack.push_async_callback(engine.dispose)
                await stack.enter_async_context(engine.connect())
    """,
    "disposed of by a function of the project": """
        async def stop(engine):
            await engine.dispose()

        async def load():
            engine = create_async_engine("x")
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))
            await stop(engine)
    """,
    "disposed of in a task of a queue": """
        @shared_task
        def clean():
            engine = create_engine("x")
            with engine.begin() as connection:
                connection.execute(text("select 1"))
            engine.dispose()
    """,
    "disposed of after an endpoint has answered": """
        async def clean():
            engine = create_async_engine("x")
            await engine.dispose()

        @router.post("/clean")
        async def endpoint(tasks: BackgroundTasks):
            tasks.add_task(clean)
    """,
    "an object of the project that disposes of it": """
        class Database:
            def __init__(self, engine):
                self.engine = engine

            async def close(self):
                await self.engine.dispose()

        async def work():
            database = Database(create_async_engine("x"))
            await database.close()
    """,
    "returned and disposed of by the caller": """
        def make_engine():
            return create_engine("x")

        def work():
            engine = make_engine()
            try:
                return pd.read_sql("select 1", engine)
            finally:
                engine.dispose()
    """,
    "returned to the module": """
        def make_engine():
            return create_engine("x")

        engine = make_engine()
        maker = sessionmaker(make_engine())
    """,
    "returned to nobody in view": """
        def make_engine():
            return create_engine("x")
    """,
    "returned to a cached function": """
        def make_engine():
            return create_engine("x")

        @lru_cache
        def get_engine():
            return make_engine()

        def load():
            return pd.read_sql("select 1", get_engine())
    """,
    "returned to what keeps it": """
        def make_engine():
            return create_engine("x")

        class Database:
            def __init__(self):
                self.engine = make_engine()
    """,
    "handed on uncalled": """
        def make_engine():
            return create_engine("x")

        provider = outside.Singleton(make_engine)
    """,
    "returned inside of an app": """
        def create_app():
            created = FastAPI()
            created.state.engine = create_engine("x")
            return created

        served = create_app()
    """,
    "a script": """
        def run():
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))

        if __name__ == "__main__":
            run()
    """,
    "a script with a loop of events": """
        async def run():
            async with create_async_engine("x").begin() as connection:
                await connection.execute(text("select 1"))

        if __name__ == "__main__":
            asyncio.run(run())
    """,
    "an entry point that starts the loop of events": """
        async def run():
            async with create_async_engine("x").begin() as connection:
                await connection.execute(text("select 1"))

        def start():
            asyncio.run(run())
    """,
    "a part of a script": """
        def load():
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))

        def run():
            load()

        run()
    """,
    "main, started from elsewhere": """
        def main():
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))
    """,
    "a command": """
        @click.command()
        def seed():
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))
    """,
    "a lambda inside of a function": """
        def setup(container):
            make = lambda: create_engine("x")
            return make
    """,
    "a default value": """
        def load(engine=create_engine("x")):
            return pd.read_sql("select 1", engine)
    """,
    "a method that an unknown object may run": """
        class Worker:
            def work(self):
                with create_engine("x").begin() as connection:
                    connection.execute(text("select 1"))

        def start(worker):
            worker.work()
    """,
    "a method that a library may run": """
        class Worker(outside.Thread):
            def run(self):
                with create_engine("x").begin() as connection:
                    connection.execute(text("select 1"))
    """,
    "a worker's start": """
        from celery.signals import worker_process_init

        @worker_process_init.connect
        def start(**kwargs):
            with create_engine("x").begin() as connection:
                connection.execute(text("select 1"))
    """,
}


@pytest.mark.parametrize("case", PER_CALL)
def test_an_engine_that_is_made_anew_is_told_of(case: str, tmp_path: Path) -> None:
    written, told = PER_CALL[case]
    found = judged(tmp_path, files(written))
    assert found is not None
    assert told in found.reason
    assert found.advice


@pytest.mark.parametrize("case", KEPT_OR_ONCE)
def test_nothing_is_said_of_an_engine_that_may_be_kept_or_made_once(case: str, tmp_path: Path) -> None:
    assert judged(tmp_path, files(KEPT_OR_ONCE[case])) is None


MAKE = """
def make_engine():
    return create_engine("x")
"""
LOAD = """
from app.db import make_engine as fresh

def load():
    return pd.read_sql("select 1", fresh())
"""


def test_a_caller_in_another_file_is_named(tmp_path: Path) -> None:
    found = judged(tmp_path, files(MAKE, service=LOAD))
    assert found is not None
    line = (HEAD + LOAD).splitlines().index('    return pd.read_sql("select 1", fresh())') + 1
    assert [(fact.path, fact.line, fact.text) for fact in found.facts] == [("app/service.py", line, "load")]
    assert f"`load` calls it each time it runs (app/service.py:{line})" in found.reason


def test_a_caller_among_the_tests_says_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, {**files(MAKE), "tests/test_load.py": HEAD + LOAD}) is None


def test_a_dependency_of_the_tests_is_no_request(tmp_path: Path) -> None:
    override = "from app.db import make_engine\n\napp.dependency_overrides[Request] = make_engine\n"
    assert judged(tmp_path, {**files(MAKE), "tests/conftest.py": HEAD + override}) is None


def test_an_engine_of_a_test_is_never_asked_for(tmp_path: Path) -> None:
    text = 'def load():\n    with create_engine("x").begin():\n        pass\n'
    assert judged(tmp_path, {"tests/test_db.py": HEAD + text}) is None


def test_the_endpoint_behind_two_calls_is_named_last(tmp_path: Path) -> None:
    service = """
    from app.db import make_engine

    def load():
        return pd.read_sql("select 1", make_engine())

    @router.get("/items")
    def items():
        return load()
    """
    found = judged(tmp_path, files(MAKE, service=service))
    assert found is not None
    assert [fact.text for fact in found.facts] == ["load", "items"]
    assert found.reason.startswith("an engine per request (`items`, app/service.py:")


def test_functions_that_call_each_other_come_to_an_end(tmp_path: Path) -> None:
    text = """
    def even(depth):
        engine = create_engine("x")
        if depth:
            odd(depth - 1)
        return engine

    def odd(depth):
        return even(depth)
    """
    assert judged(tmp_path, files(text)) is None


DATABASE = """
class Database:
    def __init__(self, url):
        self.engine = create_engine(url)
        self.maker = sessionmaker(self.engine)

    def load(self):
        with self.engine.connect() as connection:
            return connection.execute(text("select 1")).scalar()
"""
IN_AN_ENDPOINT = """
from app.db import Database

@router.get("/items")
def items():
    database = Database("x")
    return database.load()
"""
IN_A_DEPENDENCY = """
from app.db import Database

def database():
    return Database("x")

@router.get("/items")
def items(found=Depends(database)):
    return found.load()
"""
A_DEPENDENCY = """
from app.db import Database

@router.get("/items")
def items(found: Database = Depends(Database)):
    return found.load()
"""


@pytest.mark.parametrize("service", [IN_AN_ENDPOINT, IN_A_DEPENDENCY, A_DEPENDENCY])
def test_an_object_that_is_made_per_request_makes_its_engine_per_request(service: str, tmp_path: Path) -> None:
    found = judged(tmp_path, files(DATABASE, service=service))
    assert found is not None
    assert found.reason.startswith("an engine per request")
    assert not found.undecided


KEPT_OBJECTS = {
    "at module level": (DATABASE, 'from app.db import Database\n\ndatabase = Database("x")\n'),
    "in a global": (DATABASE, IN_AN_ENDPOINT.replace("    database =", "    global database\n    database =")),
    "by a cached function": (DATABASE, IN_A_DEPENDENCY.replace("def database", "@lru_cache\ndef database")),
    "by what is handed it": (
        DATABASE.replace("self.maker = sessionmaker", "outside.keep(self); print"),
        IN_AN_ENDPOINT,
    ),
    "on the app": (DATABASE, IN_AN_ENDPOINT.replace("    database =", "    app.state.it = database =")),
    "by its class": (DATABASE.replace("class Database:", "class Database(metaclass=outside.Once):"), IN_AN_ENDPOINT),
    "by a decorator": (DATABASE.replace("class Database:", "@outside.once\nclass Database:"), IN_AN_ENDPOINT),
    "by no request": (DATABASE, 'from app.db import Database\n\ndef work():\n    return Database("x").load()\n'),
    "once": (
        DATABASE.replace("        self.engine =", "        if not outside.made:\n            self.engine ="),
        IN_AN_ENDPOINT,
    ),
}


@pytest.mark.parametrize("case", KEPT_OBJECTS)
def test_nothing_is_said_of_the_engine_of_an_object_that_may_be_kept(case: str, tmp_path: Path) -> None:
    text, service = KEPT_OBJECTS[case]
    assert judged(tmp_path, files(text, service=service)) is None


def test_whether_it_runs_often_is_open_where_nobody_calls_it(tmp_path: Path) -> None:
    found = judged(tmp_path, files(PER_CALL["only begun"][0]))
    assert found is not None
    assert found.undecided
    assert found.reason.endswith("who starts it is not in view")


def test_it_is_not_open_where_a_request_or_a_queue_calls_it(tmp_path: Path) -> None:
    queued = """
    @shared_task
    def clean():
        with create_engine("x").begin() as connection:
            connection.execute(text("select 1"))
    """
    found = judged(tmp_path, files(queued))
    assert found is not None
    assert not found.undecided
