"""Whether something that holds a session is one step away from it: a list or an object with the holder in it. Reads."""

from __future__ import annotations

import ast

from codemods.flow.lifetime import Lifetime
from codemods.flow.reaching import bindings_of
from codemods.flow.values import Carry

_DISPLAYS = (ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple, ast.GeneratorExp)


def contains_holder(life: Lifetime, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
    """`[repo]`, `{"repo": repo}`, `Deps(repo)`, or a name of one; not `repo`, nor `Repo(session)`.

    Asked of what is known to hold the session.
    """
    assert life.values is not None
    values = life.values
    match node:
        case ast.Name(id=name) if name not in seen:
            bound = [getattr(one, "value", None) for one in bindings_of(life.scope, name)]
            return any(isinstance(one, ast.expr) and contains_holder(life, one, seen | {name}) for one in bound)
        case ast.Call(args=arguments, keywords=keywords):
            given = [*arguments, *(keyword.value for keyword in keywords)]
            return any(values.carry(one) is Carry.HOLDER and not values.is_session(one) for one in given)
        case ast.Await(value=inner) | ast.NamedExpr(value=inner):
            return contains_holder(life, inner, seen)
        case ast.IfExp(body=body, orelse=orelse):
            return contains_holder(life, body, seen) or contains_holder(life, orelse, seen)
        case _:
            return isinstance(node, _DISPLAYS)
