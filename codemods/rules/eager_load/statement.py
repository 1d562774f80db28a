"""Loader options for the statement, or the `get`, that loads an object: which edits add them. Edits nothing."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codemods.flow.loader_names import written
from codemods.flow.loader_options import Missing, loaded_by
from codemods.flow.objects.readers import Reading
from codemods.flow.objects.record import Record
from codemods.flow.objects.values import How, Origin
from codemods.flow.scope import Scope
from codemods.plan import AddArgument, ChainCall, Edit, Finding, ReplaceExpression, Request
from codemods.project.mapped_classes import mapped
from codemods.project.sessions import SessionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.eager_load.verdicts import Verdicts


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """`node` is the call of `select`, `get` or `query`, `origins` what it loads that is read later."""

    node: ast.expr
    origins: tuple[Origin, ...]


def options_added(
    view: ModuleView,
    scope: Scope,
    record: Record,
    verdicts: Verdicts,
    loads: Loaded,
    wanting: list[Missing],
    readings: list[Reading],
    requires: tuple[str, ...],
) -> Finding:
    """The finding that adds the options, or says why they cannot be added."""
    node, origin = loads.node, loads.origins[0]
    is_query = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "query"
    if any(0 in one.backrefs for one in wanting) and not is_query:
        path = next(one.path for one in wanting if 0 in one.backrefs)
        why = f"`{path[0]}` is made by a backref: naming it raises until the mappers are configured"
        return verdicts.manual(node, readings, why)
    if origin.how is How.GOT and any(one.joined for one in loads.origins):
        why = "it may already be loaded in this session: `get` would ignore the options"
        return verdicts.manual(node, readings, why, "load it by a `select` with options", undecided=True)
    if other := _at_odds(record, scope, origin, wanting):
        return verdicts.manual(node, readings, other)
    texts: list[str] = []
    requests: list[Request] = []
    for one in wanting:
        option = written(one, origin.what, scope, view.tree, view.source, view.project, node.lineno)
        if isinstance(option, str):
            return verdicts.manual(node, readings, option)
        texts.append(option.text)
        requests += [request for request in option.requests if request not in requests]
    edits = _edits(view, record, node, origin, texts)
    if isinstance(edits, str):
        in_bulk = isinstance(node, ast.Call) and any(keyword.arg is None for keyword in node.keywords)
        return verdicts.manual(node, readings, edits, undecided=in_bulk and origin.how is How.GOT)
    if line := _written_after(scope, node.lineno, view, origin):
        why = f"line {line} changes what it leads to: what is loaded here would be out of date"
        return verdicts.manual(node, readings, why, "load it again after that")
    return verdicts.made(node, readings, edits, ", ".join(texts), tuple(requests), requires)


def _written_after(scope: Scope, line: int, view: ModuleView, origin: Origin) -> int:
    """The line of the first thing after a line that is added to a session, deleted in it, or leads elsewhere; or 0."""
    known = mapped(origin.class_, view.project) if origin.class_ is not None else None
    keys = {name for name, column in known.columns.items() if column.foreign_keys} if known is not None else set()
    for statement in scope.statements():
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in keys and statement.lineno > line:
                return statement.lineno
    for node in scope.watched():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.lineno > line:
            if node.func.attr in ("add", "add_all", "delete", "merge") and isinstance(node.func.value, ast.Name):
                if isinstance(scope.meaning(node.func.value), SessionMeaning):
                    return node.lineno
    return 0


def _at_odds(record: Record, scope: Scope, origin: Origin, wanting: list[Missing]) -> str:
    """Another statement that is made of this one has options of its own for the same relationships."""
    assert origin.class_ is not None
    for options in record.executed.get(origin.anchor, set()) - {origin.options}:
        arguments = [argument for end in options for argument in record.options[end].args]
        others = loaded_by(arguments, origin.class_, scope)
        for one in wanting:
            if others.unknown or any(one.path[: len(path)] == path for path in others.paths):
                return "another statement is made of it, with options of its own for the same relationship"
    return ""


def _edits(
    view: ModuleView, record: Record, node: ast.expr, origin: Origin, texts: list[str]
) -> tuple[Edit, ...] | str:
    path, limit = view.source.path, view.settings.line_length
    if origin.how is How.GOT:
        assert isinstance(node, ast.Call)
        if any(keyword.arg is None for keyword in node.keywords):
            return "it may be given options by `**`"
        given = next((keyword.value for keyword in node.keywords if keyword.arg == "options"), None)
        if given is None:
            return (AddArgument(path, view.span(node), f"options=[{', '.join(texts)}]", limit),)
        if isinstance(given, ast.Constant):
            return (ReplaceExpression(path, view.span(given), f"[{', '.join(texts)}]"),)
        if not isinstance(given, (ast.List, ast.Tuple)) or given.lineno != given.end_lineno:
            return f"its options are `{ast.unparse(given)}`"
        inner = view.text(given)[1:-1].strip().rstrip(",")
        return (ReplaceExpression(path, view.span(given), f"[{', '.join([*([inner] if inner else []), *texts])}]"),)
    if origin.options:
        call = record.options[origin.options[-1]]
        return tuple(AddArgument(path, view.span(call), text, limit) for text in texts)
    return (ChainCall(path, view.span(node), f".options({', '.join(texts)})", limit),)
