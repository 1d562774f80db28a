"""The names under which sessions are had: with them the files are found that use a session without saying the word."""

from __future__ import annotations

from codemods.project.link import Place, Project
from codemods.project.sessions import (
    SESSION_CLASSES,
    ClassMeaning,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    GeneratorMeaning,
    InstanceMeaning,
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
    for path in project.symbols.paths():
        facts = project.symbols.facts[path]
        for function in facts.functions:
            if gives_session(project.called(FunctionMeaning(path, function.qualname))):
                found.add(function.name)
        for binding in facts.bindings:
            if _provides(project.member(path, binding.name), project):
                found.add(binding.name)
        for imported in facts.imports:
            if imported.attribute is not None and imported.name != imported.attribute:
                if _provides(project.member(path, imported.name), project):
                    found.add(imported.name)
        for class_ in facts.classes:
            owner = ClassMeaning(path, class_.qualname)
            for name in {attribute.name for attribute in class_.attributes}:
                if _provides(project.attribute(owner, name, Place(path)), project):
                    found.add(name)
    return {name for name in found if not (name.startswith("__") and name.endswith("__"))}


def _provides(meaning: Meaning, project: Project) -> bool:
    if isinstance(meaning, FunctionMeaning):
        return gives_session(project.called(meaning))
    return gives_session(meaning)


def may_give_session(callee: Meaning, project: Project) -> bool:
    """Whether calling this can give a session at all: a quick no for nearly every call there is."""
    match callee:
        case FunctionMeaning():
            return gives_session(project.called(callee))
        case External(dotted=dotted):
            return dotted in _GIVING or dotted in project.factories
        case MakerMeaning() | RegistryMeaning() | ClassMeaning() | InstanceMeaning(of=ClassMeaning()):
            return True
        case _:
            return False


_GIVING = SESSION_CLASSES | {"builtins.next", "builtins.anext", "typing.cast", "typing_extensions.cast"}


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
