"""Which calls change nothing: messages to a logger, and computing with texts, numbers and dates. Asks `Project`; pure.

A logger is one by its definition: what `logging`, `structlog` or `loguru` give, a name or attribute bound to nothing
else, a function of the project that returns nothing else. One that only goes by the name may write what it is told
into the database.

Of the standard library single functions count, and not whole modules: `re.sub`, `json.dumps`, `functools.partial`,
`atexit.register` take something that they call, and so may reach a session. None of those below takes a function or
keeps what it is given; at most they turn an argument into a text or a number, and so call methods of its class: that
no entity, session, or thing out of a session is among the arguments is for the caller to look at.
"""

from __future__ import annotations

import ast

from codemods.flow.bound_once import bound_inside, is_declared_inside, stars_giving
from codemods.flow.reaching import bindings_of
from codemods.flow.scope import Scope
from codemods.project.assigned import is_assigned, is_assigned_somewhere
from codemods.project.expressions import LOG_METHODS, expression
from codemods.project.facts import Attribute, Call, Expression, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import (
    CACHES,
    TRANSPARENT_DECORATORS,
    ClassMeaning,
    External,
    FunctionMeaning,
    InstanceMeaning,
    ModuleMeaning,
)

LOGGERS = frozenset({"logging", "loguru.logger"})
LOGGER_CLASSES = frozenset(
    {
        *("logging.Logger", "logging.LoggerAdapter", "loguru.Logger", "structlog.BoundLogger"),
        *("structlog.stdlib.BoundLogger", "structlog.typing.FilteringBoundLogger"),
    }
)
LOGGER_MAKERS = frozenset(
    {"logging.getLogger", "structlog.get_logger", "structlog.getLogger", "structlog.stdlib.get_logger"}
)
_BINDING = frozenset({"bind", "new", "unbind", "getChild", "opt"})
_MESSAGES = LOG_METHODS | {"trace", "success", "fatal", "msg"}

