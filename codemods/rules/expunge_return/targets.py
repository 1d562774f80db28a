"""From a returned value to what is expunged, and in which form: rules 9 to 15 of the semantics. Edits nothing."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from codemods.flow.objects.record import Record
from codemods.flow.objects.values import (
    Alternative,
    How,
    Many,
    Nothing,
    One,
    Origin,
    Pack,
    Plain,
    Row,
    Unbound,
    Unknown,
    Value,
    objects,
    parts,
    value,
)
from codemods.flow.objects.world import SessionStanding, World
from codemods.flow.scope import Scope
from codemods.project.link import Project
from codemods.project.mapped_cascades import expunge_reaches
from codemods.project.mapped_classes import mapped
from codemods.project.sessions import ClassMeaning, External, ModuleMeaning
from codemods.rules.expunge_return.forms import Target, plural, singular


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing is inserted, and what a person can do."""

    reason: str
    advice: str = ""


@dataclass(slots=True)
class Leaving:
    """What leaves by one `return`.

    `name_it`: the name that the returned expression should get first. `everything`: the session is emptied.
    `changed` is the line of a change that nothing has written yet; 0: there is none.
    """

    targets: list[Target] = field(default_factory=list)
    name_it: str = ""
    everything: bool = False
    changed: int = 0


def own_origins(given: Value, record: Record) -> dict[Origin, int]:
    """The objects in a value that were had from sessions of the function's own, with the number of the session."""
    own = {one.number for one in record.sessions if one.own}
    found: dict[Origin, int] = {}
    for one in objects(given):
        number = record.added.get(one.origin, 0) or one.origin.session
        if number in own:
            found[one.origin] = number
    return found


def untold(given: Value, record: Record) -> Refused | None:
    """Something in the value was had through a session of the function's own, and may be an entity or not."""
    own = {one.number for one in record.sessions if one.own}
    for one in given:
        if isinstance(one, Unknown) and one.why and one.session in own:
            if one.holds:
                return Refused(f"an entity goes out inside of `{one.why}`", "expunge it before it goes in there")
            return Refused(
                f"it cannot be told what `{one.why}` takes out of the session: entities, or plain values",
                "if it is an entity, expunge it before the return",
            )
        if not isinstance(one, Row):
            for each in parts(one):
                if refused := untold(each, record):
                    return refused
    return None


def never_added(given: Value, record: Record, world: World) -> Refused | None:
    """A new object is returned that no session has been given, although one is open."""
    is_open = any(one.own and not world.sessions.get(one.number, SessionStanding()).left for one in record.sessions)
    for one in sorted(objects(given), key=lambda each: each.origin.place):
        origin, standing = one.origin, world.standing(one.origin)
        if origin.how is How.MADE and origin not in record.added and not standing.may_be_attached and is_open:
            return Refused(f"`{origin.what}` of line {origin.line} is never added to the session")
    return None


_PURE = frozenset({"len", "int", "str", "float", "bool", "max", "min", "round", "math.ceil", "math.floor", "abs"})


