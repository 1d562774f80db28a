"""The fields, properties and constants that classes and modules of a project declare. Reads trees."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from codemods.flow.scope import inside
from codemods.plan import Fact
from codemods.project.expressions import OPAQUE, annotation, expression, last_name
from codemods.project.facts import Call, Expression, Item, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, External

Trees = Callable[[str], ast.Module | None]

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_PROPERTIES = frozenset({"property", "cached_property", "computed_field"})


@dataclass(frozen=True, slots=True)
class Field:
    """A field, a property or a constant: as it is declared, and what it is given."""

    name: str
    path: str
    line: int
    place: Place  # where its annotation and value are looked up
    annotation: ast.expr | None
    value: ast.expr | None
    is_property: bool = False
    returns: tuple[ast.expr, ...] = ()  # of a property
    on_class: bool = True  # False: each object has its own

    @property
    def fact(self) -> Fact:
        told = "" if self.annotation is None else f": {ast.unparse(self.annotation)}"
        value = "" if self.value is None else f" = {ast.unparse(self.value)}"
        return Fact(self.path, self.line, f"{self.name}{told}{value}"[:80])


class Declared:
    """What the classes and modules of one project declare."""

    def __init__(self, project: Project, trees: Trees) -> None:
        self.project = project
        self.trees = trees

    def is_below(self, class_: ClassMeaning, names: Collection[str]) -> bool:
        """Whether the class is derived from one of these classes of libraries."""
        return any(isinstance(one, External) and one.dotted in names for one in self.project.bases(class_))

    def fields(self, class_: ClassMeaning) -> list[Field]:
        """The fields and properties of a class, inherited ones included, each as its nearest definition has it."""
        found: dict[str, Field] = {}
        for base in self.project.bases(class_):
            node = self.node(base) if isinstance(base, ClassMeaning) else None
            if isinstance(base, ClassMeaning) and node is not None:
                own: dict[str, list[Field]] = {}
                for one in _own_fields(node, base):
                    own.setdefault(one.name, []).append(one)
                for name, several in own.items():
                    if name not in found:
                        found[name] = several[0] if len(several) == 1 else _joined(several)
        return list(found.values())

    def node(self, class_: ClassMeaning) -> ast.ClassDef | None:
        """Where the class is defined; None when that is not in view."""
        tree = self.trees(class_.module)
        current: ast.AST | None = tree
        for name in class_.qualname.split("."):
            body = getattr(current, "body", [])
            current = next((one for one in body if isinstance(one, DEFINITIONS) and one.name == name), None)
        return current if isinstance(current, ast.ClassDef) else None

    def constants(self, path: str) -> Iterator[Field]:
        """What the module binds once and for all."""
        facts, tree = self.project.symbols.facts.get(path), self.trees(path)
        for statement in tree.body if tree is not None else ():
            for one in _assigned(statement, Place(path)):
                if facts is not None and one.name in facts.fixed:
                    yield one


def _own_fields(node: ast.ClassDef, class_: ClassMeaning) -> Iterator[Field]:
    """The fields and properties of a class body, and what its `__init__` sets."""
    outside = Place(class_.module, class_.qualname.rpartition(".")[0])
    for statement in node.body:
        yield from _assigned(statement, outside)
        if isinstance(statement, ast.FunctionDef):
            if any(last_name(expression(one)) in _PROPERTIES for one in statement.decorator_list):
                name, line = statement.name, statement.lineno
                yield Field(name, class_.module, line, outside, statement.returns, None, True, _returned(statement))
            elif statement.name in ("__init__", "__post_init__") and statement.args.args:
                place = Place(class_.module, f"{class_.qualname}.{statement.name}")
                yield from _set_on(statement, statement.args.args[0].arg, place)


def _returned(function: ast.FunctionDef) -> tuple[ast.expr, ...]:
    """What the function itself returns, nested ones apart."""
    statements = [inner for one in function.body for inner in inside(one)]
    return tuple(one.value for one in statements if isinstance(one, ast.Return) and one.value is not None)


def _assigned(statement: ast.stmt, place: Place) -> Iterator[Field]:
    """`name: annotation = value`."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield Field(name, place.path, statement.lineno, place, None, value)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=told, value=value):
            yield Field(name, place.path, statement.lineno, place, told, value)


def _set_on(function: ast.FunctionDef, owner: str, place: Place) -> Iterator[Field]:
    """`self.name: annotation = value` in a method."""
    for outer in function.body:
        for statement in inside(outer):
            line = statement.lineno
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=found), attr=name)], value=value):
                    if found == owner:
                        yield Field(name, place.path, line, place, None, value, on_class=False)
                case ast.AnnAssign(
                    target=ast.Attribute(value=ast.Name(id=found), attr=name), annotation=told, value=given
                ):
                    if found == owner:
                        yield Field(name, place.path, line, place, told, given, on_class=False)


def _joined(several: Sequence[Field]) -> Field:
    """One field that is declared in one place and set in another. What is set in several ways has no known value."""
    told = [one for one in several if one.annotation is not None]
    given = [one for one in several if one.value is not None]
    first = (told or given or list(several))[0]
    return Field(
        first.name,
        first.path,
        first.line,
        first.place,
        told[0].annotation if told else None,
        given[0].value if len(given) == 1 else None,
        is_property=any(one.is_property for one in several),
        on_class=any(one.on_class for one in given),
    )


def bare(node: ast.expr) -> Expression:
    """A declared type without `| None` and without what `Annotated` adds."""
    told = annotation(node) or OPAQUE
    match told:
        case Item(key=Call(function=Name("Annotated"), arguments=(inner, *_))):
            return inner
        case Item(value=value, key=key) if last_name(value) in ("ClassVar", "Final"):
            return key
        case _:
            return told
