"""A plan as JSON and back. Touches nothing.

A reader of its own: importing one of the libraries for that would take longer than all else that a remembered run does.
Values of `plan` are objects with one key, their type's name, and the list of their fields; a tuple is a list. Only the
types of `plan` are ever made.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
from typing import Any

from codemods import plan as values
from codemods.plan import Plan

_CLASSES = {name: one for name, one in vars(values).items() if isinstance(one, type) and dataclasses.is_dataclass(one)}
_FIELDS = {one: tuple(field.name for field in dataclasses.fields(one)) for one in _CLASSES.values()}
_ENUMS = {name: one for name, one in vars(values).items() if isinstance(one, type) and issubclass(one, enum.Enum)}


def dump(plan: Plan) -> str:
    """The plan as JSON. Groups that stand in several places are written where they come first, and named by their place
    elsewhere. Raises TypeError for a value that no plan holds."""
    place = {group.id: at for at, group in enumerate(plan.groups)}
    changes = [
        [change.path, _plain(change.before), _plain(change.after), [place[group.id] for group in change.groups]]
        for change in plan.changes
    ]
    fields = {name: _plain(getattr(plan, name)) for name in _FIELDS[Plan] if name not in ("changes", "hashes")}
    return json.dumps({"fields": fields, "changes": changes, "hashes": plan.hashes})


def parse(text: str) -> Plan:
    """The plan again. Raises ValueError, KeyError or TypeError for what `dump` did not write."""
    found = json.loads(text)
    fields = {name: _value(value) for name, value in found["fields"].items()}
    groups = fields["groups"]
    changes = tuple(
        values.Change(path, _value(before), _value(after), tuple(groups[at] for at in made))
        for path, before, after, made in found["changes"]
    )
    return Plan(**fields, changes=changes, hashes=found["hashes"])


def _plain(value: object) -> Any:
    match value:
        case enum.Enum():
            return {type(value).__name__: value.value}
        case None | bool() | int() | str():
            return value
        case tuple():
            return [_plain(one) for one in value]
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
    kind: Any = type(value)
    if (names := _FIELDS.get(kind)) is None:
        raise TypeError(f"{type(value).__name__} in a plan")
    return {kind.__name__: [_plain(getattr(value, name)) for name in names]}


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(map(_value, plain))
    if not isinstance(plain, dict):
        return plain
    ((name, inner),) = plain.items()
    if name == "bytes":
        return base64.b64decode(inner)
    if name in _ENUMS:
        return _ENUMS[name](inner)
    return _CLASSES[name](*map(_value, inner))
