"""What the methods of a session give, and what they do to the objects in it (semantics B, C, D1). Changes the world."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from codemods.flow.objects import results, selects
from codemods.flow.objects.record import Effects
from codemods.flow.objects.values import (
    EMPTY,
    NOTHING,
    PLAIN,
    UNKNOWN,
    Alternative,
    Bearer,
    Class,
    How,
    Later,
    Nothing,
    One,
    Origin,
    Plain,
    Query,
    Result,
    Selected,
    Selection,
    SessionValue,
    Unknown,
    Value,
    objects,
    union,
    value,
)
from codemods.flow.objects.world import Standing, note, stand

if TYPE_CHECKING:
    from codemods.flow.objects.evaluate import Evaluation

_EXECUTING = frozenset({"execute", "scalars", "scalar", "exec", "stream", "stream_scalars"})
# nothing that these do can change a row or an object
READING = frozenset(
    {
        *("get", "get_one", "execute", "scalars", "scalar", "exec", "stream", "stream_scalars", "query", "refresh"),
        *("expunge", "expunge_all", "close", "rollback", "begin", "in_transaction", "is_modified", "connection"),
        *("get_bind", "expire", "expire_all", "sync_session", "in_nested_transaction", "aclose", "reset"),
    }
)
_CHANGING = frozenset({"insert", "update", "delete", "merge", "lock", "share", "truncate", "into"})
_WRITING = frozenset({"add", "add_all", "delete", "merge"})
_ASYNC = frozenset(
    {
        *("get", "get_one", "merge", "refresh", "delete", "flush", "commit", "rollback", "close", "aclose", "reset"),
        *("invalidate", "execute", "scalar", "scalars", "exec", "stream", "stream_scalars", "connection", "run_sync"),
    }
)


class SessionCalls:
    """The calls of session methods in one function."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._all = evaluation

    def call(self, node: ast.Call, method: str, number: int) -> Value:
        """`session.method(...)`."""
        session = self._all.session_of(number)
        assert session is not None
        given = self._given(node, method, number)
        if session.is_async and method in _ASYNC and not self._all.is_awaited(node):
            self._all.record.escapes.setdefault(number, node.lineno)
        return value(Later(given)) if session.is_async and method in _ASYNC else given

    def _given(self, node: ast.Call, method: str, number: int) -> Value:
        line, world = node.lineno, self._all.world
        if method not in READING:
            self.wrote(number, line)
        if method in _WRITING or method.startswith("bulk_"):
            self.unsaved(number, line)
        if method in _EXECUTING:
            return self._executed(node, method, number)
        if method in ("get", "get_one"):
            return self._got(node, method, number)
        if method == "query":
            self._all.calls.arguments(node)
            known = selects.query(node, self._all.scope, self._all.value)
            self._all.record.nodes[(line, node.col_offset)] = node
            self._loaded(number, line)
            return value(Query(known, (line, node.col_offset), number))
        if method == "run_sync":
            return self._run_sync(node, number)
        arguments = self._all.calls.arguments(node)
        first = arguments[0] if arguments else EMPTY
        match method:
            case "add" | "add_all":
                self._loaded(number, line)
                for one in objects(first):
                    if not one.names:
                        self.cascade(one.origin, line, into=number)
            case "flush":
                self.flush(number)
            case "commit" if self._is_run(node, number):
                self.commit(number, line)
            case "rollback":
                self._rolled_back(number, line)
            case "refresh":
                self._refreshed(node, first)
            case "expire":
                for one in objects(first):
                    stand(world, one.origin, expired=line, expired_by="expire")
            case "expire_all":
                self._expire(number, line, "expire_all")
            case "delete":
                for one in objects(first):
                    stand(world, one.origin, deleted=line)
                self._doubtful(number, line)
            case "expunge":
                self._expunged(first, number, line)
            case "expunge_all" | "close" | "aclose" | "reset" | "invalidate":
                self.emptied(number, line, ends=method != "expunge_all")
            case "merge":
                return self._merged(node, first, number)
            case "begin" | "begin_nested":
                return value(Bearer(None, frozenset({number})))
            case "no_autoflush" | "connection":
                return UNKNOWN
            case _:
                return PLAIN if method in READING else value(Unknown(f"session.{method}()", number))
        return PLAIN

    def _is_run(self, node: ast.Call, number: int) -> bool:
        """Whether the call does what it says: of an async session it has to be awaited."""
        session = self._all.session_of(number)
        above = self._all.scope.parents.of(node)
        return session is None or not session.is_async or not isinstance(above, ast.Expr)

    # --- reading -------------------------------------------------------------------------------------------------

    def _executed(self, node: ast.Call, method: str, number: int) -> Value:
        given = self._all.calls.arguments(node)
        statement = node.args[0] if node.args else (node.keywords[0].value if node.keywords else None)
        found: list[Value] = []
        for one in given[0] if given else EMPTY:
            selection: Selection | None
            match one:
                # an INSERT, UPDATE or DELETE is run at once: no object has a change that has yet to be written then
                case Selection(selected=(), deletes=gone):  # rows of nothing
                    selection = None
                    self.unsaved(number, node.lineno)
                    for origin, _ in self._in(number) if gone is not None else ():
                        if origin.class_ == gone:
                            stand(self._all.world, origin, may_be_deleted=node.lineno)
                case Selection():
                    selection = one
                    self._all.record.executed.setdefault(one.anchor, set()).add(one.options)
                    if one.writes or one.locks:
                        self.unsaved(number, node.lineno)
                case Plain():
                    selection = None
                    self.wrote(number, node.lineno)
                    if not _reads(statement):
                        self.unsaved(number, node.lineno)
                        self._may_delete(number, node.lineno, statement)
                case Query(selection=known):
                    selection = known
                case _:
                    text = ast.unparse(statement) if statement is not None else method
                    selection = Selection((Selected(None, text, unknown=True),), (node.lineno, node.col_offset))
                    self.wrote(number, node.lineno)
                    self.unsaved(number, node.lineno)
            result: Alternative = results.executed(selection, (node.lineno, node.col_offset), number)
            assert isinstance(result, Result)
            if method in ("scalars", "stream_scalars") or (method == "exec" and _is_single(selection)):
                result = replace(result, scalars=True)
            if method == "scalar":
                came = union([results.first(result, self._all.path), NOTHING])
                self._all.came(came)
                found.append(came)
            else:
                found.append(value(result))
        self._loaded(number, node.lineno)
        return union(found)

    def _may_delete(self, number: int, line: int, statement: ast.expr | None) -> None:
        """A statement that is a text may take rows away."""
        text = ast.unparse(statement).lower() if statement is not None else ""
        if "delete" in text or "truncate" in text:
            for origin, _ in self._in(number):
                stand(self._all.world, origin, may_be_deleted=line)

    def _loaded(self, number: int, line: int) -> None:
        known = self._all.world.sessions.get(number)
        if known is None or not known.loaded:
            note(self._all.world, number, loaded=line)

    def _got(self, node: ast.Call, method: str, number: int) -> Value:
        given = self._all.calls.arguments(node)
        known = self._all.world.sessions.get(number)
        before = known.loaded if known is not None else 0
        self._loaded(number, node.lineno)
        if any(keyword.arg == "with_for_update" for keyword in node.keywords):
            self.unsaved(number, node.lineno)  # nobody else can write the row until the next commit
        self._all.record.nodes[(node.lineno, node.col_offset)] = node
        entity = node.args[0] if node.args else None
        found: list[Value] = []
        for one in given[0] if given and entity is not None else EMPTY:
            if isinstance(one, Class):
                origin = Origin(
                    How.GOT, self._all.path, node.lineno, node.col_offset, 0, ast.unparse(node.args[0]), one.class_,
                    number, (node.lineno, node.col_offset), joined=bool(before),
                )  # fmt: skip
                self._all.arrived(origin)
                found.append(value(One(origin, (), one.class_)))
            else:
                found.append(value(Unknown(ast.unparse(node.func), number)))
        if method == "get":
            found.append(NOTHING)
        return union(found)

    def _run_sync(self, node: ast.Call, number: int) -> Value:
        """`run_sync(lambda s: ...)`: the lambda gets the sync session; a function gets it and the other arguments."""
        if node.args and isinstance(node.args[0], ast.Lambda):
            bound = node.args[0].args.args
            before = dict(self._all.world.names)
            if bound:
                self._all.world.names[bound[0].arg] = value(SessionValue(number))
            sync = self._all.session_of(number)
            assert sync is not None
            given = self._all.value(node.args[0].body)
            self._all.world.names = before
            flat = union([one.value if isinstance(one, Later) else value(one) for one in given])
            for each in objects(flat):
                if each.names:
                    self.loaded(each.origin, each.names[0])
            return flat
        for argument in node.args[1:]:
            self._all.value(argument)
        self.unknown(number, node.lineno)
        return value(Unknown(ast.unparse(node.func), number))

    # --- writing -------------------------------------------------------------------------------------------------

    def wrote(self, number: int, line: int) -> None:
        """Something may be written by the session from here on."""
        known = self._all.world.sessions.get(number)
        if number and (known is None or not known.wrote):
            note(self._all.world, number, wrote=line)

    def unsaved(self, number: int, line: int) -> None:
        """Something is, or may be, to be written that no commit has written yet."""
        known = self._all.world.sessions.get(number)
        if number and (known is None or not known.uncommitted):
            note(self._all.world, number, uncommitted=line)

    def wrote_somewhere(self, line: int) -> None:
        """Something is changed, and it is not followed of what session it may be."""
        self._all.record.may_write = True
        for session in self._all.record.sessions:
            self.wrote(session.number, line)

    def wrote_on(self, base: Value, line: int) -> None:
        """A method is called that may change what it is called on: `user.tags.append("x")`."""
        if not any(isinstance(one, (Nothing, Class, SessionValue)) for one in base):
            self.wrote_somewhere(line)

    def touched(self, origin: Origin, line: int) -> None:
        """Something that is not followed may change an object."""
        if not self._all.world.standing(origin).touched:
            stand(self._all.world, origin, touched=line)
        self.wrote(self._all.number(origin), line)

    def loaded(self, origin: Origin, name: str) -> None:
        """A relationship is loaded by hand: of every object of that origin, unless it is one of several."""
        met = bool(self._all.loops) and any(one.origin == origin for one in self._all.loops[-1])
        if met or self.is_alone(origin):
            stand(self._all.world, origin, loaded=self._all.world.standing(origin).loaded | {name})

    def is_alone(self, origin: Origin) -> bool:
        """Whether no collection holds objects of that origin: what is done to one is done to all of them."""
        return not any(
            one.origin == origin
            for held in self._all.world.names.values()
            for each in held
            if not isinstance(each, One)
            for one in objects(value(each))
        )

    def given(self, origin: Origin, name: str) -> None:
        """A relationship is set: as `loaded`, but what is made or met in a loop is the object of this very round."""
        if origin.how is How.MADE or self._all.loops:
            stand(self._all.world, origin, loaded=self._all.world.standing(origin).loaded | {name})
        else:
            self.loaded(origin, name)

    def _doubtful(self, number: int, line: int) -> None:
        """Something has left the session, and may have taken any of its objects along."""
        for origin, standing in self._in(number):
            if not standing.may_be_expunged:
                stand(self._all.world, origin, may_be_expunged=line)

    def cascade(self, origin: Origin, line: int, into: int = 0) -> None:
        """The object and all that are tied to it are in the session; the new ones are pending."""
        for other in self._all.world.kin(origin):
            standing = self._all.world.standing(other)
            if standing.attached and not standing.expunged:
                continue
            new = other.how in (How.MADE, How.GIVEN)
            number = into or other.session
            stand(
                self._all.world,
                other,
                attached=True,
                may_be_attached=True,
                expunged=False,
                pending=line if new and not standing.flushed else standing.pending,
            )
            if number:
                self._all.record.added[other] = number

    def _in(self, number: int) -> list[tuple[Origin, Standing]]:
        """The objects that are or may be in a session."""
        return [
            (origin, standing)
            for origin, standing in self._all.world.objects.items()
            if self._all.number(origin) == number and standing.may_be_attached
        ]

    def flush(self, number: int) -> None:
        self._written(number)
        for origin, standing in self._in(number):
            new = standing.pending
            stand(self._all.world, origin, pending=0, changed=0, flushed=new or standing.flushed)

    def _written(self, number: int) -> None:
        """What was changed before is in the database: an expunge loses nothing of it any more (semantics C3)."""
        if number in self._all.world.sessions:
            note(self._all.world, number, wrote=0)

    def commit(self, number: int, line: int) -> None:
        session = self._all.session_of(number)
        note(self._all.world, number, committed=line, saved=True, uncommitted=0)
        self._written(number)
        for origin, standing in self._in(number):
            if standing.expunged and (standing.changed or standing.pending):
                stand(self._all.world, origin, lost=line)
            else:
                gone = bool(standing.deleted)
                stand(self._all.world, origin, pending=0, changed=0, flushed=0, expunged=standing.expunged or gone)
        for origin, standing in list(self._all.world.objects.items()):
            if standing.changed and not self._all.number(origin) and self._all.home(origin) == number:
                stand(self._all.world, origin, changed=0)
        if session is None or session.expire_on_commit is not False:
            unseen = session is None or session.expire_on_commit is None
            self._expire(number, line, "commit?" if unseen else "commit")

    def _rolled_back(self, number: int, line: int) -> None:
        note(self._all.world, number, rolled_back=line, uncommitted=0)
        for origin, standing in self._in(number):
            if standing.pending or standing.flushed:
                stand(self._all.world, origin, attached=False, pending=line, changed=0)
        self._expire(number, line, "rollback")

    def _expire(self, number: int, line: int, by: str) -> None:
        for origin, standing in self._in(number):
            if not standing.expunged:
                stand(self._all.world, origin, expired=line, expired_by=by, loaded=frozenset())

    def _refreshed(self, node: ast.Call, first: Value) -> None:
        names: frozenset[str] = frozenset()
        chosen = node.args[1] if len(node.args) > 1 else None
        for keyword in node.keywords:
            if keyword.arg == "attribute_names":
                chosen = keyword.value
        if isinstance(chosen, (ast.List, ast.Tuple, ast.Set)):
            names = frozenset(
                one.value for one in chosen.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )
        for one in objects(first):
            if one.names:
                continue
            standing = self._all.world.standing(one.origin)
            self._all.record.refreshed[one.origin] = node.lineno
            if chosen is None or (isinstance(chosen, ast.Constant) and chosen.value is None):
                # what was loaded or set by hand is not loaded any more
                stand(self._all.world, one.origin, expired=0, expired_by="", changed=0, loaded=frozenset())
            else:
                for name in names:
                    self.loaded(one.origin, name)
                del standing

    def _expunged(self, first: Value, number: int, line: int) -> None:
        note(self._all.world, number, detached=line)
        for one in objects(first):
            if not one.names:
                stand(self._all.world, one.origin, expunged=True, may_be_expunged=line)
        self._doubtful(number, line)  # rule 11

    def emptied(self, number: int, line: int, *, ends: bool) -> None:
        """`expunge_all()`, `close()`, the end of a block: nothing is in the session any more."""
        note(self._all.world, number, detached=line)
        if ends:
            note(self._all.world, number, left=True)
        for origin, _ in self._in(number):
            stand(self._all.world, origin, expunged=True, may_be_expunged=line)

    def _merged(self, node: ast.Call, first: Value, number: int) -> Value:
        found: list[Value] = []
        for one in first:
            if isinstance(one, One) and not one.names:
                if self._all.world.standing(one.origin).merged == 0:
                    stand(self._all.world, one.origin, merged=node.lineno)
                origin = Origin(
                    How.MERGED, self._all.path, node.lineno, node.col_offset, 0, one.origin.what, one.class_, number,
                    (node.lineno, node.col_offset),
                )  # fmt: skip
                self._all.arrived(origin)
                stand(self._all.world, origin, pending=node.lineno)
                found.append(value(One(origin, (), one.class_)))
            elif not isinstance(one, Nothing):
                found.append(value(Unknown(ast.unparse(node.func), number)))
        return union(found)

    # --- what others do with it ------------------------------------------------------------------------------------

    def unknown(self, number: int, line: int) -> None:
        """The session is handed to something that is not in view."""
        self.wrote(number, line)
        self.unsaved(number, line)
        note(self._all.world, number, detached=line)
        self._doubtful(number, line)
        for origin, standing in self._in(number):
            # it may have written what was changed before
            stand(self._all.world, origin, changed=0, touched=standing.touched or standing.changed or line)

    def affected(self, number: int, effects: Effects, line: int) -> None:
        """The session is handed to a function of the project that does these things to it, or may do them."""
        session = self._all.session_of(number)
        if effects.commits or effects.rolls_back or effects.writes:
            self.wrote(number, line)
        if effects.rolls_back:
            note(self._all.world, number, rolled_back=line)
            self._expire(number, line, "rollback")
        if effects.commits:
            note(self._all.world, number, committed=line)
            for origin, _ in self._in(number):
                stand(self._all.world, origin, changed=0, pending=0)
            if session is None or session.expire_on_commit is not False:
                self._expire(number, line, "commit")
        if effects.saves:
            note(self._all.world, number, saved=True, uncommitted=0)
        if effects.uncommitted:
            self.unsaved(number, line)
        if effects.keeps:
            self.kept(number, line)
        if effects.detaches:
            note(self._all.world, number, detached=line)
            self._doubtful(number, line)

    def kept(self, number: int, line: int) -> None:
        """The session is put where other functions find it: they may do anything to it, from here on."""
        self.unknown(number, line)
        note(self._all.world, number, kept=line)

    def handed_back(self, origin: Origin, after: Standing, line: int, number: int) -> None:
        """How an object stands that was handed to a function, which leaves it as `after` says."""
        before = self._all.world.standing(origin)
        if after == Standing():
            return
        joined_in = after.attached and not after.pending
        if after.may_be_attached and number:
            self._all.record.added.setdefault(origin, number)
        stand(
            self._all.world,
            origin,
            attached=before.attached or after.attached,
            may_be_attached=before.may_be_attached or after.may_be_attached,
            pending=0 if joined_in else (line if after.pending or before.pending else 0),
            expired=line if after.expired else (0 if joined_in else before.expired),
            expired_by=after.expired_by or before.expired_by,
            changed=line if after.changed else (0 if joined_in else before.changed),
            touched=before.touched or (line if after.touched else 0),
            deleted=before.deleted or (line if after.deleted else 0),
            expunged=before.expunged or after.expunged,
            may_be_expunged=before.may_be_expunged or (line if after.may_be_expunged else 0),
            loaded=before.loaded | after.loaded,
        )


def _reads(statement: ast.expr | None) -> bool:
    """Whether a statement is written as a text that only reads."""
    if isinstance(statement, ast.Call) and len(statement.args) == 1:
        statement = statement.args[0]
    text = statement.value if isinstance(statement, ast.Constant) else None
    if not isinstance(text, str):
        return False
    words = set(re.findall(r"[a-z]+", text.lower()))
    return text.lstrip().lower().startswith(("select", "show", "with")) and not words & _CHANGING


def _is_single(selection: Selection | None) -> bool:
    """SQLModel's own `select` of one thing gives scalars, SQLAlchemy's gives rows even there (semantics D2)."""
    return selection is not None and len(selection.selected) == 1 and selection.sqlmodel
