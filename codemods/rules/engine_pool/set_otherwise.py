"""Whether an attribute of an object may be set by something that does not name it: `setattr`, `__dict__`. Reads only.

Only what may reach an object of the class counts: the rows of a table are filled by `setattr` in every other project.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from codemods.flow.only_factory import is_test_path
from codemods.flow.scope import Scope
from codemods.project.link import Project
from codemods.project.sessions import ClassMeaning, External, InstanceMeaning, NothingMeaning, UnknownMeaning
from codemods.rules.base import ModuleView
from codemods.rules.engine_pool.look import Look

_ANYTHING = frozenset({External("typing.Any"), External("typing_extensions.Any"), External("builtins.object")})
_PROTOCOLS = frozenset({External("typing.Protocol"), External("typing_extensions.Protocol")})
_Kin = set[ClassMeaning | External]
_WORDS = ("setattr", "__dict__", "vars")
_SETTING = frozenset({"setattr", "__setattr__"})
_READING = frozenset({"copy", "get", "items", "keys", "values"})
# libraries whose classes put nothing onto the objects of those below
_QUIET = frozenset(
    {"abc", "builtins", "collections", "contextlib", "enum", "logging", "threading", "typing", "typing_extensions"}
)


def set_otherwise(name: str, class_: ClassMeaning, look: Look) -> bool:
    """Whether anything but a statement that names it may set the attribute `name` on an object of the class."""
    project = look.view.project
    kin = _kin(class_, project)
    if any(isinstance(one, External) and one.dotted.partition(".")[0] not in _QUIET for one in kin):
        return True  # a library may fill its objects from anywhere
    looked_at: set[str] = set()
    for word in _WORDS:
        for there in look.mentioning(word):
            path = there.source.path
            if path not in looked_at and not is_test_path(path):
                looked_at.add(path)
                if any(_may_be(receiver, scope, kin, there, look) for receiver, scope in _set(name, there)):
                    return True
    return False


def _kin(class_: ClassMeaning, project: Project) -> _Kin:
    """The classes whose methods an object of the class, or of one below it, may run; those of libraries, too."""
    found: _Kin = set(project.bases(class_))
    for path in project.symbols.paths():
        for facts in project.symbols.facts[path].classes:
            bases = project.bases(ClassMeaning(path, facts.qualname))
            if class_ in bases:
                found |= set(bases)
    return found


def _may_be(receiver: ast.expr | None, scope: Scope, kin: _Kin, there: ModuleView, look: Look) -> bool:
    """Whether an expression may be an object of one of the classes, or the class. None: any object."""
    told = _is_one(receiver, scope, kin) if receiver is not None else None
    if told is None and isinstance(receiver, ast.Name) and receiver.id in scope.parameters:
        told = _is_handed_one(scope, kin, look)
    if told is not None:
        return told
    names = "|".join(re.escape(one.qualname.rpartition(".")[2]) for one in kin if isinstance(one, ClassMeaning))
    return re.search(rf"\b(?:{names})\b", there.source.text) is not None


def _is_one(node: ast.expr, scope: Scope, kin: _Kin) -> bool | None:
    """Whether it is an object of one of the classes, or one of them; None where that is not in view."""
    means = scope.meaning(node)
    of = means.of if isinstance(means, InstanceMeaning) else means
    if isinstance(of, (UnknownMeaning, NothingMeaning)) or of in _ANYTHING:
        return None
    if isinstance(of, ClassMeaning) and of not in kin and not _PROTOCOLS.isdisjoint(scope.project.bases(of)):
        return None  # it says what an object looks like, not whose it is
    return of in kin


def _is_handed_one(function: Scope, kin: _Kin, look: Look) -> bool | None:
    """Whether something that goes by the name of the function is called with one; None where no call is in view."""
    name = getattr(function.node, "name", "")
    told: bool | None = None
    for there in look.mentioning(name):
        around = _around(there)
        for node in there.scopes[0].parents.read.get(name, ()):
            call = there.scopes[0].parents.of(node)
            if not isinstance(call, ast.Call) or call.func is not node:
                return None  # handed on
            given = [*call.args, *(one.value for one in call.keywords)]
            if any(_is_one(one, around(call), kin) for one in given if not isinstance(one, ast.Starred)):
                return True
            told = False
    return told


def _around(there: ModuleView) -> Callable[[ast.AST], Scope]:
    """Finds the scope in which a node of the file stands."""
    scopes = {scope.node: scope for scope in there.scopes}
    parents = there.scopes[0].parents
    return lambda node: next(scopes[one] for one in parents.chain(node) if one in scopes)


def _set(name: str, there: ModuleView) -> Iterator[tuple[ast.expr | None, Scope]]:
    """The objects of which the file may set the attribute without naming it, each with where that stands."""
    around = _around(there)
    parents = there.scopes[0].parents
    for word in _SETTING:
        for node in parents.read.get(word, ()):
            call = parents.of(node)
            if not isinstance(call, ast.Call) or call.func is not node:
                yield None, around(node)  # handed on: it may be called with anything
                continue
            given = call.args
            if isinstance(node, ast.Attribute) and len(given) < 3:
                given = [node.value, *given]  # `self.__setattr__(name, value)`
            if len(given) < 2 or any(isinstance(one, ast.Starred) for one in given):
                yield None, around(node)
            elif not _is_another(given[1], name, call, around(node)):
                yield given[0], around(node)
    for kept in parents.of_kind(ast.Attribute):
        if kept.attr == "__dict__" and not _is_read(kept, name, around(kept)):
            yield kept.value, around(kept)
    for call in parents.of_kind(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id == "vars" and len(call.args) == 1:
            if not _is_read(call, name, around(call)):
                yield call.args[0], around(call)


def _is_another(written: ast.expr, name: str, call: ast.Call, scope: Scope) -> bool:
    """Whether the name that is written is for certain not this one, or stands where it is looked at by itself."""
    if isinstance(written, ast.Constant):
        return True  # this one by its name is told elsewhere
    if not isinstance(written, ast.Name):
        return False
    loops = [one for one in scope.parents.chain(call) if isinstance(one, (ast.For, ast.AsyncFor))]
    loop = next((one for one in loops if isinstance(one.target, ast.Name) and one.target.id == written.id), None)
    if loop is None or not isinstance(loop.iter, (ast.Tuple, ast.List, ast.Set)):
        return False
    return all(isinstance(one, ast.Constant) and one.value != name for one in loop.iter.elts) and not any(
        isinstance(one.ctx, ast.Store) and one is not loop.target
        for one in scope.parents.named_within(scope.node).get(written.id, ())
    )


def _is_read(kept: ast.expr, name: str, scope: Scope) -> bool:
    """Whether `self.__dict__`, or `vars(self)`, is only looked at where it stands."""
    if isinstance(kept, ast.Attribute) and not isinstance(kept.ctx, ast.Load):
        return False
    match scope.parents.of(kept):
        case ast.Attribute(attr=attr, ctx=ast.Load()):
            return attr in _READING
        case ast.Subscript(ctx=ast.Load()):
            return True
        case ast.Subscript(slice=ast.Constant(value=key)):
            return key != name
        case ast.keyword(arg=None) | ast.Compare() | ast.FormattedValue():
            return True
        case ast.Dict(keys=keys, values=values):
            return any(key is None and value is kept for key, value in zip(keys, values, strict=True))
        case ast.For(iter=iterated) | ast.AsyncFor(iter=iterated) | ast.comprehension(iter=iterated):
            return iterated is kept
        case ast.Call() as call if kept in call.args:
            called = scope.callee(call)
            return isinstance(called, External) and called.dotted.startswith("builtins.")
        case _:
            return False
