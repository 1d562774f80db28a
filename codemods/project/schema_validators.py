"""What of a schema gets the object, or the value of a field, before pydantic reads it. Asks `Project`; pure."""

from __future__ import annotations

from codemods.project.facts import Call, Expression, Name
from codemods.project.link import Place
from codemods.project.mapping_definitions import literal
from codemods.project.schema_classes import outside
from codemods.project.schema_settings import SchemaSettings
from codemods.project.sessions import ClassMeaning, External

_FIELD_VALIDATORS = frozenset({"field_validator", "validator"})
_MODEL_VALIDATORS = frozenset({"model_validator", "root_validator"})
_OWN_READING = frozenset({"__get_pydantic_core_schema__", "__get_validators__", "from_orm", "validate", "__new__"})


class SchemaValidators:
    """The validators of the schemas of one project that run first."""

    def __init__(self, settings: SchemaSettings) -> None:
        self._settings = settings
        self.classes = settings.classes
        self._project = self.classes.project

    def taken_over(self, class_: ClassMeaning) -> tuple[str, dict[str, str]]:
        """What of the schema gets the object before it is read, "" for nothing; what gets the value of which field."""
        whole, fields = "", dict[str, str]()
        for base in self.classes.order(class_):
            if not isinstance(base, ClassMeaning):
                continue
            around_it = outside(base)
            validators: list[tuple[str, Expression]] = []
            for method in self.classes.methods(base):
                is_method = not any(decorator == Name("classmethod") for decorator in method.decorators)
                if method.name in _OWN_READING and not (is_method and method.name in ("from_orm", "validate")):
                    whole = whole or f"`{method.name}` of the schema may read in its own way"
                validators += [(method.name, decorator) for decorator in method.decorators]
            for attribute in self.classes.attributes(base):
                if isinstance(attribute.value, Call) and isinstance(attribute.value.function, Call):
                    validators.append((attribute.name, attribute.value.function))
            for name, decorator in validators:
                taken, names = self._validator(decorator, around_it)
                if taken:
                    whole = whole or f"`{name}` of the schema gets the object before it is read"
                for one in sorted(names):
                    fields.setdefault(one, f"`{name}` of the schema gets it before it is read")
        if self._settings.settings(class_).get("getter_dict") is not None:
            whole = whole or "the `getter_dict` of its settings reads in its own way"
        return whole, fields

    def _validator(self, decorator: Expression, place: Place) -> tuple[bool, frozenset[str]]:
        """Whether it takes over the model; the fields that it takes over, "*" among them for all."""
        call = decorator if isinstance(decorator, Call) else Call(decorator)
        means = self._project.meaning(call.function, place)
        name = means.dotted.rpartition(".")[2] if isinstance(means, External) else ""
        if not isinstance(means, External) or means.dotted.partition(".")[0] not in ("pydantic", "sqlmodel"):
            return False, frozenset()
        mode = call.keyword("mode")
        pre = call.keyword("pre")
        told = {literal(one, place, self._project) for one in (mode, pre) if one is not None}
        if call.has_double_star:
            told.add(...)
        takes_over = bool(told & {"before", "wrap", "plain", True, ...})
        if name in _MODEL_VALIDATORS:
            return takes_over, frozenset()
        if name in _FIELD_VALIDATORS and takes_over:
            names = [literal(one, place, self._project) for one in call.arguments]
            return False, frozenset(one if isinstance(one, str) else "*" for one in names)
        return False, frozenset()
