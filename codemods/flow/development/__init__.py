"""How the settings of a project tell that it runs in development: `settings.environment == "development"`.

Told is only what the code shows: a field or property of the settings that is true in development, or a field that holds
the name of the environment together with the word for development that a default, a type or a comparison shows. Which
fields these are is a matter of names; which object they belong to is resolved by definition. `debug` says less: it
counts only on the settings that the URL of the database is read from, or that hold it. Reads trees.
"""

from __future__ import annotations

import ast

from codemods.flow.development.fields import Trees
from codemods.flow.development.here import Here, Sign
from codemods.flow.development.signs import ProjectSign, Signs
from codemods.flow.scope import Scope
from codemods.project.link import Project

__all__ = ["ProjectSign", "Sign", "at", "of_project"]


def at(node: ast.expr, scope: Scope, trees: Trees) -> Sign | None:
    """The sign that can be written where the expression `node` stands, the URL of an engine or what holds it.

    None when the code shows none, when there are several that do not agree, and when it cannot be named there.
    """
    return Here(node, scope, Signs(scope.project, trees)).found()


def of_project(project: Project, trees: Trees) -> tuple[ProjectSign, ...]:
    """Everything of the project that tells development, tests apart: the best sign first, then by path and name."""
    return tuple(Signs(project, trees).of_project())
