"""What the attributes of one class body declare, one by one: column, relationship, hybrid, ... Asks `Project`; pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from codemods.project.expressions import OPAQUE, dotted, last_name
from codemods.project.facts import (
    Annotated,
    AttributeSet,
    Call,
    ClassFacts,
    Expression,
    FunctionFacts,
    Lambda,
    Literal,
    Mapping,
    Name,
)
from codemods.project.link import Place, Project
from codemods.project.mapping import Column, ForeignKey, Proxy, Unknown
from codemods.project.mapping_definitions import external_names, literal
from codemods.project.mapping_names import (
    COLUMN_PROPERTIES,
    COLUMNS,
    COMPOSITES,
    COMPUTED,
    DECLARED_ATTR,
    DEFERRED,
    DIRECTIVES,
    DYNAMIC_LOADERS,
    FOREIGN_KEYS,
    HYBRIDS,
    MAPPED_TYPES,
    PROXIES,
    RELATIONSHIPS,
    SQLMODEL_FIELDS,
    SQLMODEL_RELATIONSHIPS,
    SYNONYMS,
)
from codemods.project.mapping_types import Declared, column_type, declared, is_optional, python_type
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning


@dataclass(frozen=True, slots=True)
class RelationshipCall:
    """A relationship as it is declared; its target is looked up when all classes are known."""

    name: str
    path: str
    line: int
    call: Call
    place: Place
    told: Declared | None
    is_sqlmodel: bool = False
    is_dynamic: bool = False


@dataclass(frozen=True, slots=True)
class Hybrid:
    name: str


@dataclass(frozen=True, slots=True)
class Synonym:
    name: str
    of: str


@dataclass(frozen=True, slots=True)
class Computed:
    """`column_property(...)`, `query_expression()`."""

    name: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A plain attribute or method, which hides what bases declare under its name."""

    name: str


Declaration = Column | RelationshipCall | Hybrid | Synonym | Computed | Proxy | Unknown | Unmapped
_FOLLOWED = 4  # functions that give what a function gives


@dataclass(frozen=True, slots=True)
class _At:
    """Which attribute is looked at, where it stands, and of which kind of class it is."""

    name: str
    path: str
    line: int
    told: Declared | None
    is_sqlmodel: bool

    def unknown(self, why: str) -> Unknown:
        return Unknown(self.name, why, self.path, self.line)


def declarations(
    class_: ClassMeaning,
    facts: ClassFacts,
    methods: tuple[FunctionFacts, ...],
    project: Project,
    *,
    is_sqlmodel: bool,
) -> dict[str, Declaration]:
    """What the body of one class declares, by attribute, in the order in which it stands there."""
    outside = Place(class_.module, class_.qualname.rpartition(".")[0])
    found: dict[str, Declaration] = {}
    told: dict[str, list[AttributeSet]] = {}
    for attribute in facts.attributes:
        if not attribute.method:
            told.setdefault(attribute.name, []).append(attribute)
    for name, sets in sorted(told.items(), key=lambda pair: pair[1][0].line):
        if not (name.startswith("__") and name.endswith("__")):
            found[name] = _declaration(name, sets, class_, outside, project, is_sqlmodel=is_sqlmodel)
    for method in methods:
        declared_by = _method(method, outside, project, is_sqlmodel=is_sqlmodel)
        if not isinstance(found.get(method.name), Hybrid):
            found[method.name] = declared_by
    return found


def _declaration(
    name: str,
    sets: list[AttributeSet],
    class_: ClassMeaning,
    outside: Place,
    project: Project,
    *,
    is_sqlmodel: bool,
) -> Declaration:
    kinds: list[Declaration] = []
    annotation = next((one.annotation for one in sets if one.annotation is not None), None)
    made = [one for one in sets if isinstance(one.value, Call)]
    for one in made or sets:
        told = declared(one.annotation or annotation, outside, project)
        at = _At(name, class_.module, one.line, told, is_sqlmodel)
        kinds.append(_by_value(one.value, outside, at, project, 0))
    if all(_undated(kind) == _undated(kinds[0]) for kind in kinds):
        return kinds[0]
    return Unknown(name, "it is declared more than once, in different ways", class_.module, sets[0].line)


