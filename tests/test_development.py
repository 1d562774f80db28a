"""How the settings of a project tell development: where the engine is made, and for a file that is yet to be written.

Small projects are written to temporary folders and never imported.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from codemods import sources
from codemods.flow.development import ProjectSign, Sign, at, of_project
from codemods.flow.scope import scopes
from codemods.plan import Source
from codemods.project.link import Project, link
from codemods.project.scan import scan
from codemods.project.symbols import ModuleName

HEAD = """
import dataclasses
import enum
import os
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import cached_property, lru_cache
from typing import Annotated, Literal, Optional

import outside
from decouple import config
from environs import Env
from pydantic import BaseModel, Field, computed_field
from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import create_async_engine
"""
CONFIG = "\nsettings = Settings()\n"
DB = """
from app.config import settings

engine = create_async_engine(settings.database_url)
"""
FIELDS = """
class Settings(BaseSettings):
    database_url: str
"""


@dataclass
class Written:
    """A project on disk, linked."""

    project: Project
    trees: Mapping[str, ast.Module]

    def sign(self) -> Sign | None:
        """The sign at the URL of the first engine of `app/db.py`."""
        for scope in scopes(self.trees["app/db.py"], "app/db.py", self.project):
            for node in scope.watched():
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    if node.func.id == "create_async_engine":
                        return at(node.args[0], scope, self.trees.get)
        raise AssertionError("there is no engine")

    def text(self) -> str | None:
        found = self.sign()
        return None if found is None else found.text

    def signs(self) -> tuple[ProjectSign, ...]:
        return of_project(self.project, self.trees.get)


def written(root: Path, **files: str) -> Written:
    """The files of the package `app`, each below the usual imports."""
    read: dict[str, Source] = {}
    texts = {"app/__init__.py": ""} | {f"app/{name}.py": HEAD + dedent(text) for name, text in files.items()}
    for path, content in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
        source = sources.read(root, path)
        assert isinstance(source, Source)
        read[path] = source
    names = {path: ModuleName(one.module, one.is_package) for path, one in read.items()}
    project = link([scan(one) for one in read.values()], names)
    return Written(project, {path: ast.parse(one.text) for path, one in read.items()})


def with_fields(fields: str, above: str = "", base: str = "BaseSettings") -> str:
    """A settings module whose class has these fields, beside the URL."""
    body = "".join(f"    {line}\n" for line in dedent(fields).strip().splitlines())
    return f"{dedent(above)}\nclass Settings({base}):\n    database_url: str\n{body}{CONFIG}"


# --- fields of a settings object -------------------------------------------------------------------------------------

SHOWN = {
    "a flag": ("debug: bool = False", "settings.debug"),
    "a flag in upper case": ("DEBUG: bool = False", "settings.DEBUG"),
    "a flag that may be left out": ("debug: bool | None = None", "settings.debug"),
    "a flag by pydantic's field": ("debug: bool = Field(default=False)", "settings.debug"),
    "a property": (
        """
        @property
        def is_dev(self) -> bool:
            return self.database_url.startswith("x")
        """,
        "settings.is_dev",
    ),
    "a computed field": (
        """
        @computed_field
        @property
        def is_development(self) -> bool:
            return True
        """,
        "settings.is_development",
    ),
    "a cached property": (
        """
        @cached_property
        def dev_mode(self):
            return True
        """,
        "settings.dev_mode",
    ),
    "the more exact of two flags": ("debug: bool = False\nis_dev: bool = False", "settings.is_dev"),
    "a default": ('environment: str = "development"', 'settings.environment == "development"'),
    "a default in a field": ('ENV: str = Field("dev", alias="APP_ENV")', 'settings.ENV == "dev"'),
    "a default by keyword": ('app_env: str = Field(default="local")', 'settings.app_env == "local"'),
    "a literal": (
        'environment: Literal["development", "production"] = "production"',
        'settings.environment == "development"',
    ),
    "a literal without a default": ('stage: Literal["dev", "prod"]', 'settings.stage == "dev"'),
    "an optional literal": (
        'environment: Optional[Literal["dev", "prod"]] = None',
        'settings.environment == "dev"',
    ),
    "an annotated literal": (
        'environment: Annotated[Literal["dev", "prod"], Field()] = "prod"',
        'settings.environment == "dev"',
    ),
    "a literal of three": (
        'ENVIRONMENT: Literal["local", "staging", "production"] = "local"',
        'settings.ENVIRONMENT == "local"',
    ),
    "the environment before a flag": (
        'debug: bool = False\nenvironment: str = "development"',
        'settings.environment == "development"',
    ),
    "a flag where the environment says nothing": (
        'debug: bool = False\nenvironment: str = "production"',
        "settings.debug",
    ),
    "a flag where the environment says two things": (
        'debug: bool = False\nenvironment: Literal["dev", "local", "prod"]',
        "settings.debug",
    ),
    "in the spelling that is shown": ('environment: str = "Development"', 'settings.environment == "Development"'),
}
UNSHOWN = {
    "a property that gives a text": "@property\ndef debug(self):\n    return os.environ.get('DEBUG', '0')",
    "a property that may give a text": (
        "@property\ndef debug(self):\n    if self.x:\n        return True\n    return os.environ.get('DEBUG')"
    ),
    "no such field": "name: str = 'x'",
    "a word that nobody shows": "environment: str",
    "another word": 'environment: str = "production"',
    "two words": 'environment: Literal["dev", "local", "prod"] = "dev"',
    "a flag of another type": "debug: str = ''",
    "a level": "debug: int = 0",
    "a property of another type": "@property\ndef debug(self) -> str:\n    return ''",
    "a method": "def is_dev(self) -> bool:\n    return True",
    "an object": "env: Env = Env()",
    "an unknown type": 'environment: outside.Environment = "development"',
    "an environment that is made up": '@property\ndef environment(self) -> str:\n    return "development"',
    "a default that is not in view": "environment: str = outside.DEFAULT",
    "a literal without such a word": 'environment: Literal["test", "prod"] = "test"',
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_a_field_shows(case: str, tmp_path: Path) -> None:
    fields, expected = SHOWN[case]
    assert written(tmp_path, config=with_fields(fields), db=DB).text() == expected


@pytest.mark.parametrize("case", UNSHOWN)
def test_nothing_is_guessed_of_a_field(case: str, tmp_path: Path) -> None:
    found = written(tmp_path, config=with_fields(UNSHOWN[case]), db=DB)
    assert found.text() is None
    assert found.signs() == ()


# --- comparisons -----------------------------------------------------------------------------------------------------

COMPARED = {
    "equal": ('settings.environment == "development"', 'settings.environment == "development"'),
    "unequal": ('settings.environment != "dev"', 'settings.environment == "dev"'),
    "turned round": ('"local" == settings.environment', 'settings.environment == "local"'),
    "among others": ('settings.environment in ("development", "test")', 'settings.environment == "development"'),
    "not among": ('settings.environment not in {"dev"}', 'settings.environment == "dev"'),
    "in lower case": (
        'settings.environment.lower() == "development"',
        'settings.environment.lower() == "development"',
    ),
}
NOT_COMPARED = {
    "another word than the default": 'settings.stage == "development"',
    "another word": 'settings.environment == "production"',
    "two words": 'settings.environment in ("dev", "local")',
    "another object": 'outside.settings.environment == "development"',
    "another field": 'settings.name == "development"',
    "something computed": "settings.environment == outside.DEVELOPMENT",
}


@pytest.mark.parametrize("case", COMPARED)
def test_a_comparison_shows_the_word(case: str, tmp_path: Path) -> None:
    condition, expected = COMPARED[case]
    main = f"from app.config import settings\n\nif {condition}:\n    print()\n"
    config_ = with_fields("environment: str\nname: str = ''")
    assert written(tmp_path, config=config_, db=DB, main=main).text() == expected


@pytest.mark.parametrize("case", NOT_COMPARED)
def test_a_comparison_that_shows_no_one_word(case: str, tmp_path: Path) -> None:
    main = f"from app.config import settings\n\nif {NOT_COMPARED[case]}:\n    print()\n"
    config_ = with_fields(
        "environment: str\nname: str = ''\nstage: str = 'dev'"
        if "stage" in main
        else "environment: str\nname: str = ''"
    )
    assert written(tmp_path, config=config_, db=DB, main=main).text() is None


def test_of_two_words_the_one_that_is_compared(tmp_path: Path) -> None:
    config_ = with_fields('environment: Literal["dev", "local", "prod"]')
    main = 'from app.config import settings as s\n\ndef reload() -> bool:\n    return s.environment == "local"\n'
    assert written(tmp_path, config=config_, db=DB, main=main).text() == 'settings.environment == "local"'


def test_a_word_that_a_literal_does_not_hold_is_no_word(tmp_path: Path) -> None:
    config_ = with_fields('environment: Literal["dev", "prod"]')
    main = 'from app.config import settings\n\nassert settings.environment != "development"\n'
    assert written(tmp_path, config=config_, db=DB, main=main).text() == 'settings.environment == "dev"'


def test_the_class_compares_its_own_field(tmp_path: Path) -> None:
    fields = """
    environment: str

    def reload(self):
        return self.environment == "development"
    """
    found = written(tmp_path, config=with_fields(fields), db=DB).sign()
    assert found is not None
    assert found.text == 'settings.environment == "development"'
    assert [fact.path for fact in found.facts] == ["app/config.py"]


def test_a_comparison_with_what_a_function_gives(tmp_path: Path) -> None:
    config_ = FIELDS + "    environment: str\n\n@lru_cache\ndef get_settings() -> Settings:\n    return Settings()\n"
    db = "from app.config import get_settings\n\nengine = create_async_engine(get_settings().database_url)\n"
    main = 'from app.config import get_settings\n\nassert get_settings().environment == "dev"\n'
    assert written(tmp_path, config=config_, db=db, main=main).text() == 'get_settings().environment == "dev"'


# --- enumerations ----------------------------------------------------------------------------------------------------

TEXTS = """
class Environment(str, Enum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"
"""
NUMBERED = TEXTS.replace("str, Enum", "Enum")
FIELD = "environment: Environment = Environment.PRODUCTION"


def test_an_enumeration_of_texts_is_compared_with_its_text(tmp_path: Path) -> None:
    found = written(tmp_path, config=with_fields(FIELD, TEXTS), db=DB)
    assert found.text() == 'settings.environment == "development"'
    assert [one.text() for one in found.signs()] == ['settings.environment == "development"']


def test_a_text_enumeration_that_numbers_itself(tmp_path: Path) -> None:
    above = "class Environment(StrEnum):\n    DEV = auto()\n    PROD = auto()\n"
    config_ = with_fields("environment: Environment", above)
    assert written(tmp_path, config=config_, db=DB).text() == 'settings.environment == "dev"'


def test_another_enumeration_has_to_be_named(tmp_path: Path) -> None:
    db = DB.replace("import settings", "import Environment as Where, settings")
    found = written(tmp_path, config=with_fields(FIELD, NUMBERED), db=db)
    assert found.text() == "settings.environment == Where.DEVELOPMENT"
    assert found.signs() == ()


def test_another_enumeration_that_cannot_be_named(tmp_path: Path) -> None:
    assert written(tmp_path, config=with_fields(FIELD, NUMBERED), db=DB).text() is None


def test_an_enumeration_of_which_the_values_are_kept(tmp_path: Path) -> None:
    fields = f'model_config = {{"use_enum_values": True}}\n{FIELD}'
    db = DB.replace("import settings", "import Environment, settings")
    assert written(tmp_path, config=with_fields(fields, NUMBERED), db=db).text() is None
    assert written(tmp_path, config=with_fields(fields, TEXTS), db=db).text() == 'settings.environment == "development"'


def test_a_default_that_is_another_member_than_the_one_compared(tmp_path: Path) -> None:
    above = 'class Environment(StrEnum):\n    DEV = "dev"\n    LOCAL = "local"\n'
    main = "from app.config import Environment, settings\n\nassert settings.environment == Environment.LOCAL\n"
    config_ = with_fields("environment: Environment = Environment.DEV", above)
    assert written(tmp_path, config=config_, db=DB, main=main).text() is None


def test_a_default_in_capitals_is_the_word_that_is_compared_in_lower_case(tmp_path: Path) -> None:
    config_ = with_fields('environment: str = "DEV"')
    main = 'from app.config import settings\n\nassert settings.environment.lower() == "dev"\n'
    assert written(tmp_path, config=config_, db=DB, main=main).text() == 'settings.environment.lower() == "dev"'


def test_a_member_that_is_compared(tmp_path: Path) -> None:
    above = 'class Environment(StrEnum):\n    DEV = "dev"\n    LOCAL = "local"\n'
    main = "from app.config import Environment, settings\n\nassert settings.environment == Environment.LOCAL\n"
    config_ = with_fields("environment: Environment", above)
    assert written(tmp_path, config=config_, db=DB, main=main).text() == 'settings.environment == "local"'


def test_an_alias_of_a_literal(tmp_path: Path) -> None:
    types = 'Environment = Literal["dev", "prod"]\n'
    config_ = with_fields("environment: Environment", "from app.types import Environment")
    assert written(tmp_path, config=config_, db=DB, types=types).text() == 'settings.environment == "dev"'


# --- other kinds of settings -----------------------------------------------------------------------------------------

CLASSES = {
    "a dataclass": (
        """
        @dataclass
        class Settings:
            database_url: str = os.environ["URL"]
            environment: str = os.getenv("ENVIRONMENT", "development")

        settings = Settings()
        """,
        'settings.environment == "development"',
    ),
    "a dataclass with a field": (
        """
        @dataclass
        class Settings:
            database_url: str
            environment: str = dataclasses.field(default="dev")

        settings = Settings("x")
        """,
        'settings.environment == "dev"',
    ),
    "a plain class that sets its fields": (
        """
        class Settings:
            def __init__(self):
                self.database_url = os.environ["URL"]
                self.debug = os.getenv("DEBUG", "0") == "1"

        settings = Settings()
        """,
        "settings.debug",
    ),
    "a plain class that sets a text": (
        """
        class Settings:
            def __init__(self):
                self.database_url = os.environ["URL"]
                self.env = os.environ.get("ENV") or "dev"

        settings = Settings()
        """,
        'settings.env == "dev"',
    ),
    "a class that is never made an object": (
        """
        class settings:
            database_url = os.environ["URL"]
            ENVIRONMENT = os.getenv("ENVIRONMENT", "local").lower()
        """,
        'settings.ENVIRONMENT == "local"',
    ),
    "inherited": (
        """
        class Base(BaseSettings):
            environment: str = "development"

        class Settings(Base):
            database_url: str

        settings = Settings()
        """,
        'settings.environment == "development"',
    ),
    "overridden": (
        """
        class Base(BaseSettings):
            environment: str = "development"

        class Settings(Base):
            database_url: str
            environment: str = "dev"

        settings = Settings()
        """,
        'settings.environment == "dev"',
    ),
    "in one part of the settings": (
        """
        class App(BaseModel):
            environment: str = "local"

        class Settings(BaseSettings):
            database_url: str
            debug: bool = False
            app: App = Field(default_factory=App)

        settings = Settings()
        """,
        'settings.app.environment == "local"',
    ),
    "given by a cached function": (
        """
        class Settings(BaseSettings):
            database_url: str
            debug: bool = False

        @lru_cache
        def get_settings():
            return Settings()

        settings = get_settings()
        """,
        "settings.debug",
    ),
}
NO_SETTINGS = {
    "a flag of one part of the settings": (
        """
        class Mail(BaseSettings):
            debug: bool = False

        class Settings(BaseSettings):
            database_url: str
            mail: Mail = Mail()

        settings = Settings()
        """
    ),
    "a class whose word cannot vary": (
        """
        class settings:
            database_url = os.environ["URL"]
            ENVIRONMENT = "dev"
        """
    ),
    "an object whose flag cannot vary": (
        """
        class Settings:
            debug: bool = False

            def __init__(self):
                self.database_url = os.environ["URL"]
                self.environment = "dev"

        settings = Settings()
        """
    ),
    "a text that is said to be a flag": (
        """
        @dataclass
        class Settings:
            database_url: str
            debug: bool = os.getenv("DEBUG", False)

        settings = Settings("x")
        """
    ),
    "a class whose field only objects have": (
        """
        class settings(BaseSettings):
            database_url: str
            debug: bool = False
        """
    ),
    "in two parts of the settings": (
        """
        class App(BaseModel):
            environment: str = "dev"

        class Settings(BaseSettings):
            database_url: str
            app: App = App()
            api: App = App()

        settings = Settings()
        """
    ),
    "a text that looks like a flag": (
        """
        class Settings:
            def __init__(self):
                self.database_url = os.environ["URL"]
                self.debug = os.getenv("DEBUG")

        settings = Settings()
        """
    ),
    "set in two ways": (
        """
        class Settings:
            def __init__(self, local):
                self.database_url = os.environ["URL"]
                if local:
                    self.environment = "dev"
                else:
                    self.environment = outside.name()

        settings = Settings(True)
        """
    ),
    "an object of a library": "settings = outside.Settings(environment='development')",
    "a dict": "settings = {'environment': 'development'}",
    "a namespace that is not in view": "from outside import settings",
}


@pytest.mark.parametrize("case", CLASSES)
def test_settings_of_another_kind(case: str, tmp_path: Path) -> None:
    config_, expected = CLASSES[case]
    assert written(tmp_path, config=config_, db=DB).text() == expected


@pytest.mark.parametrize("case", NO_SETTINGS)
def test_what_shows_nothing(case: str, tmp_path: Path) -> None:
    assert written(tmp_path, config=NO_SETTINGS[case], db=DB).text() is None


# --- how the settings are named where the engine is made -------------------------------------------------------------

DEBUG = with_fields("debug: bool = False\ndb: 'Database'", "class Database(BaseModel):\n    url: str = ''")
DEBUG += "\ndef load() -> Settings:\n    return Settings()\n"
DEBUG += "\nclass Other(BaseSettings):\n    url: str\n    debug: bool = False\n\nother = Other()\n"
DEBUG += "\n@lru_cache\ndef get_settings() -> Settings:\n    return settings\n\nDATABASE_URL = settings.database_url\n"
NAMED = {
    "an attribute of a part": ("from app.config import settings", "settings.db.url", "settings.debug"),
    "by another name": ("from app.config import settings as s", "s.database_url", "s.debug"),
    "through the module": ("from app import config as c", "c.settings.database_url", "c.settings.debug"),
    "beside the URL, through the module": ("from app import config as c", "c.DATABASE_URL", "c.settings.debug"),
    "what a function gives": (
        "from app.config import get_settings",
        "get_settings().database_url",
        "get_settings().debug",
    ),
    "made into a text": ("from app.config import settings", "str(settings.database_url)", "settings.debug"),
    "inside of a text": ("from app.config import settings", 'f"{settings.database_url}?x=1"', "settings.debug"),
    "a method of the value": (
        "from app.config import settings",
        'settings.database_url.replace("a", "b")',
        "settings.debug",
    ),
    "by a name of the file": (
        "from app.config import settings\n\nurl = settings.database_url",
        "url",
        "settings.debug",
    ),
    "by an object of the file": (
        "from app.config import get_settings\n\ncurrent = get_settings()",
        "current.database_url",
        "current.debug",
    ),
    "another name from where the settings are": (
        "from app.config import DATABASE_URL, settings",
        "DATABASE_URL",
        "settings.debug",
    ),
}
UNNAMED = {
    "the settings are not imported": ("from app.config import DATABASE_URL", "DATABASE_URL"),
    "nothing is imported": ("", 'os.environ["DATABASE_URL"]'),
    "a parameter of unknown type": ("", "outside.settings.database_url"),
    "a flag beside the environment": ("from app.config import settings", 'os.environ["DATABASE_URL"]'),
    "a flag beside a literal": ("from app.config import settings", '"postgresql://h/d"'),
    "settings that are made anew": ("from app.config import Settings", "Settings().database_url"),
    "settings that a function loads each time": ("from app.config import load", "load().database_url"),
    "the variable of a comprehension": (
        "from app.config import settings\n\nclass Tenant: ...\n\nsettings = Tenant()",
        "settings.database_url",
    ),
    "a value from two kinds of settings": (
        "from app.config import other, settings",
        'f"{settings.database_url}{other.url}"',
    ),
    "deleted": ("from app.config import settings\n\nurl = settings.database_url\ndel settings", "url"),
    "rebound": ("from app.config import settings\n\nurl = settings.database_url\nsettings = None", "url"),
    "perhaps rebound": (
        "from app.config import settings\n\nurl = settings.database_url\nfor settings in outside.all(): ...",
        "url",
    ),
    "a call with arguments": ("from app.config import Settings", "Settings(database_url='x').database_url"),
}


@pytest.mark.parametrize("case", NAMED)
def test_the_sign_goes_by_the_names_that_are_there(case: str, tmp_path: Path) -> None:
    above, url, expected = NAMED[case]
    db = f"{above}\n\nengine = create_async_engine({url})\n"
    assert written(tmp_path, config=DEBUG, db=db).text() == expected


@pytest.mark.parametrize("case", UNNAMED)
def test_what_cannot_be_named_is_not_written(case: str, tmp_path: Path) -> None:
    above, url = UNNAMED[case]
    db = f"{above}\n\nengine = create_async_engine({url})\n"
    assert written(tmp_path, config=DEBUG, db=db).text() is None


FUNCTIONS = {
    "a parameter": (
        """
        from app.config import Settings

        def make(given: Settings):
            return create_async_engine(given.database_url)
        """,
        "given.debug",
    ),
    "an attribute of the object": (
        """
        from app.config import Settings

        class Database:
            def __init__(self, settings: Settings):
                self.settings = settings

            def start(self):
                return create_async_engine(self.settings.database_url)
        """,
        "self.settings.debug",
    ),
    "imported in the function": (
        """
        def make():
            from app.config import settings

            url = settings.database_url
            return create_async_engine(url)
        """,
        "settings.debug",
    ),
    "what the object calls so itself": (
        """
        class Database:
            def __init__(self, url: str, debug: bool):
                self.url = url
                self.debug: bool = debug

            def start(self):
                return create_async_engine(self.url)
        """,
        None,
    ),
    "the settings make the engine": (
        """
        class Settings(BaseSettings):
            url: str
            debug: bool = False

            def start(self):
                return create_async_engine(self.url)
        """,
        "self.debug",
    ),
    "imported for type checkers": (
        """
        from typing import TYPE_CHECKING

        from app.config import DATABASE_URL

        if TYPE_CHECKING:
            from app.config import settings

        def make():
            return create_async_engine(DATABASE_URL)
        """,
        None,
    ),
    "perhaps not imported": (
        """
        from app.config import DATABASE_URL

        try:
            from app.config import settings
        except ImportError:
            pass

        engine = create_async_engine(DATABASE_URL)
        """,
        None,
    ),
    "made below the function": (
        """
        from app.config import DATABASE_URL, Settings

        def make():
            return create_async_engine(DATABASE_URL)

        engine = make()
        settings = Settings()
        """,
        None,
    ),
    "rebound by a function": (
        """
        from app.config import DATABASE_URL, settings

        def reset():
            global settings
            settings = None

        def make():
            return create_async_engine(DATABASE_URL)
        """,
        None,
    ),
    "imported above the branch": (
        """
        def make(lazy: bool):
            from app.config import settings

            url = settings.database_url
            if lazy:
                return create_async_engine(url)
        """,
        "settings.debug",
    ),
    "imported in another branch": (
        """
        from app.config import DATABASE_URL

        def make(lazy: bool):
            if lazy:
                from app.config import settings
            return create_async_engine(DATABASE_URL)
        """,
        None,
    ),
    "the variable of a comprehension": (
        """
        from app.config import settings

        engines = [create_async_engine(settings.database_url) for settings in outside.tenants()]
        """,
        None,
    ),
    "the parameter of a lambda": (
        """
        from app.config import settings

        make = lambda settings: create_async_engine(settings.database_url)
        """,
        None,
    ),
    "a parameter that may be missing": (
        """
        from app.config import DATABASE_URL, Settings

        def make(url: str | None, given: Settings | None = None):
            return create_async_engine(url or given.database_url)
        """,
        None,
    ),
    "settings of something else": (
        """
        from app.config import DATABASE_URL

        class Pay(BaseSettings):
            debug: bool = False

        pay = Pay()
        engine = create_async_engine(DATABASE_URL)
        """,
        None,
    ),
    "imported in another function": (
        """
        def other():
            from app.config import settings

        def make():
            return create_async_engine(os.environ["URL"])
        """,
        None,
    ),
    "a parameter hides the settings": (
        """
        from app.config import settings

        def make(settings):
            return create_async_engine(settings.database_url)
        """,
        None,
    ),
    "imported below": (
        """
        engine = create_async_engine(os.environ["URL"])

        from app.config import settings
        """,
        None,
    ),
    "two settings objects": (
        """
        from app.config import Settings, settings

        second = Settings()
        engine = create_async_engine(os.environ["URL"])
        """,
        None,
    ),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_the_sign_in_a_function(case: str, tmp_path: Path) -> None:
    db, expected = FUNCTIONS[case]
    assert written(tmp_path, config=DEBUG, db=db).text() == expected


# --- constants -------------------------------------------------------------------------------------------------------

CONSTANTS = {
    "beside the engine": (
        """
        ENVIRONMENT = os.getenv("ENVIRONMENT", "development")
        engine = create_async_engine(os.environ["URL"])
        """,
        'ENVIRONMENT == "development"',
    ),
    "a flag beside the engine": (
        """
        DEBUG = os.getenv("DEBUG") == "1"
        engine = create_async_engine(os.environ["URL"])
        """,
        "DEBUG",
    ),
    "the environment before a flag": (
        """
        DEBUG = os.getenv("DEBUG") in ("1", "true")
        ENV: str = os.environ.get("ENV", "dev")
        engine = create_async_engine(os.environ["URL"])
        """,
        'ENV == "dev"',
    ),
    "a flag that is cast": (
        """
        DEBUG = config("DEBUG", default=False, cast=bool)
        engine = create_async_engine(os.environ["URL"])
        """,
        "DEBUG",
    ),
    "a flag of environs": (
        """
        env = Env()
        DEBUG = env.bool("DEBUG", False)
        engine = create_async_engine(env.str("URL"))
        """,
        "DEBUG",
    ),
    "compared in the file": (
        """
        ENVIRONMENT = os.environ["ENVIRONMENT"]
        if ENVIRONMENT == "local":
            print()
        engine = create_async_engine(os.environ["URL"])
        """,
        'ENVIRONMENT == "local"',
    ),
    "imported with the URL": (
        """
        from app.config import DATABASE_URL, ENVIRONMENT

        engine = create_async_engine(DATABASE_URL)
        """,
        'ENVIRONMENT == "development"',
    ),
    "through the module": (
        """
        from app import config as c

        engine = create_async_engine(c.DATABASE_URL)
        """,
        'c.ENVIRONMENT == "development"',
    ),
    "a word that cannot vary": (
        """
        ENV = "dev"
        engine = create_async_engine(os.environ["URL"])
        """,
        None,
    ),
    "a flag that cannot vary": (
        """
        DEBUG = False
        engine = create_async_engine(os.environ["URL"])
        """,
        None,
    ),
    "of the settings": (
        """
        from app.config import settings

        ENV = settings.env
        if ENV == "dev":
            print()
        engine = create_async_engine(os.environ["URL"])
        """,
        'ENV == "dev"',
    ),
    "not imported": (
        """
        from app.config import DATABASE_URL

        engine = create_async_engine(DATABASE_URL)
        """,
        None,
    ),
    "of a file that has nothing to do with the URL": (
        """
        from app.config import ENVIRONMENT

        engine = create_async_engine(os.environ["URL"])
        """,
        None,
    ),
    "below the engine": (
        """
        engine = create_async_engine(os.environ["URL"])
        DEBUG = os.getenv("DEBUG") == "1"
        """,
        None,
    ),
    "bound twice": (
        """
        DEBUG = False
        DEBUG = os.getenv("DEBUG") == "1"
        engine = create_async_engine(os.environ["URL"])
        """,
        None,
    ),
    "a text as a flag": (
        """
        DEBUG = os.getenv("DEBUG")
        engine = create_async_engine(os.environ["URL"])
        """,
        None,
    ),
    "hidden by a parameter": (
        """
        DEBUG = os.getenv("DEBUG") == "1"

        def make(DEBUG):
            return create_async_engine(os.environ["URL"])
        """,
        None,
    ),
}
CONSTANT_CONFIG = """
DATABASE_URL = os.environ["DATABASE_URL"]
ENVIRONMENT = os.getenv("ENVIRONMENT", "development")

class Settings(BaseSettings):
    env: str

settings = Settings()
"""


@pytest.mark.parametrize("case", CONSTANTS)
def test_constants(case: str, tmp_path: Path) -> None:
    db, expected = CONSTANTS[case]
    assert written(tmp_path, config=CONSTANT_CONFIG, db=db).text() == expected


# --- the whole project -----------------------------------------------------------------------------------------------


def test_everything_of_the_project_the_best_first(tmp_path: Path) -> None:
    config_ = with_fields('environment: str = "development"')
    config_ += "\n@lru_cache\ndef get_settings() -> Settings:\n    return settings\n"
    config_ += "\n_private = Settings()\n\nasync def later() -> Settings:\n    return settings\n"
    flags = 'DEBUG = os.getenv("DEBUG") == "1"\nDB_URL = os.environ["DB"]\nIS_DEV = True\n'
    found = written(tmp_path, config=config_, flags=flags, db=DB).signs()
    assert [(one.path, one.name, one.is_called, one.text()) for one in found] == [
        ("app/config.py", "settings", False, 'settings.environment == "development"'),
        ("app/config.py", "get_settings", True, 'get_settings().environment == "development"'),
        ("app/flags.py", "DEBUG", False, "DEBUG"),
    ]
    assert found[1].text("configured") == 'configured().environment == "development"'
    assert all(one.facts for one in found)


def test_a_flag_is_that_of_the_settings_with_the_url(tmp_path: Path) -> None:
    config_ = with_fields("debug: bool = False\nmail: 'Mail'", "class Mail(BaseSettings):\n    debug: bool = False")
    config_ += "\nclass Pay(BaseSettings):\n    debug: bool = False\n\npay = Pay()\n"
    config_ += "\ndef load() -> Settings:\n    return Settings()\n"
    flags = 'DEBUG = os.getenv("DEBUG") == "1"\n'
    found = written(tmp_path, config=config_, flags=flags, db=DB).signs()
    assert [one.text() for one in found] == ["settings.debug"]


def test_flags_of_two_settings_with_a_url(tmp_path: Path) -> None:
    config_ = with_fields("debug: bool = False")
    config_ += "\nclass Reports(BaseSettings):\n    db_url: str\n    debug: bool = False\n\nreports = Reports()\n"
    assert written(tmp_path, config=config_, db=DB).signs() == ()


def test_what_is_no_settings_object_tells_nothing_of_the_project(tmp_path: Path) -> None:
    parser = """
    @dataclass
    class Parser:
        debug: bool = False

    parser = Parser()
    DEBUG = True
    """
    assert written(tmp_path, parser=parser, db=DB).signs() == ()


def test_settings_of_tests_are_left_out(tmp_path: Path) -> None:
    assert written(tmp_path, test_config=with_fields("debug: bool = False")).signs() == ()