class Targets:
    """Answers for the returns of one function."""

    def __init__(self, scope: Scope, project: Project) -> None:
        self.scope = scope
        self.project = project
        self._after = False

    def leaving(
        self, node: ast.expr, given: Value, world: World, record: Record, *, after: bool = False
    ) -> Leaving | Refused:
        """What has to be expunged before a value leaves; `world` says how things stand there.

        `after`: the value is returned after the block, and the lines go to its end.
        """
        own = own_origins(given, record)
        self._after = after
        refused = untold(given, record) or never_added(given, record, world) or self._refused(given, own, world)
        if refused is not None:
            return refused
        result = Leaving()
        result.changed = max((world.standing(origin).changed for origin in own), default=0)
        shape = self._shape(node, given, own, world, result)
        if shape is not None:
            return shape
        self._fit(result, own)
        return result

    # --- what must not be expunged -----------------------------------------------------------------------------

    def _refused(self, given: Value, own: dict[Origin, int], world: World) -> Refused | None:
        for origin in own:
            standing = world.standing(origin)
            what = f"`{origin.what}` of line {origin.line}"
            if origin.session and origin.session != own[origin]:
                return Refused(f"{what} is loaded in another session than the one that it is added to")
            if standing.lost:
                return Refused(
                    f"the commit at line {standing.lost} does not write {what}: it is expunged before",
                    "expunge it after the commit",
                )
            if standing.expired and standing.expired_by == "rollback":
                return Refused(
                    f"{what} is rolled back at line {standing.expired}: nothing of it can be read outside",
                    "load it again after the rollback, or return what is needed of it",
                )
            if standing.pending:
                return Refused(
                    f"{what} is added at line {standing.pending} and not flushed: expunged, it would never be written",
                    "commit (or flush) before the return",
                )
            if gone := standing.deleted or standing.may_be_deleted:
                return Refused(f"{what} is deleted at line {gone}", "return what is needed of it instead")
            if standing.expired:
                return self._expired(what, standing.expired, standing.expired_by)
            if standing.merged and not standing.attached:
                return Refused(f"{what} was only merged at line {standing.merged}: it is not in the session itself")
        return None

    def _expired(self, what: str, line: int, by: str) -> Refused:
        if by == "commit?":
            return Refused(
                f"the commit at line {line} may expire {what}: the factory's expire_on_commit is not in view",
                "refresh it after the commit, or set expire_on_commit=False on the factory",
            )
        if by == "commit":
            return Refused(
                f"the commit at line {line} expires {what}: nothing of it can be read outside, expunged or not",
                "refresh it after the commit, or set expire_on_commit=False on the factory",
            )
        return Refused(f"line {line} expires {what}: nothing of it can be read outside", "refresh it before the return")

    # --- the form ------------------------------------------------------------------------------------------------

    def _shape(
        self, node: ast.expr, given: Value, own: dict[Origin, int], world: World, result: Leaving
    ) -> Refused | None:
        match node:
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) if not any(
                isinstance(part, ast.Starred) for part in parts
            ):
                return self._display(parts, own, world, result)
            case ast.Dict(keys=keys, values=parts):
                return self._display([*parts, *(key for key in keys if key is not None)], own, world, result)
        copied = _copied(node)
        if copied is not None and objects(world.names.get(copied.id, frozenset())) == objects(given):
            node, given = copied, world.names[copied.id]
        found = self._target(node, given, own, world)
        if isinstance(found, Refused):
            return found
        if found is None:
            result.everything = True
            result.name_it = "" if isinstance(node, ast.Name) else "found"
            return None
        result.targets.append(found)
        if not isinstance(node, ast.Name):
            result.name_it = plural(found.class_) if found.many else singular(found.class_)
        return None

    def _display(
        self, parts: Sequence[ast.expr], own: dict[Origin, int], world: World, result: Leaving
    ) -> Refused | None:
        names = {name for name, held in world.names.items() if set(own) & {one.origin for one in objects(held)}}
        for node in parts:
            part = _copied(node) or node
            if isinstance(part, ast.Name) and part.id in names:
                found = self._target(part, world.names[part.id], own, world)
                if isinstance(found, Refused):
                    return found
                if found is None:
                    result.everything = True
                elif all(found.name != other.name for other in result.targets):
                    result.targets.append(found)
            elif self._reads(part, names):
                # it has to be put together before anything is expunged
                result.everything, result.name_it = True, "found"
        if not result.targets and not result.everything:
            result.everything, result.name_it = True, "found"
        if result.name_it and self._after:
            return Refused("what is returned is put together after the block", "name it inside of the block")
        return None

    def _reads(self, part: ast.expr, names: set[str]) -> str:
        """What a part of the returned expression reads of the objects that are expunged before it."""
        return "" if self._is_apart(part, names) else ast.unparse(part)

    def _is_apart(self, part: ast.expr, names: set[str]) -> bool:
        """Whether evaluating a part of what is returned has nothing to do with the objects, whoever else has them."""
        match part:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return name not in names
            case ast.Attribute():
                root: ast.expr = part
                while isinstance(root, ast.Attribute):
                    root = root.value
                if not isinstance(root, ast.Name) or root.id in names:
                    return False
                # an attribute of a parameter, of the object itself, of a module
                return root.id in self.scope.parameters or isinstance(
                    self.scope.meaning(root), (ModuleMeaning, External)
                )
            case ast.Call(func=ast.Name(id="len"), args=[ast.Name()], keywords=[]):
                return True
            case ast.Call(func=function, args=arguments, keywords=keywords):
                called = self.scope.meaning(function)
                if not isinstance(called, External) or called.dotted.removeprefix("builtins.") not in _PURE:
                    return False
                return all(self._is_apart(one, names) for one in [*arguments, *(word.value for word in keywords)])
            case ast.BinOp(left=left, right=right):
                return self._is_apart(left, names) and self._is_apart(right, names)
            case ast.BoolOp(values=values):
                return all(self._is_apart(one, names) for one in values)
            case ast.Compare(left=left, comparators=others):
                return all(self._is_apart(one, names) for one in [left, *others])
            case ast.UnaryOp(operand=inner):
                return self._is_apart(inner, names)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return all(self._is_apart(one, names) for one in (test, body, orelse))
            case _:
                return False

    def _target(self, node: ast.expr, given: Value, own: dict[Origin, int], world: World) -> Target | Refused | None:
        """The target that a value is; None: it holds objects in a way for which there is no form."""
        name = node.id if isinstance(node, ast.Name) else ""
        if self._after and any(isinstance(one, Unbound) for one in given):
            return Refused(f"`{name}` may not be bound yet where the block ends", "give it a value before the block")
        alternatives = [one for one in given if not isinstance(one, (Nothing, Unbound))]
        optional = any(isinstance(one, Nothing) for one in given)
        singles = [one for one in alternatives if isinstance(one, One)]
        lists = [one for one in alternatives if isinstance(one, Many)]
        empty = [one for one in alternatives if one == Pack(())]
        others: list[Alternative] = [
            one for one in alternatives if one not in empty and not isinstance(one, (One, Many))
        ]
        if others:
            if singles or lists or any(isinstance(one, (Plain, Unknown, Row)) for one in others):
                return Refused("what is returned may be an entity or something else", "split the returns")
            return None
        if lists and (singles or optional):
            return Refused("what is returned may be a list or something else", "split the returns")
        if any(one.lazy for one in lists):
            return Refused(
                "a generator is returned: its rows are read after the block", "make it a list before the return"
            )
        held = objects(value(*alternatives))
        classes = {one.class_ for one in held}
        if None in classes or any(one.origin not in own for one in held):
            return Refused("what is returned may be an entity of this session or something else")
        class_ = _topmost({one for one in classes if one is not None}, self.project)
        if class_ is None:
            return None
        if lists:
            element = [one for many in lists for one in many.element]
            if not all(isinstance(one, (One, Nothing)) for one in element):
                if any(isinstance(one, (One, Plain, Unknown)) for one in element):
                    return Refused("what is returned may hold entities and something else")
                return None
            alone = expunge_reaches(class_, self.project)
            gaps = any(isinstance(one, Nothing) for one in element)
            guarded = gaps or any(one.doubled for one in lists) or alone is None or class_ in alone
            return Target(name, class_, True, False, guarded or self._is_doubtful(held, world))
        known = mapped(class_, self.project)
        exact = known is None or known.own_truth
        return Target(name, class_, False, optional, self._is_doubtful(held, world), exact)

    def _is_doubtful(self, held: set[One], world: World) -> bool:
        """Whether one of the objects may be out of the session already, or never have been in it."""
        for one in held:
            standing = world.standing(one.origin)
            if one.names or standing.may_be_expunged or not standing.attached:
                return True
        return False

    def _fit(self, result: Leaving, own: dict[Origin, int]) -> None:
        """Several values: none may take another one along, or be another one."""
        targets = result.targets
        if len(targets) > 2:
            result.everything = True
        for one in targets:
            for other in targets:
                if one is other:
                    continue
                reached = expunge_reaches(one.class_, self.project)
                if reached is None or other.class_ in reached:
                    result.everything = True
        if not result.everything and len(targets) == 2 and _are_kin(targets[0].class_, targets[1].class_, self.project):
            result.targets = [Target(one.name, one.class_, one.many, one.optional, True, one.exact) for one in targets]


def _copied(node: ast.expr) -> ast.Name | None:
    """The name of the list that `list(users)` copies."""
    match node:
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[ast.Name() as inner], keywords=[]):
            return inner
    return None


def _topmost(classes: set[ClassMeaning], project: Project) -> ClassMeaning | None:
    """The only class, or the one that all the others are below of."""
    if len(classes) == 1:
        return next(iter(classes))
    for one in classes:
        if all(other == one or _is_below(other, one, project) for other in classes):
            return one
    return None


def _is_below(one: ClassMeaning, other: ClassMeaning, project: Project) -> bool:
    known = mapped(one, project)
    return known is not None and other in known.parents


def _are_kin(one: ClassMeaning, other: ClassMeaning, project: Project) -> bool:
    return one == other or _is_below(one, other, project) or _is_below(other, one, project)