def _undated(kind: Declaration) -> Declaration:
    """The same without its line."""
    return kind if isinstance(kind, (Hybrid, Synonym, Computed, Unmapped)) else replace(kind, line=0)


def _method(method: FunctionFacts, outside: Place, project: Project, *, is_sqlmodel: bool) -> Declaration:
    for decorator in method.decorators:
        inner = decorator.function if isinstance(decorator, Call) else decorator
        means = project.meaning(inner, outside)
        name = means.dotted if isinstance(means, External) else ""
        if name in HYBRIDS:
            return Hybrid(method.name)
        if name in DIRECTIVES:
            return Unmapped(method.name)
        if name in DECLARED_ATTR:
            if method.name.startswith("__"):
                return Unmapped(method.name)
            place = Place(outside.path, method.qualname)
            told = None
            if method.returns_annotation is not None:
                told = declared(method.returns_annotation, outside, project)
            at = _At(method.name, outside.path, method.line, told, is_sqlmodel)
            if len(method.returns) != 1:
                return at.unknown("its declared_attr returns one of several things")
            return _by_value(method.returns[0], place, at, project, 0)
        if last_name(inner) in ("expression", "setter", "comparator", "update_expression", "inplace", "deleter"):
            continue
    return Unmapped(method.name)


# --- values ---------------------------------------------------------------------------------------------------------


def _by_value(value: Expression, place: Place, at: _At, project: Project, depth: int) -> Declaration:
    if isinstance(value, Call):
        return _by_call(value, place, at, project, depth)
    told = at.told
    if told is not None and told.class_var:
        return Unmapped(at.name)
    if told is not None and told.wrapper in MAPPED_TYPES:
        return _column(at, None, place, project)
    if at.is_sqlmodel and told is not None and not at.name.startswith("_") and at.name != "model_config":
        return _column(at, None, place, project)
    if isinstance(value, Annotated) or depth == 0 or isinstance(value, Literal):
        return Unmapped(at.name)
    return at.unknown("what declares it cannot be followed")


def _by_call(call: Call, place: Place, at: _At, project: Project, depth: int) -> Declaration:
    means = project.meaning(call.function, place)
    match means:
        case External(dotted=name):
            return _by_external(name, call, place, at, project, depth)
        case FunctionMeaning(module=path, qualname=qualname):
            definitions = project.symbols.functions(path, qualname)
            if depth < _FOLLOWED and len(definitions) == 1 and len(definitions[0].returns) == 1:
                if not definitions[0].is_async and not definitions[0].is_generator and not definitions[0].decorators:
                    return _by_value(_filled(definitions[0], call), Place(path, qualname), at, project, depth + 1)
            return at.unknown(f"what `{dotted(call.function)}` returns cannot be told")
        case ClassMeaning() as class_:
            names = {base.dotted for base in project.bases(class_) if isinstance(base, External)}
            if names & COLUMNS:
                return _column(at, call, place, project)
            if names & RELATIONSHIPS or not names <= {"builtins.object"}:
                return at.unknown(f"it is made by the class `{class_.qualname}`")
            return Unmapped(at.name)
        case _:
            either = external_names(call.function, place, project)
            if either and (either <= COLUMNS or either <= RELATIONSHIPS):
                return _by_external(min(either), call, place, at, project, depth)
            return at.unknown(f"what `{dotted(call.function) or '(...)'}` makes cannot be told")


def _filled(function: FunctionFacts, call: Call) -> Expression:
    """What a function returns, with the constants of one call put in for its parameters.

    Everything else that is given stays a name that cannot be told, as what the caller gives decides about it.
    """
    given: dict[str, Expression] = {
        parameter.name: parameter.default for parameter in function.parameters if isinstance(parameter.default, Literal)
    }
    positional = [parameter.name for parameter in function.parameters if parameter.kind == "positional"]
    given |= {name: _constant(value) for name, value in zip(positional, call.arguments, strict=False)}
    names = {parameter.name for parameter in function.parameters if parameter.kind in ("positional", "keyword")}
    further: list[tuple[str | None, Expression]] = []
    for keyword, value in call.keywords:
        if keyword in names:
            given[keyword or ""] = _constant(value)
        else:
            further.append((keyword, _constant(value)))
    rest = next((parameter.name for parameter in function.parameters if parameter.kind == "**"), "")
    return _with_constants(function.returns[0], given, rest, tuple(further))


