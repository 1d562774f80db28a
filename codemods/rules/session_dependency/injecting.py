"""`Depends` on what is no dependency, and responses that stream through an injected session: reported only."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codemods.flow.streaming import streams
from codemods.plan import (
    Examined,
    Fact,
)
from codemods.project.dependencies import is_depends
from codemods.project.link import Place
from codemods.project.sessions import (
    SESSION_CLASSES,
    CoroutineMeaning,
    External,
    FunctionMeaning,
    GeneratorMeaning,
    MakerMeaning,
    SessionMeaning,
)
from codemods.rules.session_dependency.look import Look

_GENERATOR = "write a generator that yields inside of `async with`, and give that to `Depends`"


class Injecting:
    """What is given to `Depends`, and what runs on an injected session."""

    def __init__(self, look: Look) -> None:
        self.look = look

    def examine(self) -> Iterator[Examined]:
        """A finding for every such place."""
        yield from self._given_to_depends()
        yield from self._overridden()
        for stream in streams(self.look.scope, self.look.dependencies):
            reason = (
                f"{stream.what} streams through the injected `{stream.session}`: FastAPI 0.106 to 0.117 close it before"
                " the stream runs, the others keep its connection until the last byte is sent"
            )
            advice = "open a session with a block inside of the generator"
            statement = self.look.scope.statement(stream.call)
            # whether it is closed too early, or late, is a matter of FastAPI's version
            yield self.look.blocks.manual(stream.call, statement, reason, advice, undecided=True)

    def _given_to_depends(self) -> Iterator[Examined]:
        """`Depends(SessionLocal)`, `Depends(get_db())`, `Depends(lambda: SessionLocal())`"""
        for node in self.look.scope.watched():
            if not isinstance(node, ast.Call) or not is_depends(self.look.scope.callee(node)):
                continue
            given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "dependency")]
            for argument in given:
                if any(argument in set(ast.walk(place.node)) for place in self.look.places):
                    continue  # told of where it is driven
                reason = self._not_a_dependency(argument)
                if reason:
                    advice = self._advised(argument)
                    yield self.look.blocks.manual(argument, self.look.scope.statement(node), reason, advice)

    def _overridden(self) -> Iterator[Examined]:
        """`app.dependency_overrides[get_session] = lambda: SessionLocal()`"""
        for statement in self.look.scope.statements():
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Subscript):
                continue
            held = statement.targets[0].value
            if isinstance(held, ast.Attribute) and held.attr == "dependency_overrides":
                if reason := self._not_a_dependency(statement.value):
                    advice = self._advised(statement.value)
                    yield self.look.blocks.manual(statement.value, statement, reason, advice)

    def _not_a_dependency(self, argument: ast.expr) -> str:
        means = self.look.scope.meaning(argument)
        text = ast.unparse(argument)
        if isinstance(argument, ast.Lambda):
            return f"`Depends` never closes what `{text}` returns" if isinstance(means, MakerMeaning) else ""
        begins = isinstance(argument, ast.Attribute) and argument.attr == "begin"
        if begins and isinstance(argument, ast.Attribute):
            if isinstance(self.look.scope.meaning(argument.value), MakerMeaning):
                return f"`{text}` gives a context manager, not a session, and nothing enters it"
        if isinstance(means, External) and means.dotted in SESSION_CLASSES:
            return f"`{text}` is a class of sessions: FastAPI takes its parameters for those of the request"
        if isinstance(means, MakerMeaning):
            return (
                f"`{text}` is a session factory: FastAPI takes its `local_kw` for a required query parameter, and"
                " nothing closes what it makes"
            )
        if isinstance(argument, (ast.Call, ast.Await)):
            inner = means.value if isinstance(means, (CoroutineMeaning, GeneratorMeaning)) else means
            if isinstance(inner, SessionMeaning):
                return f"`{text}` is called here: `Depends` takes the function itself"
        return ""

    def _advised(self, argument: ast.expr) -> str:
        if isinstance(argument, ast.Call):
            called = self.look.scope.callee(argument)
            if isinstance(called, FunctionMeaning) and not isinstance(self.look.scope.meaning(argument), MakerMeaning):
                return f"write `Depends({ast.unparse(argument.func)})`"
            return _GENERATOR
        made_by = argument
        if isinstance(argument, ast.Lambda) and isinstance(argument.body, ast.Call):
            made_by = argument.body.func
        known = self._known_dependency(made_by)
        if known is not None:
            return f"use `Depends({known.text})` ({known.path}:{known.line})"
        return _GENERATOR

    def _known_dependency(self, maker: ast.expr) -> Fact | None:
        """A dependency generator of the project over the same factory."""
        wanted = self.look.scope.meaning(maker)
        project = self.look.view.project
        for path in project.symbols.paths():
            for definition in project.symbols.all_functions(path):
                lends = definition.lends
                if lends is None or lends.opens is None or definition.decorators or not lends.closes:
                    continue
                if project.meaning(lends.opens, Place(path, definition.qualname)) == wanted:
                    return Fact(path, definition.line, definition.name)
        return None
