"""What the value that a field or constant is given shows: truth or falsehood, a text, the environment. Reads trees."""

from __future__ import annotations

import ast

from codemods.flow.development.fields import Field, bare
from codemods.project.expressions import expression
from codemods.project.link import Place, Project
from codemods.project.sessions import External, InstanceMeaning

LOWERING = frozenset({"lower", "casefold"})
_ASKING = frozenset({"getenv", "get", "str", "bool", "config", "env"})  # for a variable of the environment
_READING = frozenset({"os.getenv", "os.environ.get", "os.environ"})


def is_boolean(node: ast.expr, place: Place, project: Project) -> bool:
    """Whether the value is True or False for certain."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, bool)
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return all(is_boolean(value, place, project) for value in values)
        case ast.Call(func=function, keywords=keywords):
            means = project.meaning(expression(function), place)
            if isinstance(means, External) and means.dotted == "builtins.bool":
                return True
            if isinstance(means, External) and means.dotted.endswith(".bool"):
                return True  # `env.bool("DEBUG")`
            casts = [expression(one.value) for one in keywords if one.arg == "cast"]
            return any(project.meaning(one, place) == External("builtins.bool") for one in casts)
        case _:
            return False


def text_given(node: ast.expr, place: Place, project: Project) -> str | None:
    """The text that a field has when nothing else is given: a literal, `Field("x")`, `os.getenv("NAME", "x")`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BoolOp(op=ast.Or(), values=[*_, last]):
            return text_given(last, place, project)
        case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr=method), args=[]) if method in LOWERING:
            found = text_given(inner, place, project)
            return None if found is None else found.lower()
        case ast.Call(func=function, args=arguments, keywords=keywords):
            means = project.meaning(expression(function), place)
            name = means.dotted.rpartition(".")[2] if isinstance(means, External) else ""
            if name in ("Field", "field"):
                given = arguments[:1]
            elif name in _ASKING or (isinstance(means, InstanceMeaning) and isinstance(means.of, External)):
                given = arguments[1:2]  # the name of the variable comes first
            else:
                return None
            given = [*given, *(one.value for one in keywords if one.arg == "default")]
            if len(given) == 1 and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
                return given[0].value
    return None


def reads(node: ast.expr, place: Place, project: Project) -> bool:
    """Whether the environment is read."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Name, ast.Attribute)):
            means = project.meaning(expression(inner), place)
            if isinstance(means, External) and means.dotted in _READING:
                return True
    return False


def asks(node: ast.expr, place: Place, project: Project) -> bool:
    """Whether the value comes from the environment: `os.getenv("NAME")`, `config("NAME")`, `env.str("NAME")`."""
    if reads(node, place, project):
        return True
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            means = project.meaning(expression(inner.func), place)
            if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
                return True
            if isinstance(means, External) and not means.dotted.startswith("builtins."):
                if means.dotted.rpartition(".")[2] in _ASKING:
                    return True
    return False


def is_as_read(node: ast.expr, place: Place, project: Project) -> bool:
    """Whether it is a text of the environment as it stands there: "0" and "false" are true."""
    asked = node.func if isinstance(node, ast.Call) else node.value if isinstance(node, ast.Subscript) else None
    means = project.meaning(expression(asked), place) if asked is not None else None
    return isinstance(means, External) and means.dotted in _READING


def is_flag(one: Field, project: Project) -> bool:
    """Whether it is true or false for certain, by its declared type or by what it is given."""
    if one.annotation is not None:
        means = project.meaning(bare(one.annotation), one.place)
        if one.value is not None and is_as_read(one.value, one.place, project):
            return False
        return isinstance(means, External) and means.dotted in ("builtins.bool", "pydantic.StrictBool")
    given = one.returns if one.is_property else (one.value,)
    return bool(given) and all(value is not None and is_boolean(value, one.place, project) for value in given)
