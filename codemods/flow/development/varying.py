"""Whether a field can be one thing in development and another in production. Reads trees."""

from __future__ import annotations

import ast

from codemods.flow.development.fields import Field
from codemods.flow.development.given import asks
from codemods.project.link import Project
from codemods.project.sessions import ClassMeaning, External

_PLAIN_BASES = frozenset({"builtins.object", "abc.ABC", "typing.Protocol", "typing.Generic"})


def may_vary(one: Field, project: Project) -> bool:
    """Whether what the field is given is not the same everywhere: it is computed, or read from the environment."""
    if one.is_property or one.value is None:
        return True
    if not one.on_class:  # `self.environment = environment`
        return not isinstance(one.value, ast.Constant)
    return asks(one.value, one.place, project)


def is_made_from_outside(class_: ClassMeaning, project: Project) -> bool:
    """Whether objects of the class get their fields from who makes them: pydantic's models, dataclasses."""
    for base in project.bases(class_):
        if isinstance(base, External):
            if base.dotted not in _PLAIN_BASES:
                return True
        elif (facts := project.class_facts(base)) is not None and facts.decorators:
            return True
    return False
