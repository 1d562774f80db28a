"""No session and no entity goes to a task: it gets ids, and opens a session of its own.

What it changes
    A call that runs a function of the project later, `background_tasks.add_task(f, item, session)`,
    `asyncio.create_task(f(item, session))`, `BackgroundTask(f, ...)`, hands over `item.id` for `item`, and no session.
    The function takes `item_id`, opens a session with the project's own context manager, and fetches the entity, with
    loader options for the relationships that it reads; where the row is gone it leaves, and says so where the module
    has a logger. A function that is called in other ways, too, stays as it is: a wrapper beside it,
    `f_background(item_id)`, does all this and calls it. The call, the function and all other calls of it change
    together or not at all.

Why
    FastAPI closes the session of a request before the task (0.106 to 0.117) or keeps its connection until the task is
    done (the others). In the first case the task works on a closed session: it opens anew in silence, what the task
    changes on its detached objects is never written, and nobody gives the connection back. A session that goes to
    `asyncio.create_task` is used by two at once.

Before
    async def process_item(item: Item, session: AsyncSession):
        item.state = "done"
        await session.commit()

    background_tasks.add_task(process_item, item, session)

After
    async def process_item(item_id: int):
        async with async_session() as session:
            item = await session.get(Item, item_id)
            if item is None:
                return
            item.state = "done"
            await session.commit()

    background_tasks.add_task(process_item, item.id)

Leaves alone
    Calls that hand over ids and values; sequential hand-overs, `await run_in_threadpool(f, session)`. Refused, each
    with its reason: rows that are not in the database, or not committed, when the task starts (with the commit in the
    dependency's exit code FastAPI up to 0.105 and from 0.118 on runs the task first); entities that are expired or may
    be None; state that no column holds; tasks that keep or schedule what they get, that change without a commit, or
    that are no functions of the project; nested functions and methods of objects that hold a session; threads and
    queues; factories that cannot be told.

Safety
    Always `review`: the task sees what is committed, not what the objects held in memory.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from codemods.flow.scheduling import Kind
from codemods.flow.tasks.behaviour import deleted
from codemods.flow.tasks.carried import Site
from codemods.plan import Examined, Fact, Finding, Level, Right
from codemods.project.keeping import parameter_name
from codemods.project.openers import replaced_by
from codemods.project.scheduler_names import SUSPECTED
from codemods.project.sessions import FunctionMeaning
from codemods.rules.base import ModuleView
from codemods.rules.own_session.accepted import Accepted, Refusal
from codemods.rules.own_session.calls import call_edits, call_text
from codemods.rules.own_session.forms import edits_of, is_taken, name_of
from codemods.rules.own_session.task import Task
from codemods.rules.task_arguments.judging import goes, judged, told
from codemods.rules.task_arguments.reading import task_of

NAME = "task-arguments"
_PAGE = __doc__ or ""


class TaskArguments:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "no session and no entity goes to a task: it gets ids and opens a session of its own"
    level_text = "review"
    words = tuple(sorted(word.encode() for word in SUSPECTED | {"BackgroundTasks", "run_coroutine_threadsafe"}))
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding for every call that hands a session or an entity to something that runs later."""
        yield from _Examination(view).examine()


