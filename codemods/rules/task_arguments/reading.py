"""What becomes of a function that is run later, by what it does and by who else uses it. Decides only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from codemods.flow.class_import import class_named, sqlalchemy_name
from codemods.flow.loader_names import written
from codemods.flow.loader_options import loaded_by, missing
from codemods.flow.own_session import OwnSession, own_session
from codemods.flow.quiet import is_quiet
from codemods.flow.scheduling import Kind
from codemods.flow.scope import Scope
from codemods.flow.tasks.behaviour import (
    changed,
    deferred_reads,
    gives_something,
    raises_for_http,
    reads_only_key,
    unmapped_reads,
    unsaved,
)
from codemods.flow.tasks.carried import Given, What
from codemods.plan import Fact, Request
from codemods.project.expressions import chained
from codemods.project.facts import FunctionFacts
from codemods.project.keeping import Fate, handed, parameter_name
from codemods.project.link import Place
from codemods.project.mapped_classes import mapped
from codemods.project.mapping import Column
from codemods.project.name_uses import Role
from codemods.project.sessions import UNKNOWN, ClassMeaning, External, FunctionMeaning, SessionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Accepted, Refusal
from codemods.rules.own_session.task import Key, Replaced, Task, element_of
from codemods.rules.task_arguments.judging import judged, keys_of

_NARROWING = frozenset({"contains_eager", "and_", "with_loader_criteria", "noload", "raiseload", "of_type"})
_CRITERIA = frozenset({"with_loader_criteria", "listens_for"})  # together: criteria that every SELECT gets
_WAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_ATTACHING = frozenset({"add", "add_all", "delete", "refresh", "expunge"})
_PLAIN_TYPES = frozenset({"int", "str", "bool", "float", "bytes"})


def task_of(accepted: Sequence[Accepted], refused: int, others: Sequence[Fact], view: ModuleView) -> Task | Refusal:
    """What becomes of the function that all these calls run; `refused` more calls of it, and `others`, stay."""
    return _Reading(accepted, refused, others, view).task()


class _Reading:
    def __init__(self, accepted: Sequence[Accepted], refused: int, others: Sequence[Fact], view: ModuleView) -> None:
        self.accepted = accepted
        self.first = accepted[0]
        self.function = self.first.function
        self.stays = refused + len(others)
        self.others = others
        found = view.beside(self.function.module)
        assert found is not None
        self.view = found
        self.project = view.project
        scope = view.summaries.scope(FunctionMeaning(self.function.module, self.function.qualname))
        assert scope is not None
        self.scope = scope
        (self.definition,) = self.project.symbols.functions(self.function.module, self.function.qualname)
        self.record = view.readers.run(scope).record
        self.reasons: list[str] = []
        self.needs: set[tuple[str, str, int]] = set()
        self.name = f"`{self.function.qualname}()`"

    def task(self) -> Task | Refusal:
        if refused := self._differing() or self._behaviour():
            return refused
        waiting = self._waits_first()
        if self._is_in_place():
            task = self._made(in_place=True)
            if isinstance(task, Refusal) or not self._clash(task):
                return task
        if waiting:
            reason = f"{self.name} waits at line {waiting.lineno}: a connection would be held meanwhile"
            return Refusal(reason, "open the session behind that, by hand")
        task = self._made(in_place=False)
        if isinstance(task, Task) and (clash := self._clash(task)):
            return Refusal(clash)
        return task

    def _waits_first(self) -> ast.stmt | None:
        """The last statement that sleeps before the function does anything with what it is given."""
        node, found = self.scope.node, None
        for statement in getattr(node, "body", ()):
            names = {inner.id for inner in ast.walk(statement) if isinstance(inner, ast.Name)}
            if names & set(self.first.carried):
                break
            if any(isinstance(inner, ast.Await) and "sleep" in ast.unparse(inner) for inner in ast.walk(statement)):
                found = statement
        return found

    def _made(self, *, in_place: bool) -> Task | Refusal:
        carried = self.first.carried
        has_session = any(one.what is What.SESSION for one in carried.values())
        replaced: list[Replaced] = []
        for parameter in self.definition.parameters:
            given = carried.get(parameter.name)
            if given is None:
                continue
            one = self._replaced(parameter.name, given, in_place=in_place)
            if isinstance(one, Refusal):
                return one
            replaced.append(one)
        fetches = any(one.keys and not (one.only_key and in_place) for one in replaced)
        own: OwnSession | None = None
        factory = self.first.factory
        if has_session or fetches:
            assert factory is not None
            if factory.is_async and not self.scope.is_async:
                return Refusal(f"{self.name} is not async: it cannot await what an async session gives")
            found = own_session(
                factory,
                self.scope,
                self.view.tree,
                self.view.source,
                self.view.customs,
                self.view.settings.scope,
            )
            if isinstance(found, str):
                return Refusal(found)
            own = found
            if own.replaced:
                fact = own.replaced[0]
                self.reasons.append(
                    f"tests replace what gives the session ({fact.path}:{fact.line}): they do not reach the task's own"
                )
        plain = frozenset(name for one in self.accepted for name in one.plain)
        is_async = factory.is_async if factory is not None else self.scope.is_async
        for accepted in self.accepted:
            self.reasons += [reason for reason in accepted.assumed if reason not in self.reasons]
        if fetches:
            listeners = [path for path, facts in self.project.symbols.facts.items() if facts.calls >= _CRITERIA]
            if listeners:
                return Refusal(f"a loader criterion ({listeners[0]}) may hide the row from the task")
            self._note_what_fetching_changes()
        return Task(
            self.function,
            self.scope,
            self.view,
            self.definition,
            tuple(replaced),
            own,
            is_async,
            in_place,
            tuple(sorted(self.needs)),
            list(dict.fromkeys(self.reasons)),
            plain,
            gives=not in_place and self._is_read(),
            behind=waiting.lineno if in_place and (waiting := self._waits_first()) is not None else 0,
        )

    def _is_read(self) -> bool:
        """Whether somebody may read what the task gives: it gives something, and its call is kept."""
        return gives_something(self.record) and any(
            one.site.scheduling.kind is Kind.TASK
            and not isinstance(one.site.scope.parents.of(one.site.scheduling.call), ast.Expr)
            for one in self.accepted
        )

    def _note_what_fetching_changes(self) -> None:
        """What a person should know of the early `return`, and of fetching at all."""
        first = next((one for one in self.scope.statements() if isinstance(one, ast.Try) and one.finalbody), None)
        if first is not None:
            line = first.finalbody[0].lineno
            self.reasons.append(f"where the row is gone, the `finally` at line {line} does not run")
        if any(one.what is What.ENTITIES for one in self.first.carried.values()):
            self.reasons.append(
                "all its rows are fetched by one statement, and a connection is held as long as it runs"
            )

    # --- what the task does --------------------------------------------------------------------------------------

    def _differing(self) -> Refusal | None:
        """Whether the calls hand the same kinds of things to the same parameters."""
        kinds = [{name: (one.what, one.class_) for name, one in each.carried.items()} for each in self.accepted]
        if any(one != kinds[0] for one in kinds):
            return Refusal(f"{self.name} is given other things by other calls")
        sources = {each.factory.source for each in self.accepted if each.factory is not None}
        if len(sources) > 1:
            return Refusal(f"{self.name} is given sessions of several factories")
        return None

    def _untold(self, sessions: list[str]) -> Refusal | None:
        """What goes along and cannot be told: a task that changes it, or puts it into its session, has an entity."""
        for name in sorted({name for one in self.accepted for name in one.plain}) if sessions else ():
            uses = self.scope.uses(name)
            for use in uses:
                into = use.call.func if use.role is Role.ARGUMENT and use.call is not None else None
                into_session = isinstance(into, ast.Attribute) and isinstance(into.value, ast.Name)
                into_session = into_session and into.value.id in sessions  # type: ignore[union-attr]
                if use.role is Role.SET or (into_session and into.attr in _ATTACHING):  # type: ignore[union-attr]
                    untold = [
                        given.text
                        for one in self.accepted
                        for given in one.site.given
                        if given.what is What.OTHER and _goes_to(given, name, one, self.definition)
                    ]
                    if untold:
                        return Refusal(f"it cannot be told what `{untold[0]}` is, and {self.name} changes it")
        return None

    def _behaviour(self) -> Refusal | None:
        sessions = [name for name, one in self.first.carried.items() if one.what is What.SESSION]
        entities = [
            (name, one)
            for name, one in self.first.carried.items()
            if one.what in (What.ENTITY, What.ENTITIES) and one.class_ is not None
        ]
        if len(sessions) > 1:
            return Refusal(f"{self.name} gets more than one session")
        if refused := self._untold(sessions):
            return refused
        if fact := raises_for_http(self.scope, self.view.summaries):
            where = f"{fact.path}:{fact.line}"
            return Refusal(f"{self.name} raises HTTPException ({where}): nobody answers a request there")
        numbers = {session.name: session.number for session in self.record.sessions}
        for name, given in entities:
            assert given.class_ is not None
            by_hand = frozenset(
                node.attr
                for one in self.accepted
                for node in ast.walk(one.site.scope.node)
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            )
            if refused := self._unseen(name, given, by_hand):
                return refused
            for read in unmapped_reads(
                self.scope, name, given.class_, self.view.readers, by_hand, many=given.what is What.ENTITIES
            ):
                where = f"{read.path}:{read.line}"
                return Refusal(f"`{read.text}` is no column ({where}): it does not come along with the id")
        for name in sessions if entities else ():
            for use in self.scope.uses(name):
                if use.attribute == "begin":
                    reason = (
                        f"{self.name} begins a transaction at line {use.line}: what is fetched before has begun one"
                    )
                    return Refusal(reason, "fetch in the transaction by hand")
        for name in sessions:
            for use in self.scope.uses(name):
                if use.attribute == "info":
                    return Refusal(f"{self.name} reads `{name}.info` at line {use.line}: a new session has another one")
        for name, _ in entities:
            if refused := self._put_into_another(name, sessions) or self._read_behind(name):
                return refused
        for name in self.first.carried:
            if refused := self._fate(name, is_session=name in sessions):
                return refused
        for name, _ in entities:
            if not sessions and (line := changed(self.record, name)):
                reason = f"{self.name} changes `{name}` without a commit (line {line})"
                return Refusal(reason, "commit it in the task", leaves_unsaved=True)
        for name in sessions:
            line = unsaved(self.record, numbers.get(name, 0))
            if line and not self._is_committed_in_its_try(line, name):
                what = entities[0][0] if entities else name
                reason = f"{self.name} changes `{what}` without a commit behind line {line}"
                return Refusal(reason, "commit in the task", leaves_unsaved=True)
        return None

    def _is_committed_in_its_try(self, line: int, session: str) -> bool:
        """`try: add; commit` / `except: log`: only what raises is not committed, and that is lost in any session."""
        for statement in self.scope.statements():
            if not isinstance(statement, ast.Try) or statement.finalbody:
                continue
            last = statement.body[-1]
            call = last.value if isinstance(last, ast.Expr) else None
            call = call.value if isinstance(call, ast.Await) else call
            if not (isinstance(call, ast.Call) and ast.unparse(call.func) == f"{session}.commit"):
                continue
            uses = [use.line for use in self.scope.uses(session)]
            if statement.lineno < line <= last.lineno and max(uses) <= last.lineno:
                return True
        return False

    def _unseen(self, name: str, given: Given, by_hand: frozenset[str]) -> Refusal | None:
        """State that goes along with the object in ways that are not followed."""
        known = mapped(given.class_, self.project) if given.class_ is not None else None
        unmapped = known is not None and any(not known.may_have(one) for one in by_hand)
        options = self._loaded_with(given)
        for use in self.scope.uses(name):
            called = self.scope.callee(use.call) if use.call is not None else UNKNOWN
            if unmapped and (use.attribute == "__dict__" or called == External("builtins.vars")):
                return Refusal(f"{self.name} reads all that is set on `{name}` by hand (line {use.line})")
            if use.role is Role.ARGUMENT and use.call is not None and options and not isinstance(called, ClassMeaning):
                if isinstance(called, FunctionMeaning) or is_quiet(called, use.call):
                    continue
                if isinstance(called, External) and called.dotted.startswith("builtins."):
                    continue
                if isinstance(use.call.func, ast.Attribute) and self._is_session(use.call.func.value):
                    continue
                reason = f"{self.name} hands `{name}` on to something that is not in view (line {use.line})"
                return Refusal(f"{reason}, which may read what the options of line {options} load")
        if options and given.one is not None and self._narrows(given):
            if given.class_ is not None and self.view.readers.of_parameter(self.function, name, given.class_):
                return Refusal(f"line {options} loads a part of a relationship only, and {self.name} reads it")
        return None

    def _is_session(self, node: ast.expr) -> bool:
        return isinstance(self.scope.meaning(node), SessionMeaning)

    def _calls_of_options(self, given: Given) -> list[ast.Call]:
        found = []
        for one in self.accepted:
            for each in one.carried.values():
                if each.class_ == given.class_ and each.one is not None:
                    options = one.site.record.options
                    found += [options[end] for end in each.one.origin.options if end in options]
                    node = one.site.record.nodes.get(each.one.origin.anchor)
                    if isinstance(node, ast.Call) and any(keyword.arg == "options" for keyword in node.keywords):
                        found.append(node)
        return found

    def _loaded_with(self, given: Given) -> int:
        """The line of loader options of the statement that loads the entity; 0: it has none."""
        return next((call.lineno for call in self._calls_of_options(given)), 0)

    def _narrows(self, given: Given) -> bool:
        for call in self._calls_of_options(given):
            options = [keyword.value for keyword in call.keywords if keyword.arg == "options"] or call.args
            for node in (inner for option in options for inner in ast.walk(option)):
                if (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) in _NARROWING:
                    return True
            elements = [one for option in options for one in (getattr(option, "elts", None) or [option])]
            if any(not isinstance(one, ast.Call) for one in elements):
                return True  # it stands in a variable
        return False

    def _put_into_another(self, name: str, sessions: list[str]) -> Refusal | None:
        """`db.add(item)` with a session that the task opens itself: the object would be in two."""
        for use in self.scope.uses(name):
            if use.role is not Role.ARGUMENT or use.call is None or not isinstance(use.call.func, ast.Attribute):
                continue
            owner = use.call.func.value
            if use.call.func.attr in _ATTACHING and not (isinstance(owner, ast.Name) and owner.id in sessions):
                if self._is_session(owner):
                    reason = f"{self.name} puts `{name}` into a session of its own at line {use.line}"
                    return Refusal(reason, "fetch it there by its id")
        return None

    def _read_behind(self, name: str) -> Refusal | None:
        """A task that starts at once, and changes what the function around the call reads behind it."""
        sets = {use.attribute for use in self.scope.uses(name) if use.role is Role.SET}
        if not sets:
            return None
        for one in self.accepted:
            node = one.carried[name].argument.value
            if one.site.scheduling.kind is Kind.BACKGROUND or not isinstance(node, ast.Name):
                continue
            waits = [each.lineno for each in ast.walk(one.site.scope.node) if isinstance(each, _WAITING)]
            for use in one.site.scope.uses(node.id):
                if use.role is Role.BOUND or (use.role in (Role.ATTRIBUTE, Role.SET) and use.attribute not in sets):
                    continue
                if any(one.site.line < line <= use.line for line in waits):
                    reason = f"line {use.line} reads `{node.id}` behind the call, and {self.name} changes it"
                    return Refusal(reason, "fetch it again there")
        return None

    def _fate(self, name: str, *, is_session: bool) -> Refusal | None:
        found = handed(self.function, None, name, self.project)
        where = f" ({found.fact.path}:{found.fact.line})" if found.fact else ""
        inner = [
            site
            for site in self.view.tasks.sites(self.function.module)
            if site.scope.place == self.scope.place and any(name in _names(one.argument.value) for one in site.given)
        ]
        for site in inner:
            result = judged(site, self.view)
            if isinstance(result, Refusal) and (is_session or site.scheduling.kind is not Kind.AWAITED):
                how = f"{self.name} hands `{name}` on to `{site.scheduling.name}()` ({site.path}:{site.line})"
                return Refusal(f"{how}: {result.reason}", result.advice)
            if isinstance(result, Accepted):
                self.needs.add(("task-arguments", site.path, site.line))
        if inner and found.fate is Fate.SCHEDULED:
            return None
        if found.fate is Fate.SCHEDULED:
            return Refusal(f"{self.name} hands `{name}` on to something that runs later{where}")
        if found.fate is Fate.KEPT:
            return Refusal(f"{self.name} keeps it: `{name}` outlives the task{where}")
        if found.fate is Fate.CAPTURED and is_session:
            why = f": {found.fact.text}" if found.fact else ""
            return Refusal(f"{self.name} keeps it, or may{why}{where}")
        return None

    # --- the form ------------------------------------------------------------------------------------------------

    def _is_in_place(self) -> bool:
        """Whether the function itself changes: nobody calls it otherwise, and nothing in it stands in the way."""
        definition, node = self.definition, self.scope.node
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if self.stays or definition.parent or definition.decorators or gives_something(self.record):
            return False
        if self._is_exported():
            return False
        if node.body[0].lineno == node.lineno:
            return False
        for name, given in self.first.carried.items():
            uses = self.scope.uses(name)
            if given.what is What.SESSION:
                if any(
                    use.role not in (Role.METHOD, Role.ARGUMENT, Role.ATTRIBUTE) or use.attribute == "close"
                    for use in uses
                ):
                    return False
            elif any(use.role is Role.BOUND for use in uses):
                return False
        return not any(isinstance(one, (ast.Global, ast.Nonlocal)) for one in self.scope.statements())

    def _is_exported(self) -> bool:
        """Whether the name is in the `__all__` of a module that has the function: others may call it."""
        name, symbols = self.definition.name, self.project.symbols
        return any(
            facts.public is not None and name in facts.public and self.project.member(path, name) == self._plain
            for path, facts in symbols.facts.items()
        )

    @property
    def _plain(self) -> FunctionMeaning:
        return FunctionMeaning(self.function.module, self.function.qualname)

    def _replaced(self, name: str, given: Given, *, in_place: bool) -> Replaced | Refusal:
        if given.what is What.SESSION:
            return Replaced(name, What.SESSION)
        columns = keys_of(given, self.view)
        assert columns is not None
        class_ = given.class_
        assert class_ is not None
        many = given.what is What.ENTITIES
        keys = tuple(self._key(name, column, many=many) for column in columns)
        only = len(columns) == 1 and not many and reads_only_key(self.scope, name, columns[0].name)
        if only and in_place:
            return Replaced(name, given.what, class_, keys, only_key=True)
        place = self.scope if in_place else self.view.scopes[0]
        text = class_named(class_, place, self.view.tree, self.view.source)
        if isinstance(text, str):
            return Refusal(text)
        options = self._options(name, class_, text.text, place)
        if isinstance(options, Refusal):
            return options
        texts, requests = options
        if many:
            select = sqlalchemy_name("select", place, self.view.tree, self.view.source)
            if select is None:
                return Refusal(f"`select` means something else in {self.view.source.path}")
            requests = (*requests, *select)
        imports = (*text.requests, *requests)
        return Replaced(name, given.what, class_, keys, only, texts, imports, text.text, text.local)

    def _options(
        self, name: str, class_: ClassMeaning, class_text: str, place: Scope
    ) -> tuple[tuple[str, ...], tuple[Request, ...]] | Refusal:
        """Loader options for the relationships that the task reads. A sync session loads them when they are read."""
        factory = self.first.factory
        if factory is None or not factory.is_async:
            return (), ()
        readings = self.view.readers.of_parameter(self.function, name, class_)
        stopped = next((one.stopped for one in readings if one.stopped), "")
        if stopped:
            return Refusal(f"{self.name} reads `{readings[0].text}`: {stopped}")
        wanted = list(dict.fromkeys(one.names for one in readings))
        texts: list[str] = []
        requests: list[Request] = []
        for one in missing(wanted, class_, loaded_by([], class_, place), self.project):
            if one.refused:
                return Refusal(f"{self.name} reads `{readings[0].text}`: {one.refused}")
            line = self.scope.statements()[0].lineno if place is self.scope else None
            option = written(one, class_text, place, self.view.tree, self.view.source, self.project, line)
            if isinstance(option, str):
                return Refusal(option)
            texts.append(option.text)
            requests += [request for request in option.requests if request not in requests]
        for column, line in deferred_reads(self.scope, name, class_, self.view.readers):
            undefer = sqlalchemy_name("undefer", place, self.view.tree, self.view.source, "sqlalchemy.orm")
            if undefer is None:
                return Refusal(f"{self.name} reads `{name}.{column}` (line {line}), which is deferred")
            texts.append(f"undefer({class_text}.{column})")
            requests += [request for request in undefer if request not in requests]
        return tuple(texts), tuple(requests)

    def _key(self, name: str, column: Column, *, many: bool) -> Key:
        if many:
            singular = element_of(name) if element_of(name) != "each" else name
            inner, requests = self._type(column)
            one = column.name if column.name.startswith(f"{singular}_") else f"{singular}_{column.name}"
            return Key(f"{one}s", column.name, f"list[{inner}]" if inner else "", requests)
        new = column.name if column.name.startswith(f"{name}_") else f"{name}_{column.name}"
        annotation, requests = self._type(column)
        if not any(parameter.annotation is not None for parameter in self.definition.parameters):
            annotation, requests = "", ()
        return Key(new, column.name, annotation, requests)

    def _type(self, column: Column) -> tuple[str, tuple[Request, ...]]:
        """How the type of a key is written in the task's file."""
        if column.python_type in _PLAIN_TYPES:
            return column.python_type, ()
        if not column.python_type:
            return "", ()
        module, _, name = column.python_type.rpartition(".")
        if not module:
            return "", ()
        means = self.project.meaning(chained(column.python_type), Place(self.view.source.path))
        openings = self.view.openings(self.view.scopes[0])
        facts = self.project.symbols.facts[self.view.source.path]
        if means == External(column.python_type) and any(one.name == module and not one.scope for one in facts.imports):
            return column.python_type, ()
        found = openings.standard(module, name, above=self.scope.node.lineno)  # type: ignore[union-attr]
        return found if found is not None else ("", ())

    def _clash(self, task: Task) -> str:
        """A new name that means something in the task already."""
        new = [key.name for one in task.replaced for key in one.keys]
        if len(set(new)) < len(new):
            return f"two of the new parameters of {self.name} would have one name"
        taken = set(self.scope.parameters) - {one.name for one in task.replaced}
        if task.in_place:
            node = self.scope.node
            taken |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            if task.fetched and not any(one.what is What.SESSION for one in task.replaced):
                new.append(task.session_name)
        if any(one.what is What.ENTITIES for one in task.fetched):
            new += ["found", "by_id"]
        for name in new:
            if name in taken:
                return f"`{name}` means something else in {self.name}"
        bound = {one.name for one in task.replaced} | {task.session_name, *new}
        texts = [one.class_text for one in task.fetched] + [option for one in task.fetched for option in one.options]
        texts += [task.own.context] if task.own is not None else []
        for text in texts:
            for inner in ast.walk(ast.parse(text)):
                if isinstance(inner, ast.Name) and inner.id in bound:
                    return f"`{inner.id}` means something else in {self.name}"
        return self._without_place(task)

    def _without_place(self, task: Task) -> str:
        """A new parameter without a default that would stand behind one with a default."""
        replaced = {one.name: one for one in task.replaced}
        has_default = ""
        for parameter in self.definition.parameters:
            one = replaced.get(parameter.name)
            if parameter.kind != "positional":
                continue
            if one is not None and one.keys and has_default:
                return f"the id of `{one.name}` would have to stand behind `{has_default}`, which has a default"
            if one is None and parameter.default is not None and (task.in_place or parameter.name in task.plain):
                has_default = parameter.name
        return ""


def _goes_to(given: Given, name: str, accepted: Accepted, definition: FunctionFacts) -> bool:
    argument = given.argument
    return parameter_name(definition, accepted.function, argument.position, argument.keyword) == name


def _names(node: ast.expr) -> Iterable[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
