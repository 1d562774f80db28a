"""The text of the module that answers with the state of the pool. Pure.

The guards are those of semantics H5 and H6 and of rule 33: the pool is read at each request, since `dispose()` puts
another one in its place, and only a queue pool can count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

MODULE = "pool_status"
ROUTER_FUNCTION = "pool_status_router"
ENGINE_PARAMETER = "engine"
# what the module itself calls something else
TAKEN = frozenset(
    {"APIRouter", "Depends", "Dict", "QueuePool", "Union", "dict", "int", "isinstance", "pool", "router", "str"}
    | {"AsyncEngine", "Engine", MODULE, ROUTER_FUNCTION}
)
_STEP = "    "


@dataclass(frozen=True, slots=True)
class Imported:
    """`from module import name`, with `as alias` where that is not ""."""

    module: str
    name: str
    alias: str = ""

    @property
    def bound(self) -> str:
        return self.alias or self.name

    @property
    def written(self) -> str:
        return f"{self.name} as {self.alias}" if self.alias else self.name


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is to be written."""

    route: str
    engine: str  # the expression that gives the engine
    imports: tuple[Imported, ...] = ()  # of the project, at the top
    late: tuple[Imported, ...] = ()  # of the project, in the function: at the top they would go round in a circle
    takes: str = ""  # the class of the engine that the router is made for, where the application hands it over
    depends: str = ""  # what every request has to pass
    python: tuple[int, int] | None = None
    width: int = 88


def apart(imports: Iterable[Imported]) -> tuple[Imported, ...]:
    """The same imports under names that the module, and the other imports, have no other use for."""
    taken, made = set(TAKEN), []
    for one in imports:
        name = one.name
        while name in taken:
            name = f"app_{name}"
        taken.add(name)
        made.append(replace(one, alias=name) if name != one.name else one)
    return tuple(made)


def text_of(endpoint: Endpoint) -> str:
    """The module, formatted as ruff does."""
    result, imports = _result(endpoint)
    imports.append(Imported("fastapi", "APIRouter"))
    imports.append(Imported("sqlalchemy.pool", "QueuePool"))
    if endpoint.depends:
        imports.append(Imported("fastapi", "Depends"))
    if endpoint.takes:
        module = "sqlalchemy.ext.asyncio" if endpoint.takes == "AsyncEngine" else "sqlalchemy.engine"
        imports.append(Imported(module, endpoint.takes))
    head = [_docstring(endpoint), "", *_sections([*imports, *endpoint.imports], endpoint.width), ""]
    router = _router(endpoint, len(_STEP) if endpoint.takes else 0)
    route = _route(endpoint, result)
    if not endpoint.takes:
        return _joined([*head, *router, "", "", *route])
    parameter = f"{ENGINE_PARAMETER}: {endpoint.takes}"
    made = [
        "",
        f"def {ROUTER_FUNCTION}({parameter}) -> APIRouter:",
        f'{_STEP}"""A router that answers for the pool of this engine."""',
        *_indented(router),
        "",
        *_indented(route),
        "",
        f"{_STEP}return router",
    ]
    return _joined([*head, *made])


def _docstring(endpoint: Endpoint) -> str:
    text = f'"""GET {endpoint.route}: how many database connections are in use."""'
    return text if len(text) <= endpoint.width else '"""How many database connections are in use."""'


def _result(endpoint: Endpoint) -> tuple[str, list[Imported]]:
    """The declared result, in a form that the project's Python can evaluate; and the imports that it needs."""
    python = endpoint.python or (3, 10)
    if python >= (3, 10):
        return "dict[str, int | str]", []
    if python >= (3, 9):
        return "dict[str, Union[int, str]]", [Imported("typing", "Union")]
    return "Dict[str, Union[int, str]]", [Imported("typing", "Dict"), Imported("typing", "Union")]


def _router(endpoint: Endpoint, indent: int) -> list[str]:
    if not endpoint.depends:
        return ["router = APIRouter()"]
    given = f"dependencies=[Depends({endpoint.depends})]"
    line = f"router = APIRouter({given})"
    if indent + len(line) <= endpoint.width:
        return [line]
    return ["router = APIRouter(", f"{_STEP}{given}", ")"]


def _route(endpoint: Endpoint, result: str) -> list[str]:
    late = [line for one in endpoint.late for line in (f"from {one.module} import {one.written}",)]
    return [
        f'@router.get("{endpoint.route}")',
        f"async def {MODULE}() -> {result}:",
        f'{_STEP}"""The connections of the pool: open and idle, lent out, above its size."""',
        *([*_indented(late), ""] if late else []),
        f"{_STEP}# read at each request: dispose() puts another pool in its place",
        f"{_STEP}pool = {endpoint.engine}.pool",
        f"{_STEP}if not isinstance(pool, QueuePool):",
        f"{_STEP}{_STEP}# NullPool, StaticPool and the like count nothing",
        f'{_STEP}{_STEP}return {{"status": pool.status()}}',
        f"{_STEP}return {{",
        f'{_STEP}{_STEP}"size": pool.size(),',
        f'{_STEP}{_STEP}"checked_in": pool.checkedin(),',
        f'{_STEP}{_STEP}"checked_out": pool.checkedout(),',
        f"{_STEP}{_STEP}# negative as long as fewer than `size` connections are open",
        f'{_STEP}{_STEP}"overflow": pool.overflow(),',
        f"{_STEP}}}",
    ]


def _indented(lines: Iterable[str]) -> list[str]:
    return [_STEP + line if line else line for line in lines]


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


# --- imports, as isort and ruff have them ---------------------------------------------------------------------------


def _sections(imports: Sequence[Imported], width: int) -> list[str]:
    by_section: dict[int, list[Imported]] = defaultdict(list)
    for one in imports:
        by_section[_section(one)].append(one)
    lines: list[str] = []
    for section in sorted(by_section):
        lines += [""] if lines else []
        lines += _block(by_section[section], width)
    return lines


def _section(one: Imported) -> int:
    if one.module.startswith("."):
        return 3
    return {"typing": 0, "fastapi": 1, "sqlalchemy": 1}.get(one.module.partition(".")[0], 2)


def _block(imports: Iterable[Imported], width: int) -> list[str]:
    names: dict[str, set[str]] = defaultdict(set)
    for one in imports:
        names[one.module].add(one.written)
    lines: list[str] = []
    # the farthest package first, as ruff has it
    for module in sorted(names, key=lambda module: (len(module.lstrip(".")) - len(module), module)):
        renamed = sorted(name for name in names[module] if " as " in name)
        plain = sorted((name for name in names[module] if " as " not in name), key=_by_kind)
        for given in [*([plain] if plain else []), *([name] for name in renamed)]:
            line = f"from {module} import {', '.join(given)}"
            if len(line) <= width:
                lines.append(line)
            else:
                lines += [f"from {module} import (", *(f"{_STEP}{name}," for name in given), ")"]
    return lines


def _by_kind(name: str) -> tuple[int, str]:
    """Constants, then classes, then everything else."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2), name
