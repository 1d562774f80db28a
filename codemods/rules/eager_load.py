"""Relationships that are read after the block of their session are loaded in it.

What it changes
    The statement that loads an object gets a loader option, `.options(selectinload(User.roles))`, for every
    relationship that is read of the object after its session is closed: by the function itself, by its callers in any
    file, by the functions that the object is handed to, and by the schemas of FastAPI routes and `model_validate`.
    As deep as it is read: `selectinload(Order.user).selectinload(User.city)`. `session.get(User, pk)` gets
    `options=[...]` where nothing was loaded before it; a new object is refreshed with `attribute_names` (SQLAlchemy 2).

Why
    After its session is closed an object is detached: a relationship that was not loaded raises DetachedInstanceError
    when it is read, far away from the function that loaded the object.

Before
    result = await session.execute(select(Slot).where(Slot.id == slot_id))

After
    result = await session.execute(select(Slot).options(selectinload(Slot.recruiter)).where(Slot.id == slot_id))

Leaves alone
    Relationships that are loaded already: by an option, by `lazy="selectin"` and its like on the mapping, by `refresh`,
    `awaitable_attrs` or `run_sync`. Objects of a session that is still open. Refused, each with its reason: dynamic and
    write-only relationships, paths that an option forbids, objects that may be in the identity map already, statements
    that are made elsewhere, classes that the file cannot name.

Safety
    `review`, always: a reader was found, and a person should see that it is one. The reason names it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property

from codemods.flow.loader_names import written
from codemods.flow.loader_options import Missing, loaded_by, missing
from codemods.flow.objects.readers import Reading, Run
from codemods.flow.objects.values import How, One, Origin, objects
from codemods.flow.scope import Scope
from codemods.flow.session_end import needed_block
from codemods.plan import (
    AddArgument,
    ChainCall,
    Edit,
    Examined,
    Fact,
    Finding,
    InsertAfter,
    Level,
    ReplaceExpression,
    Request,
    Right,
)
from codemods.project.mapped_classes import mapped
from codemods.project.sessions import ClassMeaning
from codemods.rules.base import Keys, ModuleView

NAME = "eager-load"
_PAGE = __doc__ or ""
_LOADS = frozenset({How.LOADED, How.GOT, How.MADE})


class EagerLoad:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "relationships that are read after the block of their session are loaded in it"
    level_text = "review"
    # the files in which something is loaded, and those that say what a relationship is
    words = (b"ession", b"elationship(", b"backref(", b"association_proxy")
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every load of which a relationship is read later."""
        keys = Keys(NAME)
        for scope in view.scopes:
            if scope.is_function:
                yield from _Loads(view, scope, keys).examine()