class _Examination:
    def __init__(self, view: ModuleView) -> None:
        self.view = view
        self.keys = view.keys(NAME)
        self.counts: dict[str, int] = {}
        self.tasks: dict[FunctionMeaning, tuple[Task | Refusal, list[Accepted]]] = {}

    def examine(self) -> Iterator[Examined]:
        for site in self.view.tasks.sites(self.view.source.path):
            scheduling = site.scheduling
            if scheduling.kind is Kind.GATHER:
                if site.is_carrying and isinstance(site.scope.parents.of(scheduling.call), ast.Expr):
                    reason = f"{told(site)} {goes(site)} to `{scheduling.name}()`, which nobody waits for"
                    yield self._manual(site, Refusal(reason, "await it"))
                continue
            where = self.view.site(scheduling.call, site.scope)
            if scheduling.kind is Kind.TASK and site.is_waited_for:
                if site.is_carrying and site.owner is None:
                    yield Right(NAME, where, "waited for in the same function", _aspect(site))
                continue
            if scheduling.kind is Kind.AWAITED:
                if site.is_carrying:
                    yield Right(NAME, where, "awaited: it is over before anything goes on", _aspect(site))
            elif site.is_carrying:
                yield self._finding(site)
            elif scheduling.proved and site.is_plain:
                yield Right(NAME, where, "it is given no session and no entity", _aspect(site))

    def _finding(self, site: Site) -> Finding:
        accepted = judged(site, self.view)
        if isinstance(accepted, Refusal):
            return self._manual(site, accepted)
        if not any(one is site for one in self.view.tasks.uses(accepted.function).sites):
            return self._manual(site, Refusal(f"`{accepted.function.qualname}()` goes by another name there"))
        task, others = self._task(accepted.function)
        if isinstance(task, Refusal):
            return self._manual(site, task)
        if refused := self._with_it(site):
            return self._manual(site, refused)
        mine = next((one for one in others if one.site is site), None)
        if mine is None:
            return self._manual(site, Refusal(f"`{task.function.qualname}()` is given other things by other calls"))
        edits = call_edits(mine, task, self.view)
        if isinstance(edits, Refusal):
            return self._manual(site, edits)
        at_home, requests = edits_of(task)
        if at_home and not task.in_place and is_taken(task):
            what = f"`{name_of(task)}` means something else in {task.view.source.path}"
            return self._manual(site, Refusal(what, "give the wrapper another name by hand"))
        needs = [*task.needs, *(place for place in mine.needs if place[1:] != (site.path, site.line))]
        if task.in_place:
            needs += [(NAME, one.site.path, one.site.line) for one in others if one.site is not site]
        reasons = ["the task gets only the key of what it was given"]
        if task.own is not None:
            reasons = ["the task works in a session of its own: see that it needs nothing but what is committed"]
        reasons += task.reasons
        reasons += self._patched(site)
        where = self.view.site(site.scheduling.call, site.scope)
        name, what = f"`{site.scheduling.name}()`", told(site)
        return Finding(
            key=self._key(site),
            rule=NAME,
            site=where,
            level=Level.REVIEW,
            message=f"{what} {goes(site)} to {name} -> {call_text(mine, task)}",
            reason="; ".join(reasons),
            facts=(Fact(task.view.source.path, task.node.lineno, f"{name_of(task)}() {_gets(task)}"),),
            edits=(*edits[0], *at_home),
            requests=(*edits[1], *requests),
            requires_at=tuple(dict.fromkeys(needs)),
            aspect=_aspect(site),
        )

    def _with_it(self, site: Site) -> Refusal | None:
        """Another task on the same session, which leaves what it changes for this one, or for anyone, to commit."""
        for other in self.view.tasks.sites(site.path):
            if other is site or other.scope.place != site.scope.place or not other.numbers & site.numbers:
                continue
            if refused := self._deleted_by(other, site):
                return refused
            accepted = judged(other, self.view)
            if not isinstance(accepted, Accepted):
                continue
            task, _ = self._task(accepted.function)
            if isinstance(task, Refusal) and task.leaves_unsaved:
                return Refusal(f"the task of line {other.line} works on the same session: {task.reason}", task.advice)
        return None

    def _deleted_by(self, other: Site, site: Site) -> Refusal | None:
        """Whether another task deletes the entity that goes to this one, too."""
        scope = self.view.summaries.scope(replace(other.function, bound=False)) if other.function is not None else None
        mine = {one.one.origin for one in site.given if one.one is not None}
        if scope is None or other.function is None or other.line > site.line:
            return None
        (definition,) = self.view.project.symbols.functions(other.function.module, other.function.qualname)
        for given in other.given:
            argument = given.argument
            name = parameter_name(definition, other.function, argument.position, argument.keyword)
            if given.one is not None and given.one.origin in mine and name is not None:
                if deleted(self.view.readers.run(scope).record, name):
                    reason = f"the task of line {other.line} deletes `{given.text}`"
                    return Refusal(reason, "hand over the values that it needs")
        return None

    def _task(self, function: FunctionMeaning) -> tuple[Task | Refusal, list[Accepted]]:
        """What becomes of a function that runs later, and the calls of it that change."""
        function = replace(function, bound=False)
        if function not in self.tasks:
            uses = self.view.tasks.uses(function)
            accepted: list[Accepted] = []
            refused = 0
            for site in uses.sites:
                beside = self.view.beside(site.path)
                looked_at = site.is_carrying and beside is not None and NAME in beside.running
                result = judged(site, beside) if looked_at and beside is not None else None
                if isinstance(result, Accepted):
                    accepted.append(result)
                else:
                    refused += 1
            self.tasks[function] = (task_of(accepted, refused, uses.others, self.view), accepted)
        return self.tasks[function]

    def _patched(self, site: Site) -> list[str]:
        """Tests that put something in the place of the task where it is called."""
        target = site.scheduling.target
        assert target is not None
        name = getattr(target, "id", getattr(target, "attr", ""))
        found = replaced_by(site.scope.meaning(target), site.path, name, self.view.project)
        where = f"{found[0].path}:{found[0].line}" if found else ""
        return (
            [f"tests replace `{name}` where it is called ({where}): nothing there uses that name then"] if found else []
        )

    def _manual(self, site: Site, refusal: Refusal) -> Finding:
        where = self.view.site(site.scheduling.call, site.scope)
        key, reason, advice = self._key(site), refusal.reason, refusal.advice
        aspect, undecided = _aspect(site), not site.is_certain
        return Finding(
            key, NAME, where, Level.MANUAL, reason, reason=reason, advice=advice, aspect=aspect, undecided=undecided
        )

    def _key(self, site: Site) -> str:
        text = f"{site.scope.place.qualname}\0{ast.unparse(site.scheduling.call)}"
        self.counts[text] = self.counts.get(text, 0) + 1
        return self.keys.key(self.view.site(site.scheduling.call, site.scope), site.scheduling.call, self.counts[text])


def _aspect(site: Site) -> str:
    """What goes along: "session" when one does, or what holds one, else "entity", or "nothing"."""
    if not site.is_carrying:
        return "nothing"
    return "session" if site.has_session else "entity"


def _gets(task: Task) -> str:
    return "takes ids" if any(one.keys for one in task.replaced) else "opens a session of its own"
