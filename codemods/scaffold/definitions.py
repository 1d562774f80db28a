"""Where a file of the project defines a name at its top level. Reads only."""

from __future__ import annotations

import ast

from codemods.flow.reaching import binds_directly
from codemods.flow.scope import inside
from codemods.scaffold.look import Look


def first_line_of(look: Look, path: str, name: str) -> int:
    """The line of the first statement at the top level that binds the name; 1 when there is none."""
    return next((one.lineno for one in _binding(look, path, name)), 1)


def last_line_of(look: Look, path: str, name: str) -> int:
    """The line on which the last statement ends that binds the name at the top level; 0 when there is none."""
    return max((one.end_lineno or one.lineno for one in _binding(look, path, name)), default=0)


def _binding(look: Look, path: str, name: str) -> list[ast.stmt]:
    return [one for one in look.tree(path).body if any(binds_directly(inner, name) for inner in inside(one))]
