"""The engines of a file: which options each lacks, and what is told of those that are left alone (rules 29, 30, 32)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from codemods.flow.call_options import Options, Setting
from codemods.flow.database_url import DatabaseUrl, Family, database_url
from codemods.flow.development import at
from codemods.flow.engine_lifetime import one_piece_of_work, per_call
from codemods.flow.scope import Scope
from codemods.plan import Edit, Examined, Fact, Finding
from codemods.project.engines import (
    ASYNC_ENGINES,
    ENGINES,
    ENGINES_FROM_CONFIG,
    OPTIONS,
    PLAIN_POOLS,
    QUEUE_POOLS,
    SQLITE,
    WAITING,
    maker_behind,
    pool_name,
)
from codemods.project.expressions import expression, shown
from codemods.project.sessions import External, Meaning, NothingMeaning, UnknownMeaning
from codemods.rules.base import Keys, ModuleView
from codemods.rules.engine_pool.alternatives import alternatives
from codemods.rules.engine_pool.connect_args import only_for_sqlite
from codemods.rules.engine_pool.from_config import examine_from_config
from codemods.rules.engine_pool.kept_url import kept_sqlite
from codemods.rules.engine_pool.look import NAME, Look
from codemods.rules.engine_pool.missing import Missing, missing, wanted
from codemods.rules.engine_pool.shared_sessions import shared_sessions
from codemods.rules.engine_pool.sizes import SETTLE
from codemods.rules.engine_pool.writing import Target, obstacle_at, target_of

_BY_HAND = "set them by hand"
_SEE_THAT = f"see that {', '.join(OPTIONS[:5])} are set"
_OWN_POOL = ("pool", "creator", "async_creator")


@dataclass(frozen=True, slots=True, eq=False)
class _Engine:
    """An engine of which it is known what it lacks."""

    call: ast.Call
    scope: Scope
    is_async: bool
    url: ast.expr | None
    options: Options
    lacks: Missing


@dataclass(frozen=True, slots=True)
class _Echo:
    """`echo_pool` with its value, when it is to be added; else `unsaid` is why it is not."""

    options: tuple[tuple[str, str], ...] = ()
    edits: tuple[Edit, ...] = ()
    facts: tuple[Fact, ...] = ()
    unsaid: str = ""


def examine_engines(view: ModuleView, keys: Keys) -> Iterator[Examined]:
    """A finding or a `Right` for every call that makes an engine, and for what may make one out of view."""
    look = Look(view, keys)
    engines: list[_Engine] = []
    stars = view.project.symbols.facts[view.source.path].stars
    for scope in view.scopes:
        for node in scope.watched():
            if not isinstance(node, ast.Call):
                continue
            makers = _makers(node, scope, stars)
            if not any(makers):
                continue
            for counted in (node, node.func, _url(node)):
                if counted is not None:
                    look.count(counted, scope)
            judged = _judged(look, node, scope, makers)
            if isinstance(judged, _Engine):
                engines.append(judged)
            else:
                yield judged
    for engine in engines:
        yield from _told(look, engine, engines)
    yield from _references(look, stars)


def _makers(call: ast.Call, scope: Scope, stars: Iterable[str]) -> list[str]:
    """What the called name can stand for: the dotted names of what makes engines, and "" for anything else.

    What a dict holds, or a condition in the call itself chooses, is told where it is named (see `_references`).
    """
    means = scope.callee(call)
    if not isinstance(call.func, (ast.Name, ast.Attribute)):
        return []
    if isinstance(means, External):
        # what looks like a builtin in the body of a class may be an import that stands there
        if not maker_behind(means.dotted, stars) and not isinstance(scope.node, ast.ClassDef):
            return []
    elif not isinstance(means, UnknownMeaning):
        return []
    return _making(call.func, scope, stars)


def _making(node: ast.expr, scope: Scope, stars: Iterable[str]) -> list[str]:
    every: list[Meaning] = alternatives(expression(node), scope.place, scope.project)
    return [
        maker_behind(one.dotted, stars) if isinstance(one, External) else ""
        for one in every
        if not isinstance(one, NothingMeaning)
    ]


def _url(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0]
    return next((one.value for one in call.keywords if one.arg == "url"), None)


# --- one call -------------------------------------------------------------------------------------------------------


def _judged(look: Look, call: ast.Call, scope: Scope, makers: list[str]) -> _Engine | Examined:
    view = look.view
    if look.is_test:
        return look.right(call, scope, "an engine of tests")
    of_config = [one in ENGINES_FROM_CONFIG for one in makers]
    if "" in makers or len(set(of_config)) > 1:
        reason = f"which function `{shown(call.func)}` is cannot be told"
        return look.left_alone(call, scope, reason, _SEE_THAT, undecided=True)
    options = look.reader.options(call, scope)
    pool = _pool(options.get("poolclass"))
    made_anew = per_call(call, scope, view.customs, view.tasks)
    if made_anew is not None:
        return look.left_alone(
            call, scope, made_anew.reason, made_anew.advice, facts=made_anew.facts, undecided=made_anew.undecided
        )
    if over := one_piece_of_work(call, scope, view.tasks):
        return look.right(call, scope, over)
    if pool in PLAIN_POOLS:
        return look.right(call, scope, f"{pool}: it takes no size, and there is nothing to check or to recycle")
    if any(of_config):
        return examine_from_config(look, call, scope, options)
    starred = next((one for one in call.args if isinstance(one, ast.Starred)), None)
    if starred is not None:
        reason = f"the URL and the options are not in view: `{look.shown(starred)}` hands them over"
        return look.left_alone(call, scope, reason, "write them out, or see that the pool's are set", undecided=True)
    url, told = _told_url(look, call, scope, options)
    if told.family is Family.UNKNOWN and not told.not_sqlite:
        if only_for_sqlite(options.get("connect_args"), look.module_scope):
            told = DatabaseUrl(Family.SQLITE, SQLITE)
    if told.family is Family.SQLITE and (told.in_memory or pool not in QUEUE_POOLS):
        return look.right(call, scope, "SQLite: its pools take no size, or hold the database in a connection")
    lacking = [name for name in wanted(view) if options.get(name) is None]
    if options.unseen:
        if not lacking:
            return look.right(call, scope, "the pool's settings are there")
        reason = f"{', '.join(lacking)}: whether they are set is not in view ({options.unseen})"
        return look.left_alone(call, scope, reason, "see that they are set there", undecided=True)
    if obstacle := _obstacle(options, pool):
        if not lacking:
            return look.right(call, scope, "the pool's settings are there")
        return look.left_alone(call, scope, f"{', '.join(lacking)}: {obstacle}", _BY_HAND, undecided=True)
    if told.family is Family.OTHER and pool not in QUEUE_POOLS:
        if not lacking:
            return look.right(call, scope, "the pool's settings are there")
        reason = f"{', '.join(lacking)}: which pool the dialect `{told.text}` has is not known"
        return look.left_alone(call, scope, reason, _BY_HAND, undecided=True)
    if lacking and _url(call) is None and options.get("url") is None:
        return look.left_alone(call, scope, "it is given no URL", _SEE_THAT, undecided=True)
    if lacking and (obstacle := obstacle_at(view, call)):
        reason = f"{', '.join(lacking)}: {obstacle}"
        return look.left_alone(call, scope, reason, "make it in a statement of its own")
    # one that may be async waits for what async engines wait for
    is_async = any(one in ASYNC_ENGINES for one in makers)
    return _Engine(call, scope, is_async, url, options, missing(options, told, pool, view))


def _told_url(look: Look, call: ast.Call, scope: Scope, options: Options) -> tuple[ast.expr | None, DatabaseUrl]:
    url, where = _url(call), scope
    if url is None and (setting := options.get("url")) is not None and setting.value is not None:
        url, where = setting.value, setting.scope
    if url is None:
        return None, DatabaseUrl(Family.UNKNOWN, "")
    if where.place.path != scope.place.path:
        return None, database_url(url, None, where, look.module_scope)
    told = database_url(url, call, scope, look.module_scope)
    if told.family is Family.UNKNOWN and (kept := kept_sqlite(url, scope, look)) is not None:
        return url, kept
    return url, replace(told, text=look.shown(url)) if told.family is Family.UNKNOWN else told


def _pool(setting: Setting | None) -> str:
    """The pool that `poolclass` names for certain; "" for none, or for what cannot be told."""
    if setting is None or setting.value is None or not setting.certain:
        return ""
    every = alternatives(expression(setting.value), setting.scope.place, setting.scope.project)
    return pool_name(every[0].dotted) if len(every) == 1 and isinstance(every[0], External) else ""


def _obstacle(options: Options, pool: str) -> str:
    """What stands in the way of every option; "" for nothing."""
    given = options.get("poolclass")
    if given is not None and not pool and not _is_none(given):
        if not given.certain:
            return f"poolclass is set under a condition (line {given.line})"
        text = f" `{shown(given.value)}`" if given.value is not None else ""
        return f"which pool poolclass{text} is cannot be told"
    for name in _OWN_POOL:
        own = options.get(name)
        if own is not None and not _is_none(own):
            what = "the pool is made by hand" if name == "pool" else "connections are made by hand"
            return f"{what} (`{name}=`), and what they lead to cannot be told"
    return ""


def _is_none(setting: Setting) -> bool:
    return isinstance(setting.value, ast.Constant) and setting.value.value is None


# --- what is told of an engine --------------------------------------------------------------------------------------


def _told(look: Look, engine: _Engine, engines: list[_Engine]) -> Iterator[Examined]:
    lacks, view = engine.lacks, look.view
    alike = [other.call for other in engines if other.lacks.added == lacks.added]
    target = target_of(view, engine.call, engine.options.room, alike)
    waiting = [one for one in lacks.added if one[0] in WAITING]
    at_once = [one for one in lacks.added if one[0] not in WAITING]
    # a sync session of several threads fails with or without them
    shared = shared_sessions(view) if waiting and engine.is_async else ()
    unsized = f"{', '.join(lacks.sizes)} left out: {lacks.unsized}" if lacks.unsized else ""
    if unsized and engine.url is not None:
        yield _unsized(look, engine, engine.url)
    echo = _echo(look, engine, target)
    # those that may have to wait come last: the order does not depend on whether they do
    every = [*at_once, *echo.options, *([] if shared else waiting)]
    changed: Finding | None = None
    others = tuple((NAME, view.source.path, one.lineno) for one in target.others())
    if every:
        reasons = [one for one in (*lacks.reasons, unsized, echo.unsaid) if one]
        texts = ", ".join(f"{name}={value}" for name, value in every)
        changed = look.finding(
            engine.call,
            engine.scope,
            f"the pool's settings are left to defaults -> {texts}",
            "; ".join(reasons) or "see that the pool is to have these",
            (*target.edits(at_once), *echo.edits, *([] if shared else target.edits(waiting))),
            facts=(*lacks.facts, *echo.facts),
            requires_at=others if at_once or not shared else (),
            unless=_left_beside(target),
        )
        yield changed
    elif unsized and engine.url is None:
        yield _unsized(look, engine, engine.call)
    elif not unsized and not shared:
        yield look.right(engine.call, engine.scope, "; ".join(["the pool's settings are there", *lacks.reasons]))
    if shared:
        yield _held_back(look, engine, target, waiting, shared, changed)


def _left_beside(target: Target) -> str:
    """Why a dict that several engines get stays as it is when one of them is left alone."""
    lines = sorted({one.lineno for one in target.others()})
    if target.room is None or not lines:
        return ""
    those = f"{'engine on line' if len(lines) == 1 else 'engines on lines'} {', '.join(map(str, lines))}"
    return f"the options stand in `{target.room.name}`, as do those of the {those}, and one of these is left alone"


def _unsized(look: Look, engine: _Engine, node: ast.expr) -> Examined:
    """The sizes that are left to a person, told at the URL, which leaves them open."""
    lacks = engine.lacks
    one = len(lacks.sizes) == 1
    reason = f"{', '.join(lacks.sizes)} {'is' if one else 'are'} not set: {lacks.unsized}"
    advice = f"set {'it' if one else 'them'} by hand" + ("" if lacks.is_settled_by_hand else f", or {SETTLE}")
    return look.left_alone(node, engine.scope, reason, advice, facts=lacks.unsized_facts, undecided=True)


def _held_back(
    look: Look,
    engine: _Engine,
    target: Target,
    waiting: list[tuple[str, str]],
    shared: tuple[Fact, ...],
    changed: Finding | None,
) -> Examined:
    """`pool_pre_ping` and `pool_recycle`, which only go where no session is shared any more (semantics F2).

    They go together with what else the engine gets, behind it: the order does not depend on what is made first.
    """
    places = ", ".join(f"{one.path}:{one.line}" for one in shared[:3])
    if len(shared) > 3:
        places += f" and {len(shared) - 3} more"
    use = f"{places} {'use' if len(shared) > 1 else 'uses'} one session in several tasks at once, and would fail with"
    names = ", ".join(name for name, _ in waiting)
    one = len(waiting) == 1
    # with `changed` it already waits for the engines that get the same dict
    others = () if changed is not None else tuple((NAME, look.view.source.path, c.lineno) for c in target.others())
    return look.finding(
        engine.call.func,
        engine.scope,
        f"connections that died in the pool are handed out -> {', '.join(f'{n}={v}' for n, v in waiting)}",
        f"{use} {'it' if one else 'them'}: see that no other place does",
        target.edits(waiting),
        facts=shared,
        requires=(changed.key,) if changed is not None else (),
        requires_at=(*(("shared-session", one.path, one.line) for one in shared), *others),
        unless=f"{names} {'is' if one else 'are'} not added: {use} {'it' if one else 'them'}"
        + (f"; or else {_left_beside(target)}" if others else ""),
    )


def _echo(look: Look, engine: _Engine, target: Target) -> _Echo:
    if not look.view.settings.engine_pool.echo_pool or engine.options.get("echo_pool") is not None:
        return _Echo()
    sign = at(engine.url if engine.url is not None else engine.call, engine.scope, look.tree)
    if sign is None:
        return _Echo(unsaid="echo_pool is left out: nothing in view tells development")
    option = ("echo_pool", sign.text)
    # the dict may stand where the names of the sign are not there yet
    place = target if target.takes(sign.text, engine.scope) else Target(look.view, engine.call)
    return _Echo((option,), place.edits([option]), facts=sign.facts)


# --- what makes engines out of view ---------------------------------------------------------------------------------

_NAMES = frozenset(one.rpartition(".")[2] for one in ENGINES | ENGINES_FROM_CONFIG)


def _references(look: Look, stars: Iterable[str]) -> Iterator[Examined]:
    """What makes engines, named but not called: handed to `partial`, chosen by a condition, stored."""
    view = look.view
    if not any(name.encode() in view.source.data for name in _NAMES):
        return
    facts = view.project.symbols.facts[view.source.path]
    names = _NAMES | {one.name for one in facts.imports if one.attribute in _NAMES}
    by_node = {scope.node: scope for scope in view.scopes}
    parents = view.scopes[0].parents
    for node in ast.walk(view.tree):
        if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
            continue
        if (node.id if isinstance(node, ast.Name) else node.attr) not in names:
            continue
        above = parents.of(node)
        if isinstance(above, ast.Call) and above.func is node:
            continue
        around = next((by_node[one] for one in parents.chain(node) if one in by_node), view.scopes[0])
        making = [one for one in _making(node, around, stars) if one]
        if not making:
            continue
        if _is_other_name(node, around, stars):
            continue  # what is called by that name is seen
        if look.is_test:
            yield look.right(node, around, "an engine of tests")
            continue
        name = making[0].rpartition(".")[2]
        reason = f"`{name}` is handed on: which options its engines get is not in view"
        yield look.left_alone(node, around, reason, _SEE_THAT, undecided=True)


def _is_other_name(node: ast.expr, scope: Scope, stars: Iterable[str]) -> bool:
    """`make = create_async_engine`, also as one side of a condition, when the name stands for just such values."""
    inner: ast.AST = node
    for above in scope.parents.chain(node):
        match above:
            case ast.IfExp(test=test) if test is not inner:
                inner = above
            case ast.BoolOp(op=ast.Or()):
                inner = above
            case ast.Assign(targets=[ast.Name() as target]) | ast.AnnAssign(target=ast.Name() as target):
                return any(_making(target, scope, stars))
            case _:
                return False
    return False