COMPUTING = frozenset(
    {
        *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today", "fromtimestamp", "fromisoformat")),
        *(f"datetime.datetime.{name}" for name in ("strptime", "combine", "fromordinal")),
        *("datetime.date.today", "datetime.date.fromisoformat", "datetime.time.fromisoformat"),
        *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
        *(f"uuid.{name}" for name in ("uuid1", "uuid3", "uuid4", "uuid5", "UUID")),
        *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter")),
        *(f"secrets.{name}" for name in ("token_hex", "token_urlsafe", "token_bytes", "randbelow")),
        *(f"math.{name}" for name in ("ceil", "floor", "sqrt", "log", "log2", "log10", "exp", "pow", "isclose")),
        *(f"urllib.parse.{name}" for name in ("quote", "quote_plus", "unquote", "unquote_plus")),
        *(f"base64.{name}" for name in ("b64encode", "b64decode", "urlsafe_b64encode", "urlsafe_b64decode")),
        *("decimal.Decimal", "zoneinfo.ZoneInfo", "re.escape", "html.escape", "os.getenv", "os.urandom"),
    }
)
_IMMUTABLE = frozenset(
    {
        *(f"builtins.{name}" for name in ("str", "int", "float", "bool", "bytes")),
        *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta", "timezone")),
        *("uuid.UUID", "decimal.Decimal"),
    }
)
# methods of texts, dates and numbers; what they give is one again
_GIVING_THE_LIKE = frozenset(
    {
        *("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "capitalize", "title", "swapcase", "replace"),
        *("removeprefix", "removesuffix", "zfill", "ljust", "rjust", "center", "expandtabs", "encode", "decode"),
        *("isoformat", "strftime", "timestamp", "date", "time", "timetz", "astimezone", "total_seconds", "weekday"),
        *("isoweekday", "toordinal", "quantize", "normalize", "bit_length", "hex", "startswith", "endswith", "find"),
        *("rfind", "index", "rindex", "count", "isdigit", "isalpha", "isalnum", "isnumeric", "isspace", "isdecimal"),
        *("islower", "isupper", "isidentifier", "is_integer"),
    }
)
_GIVING_SEVERAL = frozenset({"split", "rsplit", "splitlines", "partition", "rpartition", "join"})
_DEEP = 8


def is_message(node: ast.Call, scope: Scope) -> bool:
    """`logger.info("...")`, where `logger` is one by its definition; or a logger is made: `logger.bind(user=1)`."""
    called = scope.callee(node)
    if isinstance(called, External) and called.dotted in LOGGER_MAKERS:
        return True
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _MESSAGES | _BINDING:
        return False
    root: ast.expr = function.value
    while isinstance(root, (ast.Attribute, ast.Call)):
        root = root.func if isinstance(root, ast.Call) else root.value
    if isinstance(root, ast.Name) and bound_inside(node, root.id, scope):
        return False
    return _is_logger(expression(function.value), scope.place, scope.project, _DEEP)


def is_lazy(node: ast.Call) -> bool:
    """`logger.opt(lazy=True).info("{}", count)`: what the message is given is called for what it says."""
    inner: ast.expr = node.func
    while isinstance(inner, (ast.Attribute, ast.Call)):
        if isinstance(inner, ast.Call) and any(one.arg in ("lazy", None) for one in inner.keywords):
            return True
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return False


def computes(node: ast.Call, scope: Scope) -> bool:
    """Whether the call only computes a value, as long as its arguments are nothing but values."""
    return _is_computed(node, scope, frozenset())


def _is_computed(node: ast.Call, scope: Scope, asked: frozenset[str]) -> bool:
    if any(isinstance(argument, ast.Lambda) for argument in [*node.args, *(one.value for one in node.keywords)]):
        return False
    called = scope.callee(node)
    if isinstance(called, External) and called.dotted in COMPUTING:
        return True
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _GIVING_THE_LIKE | _GIVING_SEVERAL:
        return False
    return _is_immutable(function.value, scope, asked)


def _is_immutable(node: ast.expr, scope: Scope, asked: frozenset[str]) -> bool:
    """Whether an expression is a text, a number or a date for certain. Names that are `asked` about are taken to be."""
    match node:
        case ast.Constant(value=constant):
            return constant is not None and constant is not Ellipsis
        case ast.JoinedStr():
            return True
        case ast.Name(id=name):
            return name in asked or _is_immutable_name(node, scope, asked | {name})
        case ast.Call(func=ast.Attribute(attr=method)) if method in _GIVING_SEVERAL:
            return method == "join" and _is_computed(node, scope, asked)
        case ast.Call(func=function):
            called = scope.meaning(function)
            if isinstance(called, External) and called.dotted in ("builtins.str", "builtins.repr", "builtins.int"):
                return True
            return _is_computed(node, scope, asked)
        case ast.BinOp(left=left, right=right):
            return _is_immutable(left, scope, asked) and _is_immutable(right, scope, asked)
        case ast.IfExp(body=body, orelse=other):
            return _is_immutable(body, scope, asked) and _is_immutable(other, scope, asked)
        case _:
            return False


def _is_immutable_name(node: ast.Name, scope: Scope, asked: frozenset[str]) -> bool:
    """Whether all that a name of this function is ever bound to is a text, a number or a date, or None."""
    name, outer = node.id, scope.node
    if bound_inside(node, name, scope) or not isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    bindings = bindings_of(scope, name)
    if name in scope.parameters:
        given = outer.args
        declared = {one.arg: one.annotation for one in [*given.posonlyargs, *given.args, *given.kwonlyargs]}
        annotation = declared.get(name)
        if annotation is None or not _is_immutable_type(annotation, scope):
            return False
    elif not bindings:
        return False
    if is_declared_inside(outer, name):
        return False
    for one in bindings:
        match one:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                pass
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                pass
            case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                pass
            case _:
                return False
        if not (_is_none(value) or _is_immutable(value, scope, asked)):
            return False
    return True


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_immutable_type(annotation: ast.expr, scope: Scope) -> bool:
    """`str`, `str | None`, `Optional[date]`, `"int | str"`."""
    match annotation:
        case ast.Constant(value=str(text)):
            try:
                return _is_immutable_type(ast.parse(text.strip(), mode="eval").body, scope)
            except (SyntaxError, ValueError, RecursionError):
                return False
        case ast.Constant(value=None):
            return True
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_immutable_type(left, scope) and _is_immutable_type(right, scope)
        case ast.Subscript(value=outer, slice=inner):
            means = _declared_by(outer, scope)
            return means == External("typing.Optional") and _is_immutable_type(inner, scope)
        case ast.Name() | ast.Attribute():
            means = _declared_by(annotation, scope)
            return isinstance(means, External) and means.dotted in _IMMUTABLE
        case _:
            return False


def _declared_by(node: ast.expr, scope: Scope) -> object:
    """What a name in the annotation of a parameter means: it is read outside of the function."""
    outside = Place(scope.place.path, scope.place.qualname.rpartition(".")[0])
    return scope.project.meaning(expression(node), outside)


# --- loggers -----------------------------------------------------------------------------------------------------


def _is_logger(node: Expression, place: Place, project: Project, depth: int) -> bool:
    if depth == 0:
        return False
    means = project.meaning(node, place)
    if isinstance(means, External) and means.dotted in LOGGERS:
        return True
    if isinstance(means, InstanceMeaning) and isinstance(means.of, External):
        return means.of.dotted in LOGGER_CLASSES
    match node:
        case Call(function=Attribute(value=base, name=name)) if name in _BINDING:
            return _is_logger(base, place, project, depth - 1)
        case Call(function=function):
            return _makes_logger(function, place, project, depth)
        case Name(id=name):
            return _is_logger_name(name, place, project, depth)
        case Attribute(value=owner, name=name):
            held = project.meaning(owner, place)
            if isinstance(held, ModuleMeaning):
                return _is_member(held.module, name, project, depth)
            class_ = held.of if isinstance(held, InstanceMeaning) else held
            return isinstance(class_, ClassMeaning) and _is_logger_attribute(class_, name, project, depth)
        case _:
            return False


def _makes_logger(function: Expression, place: Place, project: Project, depth: int) -> bool:
    called = project.meaning(function, place)
    if isinstance(called, External):
        return called.dotted in LOGGER_MAKERS
    if not isinstance(called, FunctionMeaning) or project.overrides(called):
        return False
    definitions = project.symbols.functions(called.module, called.qualname)
    if len(definitions) != 1 or definitions[0].is_generator or definitions[0].is_async or not definitions[0].returns:
        return False
    for decorator in definitions[0].decorators:
        inner = decorator.function if isinstance(decorator, Call) else decorator
        means = project.meaning(inner, Place(called.module, definitions[0].parent))
        told = means.dotted.removeprefix("builtins.") if isinstance(means, External) else ""
        if told not in TRANSPARENT_DECORATORS | CACHES:
            return False
    inside = Place(called.module, called.qualname)
    return all(_is_logger(one, inside, project, depth - 1) for one in definitions[0].returns)


def _is_logger_name(name: str, place: Place, project: Project, depth: int) -> bool:
    """Whether all that the name is bound to is a logger: in the innermost function that binds it, or in the module."""
    qualname = place.qualname
    while qualname:
        for function in project.symbols.functions(place.path, qualname):
            if any(one.name == name for one in function.parameters):
                return False
            values = [value for one in function.bindings if one.name == name for value in one.values]
            if values:
                inside = Place(place.path, qualname)
                return all(_is_logger(value, inside, project, depth - 1) for value in values)
        if name in project.symbols.locals(place.path, qualname):
            imported = project.symbols.imports(place.path, qualname, name)
            module = project.symbols.module_path(imported[0].module, place.path) if len(imported) == 1 else None
            attribute = imported[0].attribute if imported else None
            return module is not None and attribute is not None and _is_member(module, attribute, project, depth - 1)
        qualname = qualname.rpartition(".")[0]
    return _is_member(place.path, name, project, depth)


def _is_member(path: str, name: str, project: Project, depth: int) -> bool:
    """The same for a name at the top level of a file, imports followed."""
    symbols = project.symbols
    values, imported = symbols.binding(path, name), symbols.imports(path, "", name)
    if symbols.functions(path, name) or symbols.class_(path, name) or depth == 0 or not (values or imported):
        return False
    if is_assigned(path, name, project) or not all(
        _is_member(star, name, project, depth - 1) for star in stars_giving(name, path, symbols)
    ):
        return False
    for one in imported:
        module = symbols.module_path(one.module, path)
        if module is None and one.attribute is not None:
            if f"{one.module}.{one.attribute}" not in LOGGERS:
                return False
        elif module is None or one.attribute is None or not _is_member(module, one.attribute, project, depth - 1):
            return False
    return all(_is_logger(value, Place(path), project, depth - 1) for value in values)


def _is_logger_attribute(class_: ClassMeaning, name: str, project: Project, depth: int) -> bool:
    """`self.logger`, where every assignment to it in the class and its bases is one of a logger."""
    values = []
    if is_assigned_somewhere(name, project):
        return False
    for base in [*project.bases(class_), *project.below(class_)]:
        facts = project.class_facts(base) if isinstance(base, ClassMeaning) else None
        if facts is None or not isinstance(base, ClassMeaning):
            continue
        if project.symbols.functions(base.module, f"{base.qualname}.{name}"):
            return False
        for one in facts.attributes:
            if one.name == name:
                values.append((one.value, Place(base.module, one.method or base.qualname)))
    # a subclass may set it to something else: then it does not go by the name of a logger, as a rule
    named = name.strip("_").lower() in ("log", "logger")
    return named and bool(values) and all(_is_logger(value, place, project, depth - 1) for value, place in values)
