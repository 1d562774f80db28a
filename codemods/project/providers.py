"""The names under which sessions are had: with them the files are found that use a session without saying the word."""

from __future__ import annotations

from codemods.project.link import Project
from codemods.project.sessions import (
    CoroutineMeaning,
    FunctionMeaning,
    GeneratorMeaning,
    MakerMeaning,
    Meaning,
    RegistryMeaning,
    ScopeFactoryMeaning,
    ScopeMeaning,
    SessionMeaning,
)


def provider_names(project: Project) -> set[str]:
    """The last names of all functions, variables, attributes and classes of the project that give a session."""
    found: set[str] = set()
    for path, facts in project.symbols.facts.items():
        for function in facts.functions:
            if gives_session(project.called(FunctionMeaning(path, function.qualname))):
                found.add(function.name)
        for binding in facts.bindings:
            if gives_session(project.member(path, binding.name)):
                found.add(binding.name)
        for imported in facts.imports:
            if imported.attribute is not None and imported.name != imported.attribute:
                if gives_session(project.member(path, imported.name)):
                    found.add(imported.name)
    return {name for name in found if not (name.startswith("__") and name.endswith("__"))}


def gives_session(meaning: Meaning) -> bool:
    """Whether a session is had by calling, awaiting, entering, iterating or just naming what means this."""
    match meaning:
        case SessionMeaning() | MakerMeaning() | RegistryMeaning():
            return True
        case ScopeFactoryMeaning(scope=scope):
            return gives_session(scope)
        case ScopeMeaning(value=value) | GeneratorMeaning(value=value) | CoroutineMeaning(value=value):
            return gives_session(value)
        case _:
            return False
