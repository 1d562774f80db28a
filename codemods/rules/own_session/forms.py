"""The edits of a task's own file: the function changed in its place, or a wrapper beside it. Decides no question."""

from __future__ import annotations

import ast

from codemods.flow.tasks.carried import What
from codemods.plan import (
    AddFunction,
    ChangeParameters,
    Edit,
    InsertBefore,
    OpenBlock,
    ParameterChange,
    ReplaceExpression,
    Request,
)
from codemods.project.facts import FunctionFacts, Parameter
from codemods.rules.own_session.docstrings import described
from codemods.rules.own_session.layout import laid_out
from codemods.rules.own_session.task import Task

_STEP = "    "


def name_of(task: Task) -> str:
    """What the calls run from now on."""
    name = task.function.qualname.rpartition(".")[2]
    return name if task.in_place else f"{name}{task.suffix}"


def edits_of(task: Task) -> tuple[tuple[Edit, ...], tuple[Request, ...]]:
    """What changes in the file of the task, and the imports that this needs or spares."""
    return _in_place(task) if task.in_place else _wrapper(task)


def _in_place(task: Task) -> tuple[tuple[Edit, ...], tuple[Request, ...]]:
    path, node, view = task.view.source.path, task.node, task.view
    changes: list[ParameterChange] = []
    requests: list[Request] = []
    openings = view.openings(task.scope)
    arguments = {one.arg: one for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]}
    for one in task.replaced:
        texts = [key.text for key in one.keys]
        changes.append(ParameterChange(one.name, ", ".join(texts) if texts else None))
        requests += [*one.requests, *(request for key in one.keys for request in key.requests)]
        annotation = arguments[one.name].annotation
        if annotation is not None:
            requests += openings.annotation_imports(_evaluated(annotation))
    edits: list[Edit] = [ChangeParameters(path, node.lineno, tuple(changes), view.settings.line_length)]
    body = list(node.body)
    if ast.get_docstring(node, clean=False) is not None:
        docstring = body.pop(0)
        assert isinstance(docstring, ast.Expr)
        span = view.span(docstring.value)
        text = view.source_text(docstring.value)
        changed = described(
            text, {one.name: tuple((key.name, key.annotation) for key in one.keys) for one in task.replaced}
        )
        if changed != text:
            edits.append(ReplaceExpression(path, span, changed))
    body = [one for one in body if one.lineno > task.behind]
    for one in task.replaced:
        if one.only_key:
            for use in task.scope.uses(one.name):
                read = task.scope.parents.of(use.node)
                assert isinstance(read, ast.Attribute)
                edits.append(ReplaceExpression(path, view.span(read), one.keys[0].name))
    if task.own is not None and body:
        name = task.session_name
        uses_session = task.fetched or any(task.scope.uses(one.name) for one in task.replaced if not one.keys)
        if uses_session:
            if task.local:
                edits.append(InsertBefore(path, body[0].lineno, "\n".join(task.local)))
            first, last = body[0].lineno, body[-1].lineno
            prologue = "\n".join(task.fetch(2 * len(_STEP)))
            edits.append(OpenBlock(path, None, first, last, task.is_async, name, task.own.context, prologue=prologue))
            requests += task.own.requests
    return tuple(edits), tuple(dict.fromkeys(requests))


