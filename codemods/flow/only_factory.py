"""The one factory that a project makes its sessions with, if it is one. Asks the project; pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from posixpath import basename

from codemods.project.facts import Call, Either, Expression, ModuleFacts, Name
from codemods.project.link import Place, Project
from codemods.project.openers import source_of
from codemods.project.sessions import (
    ASYNC_SESSION_CLASSES,
    SESSION_CLASSES,
    UNKNOWN,
    ClassMeaning,
    External,
    MakerMeaning,
)

NO_FACTORY = "no factory of the project makes such sessions"
_TEST_FOLDERS = frozenset({"test", "tests"})


def is_test_path(path: str) -> bool:
    """Whether a file is a test, or stands beside tests, by its path."""
    name = basename(path)
    beside = not _TEST_FOLDERS.isdisjoint(path.split("/")[:-1])
    return beside or name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")


@lru_cache(maxsize=4)
def only_factory(project: Project, *, is_async: bool) -> tuple[str] | str:
    """(source,) of the only factory of the project, tests apart, that makes sessions of this kind; else why not."""
    found: dict[str, None] = {}
    for path in project.symbols.paths():
        if is_test_path(path):
            continue
        facts = project.symbols.facts[path]
        for source, line in _sources(facts, project, is_async):
            if not source:
                return f"{path}:{line} makes sessions in another way"
            found[source] = None
    if not found:
        return NO_FACTORY
    if len(found) > 1:
        names = ", ".join(f"`{source.partition(':')[2]}` ({source.partition(':')[0]})" for source in sorted(found))
        return f"the project has several: {names}"
    return (next(iter(found)),)


def _sources(facts: ModuleFacts, project: Project, is_async: bool) -> Iterator[tuple[str, int]]:
    """(source, line) of all that makes such sessions in a file; "" where it is nothing that has a name."""
    path = facts.path
    for binding in facts.bindings:
        means = project.member(path, binding.name)
        if isinstance(means, MakerMeaning) and means.is_async == is_async:
            yield means.origin, 1
    for function in facts.functions:
        place = Place(path, function.qualname)
        for binding in function.bindings:
            for value in binding.values:
                made = project.meaning(value, place) if isinstance(value, Call) else UNKNOWN
                if isinstance(made, MakerMeaning) and made.is_async == is_async:
                    yield made.origin, function.line
    for class_ in facts.classes:
        for attribute in class_.attributes:
            if _is_made(attribute.value):
                means = project.attribute(ClassMeaning(path, class_.qualname), attribute.name, Place(path))
                if isinstance(means, MakerMeaning) and means.is_async == is_async:
                    yield means.origin, attribute.line or class_.line
    for name, line in _constructors(facts, project, is_async):
        if name in facts.calls:
            yield "", line
    for dotted in sorted(project.factories):
        module, _, name = dotted.rpartition(".")
        if is_async and module == facts.module and (source := source_of(Name(name), Place(path), project)):
            yield source, 1


def _is_made(value: Expression) -> bool:
    return isinstance(value, Call) or (isinstance(value, Either) and any(_is_made(one) for one in value.options))


def _constructors(facts: ModuleFacts, project: Project, is_async: bool) -> Iterator[tuple[str, int]]:
    """The names under which session classes are imported."""
    for imported in facts.imports:
        means = project.meaning(Name(imported.name), Place(facts.path, imported.scope))
        if isinstance(means, External) and means.dotted in SESSION_CLASSES:
            if (means.dotted in ASYNC_SESSION_CLASSES) == is_async:
                yield imported.name, imported.line
