"""From a returned value to what is expunged, and in which form: rules 11 to 13 of the semantics. Edits nothing."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from codemods.flow.objects.record import Record
from codemods.flow.objects.values import Many, Nothing, One, Pack, Plain, Row, Unbound, Unknown, Value, objects, value
from codemods.flow.objects.world import World
from codemods.flow.scope import Scope
from codemods.project.link import Project
from codemods.project.mapped_cascades import expunge_reaches
from codemods.project.mapped_classes import are_kin, is_below, mapped
from codemods.project.sessions import ClassMeaning
from codemods.rules.expunge_return.apart import is_apart
from codemods.rules.expunge_return.forms import Target, plural, singular
from codemods.rules.expunge_return.origins import own_origins
from codemods.rules.expunge_return.refusals import Refused, never_added, unfit, untold


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


class Targets:
    """Answers for one `return`.

    `given` is what it returns, `world` says how things stand where the lines go. `after`: the value is returned after
    the block, and the lines go to its end.
    """

    def __init__(
        self, scope: Scope, project: Project, record: Record, given: Value, world: World, *, after: bool = False
    ) -> None:
        self._scope = scope
        self._project = project
        self._record = record
        self._given = given
        self._world = world
        self._after = after
        self._own = own_origins(given, record)

    def leaving(self, node: ast.expr) -> Leaving | Refused:
        """What has to be expunged before the value of the expression leaves."""
        refused = (
            untold(self._given, self._record)
            or never_added(self._given, self._record, self._world, self._project)
            or unfit(self._own, self._world)
        )
        if refused is not None:
            return refused
        result = Leaving(changed=max((self._world.standing(origin).changed for origin in self._own), default=0))
        refused = self._shape(node, result)
        if refused is not None:
            return refused
        self._fit(result)
        return result

    # --- what is returned ----------------------------------------------------------------------------------------

    def _shape(self, node: ast.expr, result: Leaving) -> Refused | None:
        match node:
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) if not any(
                isinstance(part, ast.Starred) for part in parts
            ):
                return self._display(parts, result)
            case ast.Dict(keys=keys, values=parts):
                return self._display([*parts, *(key for key in keys if key is not None)], result)
        given, names = self._given, self._world.names
        inner = copied(node)
        if inner is not None and objects(names.get(inner.id, frozenset())) == objects(given):
            node, given = inner, names[inner.id]
        found = self._target(node, given)
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

    def _display(self, parts: Sequence[ast.expr], result: Leaving) -> Refused | None:
        held = self._world.names
        names = {name for name in held if self._own.keys() & {one.origin for one in objects(held[name])}}
        for node in parts:
            part = copied(node) or node
            if isinstance(part, ast.Name) and part.id in names:
                found = self._target(part, held[part.id])
                if isinstance(found, Refused):
                    return found
                if found is None:
                    result.everything = True
                elif all(found.name != other.name for other in result.targets):
                    result.targets.append(found)
            elif not is_apart(part, names, self._scope):
                # it has to be put together before anything is expunged
                result.everything, result.name_it = True, "found"
        if not result.targets and not result.everything:
            result.everything, result.name_it = True, "found"
        if result.name_it and self._after:
            return Refused("what is returned is put together after the block", "name it inside of the block")
        return None

    # --- one value -----------------------------------------------------------------------------------------------

    def _target(self, node: ast.expr, given: Value) -> Target | Refused | None:
        """The target that a value is; None: it holds objects in a way for which there is no form."""
        name = node.id if isinstance(node, ast.Name) else ""
        if self._after and any(isinstance(one, Unbound) for one in given):
            return Refused(f"`{name}` may not be bound yet where the block ends", "give it a value before the block")
        alternatives = [one for one in given if not isinstance(one, (Nothing, Unbound))]
        optional = any(isinstance(one, Nothing) for one in given)
        singles = [one for one in alternatives if isinstance(one, One)]
        lists = [one for one in alternatives if isinstance(one, Many)]
        others = [one for one in alternatives if one != Pack(()) and not isinstance(one, (One, Many))]
        if others:
            if singles or lists or any(isinstance(one, (Plain, Unknown, Row)) for one in others):
                reason = "what is returned may be an entity or something else"
                return Refused(reason, "split the returns", undecided=True)
            return None
        if lists and (singles or optional):
            return Refused("what is returned may be a list or something else", "split the returns")
        if any(one.lazy for one in lists):
            return Refused(
                "a generator is returned: its rows are read after the block", "make it a list before the return"
            )
        held = objects(value(*alternatives))
        classes = {one.class_ for one in held}
        if None in classes or any(one.origin not in self._own for one in held):
            return Refused("what is returned may be an entity of this session or something else", undecided=True)
        class_ = _topmost({one for one in classes if one is not None}, self._project)
        if class_ is None:
            return None
        if lists:
            found = self._list(name, class_, lists, guarded=self._is_doubtful(held))
            return replace(found, without_none=True) if isinstance(found, Target) and leaves_out_none(node) else found
        known = mapped(class_, self._project)
        exact = known is None or known.own_truth
        return Target(name, class_, many=False, optional=optional, guarded=self._is_doubtful(held), exact=exact)

    def _list(self, name: str, class_: ClassMeaning, lists: list[Many], *, guarded: bool) -> Target | Refused | None:
        """The target that a list is. A plain loop raises where it meets None, or an object that is out already."""
        elements = [one for many in lists for one in many.element]
        if not all(isinstance(one, (One, Nothing)) for one in elements):
            if any(isinstance(one, (One, Plain, Unknown)) for one in elements):
                return Refused("what is returned may hold entities and something else", undecided=True)
            return None
        alone = expunge_reaches(class_, self._project)
        guarded = guarded or any(isinstance(one, Nothing) for one in elements) or any(one.doubled for one in lists)
        guarded = guarded or alone is None or class_ in alone
        return Target(name, class_, many=True, optional=False, guarded=guarded)

    def _is_doubtful(self, held: set[One]) -> bool:
        """Whether one of the objects may be out of the session already, or never have been in it."""
        for one in held:
            standing = self._world.standing(one.origin)
            if one.names or standing.may_be_expunged or not standing.attached:
                return True
        return False

    # --- several values ------------------------------------------------------------------------------------------

    def _fit(self, result: Leaving) -> None:
        """Several values: none may take another one along, or be another one."""
        targets = result.targets
        if len(targets) > 2:
            result.everything = True
        elif len(targets) == 2:
            for one, other in (targets, reversed(targets)):
                reached = expunge_reaches(one.class_, self._project)
                if reached is None or other.class_ in reached:
                    result.everything = True
        if not result.everything and len(targets) == 2 and are_kin(targets[0].class_, targets[1].class_, self._project):
            result.targets = [replace(one, guarded=True) for one in targets]


def copied(node: ast.expr) -> ast.Name | None:
    """The name of the list that `list(users)` copies."""
    match node:
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[ast.Name() as inner], keywords=[]):
            return inner
    return None


def leaves_out_none(node: ast.expr) -> bool:
    """`[acl.dataset for acl in acls if acl.dataset is not None]`: of names and attributes, so it is the same."""
    if not isinstance(node, ast.ListComp) or len(node.generators) != 1:
        return False
    inner: ast.expr = node.elt
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    if not isinstance(inner, ast.Name):
        return False
    tests = [*node.generators[0].ifs]
    for test in tests:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            tests += test.values
    wanted = f"{ast.unparse(node.elt)} is not None"
    return any(ast.unparse(test) == wanted for test in tests)


def _topmost(classes: set[ClassMeaning], project: Project) -> ClassMeaning | None:
    """The only class, or the one that all the others are below of."""
    if len(classes) == 1:
        return next(iter(classes))
    for one in classes:
        if all(other == one or is_below(other, one, project) for other in classes):
            return one
    return None
