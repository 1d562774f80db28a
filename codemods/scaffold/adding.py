"""The change that adds the endpoint: the new module, and its router included in the application. Decides edits."""

from __future__ import annotations

import ast
import os
import sys
from dataclasses import dataclass

from codemods.plan import CreateFile, Edit, Fact, Finding, Level, Request, Site
from codemods.rules.base import Keys
from codemods.scaffold.applications import Application
from codemods.scaffold.asked import NAME, AlreadyThere, PoolStatus
from codemods.scaffold.condition import Condition, development
from codemods.scaffold.definitions import first_line_of, last_line_of
from codemods.scaffold.endpoint import ENGINE_PARAMETER, MODULE, Endpoint, Imported, apart, text_of
from codemods.scaffold.engines import Engine
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.imports import fastapi_import
from codemods.scaffold.including import anchor, inclusion, statement
from codemods.scaffold.look import Look
from codemods.scaffold.named import Gate, asked_engine, asked_gate
from codemods.scaffold.placing import folder_of_routers


@dataclass(frozen=True, slots=True)
class Addition:
    """The finding, and the files that the new code has to do with, for who looks at the result."""

    finding: Finding
    look: Look  # the project with the new file in it, empty
    home: str  # the new file
    engine: str  # the file of the engine


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What the new code is made of."""

    asked: PoolStatus
    application: Application
    look: Look
    home: str
    engine: Engine
    gate: Gate | None

    @property
    def is_handed_over(self) -> bool:
        """The application hands the engine over: importing its module from the new one would go round in a circle."""
        return self.engine.path == self.application.path

    @property
    def gate_here(self) -> Gate | None:
        """What requests have to pass, where it is defined beside the application and cannot be imported either."""
        return self.gate if self.gate is not None and self.gate.path == self.application.path else None


def addition(asked: PoolStatus, application: Application, look: Look) -> Addition | AlreadyThere:
    """What adds the endpoint to the application; or where it is already. Raises ScaffoldError, which says why not."""
    engine, gate = asked_engine(asked, look), asked_gate(asked, look)
    folder = folder_of_routers(application, look)
    home = f"{folder}/{MODULE}.py" if folder else f"{MODULE}.py"
    taken = _taken(home, asked, look)
    if taken is not None:
        return taken
    parts = _Parts(asked, application, look.with_new(home, application.path), home, engine, gate)
    text = text_of(_endpoint(parts))
    after, condition = _place(parts)
    edit, requests = _inclusion(parts, after, condition)
    site = _site(parts, after)
    finding = Finding(
        key=Keys(NAME).key(site, after),
        rule=NAME,
        site=site,
        level=Level.REVIEW,
        message=f"no endpoint shows the state of the pool -> GET {asked.route} in {home}, included here",
        reason=_confirm(condition, gate),
        facts=(_fact(engine, look), *(condition.facts if condition else ())),
        edits=(edit, CreateFile(home, text)),
        requests=requests,
    )
    return Addition(finding, parts.look, home, engine.path)


def _endpoint(parts: _Parts) -> Endpoint:
    engine, gate, look = parts.engine, parts.gate, parts.look
    own = parts.application.path
    if parts.is_handed_over and engine.is_called:
        raise ScaffoldError(
            f"{engine.name} is defined in the application's own module {engine.path}; move it to a module of its own"
        )
    if gate is not None and parts.gate_here is None and look.would_circle(own, gate.path):
        raise ScaffoldError(f"--depends: {gate.path} imports {own}, which would import it in a circle")
    wanted: dict[str, Imported] = {}
    if not parts.is_handed_over:
        wanted["engine"] = Imported(look.written(engine.path, parts.home), engine.name.partition(".")[0])
    if gate is not None and parts.gate_here is None:
        wanted["gate"] = Imported(look.written(gate.path, parts.home), gate.name)
    imported = dict(zip(wanted, apart(wanted.values()), strict=True))
    of_engine = imported.get("engine")
    late = {"engine"} if of_engine is not None and look.would_circle(own, engine.path) else set()
    return Endpoint(
        parts.asked.route,
        ENGINE_PARAMETER if of_engine is None else of_engine.bound + engine.text.removeprefix(of_engine.name),
        tuple(one for name, one in imported.items() if name not in late),
        tuple(one for name, one in imported.items() if name in late),
        takes=("AsyncEngine" if engine.is_async else "Engine") if parts.is_handed_over else "",
        depends=imported["gate"].bound if "gate" in imported else "",
        python=parts.asked.settings.target_python,
        width=parts.asked.settings.line_length,
    )


def _place(parts: _Parts) -> tuple[ast.stmt, Condition | None]:
    """The statement behind which the router is included, and the condition under which it is."""
    own, look = parts.application.path, parts.look
    named = [parts.engine.name.partition(".")[0]] if parts.is_handed_over else []
    named += [parts.gate_here.name] if parts.gate_here is not None else []
    below = [last_line_of(look, own, name) for name in named]
    after = anchor(parts.application, below)
    if parts.asked.always:
        return after, None
    condition = development(own, _import_line(parts, after), look)
    return anchor(parts.application, [*below, condition.below]), condition


def _inclusion(parts: _Parts, after: ast.stmt, condition: Condition | None) -> tuple[Edit, tuple[Request, ...]]:
    own, gate, line = parts.application.path, parts.gate_here, _import_line(parts, after)
    handed_over = parts.engine.text if parts.is_handed_over else ""
    included = inclusion(parts.application, parts.home, line, parts.look, engine=handed_over)
    requests: list[Request] = [included.request, *(condition.requests if condition else ())]
    if gate is not None:
        requests += fastapi_import("Depends", own, line, parts.look)
    edit = statement(
        parts.application,
        after,
        included.router,
        depends=f"dependencies=[Depends({gate.name})]" if gate is not None else "",
        condition=condition.text if condition else "",
        step=parts.look.source(own).indent,
        width=parts.asked.settings.line_length,
    )
    return edit, tuple(dict.fromkeys(requests))


def _taken(home: str, asked: PoolStatus, look: Look) -> AlreadyThere | None:
    """The endpoint when the file is there and is it. Raises ScaffoldError when something else has its name."""
    place = asked.root / home
    if home in look.codebase.trees:
        for node in ast.walk(look.tree(home)):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name == MODULE:
                for decorator in node.decorator_list:
                    given = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
                    if isinstance(given, ast.Constant) and "checkedout" in ast.unparse(node):
                        return AlreadyThere(f"{home}:{decorator.lineno}", str(given.value))
    if os.path.lexists(place) or os.path.lexists(place.with_suffix("")):
        raise ScaffoldError(f"{home} is there already and is something else; nothing is overwritten")
    return None


def _import_line(parts: _Parts, after: ast.stmt) -> int:
    """The line above which an import has to stand to be done when the anchor is reached."""
    return after.lineno if not parts.application.factory else sys.maxsize


def _confirm(condition: Condition | None, gate: Gate | None) -> str:
    who = f"who passes `{gate.name}`" if gate is not None else "everybody who reaches the application"
    if condition is None:
        more = "" if gate is not None else "; --depends names what a request has to pass"
        return f"it is there in production, too, for {who}{more}"
    if condition.is_shown:
        return f"it is there where `{condition.text}` holds, for {who}"
    return (
        "no setting of the project tells that this is development, so it is there where the environment variable "
        f"ENVIRONMENT is `development`, for {who}"
    )


def _fact(engine: Engine, look: Look) -> Fact:
    root = engine.name.partition(".")[0]
    return Fact(engine.path, first_line_of(look, engine.path, root), f"the pool is that of `{engine.text}`")


def _site(parts: _Parts, node: ast.stmt) -> Site:
    application, look = parts.application, parts.look
    lines = look.source(application.path).text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def column(line: int, offset: int) -> int:
        return len(lines[line - 1].encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore")) + 1

    end = node.end_lineno or node.lineno
    module = look.source(application.path).module
    function = ".".join(part for part in (module, application.factory) if part) or application.path
    start = column(node.lineno, node.col_offset)
    return Site(application.path, node.lineno, start, end, column(end, node.end_col_offset or 0), function)
