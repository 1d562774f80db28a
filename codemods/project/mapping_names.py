"""The names of SQLAlchemy, SQLModel and pydantic that mappings are made of. Values only; touches nothing."""

from __future__ import annotations


def _in(modules: str, names: str) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for module in modules.split() for name in names.split())


_ORM = "sqlalchemy.orm sqlalchemy.orm._orm_constructors sqlalchemy.orm.decl_api sqlalchemy.ext.declarative"
_ORM += " sqlalchemy.ext.declarative.api"

DECLARATIVE_CLASSES = _in("sqlalchemy.orm sqlalchemy.orm.decl_api", "DeclarativeBase DeclarativeBaseNoMeta")
DECLARATIVE_CALLS = _in(_ORM, "declarative_base") | _in("sqlalchemy.ext.automap", "automap_base")
AS_DECLARATIVE = _in(_ORM, "as_declarative")
REGISTRY = _in("sqlalchemy.orm sqlalchemy.orm.decl_api", "registry")
MAPPED_DECORATORS = _in("sqlalchemy.orm sqlalchemy.orm.decl_api", "mapped_as_dataclass")
SQLMODEL = _in("sqlmodel sqlmodel.main", "SQLModel")
PYDANTIC = _in("pydantic pydantic.main", "BaseModel")

# bases that map nothing by themselves and define neither `__bool__` nor `__len__`
HARMLESS_BASES = (
    DECLARATIVE_CLASSES
    | DECLARATIVE_CALLS - _in("sqlalchemy.ext.automap", "automap_base")
    | SQLMODEL
    | PYDANTIC
    | _in(_ORM, "MappedAsDataclass")
    | _in("sqlalchemy.ext.asyncio sqlalchemy.ext.asyncio.session", "AsyncAttrs")
    | _in("builtins", "object Exception")
    | _in("typing typing_extensions", "Generic Protocol")
    | _in("abc", "ABC")
)

COLUMNS = _in("sqlalchemy sqlalchemy.schema sqlalchemy.sql.schema", "Column") | _in(
    "sqlalchemy.orm sqlalchemy.orm._orm_constructors", "mapped_column MappedColumn"
)
SQLMODEL_FIELDS = _in("sqlmodel sqlmodel.main", "Field") | _in("pydantic pydantic.fields", "Field")
RELATIONSHIPS = _in(
    "sqlalchemy.orm sqlalchemy.orm._orm_constructors sqlalchemy.orm.relationships",
    "relationship relation dynamic_loader RelationshipProperty Relationship",
)
DYNAMIC_LOADERS = frozenset(name for name in RELATIONSHIPS if name.endswith(".dynamic_loader"))
SQLMODEL_RELATIONSHIPS = _in("sqlmodel sqlmodel.main", "Relationship")
DEFERRED = _in("sqlalchemy.orm sqlalchemy.orm._orm_constructors", "deferred")
COLUMN_PROPERTIES = _in("sqlalchemy.orm sqlalchemy.orm._orm_constructors", "column_property query_expression")
COMPOSITES = _in("sqlalchemy.orm sqlalchemy.orm._orm_constructors", "composite")
SYNONYMS = _in("sqlalchemy.orm sqlalchemy.orm._orm_constructors", "synonym")
PROXIES = _in("sqlalchemy.ext.associationproxy", "association_proxy")
HYBRIDS = _in("sqlalchemy.ext.hybrid", "hybrid_property hybrid_method")
BACKREFS = _in("sqlalchemy.orm sqlalchemy.orm._orm_constructors", "backref")
DECLARED_ATTR = _in(_ORM, "declared_attr") | frozenset(
    f"{name}.{part}" for name in _in(_ORM, "declared_attr") for part in ("directive", "cascading")
)
DIRECTIVES = frozenset(name for name in DECLARED_ATTR if name.endswith(".directive"))
TABLES = _in("sqlalchemy sqlalchemy.schema sqlalchemy.sql.schema", "Table")
FOREIGN_KEYS = _in("sqlalchemy sqlalchemy.schema sqlalchemy.sql.schema", "ForeignKey")
FOREIGN_KEY_CONSTRAINTS = _in("sqlalchemy sqlalchemy.schema sqlalchemy.sql.schema", "ForeignKeyConstraint")
PRIMARY_KEY_CONSTRAINTS = _in("sqlalchemy sqlalchemy.schema sqlalchemy.sql.schema", "PrimaryKeyConstraint")
COMPUTED = _in("sqlalchemy sqlalchemy.schema sqlalchemy.sql.schema", "Computed Identity FetchedValue")
MAPPED_TYPES = _in("sqlalchemy.orm sqlalchemy.orm.base", "Mapped DynamicMapped WriteOnlyMapped")
OPTIONAL = _in("typing typing_extensions", "Optional")
UNIONS = _in("typing typing_extensions", "Union")
ANNOTATED = _in("typing typing_extensions", "Annotated")
CLASS_VARS = _in("typing typing_extensions", "ClassVar")
COLLECTIONS = (
    frozenset(f"builtins.{name}" for name in ("list", "set", "frozenset", "tuple", "dict"))
    | _in(
        "typing typing_extensions collections.abc",
        "List Set FrozenSet Tuple Dict Sequence MutableSequence Collection Iterable Mapping MutableMapping MutableSet"
        " AbstractSet Iterator",
    )
    | _in(
        "sqlalchemy.orm sqlalchemy.orm.collections sqlalchemy.ext.orderinglist",
        "InstrumentedList InstrumentedSet InstrumentedDict OrderingList MappedCollection KeyFuncDict AppenderQuery",
    )
)
KEYED_COLLECTIONS = frozenset(
    name for name in COLLECTIONS if name.rpartition(".")[2].endswith(("dict", "Dict", "Mapping"))
)

PLAIN_TYPES = (
    frozenset(f"builtins.{name}" for name in ("int", "str", "float", "bool", "bytes", "list", "dict", "set", "tuple"))
    | _in("datetime", "datetime date time timedelta")
    | _in("decimal", "Decimal")
    | _in("uuid", "UUID")
    | _in("typing", "List Dict Any Literal") - _in("typing", "Any")
    | _in("pydantic pydantic.types pydantic.networks", "EmailStr AnyUrl HttpUrl Json")
)
ENUMS = _in("enum", "Enum IntEnum StrEnum Flag IntFlag")
# last names, in capitals, of the types of `sqlalchemy` and its dialects -> the Python type; "" where it depends
COLUMN_TYPES = {
    **dict.fromkeys(("INTEGER", "BIGINTEGER", "SMALLINTEGER", "INT", "BIGINT", "SMALLINT", "TINYINT"), "int"),
    **dict.fromkeys(
        ("STRING", "TEXT", "UNICODE", "UNICODETEXT", "VARCHAR", "CHAR", "NVARCHAR", "CLOB", "CITEXT"), "str"
    ),
    **dict.fromkeys(("LONGTEXT", "MEDIUMTEXT", "TINYTEXT"), "str"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "bool"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "REAL", "DOUBLE_PRECISION"), "float"),
    **dict.fromkeys(("DATETIME", "TIMESTAMP"), "datetime.datetime"),
    "DATE": "datetime.date",
    "TIME": "datetime.time",
    "INTERVAL": "datetime.timedelta",
    **dict.fromkeys(("LARGEBINARY", "BLOB", "BINARY", "VARBINARY", "BYTEA"), "bytes"),
    **dict.fromkeys(("NUMERIC", "DECIMAL", "UUID", "ENUM", "JSON", "JSONB", "ARRAY", "HSTORE", "INET", "TSVECTOR"), ""),
}
