"""What the classes and modules of a project show of development. Reads trees."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from codemods.flow.development.comparisons import ENVIRONMENTS, Compared, compared
from codemods.flow.development.constant_names import constant_of
from codemods.flow.development.fields import Declared, Field, Trees
from codemods.flow.development.given import asks, is_flag, reads
from codemods.flow.development.varying import is_made_from_outside, may_vary
from codemods.flow.development.words import is_text_enum, stores_values, words_of
from codemods.flow.only_factory import is_test_path
from codemods.plan import Fact
from codemods.project.expressions import annotation, expression
from codemods.project.facts import Attribute, Call, FunctionFacts
from codemods.project.link import Place, Project
from codemods.project.sessions import (
    CACHES,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    Meaning,
)

# names, in lower case, the one to be preferred first
_FLAGS = ("is_development", "is_dev", "development", "dev_mode", "debug")
_BARE = frozenset({"dev_mode", "debug"})  # these may be the affair of the object that has them
_SETTINGS = frozenset(
    {"pydantic_settings.BaseSettings", "pydantic_settings.main.BaseSettings", "pydantic.BaseSettings"}
    | {"pydantic.v1.BaseSettings", "pydantic.env_settings.BaseSettings"}
)
_MODELS = _SETTINGS | {"pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.v1.BaseModel"}
_DATABASES = ("database", "sqlalchemy", "postgres", "mysql")


@dataclass(frozen=True, slots=True)
class ProjectSign:
    """Something at the top of the file `path`, under `name`, that tells development wherever it is imported."""

    path: str
    name: str  # of the settings object, of a function that gives it, or of a constant
    is_called: bool  # it is a function: `get_settings().environment`
    tail: str  # what stands behind the name: `.environment == "development"`
    facts: tuple[Fact, ...] = ()

    def text(self, name: str = "") -> str:
        """The expression, where the import goes by `name` (none given: by its own)."""
        return f"{name or self.name}{'()' if self.is_called else ''}{self.tail}"


@dataclass(frozen=True, slots=True)
class Tail:
    """What stands behind the name of an object (or of a constant) in a sign. The lower the rank, the better."""

    rank: int
    first: str  # the field of the object itself, or the constant
    text: str
    facts: tuple[Fact, ...]
    member: tuple[ClassMeaning, str] | None = None  # of an enumeration without texts: it has to be named, too
    is_bare: bool = False  # it says nothing of the project unless the object is known to be its settings


@dataclass(slots=True)
class _Known:
    """What was found out of one project. Holds no project, which could then never go."""

    classes: dict[ClassMeaning, tuple[Tail, ...]] = field(default_factory=dict)
    constants: dict[str, dict[str, Tail]] = field(default_factory=dict)
    compared: tuple[Compared, ...] | None = None


_REMEMBERED: WeakKeyDictionary[Project, _Known] = WeakKeyDictionary()


class Signs:
    """What the classes and modules of one project show."""

    def __init__(self, project: Project, trees: Trees) -> None:
        self.project = project
        self._declared = Declared(project, trees)
        self._known = _REMEMBERED.setdefault(project, _Known())

    # --- objects -----------------------------------------------------------------------------------------------------

    def of_object(self, means: Meaning, *, bare: bool) -> Tail | None:
        """The best that can be written behind an object of the project, or behind a plain class; None: nothing.

        `bare`: this is what holds the URL of the database, and its `debug` is that of the project.
        """
        tails: Sequence[Tail] = ()
        if isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning):
            tails = self._of_class(means.of)
        if isinstance(means, ClassMeaning) and not self._declared.is_below(means, _MODELS):
            # `Config.ENVIRONMENT`: what is only there for objects cannot be read so, nor what they are given
            there = {one.name for one in self._declared.fields(means) if one.on_class and self._is_read(one)}
            tails = [tail for tail in self._of_class(means) if tail.first in there]
        return next((tail for tail in tails if bare or not tail.is_bare), None)

    def _is_read(self, one: Field) -> bool:
        return one.value is not None and not one.is_property and asks(one.value, one.place, self.project)

    def _of_class(self, class_: ClassMeaning) -> tuple[Tail, ...]:
        known = self._known.classes
        if class_ not in known:
            known[class_] = ()  # one that holds itself
            fields = self._declared.fields(class_)
            found = [tail for one in fields if (tail := self._tail(one, class_)) is not None]
            if all(tail.is_bare for tail in found):
                found += self._of_parts(fields)
            known[class_] = tuple(sorted(found, key=lambda one: one.rank))
        return known[class_]

    def _of_parts(self, fields: Sequence[Field]) -> list[Tail]:
        """`settings.app.environment`: what the only field that has a sign of its own shows."""
        found: list[Tail] = []
        for one in fields:
            given = expression(one.value) if one.value is not None else None
            told = annotation(one.annotation)
            means = self.project.declared(told, one.place) if told is not None else None
            if not isinstance(means, InstanceMeaning) and given is not None:
                means = self.project.meaning(given, one.place)
            tail = self.of_object(means, bare=False) if isinstance(means, InstanceMeaning) else None
            if tail is not None:
                found.append(Tail(tail.rank, one.name, f".{one.name}{tail.text}", tail.facts, tail.member))
        return found if len(found) == 1 else []

    def _tail(self, one: Field, class_: ClassMeaning) -> Tail | None:
        if not may_vary(one, self.project) and not is_made_from_outside(class_, self.project):
            return None
        name = one.name.lower()
        if name in _FLAGS and is_flag(one, self.project):
            return _flag(one, f".{one.name}")
        if name not in ENVIRONMENTS or one.is_property:
            return None
        compared = [
            each
            for each in self._compared()
            if isinstance(each.owner, ClassMeaning) and each.name == one.name and self._are_kin(each.owner, class_)
        ]
        return self._word(one, compared, f".{one.name}", class_)

    def _are_kin(self, one: ClassMeaning, other: ClassMeaning) -> bool:
        return one in self.project.bases(other) or other in self.project.bases(one)

    def is_settings(self, class_: ClassMeaning) -> bool:
        """Whether objects of the class are settings: pydantic makes them of the environment, or they read it."""
        if self._declared.is_below(class_, _SETTINGS):
            return True
        fields = self._declared.fields(class_)
        return any(one.value is not None and reads(one.value, one.place, self.project) for one in fields)

    def holds_url(self, class_: ClassMeaning) -> bool:
        """Whether a field of the class is, by its name, the URL of the database, or what it is made of."""
        return any(_is_of_database(one.name) for one in self._declared.fields(class_))

    # --- constants ---------------------------------------------------------------------------------------------------

    def constants(self, path: str) -> dict[str, Tail]:
        """The constants of a file that tell development, each with what stands behind its name."""
        known = self._known.constants
        if path not in known:
            known[path] = found = {}
            for one in self._declared.constants(path):
                tail = self._constant(one)
                if tail is not None:
                    found[one.name] = tail
        return known[path]

    def _constant(self, one: Field) -> Tail | None:
        name = one.name.lower()
        if name not in (*_FLAGS, *ENVIRONMENTS) or not (self._is_read(one) or self._is_of_settings(one)):
            return None
        if name in _FLAGS:
            return _flag(one, "") if is_flag(one, self.project) else None
        compared = [each for each in self._compared() if (each.owner, each.name) == (one.path, one.name)]
        return self._word(one, compared, "", None)

    def _is_of_settings(self, one: Field) -> bool:
        """`ENVIRONMENT = settings.environment`"""
        value = expression(one.value) if one.value is not None else None
        owner = self.project.meaning(value.value, one.place) if isinstance(value, Attribute) else None
        class_ = owner.of if isinstance(owner, InstanceMeaning) else owner
        return isinstance(class_, ClassMeaning) and self.is_settings(class_)

    # --- words -------------------------------------------------------------------------------------------------------

    def _word(self, one: Field, compared: Sequence[Compared], front: str, class_: ClassMeaning | None) -> Tail | None:
        """What compares the field with the one word for development that is shown; None when there are more."""
        words = words_of(one, self._declared)
        if not words.is_text:
            return None
        if words.is_closed:
            compared = [each for each in compared if each.word in words.shown]
        methods = {each.method for each in compared}
        chosen = {each.word for each in compared} or set(words.shown)
        if compared and words.default:  # the project starts as one thing and asks for another
            chosen.add(words.default if "" in methods else words.default.lower())
        if len(chosen) != 1:
            return None
        [word] = chosen
        method = f".{compared[0].method}()" if compared and "" not in methods else ""
        shown = [words.shown[word]] if word in words.shown else []
        facts = tuple(dict.fromkeys([*shown, *(each.fact for each in compared[:1])]))
        rank = ENVIRONMENTS.index(one.name.lower())
        if words.enum is not None and not is_text_enum(words.enum, self._declared):
            if class_ is not None and stores_values(class_, self._declared):
                return None  # what is stored is one or the other, by where it comes from
            return Tail(rank, one.name, f"{front} == ", facts, (words.enum, words.members[word]))
        return Tail(rank, one.name, f"{front}{method} == {json.dumps(word, ensure_ascii=False)}", facts)

    def _compared(self) -> tuple[Compared, ...]:
        if self._known.compared is None:
            self._known.compared = ()  # what is asked for on the way
            self._known.compared = tuple(compared(self._declared))
        return self._known.compared

    # --- the whole project -------------------------------------------------------------------------------------------

    def of_project(self) -> list[ProjectSign]:
        """Every object and constant at the top of a file that tells development; see the function of that name."""
        self._compared()  # reads every file
        found: list[_Candidate] = []
        for path in self.project.symbols.paths():
            if not is_test_path(path):
                found += self._objects_of(path)
                found += self._constants_of(path)
        bare = {one.owner for one in found if one.tail.is_bare}
        if len(bare) > 1:  # which of them is that of the whole project cannot be told
            found = [one for one in found if not one.tail.is_bare]
        return [one.sign for one in sorted(found, key=lambda one: (one.tail.rank, one.kind, one.path, one.name))]

    def _objects_of(self, path: str) -> Iterator[_Candidate]:
        for name in sorted(self.project.symbols.facts[path].fixed):
            if name.startswith("_"):
                continue
            member = self.project.member(path, name)
            means = self.given_by(member) if isinstance(member, FunctionMeaning) else member
            class_ = means.of if isinstance(means, InstanceMeaning) else means
            if means is not None and isinstance(class_, ClassMeaning) and self.is_settings(class_):
                tail = self.of_object(means, bare=self.holds_url(class_))
                if tail is not None and tail.member is None:
                    yield _Candidate(path, name, int(isinstance(member, FunctionMeaning)), class_, tail)

    def _constants_of(self, path: str) -> Iterator[_Candidate]:
        fields = list(self._declared.constants(path))
        bare = any(_is_of_database(one.name) for one in fields)
        for one in fields:
            tail = self.constants(path).get(one.name)
            if tail is None or tail.member is not None or one.name.startswith("_") or (tail.is_bare and not bare):
                continue
            if one.value is not None and reads(one.value, one.place, self.project):
                yield _Candidate(path, one.name, 2, path, tail)

    def given_by(self, function: FunctionMeaning) -> Meaning | None:
        """What `get_settings()` gives; None when each call makes another object, or needs arguments."""
        definitions = self.project.symbols.functions(function.module, function.qualname)
        if len(definitions) != 1 or definitions[0].is_async or definitions[0].is_generator:
            return None
        if any(one.default is None and one.kind in ("positional", "keyword") for one in definitions[0].parameters):
            return None
        if not self._is_kept(definitions[0], function):
            return None
        means = self.project.called(function)
        return means if isinstance(means, InstanceMeaning) else None

    def _is_kept(self, definition: FunctionFacts, function: FunctionMeaning) -> bool:
        """Whether a function gives the same object each time: it is cached, or gives what the module holds."""
        outside = Place(function.module, definition.parent)
        for decorator in definition.decorators:
            means = self.project.meaning(decorator.function if isinstance(decorator, Call) else decorator, outside)
            if isinstance(means, External) and means.dotted in CACHES:
                return True
        place = Place(function.module, function.qualname)
        returns = definition.returns
        return bool(returns) and all(constant_of(one, place, self.project) is not None for one in returns)


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: str
    name: str
    kind: int  # 0: an object; 1: a function that gives one; 2: a constant
    owner: ClassMeaning | str  # the class of the object; the file of the constant
    tail: Tail

    @property
    def sign(self) -> ProjectSign:
        return ProjectSign(self.path, self.name, self.kind == 1, self.tail.text, self.tail.facts)


def _flag(one: Field, text: str) -> Tail:
    name = one.name.lower()
    return Tail(len(ENVIRONMENTS) + _FLAGS.index(name), one.name, text, (one.fact,), is_bare=name in _BARE)


def _is_of_database(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in _DATABASES) or not {"db", "pg"}.isdisjoint(lower.split("_"))