def _constant(value: Expression) -> Expression:
    return value if isinstance(value, Literal) else OPAQUE


def _with_constants(
    node: Expression, given: dict[str, Expression], rest: str, further: tuple[tuple[str | None, Expression], ...]
) -> Expression:
    match node:
        case Name(id=name):
            return given.get(name, node)
        case Call(function=function, arguments=arguments, keywords=keywords):
            filled: list[tuple[str | None, Expression]] = []
            for keyword, value in keywords:
                if keyword is None and value == Name(rest):
                    filled += further
                else:
                    filled.append((keyword, _with_constants(value, given, rest, further)))
            return Call(
                function,
                tuple(_with_constants(argument, given, rest, further) for argument in arguments),
                tuple(filled),
            )
        case _:
            return node


def _by_external(name: str, call: Call, place: Place, at: _At, project: Project, depth: int) -> Declaration:
    if name in COLUMNS or (at.is_sqlmodel and name in SQLMODEL_FIELDS):
        return _column(at, call, place, project)
    if name in RELATIONSHIPS:
        return RelationshipCall(
            at.name, at.path, at.line, call, place, at.told, at.is_sqlmodel, is_dynamic=name in DYNAMIC_LOADERS
        )
    if name in SQLMODEL_RELATIONSHIPS:
        return RelationshipCall(at.name, at.path, at.line, call, place, at.told, is_sqlmodel=True)
    first = call.arguments[0] if call.arguments else OPAQUE
    if name in DEFERRED:
        inner = _by_value(first, place, at, project, depth + 1)
        return replace(inner, deferred=True) if isinstance(inner, Column) else Computed(at.name)
    if name in COLUMN_PROPERTIES:
        inner_means = project.meaning(first.function, place) if isinstance(first, Call) else None
        if isinstance(inner_means, External) and inner_means.dotted in COLUMNS and isinstance(first, Call):
            return _column(at, first, place, project)
        return Computed(at.name)
    if name in COMPOSITES:
        return Column(at.name, at.path, at.line, None, None)  # an object that its columns are put into
    if name in SYNONYMS:
        of = literal(call.keyword("name") or first, place, project)
        return Synonym(at.name, of if isinstance(of, str) else "")
    if name in PROXIES:
        through = literal(call.keyword("target_collection") or first, place, project)
        second = call.keyword("attr") or (call.arguments[1] if len(call.arguments) > 1 else OPAQUE)
        attribute = literal(second, place, project)
        return Proxy(
            at.name,
            at.path,
            at.line,
            through if isinstance(through, str) else "",
            attribute if isinstance(attribute, str) else "",
        )
    if name in HYBRIDS:
        return Hybrid(at.name)
    top = name.partition(".")[0]
    if top in ("sqlalchemy", "pydantic", "sqlmodel", "builtins") or top in sys.stdlib_module_names:
        if name in DECLARED_ATTR:
            return at.unknown("it is a declared_attr of a lambda")
        if at.is_sqlmodel and at.told is not None and not at.told.class_var and not at.name.startswith("_"):
            return _column(at, None, place, project)
        return Unmapped(at.name)
    return at.unknown(f"it is made by `{name}`, which is not in view")


# --- columns --------------------------------------------------------------------------------------------------------


