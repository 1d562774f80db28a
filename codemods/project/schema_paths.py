"""The relationships of a mapped class along which a schema reads, what of it cannot be told. Asks `Project`; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from codemods.project.link import Project
from codemods.project.mapped_classes import mapped
from codemods.project.mapping import Mapped
from codemods.project.schema_fields import SchemaField, SchemaFields
from codemods.project.sessions import ClassMeaning

_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class ReadPath:
    """Relationships that are read one after another. `path` and `line` are those of the schema's field."""

    names: tuple[str, ...]
    path: str
    line: int
    recursive: bool = False  # the schema reads on in the same way, as deep as the objects go
    surely: bool = True


@dataclass(frozen=True, slots=True)
class Untold:
    """Something that may be read beside the paths, of what `names` lead to (`()`: of the object itself)."""

    names: tuple[str, ...]
    why: str
    path: str
    line: int
    computed: bool = False  # code that is not followed: a hybrid or property of the class, the validator of a field


class Walk:
    """Follows one schema along the relationships of a mapped class."""

    def __init__(self, fields: SchemaFields, project: Project) -> None:
        self._fields = fields
        self._classes = fields.classes
        self._project = project
        self.paths: dict[tuple[str, ...], ReadPath] = {}
        self.untold: list[Untold] = []

    def step(
        self,
        schema: ClassMeaning,
        class_: ClassMeaning,
        front: tuple[str, ...],
        surely: bool,
        around: tuple[tuple[ClassMeaning, ClassMeaning], ...],
    ) -> None:
        """Adds what one schema reads of an object of one class, to which the relationships `front` have led."""
        one = mapped(class_, self._project)
        if one is None:
            facts = self._project.class_facts(class_)
            line = facts.line if facts else 0
            self._tell(Untold(front, f"`{class_.qualname}` is not known to be mapped", class_.module, line))
            return
        around = (*around, (schema, class_))
        whole, _ = self._fields.validators.taken_over(schema)
        if whole and _may_relate(one):
            facts = self._project.class_facts(schema)
            self._tell(Untold(front, whole, schema.module, facts.line if facts else 0))
        for each in self._fields.fields(schema):
            self._field(each, one, front, surely, around)

    def _field(
        self,
        each: SchemaField,
        one: Mapped,
        front: tuple[str, ...],
        surely: bool,
        around: tuple[tuple[ClassMeaning, ClassMeaning], ...],
    ) -> None:
        if each.name is None and each.unknown and _may_relate(one):
            self._tell(Untold(front, each.unknown, each.path, each.line))
        name = next((name for name in each.names if self._has(one, name)), None)
        if name is None:
            if one.may_relate_more and each.names:
                why = f"`{each.names[0]}` of `{one.class_.qualname}` may be a relationship that is not in view"
                self._tell(Untold(front, why, each.path, each.line))
            return
        if name != each.names[0] and one.unknown:
            surely = False  # the object may have the first name, too
        surely = surely and each.surely
        steps, target = self._steps(one, name, front, each)
        if not steps:
            return
        for length in range(1, len(steps) + 1):
            self._add(ReadPath((*front, *steps[:length]), each.path, each.line, surely=surely))
        names = (*front, *steps)
        if each.name is not None and each.unknown:
            self._tell(Untold(names, each.unknown, each.path, each.line))
        if each.validator:
            self._tell(Untold(names, each.validator, each.path, each.line, computed=True))
        for nested in each.nested if target is not None else ():
            if target is None:
                continue
            if (nested, target) in around or len(names) >= _DEEPEST:
                self._add(ReadPath(names, each.path, each.line, recursive=True, surely=surely))
            else:
                self.step(nested, target, names, surely and each.nested_surely, around)

    def _steps(
        self, one: Mapped, name: str, front: tuple[str, ...], each: SchemaField, depth: int = 0
    ) -> tuple[tuple[str, ...], ClassMeaning | None]:
        """The relationships that reading an attribute goes along, and the class that the last one leads to."""
        if name in one.relationships:
            relationship = one.relationships[name]
            if relationship.target is None and (each.nested or depth):
                self._tell(Untold((*front, name), relationship.unresolved, each.path, each.line))
            return (name,), relationship.target
        if name in one.synonyms:
            of = one.synonyms[name]
            if of and depth < 4:
                return self._steps(one, of, front, each, depth + 1)
            self._tell(Untold(front, f"what `{name}` is a synonym of cannot be told", each.path, each.line))
        elif name in one.proxies:
            proxy = one.proxies[name]
            steps, target = self._steps(one, proxy.through, front, each, depth + 1) if depth < 4 else ((), None)
            if not proxy.through or not steps:
                self._tell(Untold(front, f"what `{name}` is a proxy of cannot be told", each.path, each.line))
                return (), None
            further = mapped(target, self._project) if target is not None else None
            if further is None:
                return steps, None
            if not proxy.attribute:
                why = f"which attribute `{name}` is a proxy of cannot be told"
                self._tell(Untold((*front, *steps), why, each.path, each.line))
                return steps, None
            more, end = self._steps(further, proxy.attribute, (*front, *steps), each, depth + 1)
            return (*steps, *more), end
        elif name in one.hybrids or self._is_method(one, name):
            why = f"`{name}` of `{one.class_.qualname}` is computed, and may read relationships"
            self._tell(Untold(front, why, each.path, each.line, computed=True))
        elif any(known.name == name and not known.only_columns for known in one.unknown):
            why = next(known.why for known in one.unknown if known.name == name)
            self._tell(Untold(front, why, each.path, each.line))
        return (), None

    def _has(self, one: Mapped, name: str) -> bool:
        """Whether an instance has an attribute of the name, as far as is in view."""
        groups = (one.columns, one.relationships, one.hybrids, one.proxies, one.synonyms, one.column_properties)
        if any(name in group for group in groups) or any(known.name == name for known in one.unknown):
            return True
        if self._is_method(one, name):
            return True
        return any(
            attribute.name == name
            for base in self._classes.order(one.class_)
            if isinstance(base, ClassMeaning) and (facts := self._project.class_facts(base)) is not None
            for attribute in facts.attributes
        )

    def _is_method(self, one: Mapped, name: str) -> bool:
        return any(
            method.name == name
            for base in self._classes.order(one.class_)
            if isinstance(base, ClassMeaning)
            for method in self._classes.methods(base)
        )

    def _add(self, path: ReadPath) -> None:
        known = self.paths.get(path.names)
        if known is not None:
            first = known if known.surely or not path.surely else path
            path = replace(first, recursive=known.recursive or path.recursive)
        self.paths[path.names] = path

    def _tell(self, one: Untold) -> None:
        if not any((known.names, known.why) == (one.names, one.why) for known in self.untold):
            self.untold.append(one)


def _may_relate(one: Mapped) -> bool:
    return bool(one.relationships or one.proxies or one.may_relate_more)
