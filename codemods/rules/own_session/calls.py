"""The edits at the call that runs a task: ids for entities, no session, perhaps another function."""

from __future__ import annotations

import ast

from codemods.flow.scope import Scope
from codemods.flow.tasks.carried import Site, What
from codemods.plan import (
    ArgumentChange,
    ChangeArguments,
    ChangeParameters,
    DissolveBlock,
    Edit,
    NeedsImport,
    ParameterChange,
    ReplaceExpression,
    Request,
)
from codemods.project.facts import Attribute, Call, Expression
from codemods.project.link import Place
from codemods.project.name_uses import Role
from codemods.project.sessions import FunctionMeaning, ModuleMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Accepted, Refusal
from codemods.rules.own_session.forms import defaults_of, name_of
from codemods.rules.own_session.task import Replaced, Task, element_of

_ROUTES = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route", "websocket"})


def call_edits(accepted: Accepted, task: Task, view: ModuleView) -> tuple[list[Edit], list[Request]] | Refusal:
    """What changes at the call, and with the parameter that gave it its session; and the imports of its file."""
    found = arguments_changed(accepted, task, view)
    if isinstance(found, Refusal):
        return found
    sessions = [one for one in accepted.carried.values() if one.what is What.SESSION]
    if len(sessions) != 1 or not isinstance(sessions[0].argument.value, ast.Name):
        return found
    name, scope = sessions[0].argument.value.id, accepted.site.scope
    uses = [use for use in scope.uses(name) if use.role is not Role.BOUND]
    if len(uses) != 1 or uses[0].node is not sessions[0].argument.value:
        return found
    if name in scope.parameters:
        dropped = parameter_dropped(scope, name, view)
    else:
        dropped = block_dissolved(accepted.site, name, view)
    return [*found[0], *dropped[0]], [*found[1], *dropped[1]]


def _is_route(decorator: Expression) -> bool:
    """`@router.post(...)`."""
    called = decorator.function if isinstance(decorator, Call) else None
    return isinstance(called, Attribute) and called.name in _ROUTES


def block_dissolved(site: Site, name: str, view: ModuleView) -> tuple[list[Edit], list[Request]]:
    """The block whose session nothing uses any more gives way to its body."""
    edits: list[Edit] = []
    requests: list[Request] = []
    for session in site.record.sessions:
        block = session.block
        if session.name != name or not isinstance(block, (ast.With, ast.AsyncWith)) or len(block.items) != 1:
            continue
        if session.plain and not session.commits and not session.doubt:
            edits.append(DissolveBlock(view.source.path, block.lineno))
            requests += _drops(block.items[0].context_expr, site.scope, view)
    return edits, requests


def _drops(gone: ast.expr, scope: Scope, view: ModuleView) -> list[Request]:
    """The imports of what an expression mentions that is taken away."""
    openings = view.openings(scope)
    names = sorted({node.id for node in ast.walk(gone) if isinstance(node, ast.Name)})
    return [drop for name in names if (drop := openings.drop(name)) is not None]


def arguments_changed(accepted: Accepted, task: Task, view: ModuleView) -> tuple[list[Edit], list[Request]] | Refusal:
    """What changes at the call itself, and the imports of its file."""
    site = accepted.site
    holder = site.scheduling.holder
    assert holder is not None
    replaced = {one.name: one for one in task.replaced}
    changes: list[ArgumentChange] = []
    for name, given in accepted.carried.items():
        text = _argument(given.text, given.argument.keyword, replaced[name])
        changes.append(ArgumentChange(given.argument.index, text))
    path, limit = view.source.path, view.settings.line_length
    edits: list[Edit] = [ChangeArguments(path, view.span(holder), tuple(changes), limit)]
    requests: list[Request] = []
    for given in accepted.carried.values():
        if given.what is What.SESSION and isinstance(given.argument.value, ast.Call):
            requests += _drops(given.argument.value, site.scope, view)
    if not task.in_place:
        renamed = _renamed(site, task, view)
        if isinstance(renamed, Refusal):
            return renamed
        edits += renamed[0]
        requests += renamed[1]
    return edits, requests


def _argument(text: str, keyword: str | None, one: Replaced) -> str | None:
    if one.what is What.SESSION:
        return None
    if one.what is What.ENTITIES:
        (key,) = one.keys
        each = element_of(one.name)
        each = "each" if each == text else each
        value = f"[{each}.{key.attribute} for {each} in {text}]"
        return value if keyword is None else f"{key.name}={value}"
    values = [(key.name, f"{text}.{key.attribute}") for key in one.keys]
    return ", ".join(value if keyword is None else f"{name}={value}" for name, value in values)