def _column(at: _At, call: Call | None, place: Place, project: Project) -> Column:
    """A column from its call (None: by its declared type alone); what `Annotated` adds comes under its own words."""
    calls: list[tuple[Call, Place]] = [] if call is None else [(call, place)]
    for extra, where in at.told.extras if at.told else ():
        means = project.meaning(extra.function, where)
        if isinstance(means, External) and means.dotted in COLUMNS | SQLMODEL_FIELDS:
            calls.append((extra, where))
    for one, where in list(calls):
        inner = one.keyword("sa_column")
        if isinstance(inner, Call):
            calls.insert(0, (inner, where))
        further = one.keyword("sa_column_kwargs")
        if isinstance(further, Mapping):
            keywords = tuple((str(key), value) for key, value in further.items)
            calls.append((Call(OPAQUE, (), keywords), where))
    starred = any(one.has_double_star for one, _ in calls)

    def given(keyword: str) -> object:
        """The constant that a keyword is given; None when it is not given, Ellipsis when it cannot be told."""
        for one, where in calls:
            value = one.keyword(keyword)
            if value is not None:
                return literal(value, where, project)
        return ... if starred else None

    def is_given(keyword: str) -> bool:
        return starred or any(one.keyword(keyword) not in (None, Literal(None)) for one, _ in calls)

    optional = is_optional(at.told, project)
    primary_key = given("primary_key")
    nullable = given("nullable")
    keys = tuple(ForeignKey(at.name, table) for one, where in calls for table in _foreign_keys(one, where, project))
    plain, python = python_type(at.told, project)
    positional = [(argument, where) for one, where in calls for argument in one.arguments]
    if not plain and not (at.told and at.told.element is not None and not at.is_sqlmodel):
        for one, where in calls:
            typed = (*one.arguments, *(v for k, v in one.keywords if k in ("type_", "sa_type")))
            plain, python = column_type(typed, where, project)
            if plain:
                break
    computed = any(
        isinstance(argument, Call)
        and isinstance(means := project.meaning(argument.function, where), External)
        and means.dotted in COMPUTED
        for argument, where in positional
    )
    default_nullable = optional
    if at.told is None:
        default_nullable = None if primary_key is ... else not primary_key
    elif at.is_sqlmodel and primary_key is True:
        default_nullable = False
    return Column(
        name=at.name,
        path=at.path,
        line=at.line,
        nullable=nullable if isinstance(nullable, bool) else None if nullable is ... else default_nullable,
        optional=optional,
        primary_key=None if primary_key is ... else bool(primary_key),
        deferred=bool(given("deferred")) or is_given("deferred_group"),
        plain=plain,
        python_type=python,
        server_default=is_given("server_default") or computed,
        onupdate=is_given("onupdate") or is_given("server_onupdate") or computed,
        foreign_keys=keys,
        sort_order=is_given("sort_order"),
        column_name=_column_name(calls),
    )


def _column_name(calls: list[tuple[Call, Place]]) -> str:
    for call, _ in calls:
        for given in (*call.arguments[:1], call.keyword("name")):
            if isinstance(given, Literal) and isinstance(given.value, str):
                return given.value
    return ""


def _foreign_keys(call: Call, place: Place, project: Project) -> list[str]:
    """The tables that a column refers to; "" for one that cannot be told."""
    found: list[str] = []
    for argument in call.arguments:
        if isinstance(argument, Call):
            means = project.meaning(argument.function, place)
            if isinstance(means, External) and means.dotted in FOREIGN_KEYS:
                target = argument.arguments[0] if argument.arguments else argument.keyword("column") or OPAQUE
                found.append(_table_of(target, place, project))
    told = call.keyword("foreign_key")  # SQLModel
    if told is not None:
        found.append(_table_of(told, place, project))
    return found


def _table_of(target: Expression, place: Place, project: Project) -> str:
    """`users` of "users.id"; `@path:Class` of `User.id`, to be looked up; "" for what cannot be told."""
    if isinstance(target, Lambda):
        target = target.value
    text = literal(target, place, project)
    if isinstance(text, str):
        return text.rpartition(".")[0]
    owner = getattr(target, "value", None)
    if owner is not None and not isinstance(target, (Literal, Lambda)):
        means = project.meaning(owner, place)
        if isinstance(means, ClassMeaning):
            return f"@{means.module}:{means.qualname}"
    return ""


def declared_later(
    values: tuple[Expression, ...], place: Place, line: int, project: Project, name: str = ""
) -> list[tuple[str, Declaration]]:
    """What calls outside of a class body declare: of an attribute `name`, or each under its own column name."""
    found: list[tuple[str, Declaration]] = []
    for value in values:
        if not isinstance(value, Call):
            continue
        given = name or _column_name([(value, place)])
        declared_by = _by_call(value, place, _At(given, place.path, line, None, False), project, 0)
        if given and (name or isinstance(declared_by, Column)) and not isinstance(declared_by, Unmapped):
            found.append((given, declared_by))
    return found
