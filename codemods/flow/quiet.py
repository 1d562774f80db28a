"""Calls that look at a session and let go of it. Reads; decides nothing."""

from __future__ import annotations

import ast

from codemods.project.expressions import LOG_METHODS, expression, is_logging
from codemods.project.sessions import External, Meaning

_QUIET_BUILTINS = frozenset({"print", "repr", "str", "id", "type", "isinstance", "hasattr", "getattr", "bool", "hash"})


def is_quiet(called: Meaning, call: ast.Call) -> bool:
    """Builtins that look at a value and let go of it, `sqlalchemy.inspect`, and calls of a logger."""
    if isinstance(called, External):
        module, _, last = called.dotted.rpartition(".")
        if (module == "builtins" and last in _QUIET_BUILTINS) or (module == "logging" and last in LOG_METHODS):
            return True
        if called.dotted.startswith("sqlalchemy.inspect"):
            return True
    return is_logging(expression(call.func))
