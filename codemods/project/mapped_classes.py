"""The mapped classes of a project, each with all that its mapping says. Asks `Project`; pure, remembered per project.

A relationship names its target by a word, and makes an attribute on it by another, in any file. So the first question
reads every file of the project, and answers for all classes at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from codemods.project.expressions import OPAQUE
from codemods.project.facts import Attribute, Call, ClassFacts, Expression, FunctionFacts, Literal, Name, Series
from codemods.project.facts import Mapping as MappingFacts
from codemods.project.link import Place, Project
from codemods.project.mapping import Column, ForeignKey, Mapped, Proxy, Relationship, Unknown
from codemods.project.mapping_bases import Hierarchy, Root
from codemods.project.mapping_definitions import definition, literal
from codemods.project.mapping_fields import (
    Computed,
    Declaration,
    Hybrid,
    RelationshipCall,
    Synonym,
    declarations,
    declared_later,
)
from codemods.project.mapping_names import FOREIGN_KEY_CONSTRAINTS, PRIMARY_KEY_CONSTRAINTS, SQLMODEL, TABLES
from codemods.project.mapping_relationships import (
    Tables,
    backref_of,
    direction_of,
    implied,
    relationship_of,
    target_of,
)
from codemods.project.sessions import ClassMeaning, External

_REMEMBERED: WeakKeyDictionary[Project, dict[ClassMeaning, Mapped]] = WeakKeyDictionary()


def mapped(class_: ClassMeaning, project: Project) -> Mapped | None:
    """What the mapping of a class says; None for a class that is not known to be mapped.

    Bases of a registry, abstract classes, mixins and classes inside of functions are not mapped.
    """
    return all_mapped(project).get(class_)


def all_mapped(project: Project) -> Mapping[ClassMeaning, Mapped]:
    """Every mapped class of the project, in the order of files and of names."""
    known = _REMEMBERED.get(project)
    if known is None:
        known = _Reading(project).all()
        _REMEMBERED[project] = known
    return known


def below(class_: ClassMeaning, project: Project) -> list[ClassMeaning]:
    """The mapped classes that inherit from a mapped class: a SELECT of it may load objects of them, too."""
    return [other for other, one in all_mapped(project).items() if class_ in one.parents]


def is_below(one: ClassMeaning, other: ClassMeaning, project: Project) -> bool:
    """Whether the one class, a mapped one, inherits from the other."""
    known = mapped(one, project)
    return known is not None and other in known.parents


def are_kin(one: ClassMeaning, other: ClassMeaning, project: Project) -> bool:
    """Whether an object may be of both mapped classes: they are the same, or one inherits from the other."""
    return one == other or is_below(one, other, project) or is_below(other, one, project)


@dataclass(slots=True)
class _Class:
    """One mapped class while it is read."""

    class_: ClassMeaning
    facts: ClassFacts
    roots: frozenset[Root]
    is_sqlmodel: bool
    contributors: tuple[ClassMeaning, ...]  # itself, and the bases that are not mapped themselves
    parents: tuple[ClassMeaning, ...]
    untold: tuple[str, ...]
    declared: dict[str, Declaration] = field(default_factory=dict)
    declared_by: dict[str, ClassMeaning] = field(default_factory=dict)
    keys: list[ForeignKey] = field(default_factory=list)
    key_constraint: tuple[str, ...] | None = ()  # what a PrimaryKeyConstraint says; None: it cannot be read
    own_key: bool = True  # `__mapper_args__` says nothing of the primary key
    table: str = ""
    relationships: dict[str, Relationship] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)


class _Reading:
    """Reads all the mapped classes of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._hierarchy = Hierarchy(project)
        self._methods: dict[ClassMeaning, list[FunctionFacts]] = {}
        self._declared: dict[tuple[ClassMeaning, bool], dict[str, Declaration]] = {}
        self._classes: dict[ClassMeaning, _Class] = {}
        self._by_name: dict[str, list[_Class]] = {}

    def all(self) -> dict[ClassMeaning, Mapped]:
        self._read_every_file()
        for path in self._project.symbols.paths():
            facts = self._project.symbols.facts[path]
            for function in facts.functions:
                if function.in_class:
                    self._methods.setdefault(ClassMeaning(path, function.in_class), []).append(function)
        for path in self._project.symbols.paths():
            for class_facts in sorted(self._project.symbols.facts[path].classes, key=lambda one: one.qualname):
                class_ = ClassMeaning(path, class_facts.qualname)
                if self._hierarchy.is_mapped(class_):
                    self._classes[class_] = self._class(class_, class_facts)
        for one in self._classes.values():
            self._by_name.setdefault(one.class_.qualname.rpartition(".")[2], []).append(one)
        self._add_later()
        for one in self._classes.values():
            self._relate(one)
        for one in self._classes.values():
            self._add_backrefs(one)
        found = {class_: self._mapped(one) for class_, one in self._classes.items()}
        truths = {parent for one in found.values() if one.own_truth for parent in one.parents}
        return {class_: replace(one, own_truth=one.own_truth or class_ in truths) for class_, one in found.items()}

    def _read_every_file(self) -> None:
        symbols = self._project.symbols
        for path, name in symbols.names.items():
            if path not in symbols.facts and name.module:
                symbols.module_path(name.module, path)

    # --- one class ---------------------------------------------------------------------------------------------

    def _class(self, class_: ClassMeaning, facts: ClassFacts) -> _Class:
        ancestry = self._hierarchy.ancestry(class_)
        bases = ancestry.project_bases
        parents = tuple(base for base in bases[1:] if self._hierarchy.is_mapped(base))
        above = {base for parent in parents for base in self._hierarchy.ancestry(parent).project_bases}
        untold = set(ancestry.untold)
        for parent in parents:
            untold -= set(self._hierarchy.ancestry(parent).untold)
        one = _Class(
            class_,
            facts,
            ancestry.roots,
            any(isinstance(base, External) and base.dotted in SQLMODEL for base in ancestry.order),
            tuple(base for base in bases if base not in above),
            parents,
            tuple(sorted(untold)),
        )
        for base in one.contributors:
            for name, declared in self._declarations(base, is_sqlmodel=one.is_sqlmodel).items():
                if name not in one.declared:
                    one.declared[name] = declared
                    one.declared_by[name] = base
            self._read_settings(one, base)
        for name in one.untold:
            why = f"it inherits from `{name}`, which is not in view" if name else "one of its bases cannot be told"
            one.unknown.append(Unknown("", why, class_.module, facts.line))
        if not one.table and parents and not one.untold:
            one.table = "="  # the one of its parent
        return one

    def _declarations(self, base: ClassMeaning, *, is_sqlmodel: bool) -> dict[str, Declaration]:
        key = (base, is_sqlmodel)
        if key not in self._declared:
            facts = self._project.class_facts(base)
            methods = tuple(self._methods.get(base, ()))
            self._declared[key] = (
                declarations(base, facts, methods, self._project, is_sqlmodel=is_sqlmodel) if facts else {}
            )
        return self._declared[key]

    def _read_settings(self, one: _Class, base: ClassMeaning) -> None:
        """`__tablename__`, `__table__`, `__table_args__` and `__mapper_args__` of the class or a base of it."""
        facts = self._project.class_facts(base)
        place = Place(base.module, base.qualname.rpartition(".")[0])
        for attribute in facts.attributes if facts else ():
            if attribute.method:
                continue
            if attribute.name == "__tablename__" and not one.table:
                name = literal(attribute.value, place, self._project)
                one.table = name if isinstance(name, str) else "?"
            elif attribute.name == "__table__" and base == one.class_:
                self._read_table(one, attribute.value, place, attribute.line)
            elif attribute.name == "__table_args__":
                self._read_arguments(one, attribute.value, place)
            elif attribute.name == "__mapper_args__":
                self._read_mapper_arguments(one, attribute.value, base.module, attribute.line)
            elif attribute.name == "__sa_dataclass_metadata_key__":
                why = "what it maps stands in the metadata of dataclass fields"
                one.unknown.append(Unknown("", why, base.module, attribute.line))
        for method in self._methods.get(base, ()):
            if method.name == "__tablename__" and not one.table:
                name = literal(method.returns[0], place, self._project) if len(method.returns) == 1 else ...
                one.table = name if isinstance(name, str) else "?"
            elif method.name == "__table_args__":
                for given in method.returns:
                    self._read_arguments(one, given, Place(base.module, method.qualname))
            elif method.name == "__mapper_args__":
                for given in method.returns:
                    self._read_mapper_arguments(one, given, base.module, method.line)

    def _read_mapper_arguments(self, one: _Class, value: Expression, path: str, line: int) -> None:
        """`__mapper_args__`: a key of its own, or properties that stand nowhere else."""
        keys: set[object] | None = None
        if isinstance(value, MappingFacts):
            keys = {key for key, _ in value.items}
        elif isinstance(value, Call) and value.function == Name("dict") and not value.arguments:
            keys = {key for key, _ in value.keywords}
        if keys is None or keys & {"primary_key", "concrete", "properties", None}:
            one.own_key = False
        if keys is None or keys & {"properties", None}:
            one.unknown.append(Unknown("", "its `__mapper_args__` may map more than is in view", path, line))

    def _read_arguments(self, one: _Class, value: Expression, place: Place) -> None:
        """`__table_args__`: constraints, and at the end a dict of options."""
        made = definition(value, place, self._project) if isinstance(value, (Name, Attribute)) else None
        if made is not None:
            value, place = made.expression, made.place
        if isinstance(value, Series):
            for argument in value.elements:
                self._read_constraint(one, argument, place)
        elif not isinstance(value, (MappingFacts, Literal)) and not _is_dict(value):
            one.key_constraint = None

    def _read_constraint(self, one: _Class, argument: Expression, place: Place) -> None:
        if isinstance(argument, (MappingFacts, Literal)):
            return
        if not isinstance(argument, Call):
            one.key_constraint = None  # `*Base.__table_args__`
            return
        means = self._project.meaning(argument.function, place)
        name = means.dotted if isinstance(means, External) else ""
        if name in PRIMARY_KEY_CONSTRAINTS:
            names = self._constraint_columns(Series(argument.arguments), place)
            if names != ():
                one.key_constraint = names
        elif name in FOREIGN_KEY_CONSTRAINTS:
            given = (*argument.arguments, OPAQUE, OPAQUE)
            columns = self._constraint_columns(argument.keyword("columns") or given[0], place)
            targets = self._constraint_columns(argument.keyword("refcolumns") or given[1], place)
            if columns is not None and targets is not None and len(columns) == len(targets):
                for column, target in zip(columns, targets, strict=True):
                    one.keys.append(ForeignKey(column, target.rpartition(".")[0]))

    def _constraint_columns(self, node: Expression, place: Place) -> tuple[str, ...] | None:
        """The columns in `["a", "b"]` or `(a, b)`, by their names; None when one of them cannot be told."""
        if not isinstance(node, Series):
            return None
        names = [one.id if isinstance(one, Name) else literal(one, place, self._project) for one in node.elements]
        texts = tuple(name for name in names if isinstance(name, str))
        return texts if len(texts) == len(names) else None

    def _read_table(self, one: _Class, value: Expression, place: Place, line: int) -> None:
        """`__table__ = Table("users", metadata, Column("id", ...))`, written there or under a name."""
        made = definition(value, place, self._project) if not isinstance(value, Call) else None
        call, here = (made.expression, made.place) if made else (value, place)
        means = self._project.meaning(call.function, here) if isinstance(call, Call) else None
        if isinstance(call, Call) and isinstance(means, External) and means.dotted in TABLES:
            name = literal(call.arguments[0], here, self._project) if call.arguments else ...
            one.table = name if isinstance(name, str) else "?"
            for key, column in declared_later(call.arguments[1:], here, line, self._project):
                one.declared.setdefault(key, column)
                one.declared_by.setdefault(key, one.class_)
        else:
            one.table = "?"
        # what `Table` gives a name to, autoloads or is handed in other ways is not followed
        why = "its `__table__` may have more columns than are in view"
        one.unknown.append(Unknown("", why, one.class_.module, line, only_columns=True))

    def _add_later(self) -> None:
        """`User.posts = relationship(...)`, after the class."""
        symbols = self._project.symbols
        for path in symbols.paths():
            for replaced in symbols.facts[path].replaced:
                if not isinstance(replaced.value, Call) or not isinstance(replaced.target, Attribute):
                    continue
                place = Place(path)
                means = self._project.meaning(replaced.target.value, place)
                one = self._classes.get(means) if isinstance(means, ClassMeaning) else None
                if one is None:
                    continue
                name = replaced.target.name
                given = declared_later((replaced.value,), place, replaced.line, self._project, name)
                for key, declared in given:
                    one.declared[key] = declared
                    one.declared_by[key] = one.class_

    # --- relationships -----------------------------------------------------------------------------------------

    def _columns(self, one: _Class) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for other in [*(self._classes[parent] for parent in reversed(one.parents)), one]:
            for name, declared in other.declared.items():
                if isinstance(declared, Column):
                    columns[name] = declared
                else:
                    columns.pop(name, None)
        return columns

    def _tables(self, class_: ClassMeaning) -> Tables:
        one = self._classes[class_]
        family = [one, *(self._classes[parent] for parent in one.parents)]
        references = {
            (key.column, key.table) for column in self._columns(one).values() for key in column.foreign_keys
        } | {(key.column, key.table) for other in family for key in other.keys}
        return Tables(
            class_,
            frozenset(other.table for other in family if other.table not in ("", "?", "=")),
            frozenset(other.class_ for other in family),
            frozenset((column, table) for column, table in references if table),
        )

    def _relate(self, one: _Class) -> None:
        for name, declared in one.declared.items():
            if not isinstance(declared, RelationshipCall):
                continue
            target = target_of(declared, self._project, lambda text, place: self._find(text, place, one))
            if isinstance(target, ClassMeaning) and target not in self._classes:
                target = f"`{target.qualname}` is not known to be mapped"
            direction = None
            if isinstance(target, ClassMeaning):
                owner_tables, target_tables = self._tables(one.class_), self._tables(target)
                direction = direction_of(declared, owner_tables, target_tables, self._columns(one), self._project)
            one.relationships[name] = relationship_of(declared, target, direction, self._project)

    def _find(self, text: str, place: Place, owner: _Class) -> ClassMeaning | str:
        """The class that a word names among those of the owner's registry."""
        candidates = self._candidates(text, owner)
        if len(candidates) > 1:
            candidates = self._narrowed(candidates, text, place)
        if len(candidates) == 1:
            return candidates[0].class_
        if not candidates:
            return f"no mapped class `{text}` is in view"
        return f"{len(candidates)} mapped classes are called `{text}`"

    def _candidates(self, text: str, owner: _Class) -> list[_Class]:
        named = self._by_name.get(text.strip().rpartition(".")[2], [])
        found = [one for one in named if one.roots & owner.roots]
        if "." in text:
            found = [one for one in found if f".{self._dotted(one)}".endswith(f".{text.strip()}")]
        return found

    def _dotted(self, one: _Class) -> str:
        known = self._project.symbols.names.get(one.class_.module)
        return f"{known.module if known else ''}.{one.class_.qualname.rpartition('.')[2]}"

    def _narrowed(self, candidates: list[_Class], text: str, place: Place) -> list[_Class]:
        """The only one that is surely loaded with the declaration: two in one registry would be an error."""
        symbols = self._project.symbols
        here = [one for one in candidates if one.class_.module == place.path]
        if here:
            return here
        means = self._project.member(place.path, text.partition(".")[0])
        named = [one for one in candidates if one.class_ == means]
        if named:
            return named
        loaded = [one for one in candidates if symbols.loads(place.path, one.class_.module)]
        return loaded if len(loaded) == 1 else candidates

    def _add_backrefs(self, one: _Class) -> None:
        for name, declared in list(one.declared.items()):
            if not isinstance(declared, RelationshipCall):
                continue
            backref = backref_of(declared, self._project)
            if backref is None:
                continue
            forward = one.relationships[name]
            why = f"`{one.class_.qualname}.{name}` makes an attribute of another class, and it cannot be told which"
            if forward.target is None:
                for other in self._possible_targets(declared, one):
                    other.unknown.append(Unknown(backref.name, why, declared.path, declared.line))
            elif not backref.name:
                target = self._classes[forward.target]
                target.unknown.append(Unknown("", why, declared.path, declared.line))
            else:
                target = self._classes[forward.target]
                if not isinstance(target.declared.get(backref.name), RelationshipCall):
                    target.relationships[backref.name] = implied(forward, backref, one.class_, self._project)

    def _possible_targets(self, declared: RelationshipCall, owner: _Class) -> Iterable[_Class]:
        """The classes that an unresolved relationship may lead to, as far as they are in view."""
        words: list[str] = []

        def note(text: str, place: Place) -> str:
            words.append(text)
            return ""

        given = target_of(declared, self._project, note)
        if words:
            return self._candidates(words[0], owner)
        if isinstance(given, ClassMeaning) or given.endswith("is not in view"):
            return []
        return [one for one in self._classes.values() if one.roots & owner.roots]

    # --- the result --------------------------------------------------------------------------------------------

    def _mapped(self, one: _Class) -> Mapped:
        family = [*(self._classes[parent] for parent in reversed(one.parents)), one]
        columns = self._columns(one)
        relationships: dict[str, Relationship] = {}
        merged: dict[str, Declaration] = {}
        unknown: list[Unknown] = []
        for other in family:
            merged |= other.declared
            for name in other.declared:
                relationships.pop(name, None)
            relationships |= other.relationships
            unknown += [known for known in other.unknown if known not in unknown]
        unknown += [declared for declared in merged.values() if isinstance(declared, Unknown)]
        return Mapped(
            class_=one.class_,
            path=one.class_.module,
            line=one.facts.line,
            columns=columns,
            primary_key=self._primary_key(one),
            relationships=relationships,
            hybrids=frozenset(name for name, declared in merged.items() if isinstance(declared, Hybrid)),
            proxies={name: declared for name, declared in merged.items() if isinstance(declared, Proxy)},
            synonyms={name: declared.of for name, declared in merged.items() if isinstance(declared, Synonym)},
            column_properties=frozenset(name for name, declared in merged.items() if isinstance(declared, Computed)),
            own_truth=self._has_own_truth(one.class_),
            unknown=tuple(sorted(set(unknown), key=lambda each: (each.path, each.line, each.name, each.why))),
            parents=one.parents,
        )

    def _primary_key(self, one: _Class) -> tuple[str, ...] | None:
        """The attributes of the key in order; None where it depends on the version of SQLAlchemy, or is not in view."""
        if not one.own_key or one.key_constraint is None:
            return None
        if one.parents:
            return self._primary_key(self._classes[one.parents[-1]])
        if one.unknown or any(isinstance(declared, Unknown) for declared in one.declared.values()):
            return None
        columns = {name: declared for name, declared in one.declared.items() if isinstance(declared, Column)}
        if any(column.primary_key is None for column in columns.values()):
            return None
        if one.key_constraint:
            return self._constrained(one.key_constraint, columns)
        keys = [name for name, column in columns.items() if column.primary_key]
        if len(keys) > 1:
            givers = list(dict.fromkeys(one.declared_by[name] for name in keys))
            if len(givers) > 1 and not one.is_sqlmodel:
                return None  # those of mixins come first in SQLAlchemy 1.4, last in 2
            if any(columns[name].sort_order for name in keys):
                return None
            keys = [name for giver in reversed(givers) for name in keys if one.declared_by[name] == giver]
        return tuple(keys) or None

    def _constrained(self, names: tuple[str, ...], columns: dict[str, Column]) -> tuple[str, ...] | None:
        attributes = {column.column_name or name: name for name, column in columns.items()}
        keys = tuple(attributes.get(name, name) for name in names)
        flagged = {name for name, column in columns.items() if column.primary_key}
        return keys if set(keys) <= set(columns) and (not flagged or flagged == set(keys)) else None

    def _has_own_truth(self, class_: ClassMeaning) -> bool:
        for base in self._hierarchy.ancestry(class_).project_bases:
            facts = self._project.class_facts(base)
            names = {method.name for method in self._methods.get(base, ())}
            names |= {attribute.name for attribute in facts.attributes} if facts else set()
            if names & {"__bool__", "__len__"}:
                return True
        return False


def _is_dict(value: Expression) -> bool:
    """`dict(...)`."""
    return isinstance(value, Call) and value.function == Name("dict")