class _Loads:
    """What one function loads."""

    def __init__(self, view: ModuleView, scope: Scope, keys: Keys) -> None:
        self.view = view
        self.scope = scope
        self.keys = keys

    @cached_property
    def run(self) -> Run:
        return self.view.readers.run(self.scope)

    def examine(self) -> Iterator[Examined]:
        if not self._may_load():
            return
        record = self.run.record
        own = {one.number for one in record.sessions if one.own}
        by_anchor: dict[tuple[int, int], list[tuple[Origin, list[Reading]]]] = {}
        for origin in self._origins():
            if origin.class_ is None:
                continue
            number = record.added.get(origin, 0) or origin.session
            readings = self.view.readers.readings(self.run, origin, origin.class_, detached=number in own)
            if readings:
                by_anchor.setdefault(origin.anchor, []).append((origin, readings))
        counts: dict[str, int] = {}
        for anchor, found in sorted(by_anchor.items()):
            node = record.nodes.get(anchor)
            if node is None:
                continue
            text = ast.unparse(node)
            counts[text] = counts.get(text, 0) + 1
            yield from self._load(node, found, counts[text])

    def _may_load(self) -> bool:
        """Whether the function calls anything that can give an object of a session: cheap, and asked first."""
        return any(isinstance(node, ast.Call) for node in self.scope.watched())

    def _origins(self) -> list[Origin]:
        """The objects that the function loads or makes, and that may leave it."""
        record = self.run.record
        found = {one.origin for left in record.exits.values() for one in objects(left.value)}
        found |= {read.one.origin for read in record.reads if read.left}
        found |= {one.one.origin for one in record.passed if one.left}
        found |= {one.one.origin for one in record.serialized if one.left}
        return sorted(one for one in found if one.how in _LOADS and (one.session or one in record.added))

    # --- one load ------------------------------------------------------------------------------------------------

    def _load(self, node: ast.expr, found: list[tuple[Origin, list[Reading]]], ordinal: int) -> Iterator[Examined]:
        origin = found[0][0]
        readings = sorted({one for _, each in found for one in each}, key=lambda one: (one.path, one.line, one.names))
        assert origin.class_ is not None
        lacking: dict[tuple[str, ...], Missing] = {}
        any_read = False
        for each, read in found:
            loaded = loaded_by(self._arguments(each), origin.class_, self.scope)
            read = [one for one in read if not self._is_never_loaded(origin.class_, one.names)]
            if not read:
                continue
            if loaded.unknown:
                yield self._manual(node, ordinal, f"its options cannot be told: {loaded.unknown}", readings)
                return
            by_hand = self._by_hand(each)
            wanted = [one.names for one in read if one.names[0] not in by_hand]
            lacking |= {one.path: one for one in missing(wanted, origin.class_, loaded, self.view.project)}
            any_read = True
        wanting = list(lacking.values())
        if not any_read or (not wanting and origin.how is How.MADE and origin not in self.run.record.refreshed):
            return
        if not wanting:
            yield Right(NAME, self.view.site(node, self.scope), "what is read of it later is loaded")
            return
        readings = _of(readings, wanting)
        refused = next((one.refused for one in wanting if one.refused), "")
        if not refused and origin.what.partition(".")[0] in self.scope.parameters:
            refused = f"it cannot be told of which class `{origin.what}` is in a class below"
        if refused:
            yield self._manual(node, ordinal, refused, readings)
            return
        if origin.foreign:
            reason = f"it cannot be told who else uses the statement that `{origin.foreign}` makes"
            yield self._manual(node, ordinal, reason, readings)
            return
        yield self._finding(node, origin, wanting, readings, ordinal)

    def _arguments(self, origin: Origin) -> list[ast.expr]:
        """The loader options that the statement has."""
        record = self.run.record
        found = [argument for end in origin.options for argument in record.options[end].args]
        node = record.nodes.get(origin.anchor)
        if origin.how is How.GOT and isinstance(node, ast.Call):
            found += [keyword.value for keyword in node.keywords if keyword.arg == "options"]
        return found

    def _is_never_loaded(self, class_: ClassMeaning | None, names: tuple[str, ...]) -> bool:
        """Whether a relationship on the way is `lazy="noload"`: it reads as empty, and was meant to."""
        for name in names:
            known = mapped(class_, self.view.project) if class_ is not None else None
            relationship = known.relationships.get(name) if known is not None else None
            if relationship is None:
                return False
            if relationship.lazy == "noload":
                return True
            class_ = relationship.target
        return False

    def _by_hand(self, origin: Origin) -> set[str]:
        """The relationships that the function loads or sets by other means, while the session is open."""
        record = self.run.record
        worlds = [left.world for left in record.exits.values()] + ([record.end] if record.end is not None else [])
        standings = [world.objects[origin].loaded for world in worlds if origin in world.objects]
        found = set(frozenset.intersection(*standings)) if standings else set()
        session = record.sessions[(record.added.get(origin, 0) or origin.session) - 1]
        if not session.is_async:
            # what is read while the session is open is loaded by that
            found |= {
                read.one.names[0] if read.one.names else read.attribute
                for read in record.reads
                if read.one.origin == origin and not read.left
            }
        return found

    # --- findings ------------------------------------------------------------------------------------------------

    def _finding(
        self, node: ast.expr, origin: Origin, wanting: list[Missing], readings: list[Reading], ordinal: int
    ) -> Finding:
        if origin.how is How.MADE:
            return self._refreshed(node, origin, wanting, readings, ordinal)
        if any(0 in one.backrefs for one in wanting) and not self._is_query(node):
            path = next(one.path for one in wanting if 0 in one.backrefs)
            reason = f"`{path[0]}` is made by a backref: naming it raises until the mappers are configured"
            return self._manual(node, ordinal, reason, readings)
        if origin.how is How.GOT and origin.joined:
            reason = "it may already be loaded in this session: `get` would ignore the options"
            return self._manual(node, ordinal, reason, readings, "load it by a `select` with options")
        texts: list[str] = []
        requests: list[Request] = []
        for one in wanting:
            option = written(
                one, origin.what, self.scope, self.view.tree, self.view.source, self.view.project, node.lineno
            )
            if isinstance(option, str):
                return self._manual(node, ordinal, option, readings)
            texts.append(option.text)
            requests += [request for request in option.requests if request not in requests]
        edits = self._edits(node, origin, texts)
        return self._made(node, ordinal, edits, tuple(requests), texts, readings, origin)

    def _is_query(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "query"

    def _edits(self, node: ast.expr, origin: Origin, texts: list[str]) -> tuple[Edit, ...]:
        path = self.view.source.path
        if origin.how is How.GOT:
            assert isinstance(node, ast.Call)
            given = [keyword.value for keyword in node.keywords if keyword.arg == "options"]
            if given:
                listed = self.view.text(given[0]).rstrip()
                inner = listed[1:-1].rstrip().rstrip(",")
                text = f"[{', '.join([*([inner] if inner else []), *texts])}]"
                return (ReplaceExpression(path, self.view.span(given[0]), text),)
            return (AddArgument(path, self.view.span(node), f"options=[{', '.join(texts)}]"),)
        if origin.options:
            call = self.run.record.options[origin.options[-1]]
            return tuple(AddArgument(path, self.view.span(call), text) for text in texts)
        return (ChainCall(path, self.view.span(node), f".options({', '.join(texts)})"),)

    def _refreshed(
        self, node: ast.expr, origin: Origin, wanting: list[Missing], readings: list[Reading], ordinal: int
    ) -> Finding:
        """A new object: its relationships are loaded by one more `refresh`."""
        record = self.run.record
        number = record.added[origin]
        session = record.sessions[number - 1]
        line = record.refreshed.get(origin, 0) or self._committed(number)
        statement = next((one for one in self.scope.statements() if one.lineno == line), None) if line else None
        anchor = statement.value if isinstance(statement, ast.Expr) else node
        name = self._name(origin)
        version = self.view.settings.sqlalchemy
        reason = ""
        if version is None or version < (2, 0):
            told = "the project does not say that it runs on" if version is None else "the project does not run on"
            reason = f"a relationship of a new object is loaded by `refresh`, which takes SQLAlchemy 2; {told} it"
        elif any(len(one.path) > 1 for one in wanting):
            reason = "what is read lies deeper than `refresh` loads"
        elif statement is None or not name or not isinstance(statement, ast.Expr):
            reason = "it cannot be told after which line it would have to be refreshed"
        if reason:
            return self._manual(anchor, ordinal, reason, readings, "load it again by a `select` with options")
        assert statement is not None
        names = ", ".join(f'"{one.path[0]}"' for one in wanting)
        call = f"{session.name}.refresh({name}, attribute_names=[{names}])"
        edit = InsertAfter(self.view.source.path, statement.lineno, f"await {call}" if session.is_async else call)
        return self._made(anchor, ordinal, (edit,), (), [f"refresh of {names}"], readings, origin)

    def _committed(self, number: int) -> int:
        """The line of the last commit of a session."""
        return max(
            (
                left.world.sessions[number].committed
                for left in self.run.record.exits.values()
                if number in left.world.sessions
            ),
            default=0,
        )

    def _name(self, origin: Origin) -> str:
        """The only name that holds just the object."""
        found = {
            name
            for left in self.run.record.exits.values()
            for name, held in left.world.names.items()
            if held == frozenset({One(origin, (), origin.class_)})
        }
        return found.pop() if len(found) == 1 else ""

    def _made(
        self,
        node: ast.expr,
        ordinal: int,
        edits: tuple[Edit, ...],
        requests: tuple[Request, ...],
        texts: list[str],
        readings: list[Reading],
        origin: Origin,
    ) -> Finding:
        site = self.view.site(node, self.scope)
        record = self.run.record
        session = record.sessions[(record.added.get(origin, 0) or origin.session) - 1]
        # a block that is opened around the load ends what was read through the session by luck (semantics C7)
        block = needed_block(self.scope, session, self.view.decided)
        return Finding(
            key=self.keys.key(site, node, ordinal),
            rule=NAME,
            site=site,
            level=Level.REVIEW,
            message=f"{_told(readings)}, loaded in {site.place} -> {', '.join(texts)}",
            reason=f"{_told(readings)} after the session is closed: see that it is this object",
            facts=tuple(Fact(one.path, one.line, f"reads `{one.text}`") for one in readings),
            edits=edits,
            requests=requests,
            requires=(block,) if block else (),
        )

    def _manual(self, node: ast.expr, ordinal: int, why: str, readings: list[Reading], advice: str = "") -> Finding:
        site = self.view.site(node, self.scope)
        reason = f"{_told(readings)}, loaded in {site.place}: {why}"
        key = self.keys.key(site, node, ordinal)
        facts = tuple(Fact(one.path, one.line, f"reads `{one.text}`") for one in readings)
        return Finding(
            key, NAME, site, Level.MANUAL, reason, reason=reason, advice=advice or "load it by hand", facts=facts
        )


def _of(readings: list[Reading], wanting: list[Missing]) -> list[Reading]:
    """The readings for the sake of which something is missing, those of the last step first."""
    paths = [one.path for one in wanting]
    exact = [one for one in readings if one.names in paths]
    front = [one for one in readings if one not in exact and any(path[: len(one.names)] == one.names for path in paths)]
    return [*exact, *front] or readings


def _told(readings: list[Reading]) -> str:
    first = readings[0]
    more = len({(one.path, one.line) for one in readings}) - 1
    others = f" (and {more} more {'place' if more == 1 else 'places'})" if more else ""
    return f"{first.path}:{first.line} reads `{first.text}`{others}"