def _evaluated(annotation: ast.expr) -> ast.expr:
    """The annotation, out of its quotes where it stands in such."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return annotation
    return annotation


def _wrapper(task: Task) -> tuple[tuple[Edit, ...], tuple[Request, ...]]:
    path, node = task.view.source.path, task.node
    assert task.own is not None or not task.fetched
    parameters, handed, requests = _signature(task)
    lines: list[str] = []
    static = [ast.unparse(one) for one in node.decorator_list]
    static = [one for one in static if one in ("staticmethod", "classmethod")] if task.definition.in_class else []
    lines += [f"@{one}" for one in static]
    wait = "async " if task.scope.is_async else ""
    owner = ""
    if task.definition.in_class:
        owner = "cls." if "classmethod" in static else f"{task.definition.in_class}."
        if "classmethod" in static:
            parameters.insert(0, "cls")
    margin = len(_STEP) if task.definition.in_class else 0
    result = "None"
    if task.gives:
        result = task.view.source_text(node.returns) if node.returns is not None else ""
        if result and task.fetched and "None" not in result and "Optional" not in result:
            result = f"{result} | None"
    arrow = f" -> {result}" if result else ""
    header = f"{wait}def {name_of(task)}({', '.join(parameters)}){arrow}:"
    lines += laid_out(header, margin, task.view.settings.line_length)
    leading = f"{'return ' if task.gives else ''}{'await ' if task.scope.is_async else ''}"
    call = f"{leading}{owner}{node.name}({', '.join(handed)})"
    within = margin + len(_STEP) * (2 if task.own is not None else 1)
    inner = [*task.fetch(within), *laid_out(call, within, task.view.settings.line_length)]
    if task.own is not None:
        if task.local:
            lines += [f"{_STEP}{one}" for one in task.local]
            lines.append("")
        block = "async with" if task.is_async else "with"
        lines.append(f"{_STEP}{block} {task.own.context} as {task.session_name}:")
        lines += [f"{_STEP}{_STEP}{line}" for line in inner]
        requests += task.own.requests
    else:
        lines += [f"{_STEP}{line}" for line in inner]
    code = "\n".join(lines)
    if is_there(task, code):
        return (), ()
    return (AddFunction(path, node.lineno, code),), tuple(dict.fromkeys(requests))


def is_taken(task: Task) -> bool:
    """Whether the wrapper's name stands for something in the file."""
    return any(
        name_of(task) in (getattr(node, "name", ""), getattr(node, "asname", ""), getattr(node, "id", ""))
        for node in ast.walk(task.view.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.alias, ast.Name))
    )


def is_there(task: Task, code: str) -> bool:
    """Whether the very function stands in the file already: another call has brought it."""
    wanted = ast.dump(ast.parse(code).body[0])
    return any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name == name_of(task)
        and ast.dump(node) == wanted
        for node in ast.walk(task.view.tree)
    )


def _signature(task: Task) -> tuple[list[str], list[str], list[Request]]:
    """The parameters of the wrapper, the arguments that it hands on, and the imports that this needs."""
    replaced = {one.name: one for one in task.replaced}
    node, view = task.node, task.view
    written = {one.arg: one for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]}
    defaults = defaults_of(node)
    parameters: list[str] = []
    handed: list[str] = []
    requests: list[Request] = []
    by_keyword = left_out = False
    for parameter in _own(task.definition):
        is_keyword = parameter.kind == "keyword"
        one = replaced.get(parameter.name)
        if one is None and parameter.default is not None and parameter.name not in task.plain:
            left_out = True
            continue
        if is_keyword and not by_keyword and (one is None or one.keys):
            by_keyword = True
            parameters.append("*")
        value = parameter.name
        if one is None:
            argument = written[parameter.name]
            text = parameter.name
            if argument.annotation is not None:
                text += f": {view.source_text(argument.annotation)}"
            default = defaults.get(parameter.name)
            if default is not None:
                given = view.source_text(default)
                text += f" = {given}" if argument.annotation is not None else f"={given}"
            parameters.append(text)
        elif one.what is What.SESSION:
            value = task.session_name
        else:
            parameters += [key.text for key in one.keys]
            requests += [*one.requests, *(request for key in one.keys for request in key.requests)]
        handed.append(f"{parameter.name}={value}" if is_keyword or left_out else value)
    return parameters, handed, requests


def _own(definition: FunctionFacts) -> list[Parameter]:
    """The parameters that calls name: without `cls`, `*args` and `**kwargs`."""
    is_class_method = any(getattr(one, "id", "") == "classmethod" for one in definition.decorators)
    named = [one for one in definition.parameters if one.kind in ("positional", "keyword")]
    return named[1:] if is_class_method else named


def defaults_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.expr]:
    """The defaults of a function's parameters, by their names."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    pairs = [*zip(reversed(positional), reversed(given.defaults), strict=False)]
    pairs += [(one, default) for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default]
    return {one.arg: default for one, default in pairs}
