"""Engines whose options come from a configuration file: they are only reported. Decides only."""

from __future__ import annotations

import ast

from codemods.flow.call_options import Options
from codemods.flow.scope import Scope
from codemods.plan import Examined
from codemods.project.expressions import shown
from codemods.rules.engine_pool.look import Look
from codemods.rules.engine_pool.missing import wanted

_PREFIX = "sqlalchemy."


def examine_from_config(look: Look, call: ast.Call, scope: Scope, options: Options) -> Examined:
    """What is told of `engine_from_config(configuration, prefix)`: keywords override the file, so none is added."""
    lacking = [name for name in wanted(look.view) if options.get(name) is None]
    if not lacking:
        return look.right(call, scope, "the pool's settings are there")
    prefix = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "prefix"), None)
    if prefix is None:
        where = f"`{_PREFIX}`"
    elif isinstance(prefix, ast.Constant) and isinstance(prefix.value, str):
        where = f"`{prefix.value}`"
    else:
        where = f"what `{shown(prefix)}` is"
    reason = f"its options come from the configuration, under {where}; not among the arguments: {', '.join(lacking)}"
    advice = "set them in the configuration: an argument would override it"
    return look.left_alone(call, scope, reason, advice, undecided=True)