def call_text(accepted: Accepted, task: Task) -> str:
    """`process_item(item.id)`: what runs later from now on, for people."""
    replaced = {one.name: one for one in task.replaced}
    by_argument = {id(given.argument): replaced[name] for name, given in accepted.carried.items()}
    texts: list[str] = []
    for given in accepted.site.given:
        one = by_argument.get(id(given.argument))
        keyword = given.argument.keyword
        if one is None:
            texts.append(given.text if keyword is None else f"{keyword}={given.text}")
        elif (text := _argument(given.text, keyword, one)) is not None:
            texts.append(text)
    return f"{name_of(task)}({', '.join(texts)})"


def _renamed(site: Site, task: Task, view: ModuleView) -> tuple[list[Edit], list[Request]] | Refusal:
    """The wrapper in the place of the task, where the call names it."""
    target, name = site.scheduling.target, name_of(task)
    assert isinstance(target, (ast.Name, ast.Attribute))
    path = view.source.path
    home = task.function.module
    if isinstance(target, ast.Attribute):
        owner = site.scope.meaning(target.value)
        in_class = task.definition.in_class != ""
        if in_class or (isinstance(owner, ModuleMeaning) and owner.module == home):
            text = f"{ast.unparse(target.value)}.{name}"
            return [ReplaceExpression(path, view.span(target), text)], []
        return Refusal(f"`{ast.unparse(target)}` is not read from the module that defines it", "import it from there")
    if home == path:
        return [ReplaceExpression(path, view.span(target), name)], []
    if any(_binds(node, name) for node in ast.walk(view.tree)):
        return Refusal(f"`{name}` means something else in {path}")
    symbols = view.project.symbols
    qualname, found = site.scope.place.qualname, symbols.imports(path, site.scope.place.qualname, target.id)
    while not found and qualname:
        qualname = qualname.rpartition(".")[0]
        found = symbols.imports(path, qualname, target.id)
    if len(found) != 1 or found[0].attribute is None or not found[0].written_module:
        return Refusal(f"`{target.id}` comes into {path} in a way that cannot be followed")
    imported = found[0]
    module = imported.written_module
    if symbols.module_path(imported.module, path) != home:
        defined, through = symbols.names[home].module, imported.module
        if defined.startswith(f"{through}."):
            module += ("" if module.endswith(".") else ".") + defined.removeprefix(f"{through}.")
        else:
            module = "" if module.startswith(".") else defined
        if not module:
            return Refusal(f"`{target.id}` comes into {path} from another module than its own")
    requests: list[Request] = [NeedsImport(path, imported.line, module, name)]
    drop = view.openings(site.scope).drop(target.id)
    if drop is not None:
        requests.append(drop)
    return [ReplaceExpression(path, view.span(target), name)], requests


def _binds(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name(id=found) | ast.arg(arg=found):
            return found == name
        case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found) | ast.ClassDef(name=found):
            return found == name
        case ast.alias(name=found, asname=alias):
            return (alias or found) == name
    return False


def parameter_dropped(scope: Scope, name: str, view: ModuleView) -> tuple[list[Edit], list[Request]]:
    """The `Depends` parameter of an endpoint goes, which gives a session that nothing uses any more."""
    path, node = view.source.path, scope.node
    if name not in scope.parameters or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [], []
    outside = Place(path, scope.place.qualname.rpartition(".")[0])
    dependencies = view.customs.dependencies
    for definition in view.project.symbols.functions(path, scope.place.qualname):
        parameter = next((one for one in definition.parameters if one.name == name), None)
        if parameter is None or not definition.decorators:
            return [], []
        if not all(_is_route(one) for one in definition.decorators):
            return [], []  # another decorator may look for it
        target = dependencies.injected(parameter, outside)
        lent = view.project.symbols.functions(target.module, target.qualname) if target is not None else []
        if len(lent) != 1 or lent[0].parameters or lent[0].lends is None or lent[0].lends.set_up:
            return [], []  # it may be there for more than its session
    if view.tasks.uses(FunctionMeaning(path, scope.place.qualname)).others or scope.place.qualname.count("."):
        return [], []
    argument = next(one for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs] if one.arg == name)
    openings = view.openings(scope)
    requests: list[Request] = []
    parts: list[ast.expr] = [argument.annotation] if argument.annotation is not None else []
    default = defaults_of(node).get(name)
    parts += [default] if default is not None else []
    for part in parts:
        requests += openings.annotation_imports(part)
    change = ChangeParameters(path, node.lineno, (ParameterChange(name, None),), view.settings.line_length)
    return [change], requests
