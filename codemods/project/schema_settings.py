"""The settings of a schema that decide what is read of objects, inherited ones included. Asks `Project`; pure."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from codemods.project.expressions import OPAQUE
from codemods.project.facts import Call, Expression, Literal, Mapping
from codemods.project.link import Place, Project
from codemods.project.mapping_definitions import definition, literal
from codemods.project.mapping_names import SQLMODEL
from codemods.project.schema_classes import SchemaClasses, is_in_view, outside, plain
from codemods.project.sessions import ClassMeaning, External

Settings = dict[str, object]  # what is set, Ellipsis where it cannot be told; "" when there may be more
_GENERATORS = frozenset({"pydantic.alias_generators.to_camel", "pydantic.alias_generators.to_pascal"})
_REMEMBERED: WeakKeyDictionary[Project, dict[ClassMeaning, Settings]] = WeakKeyDictionary()


class SchemaSettings:
    """The settings of the schemas of one project."""

    def __init__(self, classes: SchemaClasses) -> None:
        self.classes = classes
        self._project = classes.project
        self._known = _REMEMBERED.setdefault(self._project, {})

    def settings(self, class_: ClassMeaning, around: tuple[ClassMeaning, ...] = ()) -> Settings:
        """The settings that decide what is read, inherited ones included."""
        class_ = plain(class_)
        if class_ in self._known:
            return self._known[class_]
        found: Settings = {}
        facts = self._project.class_facts(class_)
        if facts is None or class_ in around:
            return found
        around_it = outside(class_)
        for written in facts.bases:
            means = self._project.meaning(written, around_it)
            if isinstance(means, ClassMeaning):
                self._join(found, self.settings(means, (*around, class_)))
            elif isinstance(means, External) and means.dotted in SQLMODEL:
                self._join(found, {"from_attributes": True})
            elif not isinstance(means, External) or not is_in_view(means.dotted):
                self._join(found, {"": ...})
        found |= self._own_settings(class_)
        for key, value in facts.keywords:
            is_generator = key == "alias_generator"
            found[key] = self._generator(value, around_it) if is_generator else literal(value, around_it, self._project)
        if not around:
            self._known[class_] = found
        return found

    def _join(self, found: Settings, other: Settings) -> None:
        """Adds what one more base says. Which of two bases wins depends on the version of pydantic."""
        for key, value in other.items():
            found[key] = value if found.get(key, value) == value else ...

    def _own_settings(self, class_: ClassMeaning) -> Settings:
        found: Settings = {}
        for attribute in self.classes.attributes(class_):
            if attribute.name == "model_config":
                found |= self._dict(attribute.value, Place(class_.module, class_.qualname))
            elif attribute.name == "Config":
                means = self._project.meaning(attribute.value, outside(class_))
                found |= self._config_class(means) if isinstance(means, ClassMeaning) else {"": ...}
        config = ClassMeaning(class_.module, f"{class_.qualname}.Config")
        if self._project.class_facts(config) is not None:
            found |= self._config_class(config)
        return found

    def _dict(self, value: Expression, place: Place) -> Settings:
        """`ConfigDict(from_attributes=True)`, `{"from_attributes": True}`, or a name for one."""
        made = definition(value, place, self._project)
        node, here = (made.expression, made.place) if made else (value, place)
        if isinstance(node, Mapping):
            pairs: list[tuple[object, Expression]] = list(node.items)
        elif isinstance(node, Call):
            pairs = list(node.keywords)
            if node.arguments:
                pairs.append((None, OPAQUE))
        else:
            return {"": ...}
        found: Settings = {}
        for key, given in pairs:
            if not isinstance(key, str):
                found[""] = ...  # `**DEFAULTS`
            elif key == "alias_generator":
                found[key] = self._generator(given, here)
            else:
                found[key] = literal(given, here, self._project)
        return found

    def _config_class(self, class_: ClassMeaning) -> Settings:
        found: Settings = {}
        for base in reversed(self.classes.order(class_)):
            if not isinstance(base, ClassMeaning):
                if not is_in_view(base.dotted):
                    found[""] = ...
                continue
            place = Place(base.module, base.qualname)
            for attribute in self.classes.attributes(base):
                if attribute.name == "alias_generator":
                    found["alias_generator"] = self._generator(attribute.value, place)
                else:
                    found[attribute.name] = literal(attribute.value, place, self._project)
            for method in self.classes.methods(base):
                found[method.name] = ...
        return found

    def _generator(self, node: Expression, place: Place) -> object:
        """What makes the aliases that are read: None, the dotted name of it, or Ellipsis."""
        if node == Literal(None):
            return None
        if isinstance(node, Call):
            means = self._project.meaning(node.function, place)
            if isinstance(means, External) and means.dotted.endswith(".AliasGenerator"):
                given = node.keyword("validation_alias") or node.keyword("alias")
                if given is not None:
                    return self._generator(given, place)
                return ... if node.arguments or node.has_double_star else None
            return ...
        means = self._project.meaning(node, place)
        return means.dotted if isinstance(means, External) and means.dotted in _GENERATORS else ...
