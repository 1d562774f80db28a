"""Where the options of an engine are written: into the dict that it is given, or into the call. Makes edits."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codemods.flow.at_hand import at_hand
from codemods.flow.call_options import Room
from codemods.flow.scope import Definition, Scope
from codemods.plan import AddArgument, AddItem, Edit
from codemods.rules.base import ModuleView
from codemods.rules.engine_pool.look import NAME


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What takes the options: a dict, or (`room` None) the call itself."""

    view: ModuleView
    call: ast.Call
    room: Room | None = None

    def takes(self, expression: str, scope: Scope) -> bool:
        """Whether an expression that is valid at the call, in `scope`, is valid where the options are written."""
        if self.room is None or not self.room.name:
            return True
        if self.room.scope.node is not scope.node or len(self.room.calls) > 1:
            return False
        names = {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}
        return all(at_hand(scope, name, self.room.node.lineno) for name in names)

    def others(self) -> tuple[ast.Call, ...]:
        """The calls beside this one that get the dict, when it is the dict that is changed."""
        return tuple(one for one in self.room.calls if one is not self.call) if self.room is not None else ()

    def edits(self, options: Sequence[tuple[str, str]]) -> tuple[Edit, ...]:
        """One edit for every option, in the order given."""
        return tuple(self._edit(name, value) for name, value in options)

    def _edit(self, name: str, value: str) -> Edit:
        limit = self.view.settings.line_length
        if self.room is None:
            return AddArgument(self.view.source.path, self.view.span(self.call), f"{name}={value}", limit)
        home = self.view.beside(self.room.scope.place.path) or self.view
        node, path = self.room.node, home.source.path
        if isinstance(node, ast.Call):
            return AddArgument(path, home.span(node), f"{name}={value}", limit)
        quote = _quote(node, home)
        return AddItem(path, home.span(node), f"{quote}{name}{quote}: {value}", limit)


def _quote(node: ast.Dict, view: ModuleView) -> str:
    """The quotes that the keys of a dict have."""
    keys = [key for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return "'" if keys and view.source_text(keys[-1]).startswith("'") else '"'


def target_of(view: ModuleView, call: ast.Call, room: Room | None, alike: Sequence[ast.Call]) -> Target:
    """The dict, when all that get it are among the calls `alike`, which lack the same options; else the call.

    Also the call when the dict cannot be changed where it stands, or stands in a file that the rule leaves alone.
    """
    if room is None or any(one not in alike for one in room.calls):
        return Target(view, call)
    home = view.beside(room.scope.place.path) or view
    if obstacle_at(home, room.node) or (home.source.path != view.source.path and _is_left_alone(home)):
        return Target(view, call)
    return Target(view, call, room)


def _is_left_alone(home: ModuleView) -> bool:
    """Whether the settings, or a comment, turn the rule off in a file; any comment that names it is enough."""
    return NAME not in home.running or any(
        "session-codemods:" in line and NAME in line for line in home.source.text.splitlines()
    )


def obstacle_at(view: ModuleView, node: ast.expr) -> str:
    """Why an expression cannot be changed where it stands; "" when it can be."""
    parents = view.scopes[0].parents
    lines = view.source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    chain = [one for one in parents.chain(node) if isinstance(one, (ast.stmt, ast.arguments))]
    if isinstance(chain[0], (*Definition, ast.arguments)):
        return "it is made in the head of a definition"
    # the whole of `if x: y` can be written anew, a half of `y; z` cannot
    if any(isinstance(one, ast.stmt) and _is_alone(one, parents.of(one), lines) for one in chain):
        return ""
    return "its statement shares the line with another"


def _is_alone(statement: ast.stmt, owner: ast.AST | None, lines: Sequence[str]) -> bool:
    """Whether no other statement, and no header, stands on the lines of this one."""
    line = lines[statement.lineno - 1].encode("utf-8", "surrogatepass")
    before, text = line[: statement.col_offset], line[statement.col_offset :]
    if before.strip() or text.startswith(b"elif") or owner is None:
        return False
    starts = {one.lineno for one in ast.iter_child_nodes(owner) if isinstance(one, ast.stmt) and one is not statement}
    return not starts & set(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
