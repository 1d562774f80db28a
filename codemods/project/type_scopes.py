"""What a name in brackets hides: in `def f[T](x: T)` it is nobody else's `T`. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from codemods.project.expressions import OPAQUE
from codemods.project.facts import Expression, Name


def shadowed(node: Expression | None, names: Collection[str]) -> Expression | None:
    """The expression; Opaque where one of the type parameters `names` stands in it, which may be any type."""
    return OPAQUE if names and node is not None and _holds(node, names) else node


def _holds(node: object, names: Collection[str]) -> bool:
    if isinstance(node, Name):
        return node.id in names
    if isinstance(node, tuple):
        return any(_holds(one, names) for one in node)
    if dataclasses.is_dataclass(node):
        return any(_holds(getattr(node, field.name), names) for field in dataclasses.fields(node))
    return False
