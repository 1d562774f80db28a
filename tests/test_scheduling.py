"""Which calls of a function run something later, what they run and what they hand it; and which only look like it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

import pytest

from codemods import sources
from codemods.flow.scheduling import Argument, Kind, Scheduling, schedulings
from codemods.flow.scope import scopes
from codemods.plan import Source
from codemods.project.link import link
from codemods.project.scan import scan
from codemods.project.symbols import ModuleName

HEAD = """
import asyncio
import concurrent.futures
import functools
import multiprocessing
import threading
from asyncio import TaskGroup, create_task, ensure_future, gather
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any

import anyio
import anyio.abc
from anyio import to_thread
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from arq import ArqRedis, create_pool
from celery import Celery, shared_task
from fastapi import BackgroundTasks, Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from outside import mailer, send_outside
from rq import Queue
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks

from app import jobs
from app.jobs import Service, Todo, blocking, count, find, process, todo

celery_app = Celery("app")
executor = ThreadPoolExecutor()
scheduler = AsyncIOScheduler()
queue = Queue("mails")
running = set()
"""

JOBS = """
import asyncio
from celery import shared_task
from fastapi import BackgroundTasks

async def process(item, session=None): ...
async def count(session, kind=None): ...
async def find(session, key): ...
def blocking(session, key=None): ...

class Todo:
    def add_task(self, title, owner=None): ...
    def submit(self, item): ...
    def delay(self, item): ...

todo = Todo()

class Service:
    async def create_task(self, session, data): ...
    async def send(self, item): ...

@shared_task
def mail(item_id, to=None): ...

@shared_task(bind=True)
def bound_mail(self, item_id): ...

def plain(item): ...

def fire_and_forget(coro):
    task = asyncio.create_task(coro)
    task.add_done_callback(print)

def fire_by_name(name, coro, *, delay=0):
    asyncio.create_task(coro=coro, name=name)

async def run_and_wait(coro):
    return await asyncio.create_task(coro)

async def logged(coro):
    return await coro

def later(tasks: BackgroundTasks, function, *args, **kwargs):
    tasks.add_task(function, *args, **kwargs)

def stored(item, *args):
    print(item, args)
"""


def found(root: Path, text: str, qualname: str, schedulers: tuple[str, ...] = ()) -> tuple[Scheduling, ...]:
    """The sites of one function of `app/routes.py`."""
    files: Mapping[str, str] = {"app/__init__.py": "", "app/jobs.py": JOBS, "app/routes.py": HEAD + dedent(text)}
    read: dict[str, Source] = {}
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    for path in files:
        source = sources.read(root, path)
        assert isinstance(source, Source)
        read[path] = source
    names = {path: ModuleName(one.module, one.is_package) for path, one in read.items()}
    project = link([scan(one) for one in read.values()], names, schedulers=schedulers)
    tree = ast.parse(read["app/routes.py"].text)
    [scope] = [one for one in scopes(tree, "app/routes.py", project) if one.place.qualname == qualname]
    return schedulings(scope)


def told(site: Scheduling) -> str:
    """`TASK create_task: process(0=item, key=x) used many`"""
    target = "?" if site.target is None else ast.unparse(site.target)
    flags = {
        "bulk": site.in_bulk,
        "used": site.result_used,
        "many": site.many,
        "thread": site.in_thread,
        "suspected": not site.proved,
        "scattered": site.holder is None and bool(site.arguments),
    }
    given = ", ".join(map(_argument, site.arguments))
    return " ".join(
        [f"{site.kind.name} {site.name}: {target}({given})", *(name for name, is_so in flags.items() if is_so)]
    )


def _argument(one: Argument) -> str:
    place = one.keyword if one.keyword is not None else "*" if one.position is None else one.position
    return f"{place}={ast.unparse(one.value)}"


def in_function(root: Path, body: str, parameters: str = "", schedulers: tuple[str, ...] = ()) -> list[str]:
    """The sites of an async function with this body; `item` and `session` are just names in it."""
    text = f"async def endpoint({parameters}):\n{indent(dedent(body).strip(), '    ')}\n"
    return [told(site) for site in found(root, text, "endpoint", schedulers)]


TASKS = "item, session, tasks: BackgroundTasks"
AFTER_THE_RESPONSE = {
    "a parameter": (TASKS, "tasks.add_task(process, item, session)", "tasks.add_task: process(0=item, 1=session)"),
    "keywords": (
        TASKS,
        "tasks.add_task(process, item=item, session=session)",
        "tasks.add_task: process(item=item, session=session)",
    ),
    "a parameter that may be missing": (
        "item, tasks: BackgroundTasks | None = None",
        "tasks.add_task(process, item)",
        "tasks.add_task: process(0=item)",
    ),
    "an annotated parameter": (
        "item, tasks: Annotated[BackgroundTasks, Depends()]",
        "tasks.add_task(process, item)",
        "tasks.add_task: process(0=item)",
    ),
    "the one of Starlette": (
        "item, tasks: StarletteTasks",
        "tasks.add_task(process, item)",
        "tasks.add_task: process(0=item)",
    ),
    "the function by keyword": (
        TASKS,
        "tasks.add_task(func=process, item=item)",
        "tasks.add_task: process(item=item)",
    ),
    "a function of a module": (TASKS, "tasks.add_task(jobs.process, item)", "tasks.add_task: jobs.process(0=item)"),
    "made here": (
        "item",
        "tasks = BackgroundTasks()\ntasks.add_task(process, item)",
        "tasks.add_task: process(0=item)",
    ),
    "called on the spot": (
        "item",
        "BackgroundTasks().add_task(process, item)",
        "BackgroundTasks().add_task: process(0=item)",
    ),
    "a single task": (
        "item",
        "return JSONResponse({}, background=BackgroundTask(process, item))",
        "BackgroundTask: process(0=item)",
    ),
    "a task of a response": (
        "item, response",
        "response.background = BackgroundTask(process, item, session=None)",
        "BackgroundTask: process(0=item, session=None)",
    ),
    "a method": (
        "item, service: Service, tasks: BackgroundTasks",
        "tasks.add_task(service.send, item)",
        "tasks.add_task: service.send(0=item)",
    ),
    "a lambda": (
        TASKS,
        "tasks.add_task(lambda: process(item, session))",
        "tasks.add_task: lambda: process(item, session)()",
    ),
    "what a call gives": (TASKS, "tasks.add_task(make(session))", "tasks.add_task: make(session)()"),
    "a function that is not in view": (
        TASKS,
        "tasks.add_task(send_outside, item)",
        "tasks.add_task: send_outside(0=item)",
    ),
    "partial": (TASKS, "tasks.add_task(partial(process, item))", "tasks.add_task: process(0=item)"),
    "partial with a name": (
        TASKS,
        "job = functools.partial(process, item, session=session)\ntasks.add_task(job)",
        "tasks.add_task: process(0=item, session=session)",
    ),
    "partial and more": (
        TASKS,
        "tasks.add_task(partial(process, item), session)",
        "tasks.add_task: process(0=item, 1=session) scattered",
    ),
    "partial without arguments": (TASKS, "tasks.add_task(partial(process), item)", "tasks.add_task: process(0=item)"),
    "in bulk": (TASKS, "tasks.add_task(process, *item)", "tasks.add_task: process(*=item) bulk"),
    "behind what is in bulk": (
        TASKS,
        "tasks.add_task(process, *item, session)",
        "tasks.add_task: process(*=item, *=session) bulk",
    ),
    "a dict of keywords": (TASKS, "tasks.add_task(process, **item)", "tasks.add_task: process(*=item) bulk"),
    "all in bulk": (TASKS, "tasks.add_task(*item)", "tasks.add_task: ?(*=item) bulk"),
    "in a loop": (
        TASKS,
        "for one in item:\n    tasks.add_task(process, one)",
        "tasks.add_task: process(0=one) many",
    ),
    "nothing but the function": (TASKS, "tasks.add_task(process)", "tasks.add_task: process()"),
    "run in a thread": (
        TASKS,
        "tasks.add_task(run_in_threadpool, blocking, session)",
        "tasks.add_task: blocking(0=session) thread",
    ),
    "a receiver that is not in view": (
        "item, request",
        "request.state.tasks.add_task(process, item)",
        "request.state.tasks.add_task: process(0=item) suspected",
    ),
    "neither is in view": (
        "item, todo, title",
        "todo.add_task(title, item)",
        "todo.add_task: title(0=item) suspected",
    ),
    "in a lambda": (
        TASKS,
        "hook = lambda: tasks.add_task(process, item)",
        "tasks.add_task: process(0=item) suspected",
    ),
}


@pytest.mark.parametrize("situation", AFTER_THE_RESPONSE)
def test_background_tasks(tmp_path: Path, situation: str) -> None:
    parameters, body, expected = AFTER_THE_RESPONSE[situation]
    assert in_function(tmp_path, body, parameters) == [f"BACKGROUND {expected}"]


def test_every_background_task_of_a_list_is_a_site(tmp_path: Path) -> None:
    body = "return JSONResponse({}, background=StarletteTasks([BackgroundTask(process, item), BackgroundTask(count)]))"
    assert in_function(tmp_path, body, "item") == [
        "BACKGROUND BackgroundTask: process(0=item)",
        "BACKGROUND BackgroundTask: count()",
    ]


def test_background_tasks_in_an_attribute(tmp_path: Path) -> None:
    text = """
        class Mailer:
            def __init__(self, tasks: BackgroundTasks) -> None:
                self.tasks = tasks

            def send(self, item):
                self.tasks.add_task(process, item)
    """
    assert [told(site) for site in found(tmp_path, text, "Mailer.send")] == [
        "BACKGROUND self.tasks.add_task: process(0=item)"
    ]


def test_subclasses_of_what_fastapi_has(tmp_path: Path) -> None:
    text = """
        class Tasks(BackgroundTasks):
            pass

        class Mailing(BackgroundTask):
            pass

        class Special(BackgroundTask):
            def __init__(self, item): ...

        def send(item, tasks: Tasks):
            tasks.add_task(process, item)
            Mailing(process, item)
            Special(item)
    """
    assert [told(site) for site in found(tmp_path, text, "send")] == [
        "BACKGROUND tasks.add_task: process(0=item)",
        "BACKGROUND Mailing: process(0=item)",
    ]


ON_THE_LOOP = {
    "create_task": ("create_task(process(item, session))", "create_task: process(0=item, 1=session)"),
    "with a name": (
        "asyncio.create_task(process(item, session=session), name='n')",
        "asyncio.create_task: process(0=item, session=session)",
    ),
    "by keyword": ("asyncio.create_task(name='n', coro=process(item))", "asyncio.create_task: process(0=item)"),
    "ensure_future": ("ensure_future(process(item))", "ensure_future: process(0=item)"),
    "of a loop": (
        "asyncio.get_running_loop().create_task(process(item))",
        "asyncio.get_running_loop().create_task: process(0=item)",
    ),
    "of a loop with a name": (
        "its_loop = asyncio.get_event_loop()\nits_loop.create_task(process(item))",
        "its_loop.create_task: process(0=item)",
    ),
    "from another thread": (
        "asyncio.run_coroutine_threadsafe(process(item), loop)",
        "asyncio.run_coroutine_threadsafe: process(0=item)",
    ),
    "a coroutine with a name": ("job = process(item)\ncreate_task(job)", "create_task: process(0=item)"),
    "a coroutine that is a parameter": ("create_task(item)", "create_task: ?()"),
    "in bulk": ("create_task(process(*item))", "create_task: process(*=item) bulk"),
    "a method of this object": ("create_task(item.send(session))", "create_task: item.send(0=session)"),
    "with a time limit": (
        "create_task(asyncio.wait_for(process(item), 5))",
        "create_task: process(0=item)",
    ),
    "kept in a set of the module": (
        "task = create_task(process(item))\nrunning.add(task)\ntask.add_done_callback(running.discard)",
        "create_task: process(0=item)",
    ),
    "kept in an attribute": ("session.task = create_task(process(item))", "create_task: process(0=item)"),
    "returned": ("return create_task(process(item))", "create_task: process(0=item)"),
    "cancelled": ("task = create_task(process(item))\ntask.cancel()", "create_task: process(0=item)"),
    "awaited later": (
        "task = create_task(process(item))\nawait count(session)\nawait task",
        "create_task: process(0=item) used",
    ),
    "its result read": ("task = create_task(process(item))\nprint(task.result())", "create_task: process(0=item) used"),
    "with a limit on the wait": (
        "task = create_task(process(item))\nawait asyncio.wait_for(asyncio.shield(task), 5)",
        "create_task: process(0=item) used",
    ),
    "handed to what waits": (
        "task = create_task(process(item))\nawait wait_for_all([task])",
        "create_task: process(0=item) used",
    ),
    "one after the other in a loop": (
        "for one in item:\n    task = create_task(process(one))\n    await count(session)\n    await task",
        "create_task: process(0=one) used",
    ),
    "many in a loop": ("for one in item:\n    create_task(process(one))", "create_task: process(0=one) many"),
    "many that are gathered": (
        "await gather(*[create_task(process(one)) for one in item])",
        "create_task: process(0=one) used many",
    ),
    "many with a name that are gathered": (
        "all_of = [create_task(process(one)) for one in item]\nawait gather(*all_of)",
        "create_task: process(0=one) used many",
    ),
    "many collected one by one": (
        "all_of = []\nfor one in item:\n    all_of.append(create_task(process(one)))\nawait gather(*all_of)",
        "create_task: process(0=one) used many",
    ),
    "many collected under a name": (
        "all_of = set()\nfor one in item:\n    task = create_task(process(one))\n    all_of.add(task)\n"
        "await asyncio.wait(all_of)",
        "create_task: process(0=one) used many",
    ),
    "many in a dict": (
        "all_of = {one: create_task(process(one)) for one in item}\nawait gather(*all_of.values())",
        "create_task: process(0=one) used many",
    ),
    "many awaited in a loop": (
        "all_of = [create_task(process(one)) for one in item]\nfor task in all_of:\n    await task",
        "create_task: process(0=one) used many",
    ),
    "many awaited in a comprehension": (
        "all_of = [create_task(process(one)) for one in item]\nreturn [await task for task in all_of]",
        "create_task: process(0=one) used many",
    ),
    "many awaited as they are done": (
        "all_of = [create_task(process(one)) for one in item]\n"
        "for task in asyncio.as_completed(all_of):\n    await task",
        "create_task: process(0=one) used many",
    ),
    "a task group": (
        "async with TaskGroup() as group:\n    group.create_task(process(item))",
        "group.create_task: process(0=item) used",
    ),
    "many in a task group": (
        "async with asyncio.TaskGroup() as group:\n    for one in item:\n        group.create_task(process(one))",
        "group.create_task: process(0=one) used many",
    ),
    "a task group for each": (
        "for one in item:\n    async with TaskGroup() as group:\n        group.create_task(process(one))",
        "group.create_task: process(0=one) used",
    ),
    "a group of AnyIO": (
        "async with anyio.create_task_group() as group:\n    group.start_soon(process, item, name='n')",
        "group.start_soon: process(0=item) used",
    ),
    "started in a group of AnyIO": (
        "async with anyio.create_task_group() as group:\n    await group.start(process, item)",
        "group.start: process(0=item) used",
    ),
    "a callback of the loop": (
        "asyncio.get_running_loop().call_later(5, todo.submit, item)",
        "asyncio.get_running_loop().call_later: todo.submit(0=item)",
    ),
    "one or the other is waited for": (
        "task = create_task(process(item))\nif item:\n    await task",
        "create_task: process(0=item) used",
    ),
    "a loop that is not in view": (
        "session.loop.create_task(process(item))",
        "session.loop.create_task: process(0=item) suspected",
    ),
    "when the task is done": (
        "session.add_done_callback(partial(blocking, item))",
        "session.add_done_callback: blocking(0=item) suspected",
    ),
}


@pytest.mark.parametrize("situation", ON_THE_LOOP)
def test_tasks_of_the_event_loop(tmp_path: Path, situation: str) -> None:
    body, expected = ON_THE_LOOP[situation]
    assert in_function(tmp_path, body, "item, session, loop") == [f"TASK {expected}"]


def test_a_group_that_is_a_parameter_is_waited_for_elsewhere(tmp_path: Path) -> None:
    assert in_function(tmp_path, "group.create_task(process(item))", "item, group: asyncio.TaskGroup") == [
        "TASK group.create_task: process(0=item)"
    ]
    assert in_function(tmp_path, "group.start_soon(process, item)", "item, group: anyio.abc.TaskGroup") == [
        "TASK group.start_soon: process(0=item)"
    ]


def test_where_it_is_waited_for(tmp_path: Path) -> None:
    text = """
        async def endpoint(item):
            async with TaskGroup() as group:
                task = group.create_task(process(item))
                await task
            create_task(process(item))
    """
    first, second = found(tmp_path, text, "endpoint")
    assert [type(one) for one in first.waits] == [ast.Await, ast.AsyncWith]
    assert second.waits == ()


def test_either_of_two_coroutines(tmp_path: Path) -> None:
    assert in_function(tmp_path, "create_task(process(item) if item else count(session))", "item, session") == [
        "TASK create_task: process(0=item)",
        "TASK create_task: count(0=session)",
    ]


def test_a_coroutine_that_is_wrapped_in_another_is_told_of_but_not_proved(tmp_path: Path) -> None:
    assert in_function(tmp_path, "create_task(jobs.logged(process(item)))", "item") == [
        "TASK create_task: jobs.logged(0=process(item))",
        "TASK create_task: process(0=item) suspected",
    ]


def test_a_partial_that_is_handed_to_what_runs_it_is_told_of_but_not_proved(tmp_path: Path) -> None:
    assert in_function(tmp_path, "tasks.add_task(send_outside, partial(process, item))", TASKS) == [
        "BACKGROUND tasks.add_task: send_outside(0=partial(process, item))",
        "BACKGROUND tasks.add_task: process(0=item) suspected",
    ]


IN_THREADS = {
    "a thread": (
        "threading.Thread(target=blocking, args=(session,), kwargs={'key': item}, daemon=True).start()",
        "threading.Thread: blocking(0=session, key=item) thread",
    ),
    "a thread with arguments that are not in view": (
        "threading.Thread(target=blocking, args=item)",
        "threading.Thread: blocking(*=item) bulk thread",
    ),
    "a thread with arguments that have a name": (
        "given = (session, item)\nthreading.Thread(target=blocking, args=given)",
        "threading.Thread: blocking(0=session, 1=item) thread",
    ),
    "a thread with keywords by dict": (
        "threading.Thread(target=blocking, kwargs=dict(key=item))",
        "threading.Thread: blocking(key=item) thread",
    ),
    "a thread that is waited for": (
        "worker = threading.Thread(target=blocking, args=[session])\nworker.start()\nworker.join()",
        "threading.Thread: blocking(0=session) used thread",
    ),
    "a timer": ("threading.Timer(5, blocking, [session])", "threading.Timer: blocking(0=session) thread"),
    "a process": (
        "multiprocessing.Process(target=blocking, args=(session,))",
        "multiprocessing.Process: blocking(0=session) thread",
    ),
    "an executor": (
        "executor.submit(blocking, session, key=item)",
        "executor.submit: blocking(0=session, key=item) thread",
    ),
    "an executor whose block waits": (
        "with ThreadPoolExecutor() as pool:\n    pool.submit(blocking, session)",
        "pool.submit: blocking(0=session) used thread",
    ),
    "all that is done is waited for": (
        "all_of = [executor.submit(blocking, one) for one in item]\n"
        "for one in concurrent.futures.as_completed(all_of):\n    one.result()",
        "executor.submit: blocking(0=one) used many thread",
    ),
    "all of a list": ("executor.map(blocking, item)", "executor.map: blocking(0=item) many thread"),
    "left to itself": (
        "asyncio.get_running_loop().run_in_executor(None, blocking, session)",
        "asyncio.get_running_loop().run_in_executor: blocking(0=session) thread",
    ),
    "partial in an executor": (
        "loop = asyncio.get_running_loop()\nloop.run_in_executor(executor, partial(blocking, session, key=item))",
        "loop.run_in_executor: blocking(0=session, key=item) thread",
    ),
    "to_thread in a task": (
        "create_task(asyncio.to_thread(blocking, session))",
        "asyncio.to_thread: blocking(0=session) thread",
    ),
    "a limit on the wait does not end the thread": (
        "await asyncio.wait_for(asyncio.to_thread(blocking, session), 5)",
        "asyncio.to_thread: blocking(0=session) used thread",
    ),
    "something that is called a thread": (
        "item.Thread(target=blocking, args=(session,))",
        "item.Thread: blocking(0=session) suspected thread".replace("suspected thread", "thread suspected"),
    ),
}


@pytest.mark.parametrize("situation", IN_THREADS)
def test_threads_and_executors(tmp_path: Path, situation: str) -> None:
    body, expected = IN_THREADS[situation]
    assert in_function(tmp_path, body, "item, session") == [f"THREAD {expected}"]


AWAITED = {
    "run_in_threadpool": (
        "await run_in_threadpool(blocking, session, key=item)",
        "run_in_threadpool: blocking(0=session, key=item) thread",
    ),
    "to_thread": (
        "found = await asyncio.to_thread(blocking, session)",
        "asyncio.to_thread: blocking(0=session) thread",
    ),
    "to_thread of AnyIO": (
        "return await to_thread.run_sync(blocking, session, limiter=item)",
        "to_thread.run_sync: blocking(0=session) thread",
    ),
    "run_in_executor": (
        "loop = asyncio.get_running_loop()\nawait loop.run_in_executor(None, blocking, session)",
        "loop.run_in_executor: blocking(0=session) thread",
    ),
    "run_in_executor of a loop that is not in view": (
        "await item.loop.run_in_executor(None, blocking, session)",
        "item.loop.run_in_executor: blocking(0=session) thread suspected",
    ),
    "a task": ("await create_task(process(item))", "create_task: process(0=item)"),
    "a task with a time limit": (
        "await asyncio.wait_for(create_task(process(item)), 5)",
        "create_task: process(0=item)",
    ),
    "one after the other": (
        "return [await asyncio.to_thread(blocking, one) for one in item]",
        "asyncio.to_thread: blocking(0=one) thread",
    ),
}


@pytest.mark.parametrize("situation", AWAITED)
def test_what_is_awaited_on_the_spot(tmp_path: Path, situation: str) -> None:
    body, expected = AWAITED[situation]
    assert in_function(tmp_path, body, "item, session") == [f"AWAITED {expected}"]


QUEUES = {
    "delay": ("jobs.mail.delay(item, to=session)", "jobs.mail.delay: jobs.mail(0=item, to=session)"),
    "of a task that was made by a call": (
        "jobs.bound_mail.delay(item)",
        "jobs.bound_mail.delay: jobs.bound_mail(0=item)",
    ),
    "apply_async": (
        "jobs.mail.apply_async(args=[item], kwargs={'to': session}, countdown=5)",
        "jobs.mail.apply_async: jobs.mail(0=item, to=session)",
    ),
    "apply_async by position": ("jobs.mail.apply_async((item,))", "jobs.mail.apply_async: jobs.mail(0=item)"),
    "a signature": ("jobs.mail.s(item).apply_async()", "jobs.mail.s(item).apply_async: jobs.mail(0=item) suspected"),
    "by its name": ("celery_app.send_task('mail', args=[item])", "celery_app.send_task: ?(0=item)"),
    "a function without decorators": ("jobs.plain.delay(item)", "jobs.plain.delay: jobs.plain(0=item) suspected"),
    "a task that is not in view": ("send_outside.delay(item)", "send_outside.delay: send_outside(0=item) suspected"),
    "a queue that is awaited": ("await send_outside.kiq(item)", "send_outside.kiq: send_outside(0=item) suspected"),
    "rq": ("queue.enqueue(blocking, item, job_timeout=5)", "queue.enqueue: blocking(0=item)"),
    "rq later": ("queue.enqueue_in(5, blocking, item)", "queue.enqueue_in: blocking(0=item)"),
    "rq in parts": ("queue.enqueue_call(blocking, args=(item,))", "queue.enqueue_call: blocking(0=item)"),
    "a job of a scheduler": (
        "scheduler.add_job(blocking, 'interval', args=[session], id='x', minutes=5)",
        "scheduler.add_job: blocking(0=session)",
    ),
    "arq": (
        "pool = await create_pool()\nawait pool.enqueue_job('mail', item, _job_id='x')",
        "pool.enqueue_job: ?(0=item)",
    ),
    "in a loop": ("for one in item:\n    jobs.mail.delay(one)", "jobs.mail.delay: jobs.mail(0=one) many"),
}


@pytest.mark.parametrize("situation", QUEUES)
def test_queues(tmp_path: Path, situation: str) -> None:
    body, expected = QUEUES[situation]
    assert in_function(tmp_path, body, "item, session") == [f"QUEUE {expected}"]


GATHERED = {
    "calls": (
        "await gather(count(session), find(session, key=item))",
        ["count(0=session)", "find(0=session, key=item)"],
    ),
    "methods": (
        "await asyncio.gather(session.execute(item), session.execute(item), return_exceptions=True)",
        ["session.execute(0=item)", "session.execute(0=item)"],
    ),
    "many": ("await gather(*[find(session, x) for x in item])", ["find(0=session, 1=x) many"]),
    "many of a generator": ("await gather(*(find(session, x) for x in item))", ["find(0=session, 1=x) many"]),
    "many and one more": (
        "await gather(count(session), *[find(session, x) for x in item])",
        ["count(0=session)", "find(0=session, 1=x) many"],
    ),
    "names": (
        "one = count(session)\ntwo = find(session, item)\nawait gather(one, two)",
        ["count(0=session)", "find(0=session, 1=item)"],
    ),
    "a list with a name": (
        "jobs_of = [count(session), find(session, item)]\nawait gather(*jobs_of)",
        ["count(0=session)", "find(0=session, 1=item)"],
    ),
    "a list that is filled": (
        "jobs_of = []\nfor x in item:\n    jobs_of.append(find(session, x))\njobs_of.append(count(session))\n"
        "await gather(*jobs_of)",
        ["find(0=session, 1=x) many", "count(0=session)"],
    ),
    "a list that grows": (
        "jobs_of = [count(session)]\njobs_of += [find(session, item)]\nawait gather(*jobs_of)",
        ["count(0=session)", "find(0=session, 1=item)"],
    ),
    "a list for each": (
        "for y in item:\n    jobs_of = []\n    jobs_of.append(count(session))\n    await gather(*jobs_of)",
        ["count(0=session)"],
    ),
    "a dict of coroutines": (
        "jobs_of = {}\nfor x in item:\n    jobs_of[x] = find(session, x)\nawait gather(*jobs_of.values())",
        ["find(0=session, 1=x) many"],
    ),
    "map": ("await gather(*map(find, item))", ["find(*=item) bulk many"]),
    "either": (
        "await gather(count(session) if item else find(session, item))",
        ["count(0=session)", "find(0=session, 1=item)"],
    ),
    "with a time limit": ("await gather(asyncio.wait_for(count(session), 5))", ["count(0=session)"]),
    "in threads": (
        "await gather(asyncio.to_thread(blocking, session), run_in_threadpool(blocking, session))",
        ["blocking(0=session) thread", "blocking(0=session) thread"],
    ),
    "what is not in view": ("await gather(*item)", ["?() many"]),
    "in a loop, each for itself": (
        "for x in item:\n    await gather(count(session), find(session, x))",
        ["count(0=session)", "find(0=session, 1=x)"],
    ),
}


@pytest.mark.parametrize("situation", GATHERED)
def test_awaitables_that_run_at_the_same_time(tmp_path: Path, situation: str) -> None:
    body, expected = GATHERED[situation]
    sites = in_function(tmp_path, body, "item, session")
    assert [site.removeprefix("GATHER asyncio.gather: ").removeprefix("GATHER gather: ") for site in sites] == expected


def test_a_list_of_coroutines_that_is_awaited_as_it_gets_done(tmp_path: Path) -> None:
    body = "for done in asyncio.as_completed([find(session, x) for x in item]):\n    await done"
    assert in_function(tmp_path, body, "item, session") == [
        "GATHER asyncio.as_completed: find(0=session, 1=x) many",
    ]


def test_tasks_that_are_gathered_are_told_of_once(tmp_path: Path) -> None:
    body = "a = create_task(count(session))\nb = create_task(find(session, item))\nawait gather(a, b)"
    assert in_function(tmp_path, body, "item, session") == [
        "TASK create_task: count(0=session) used",
        "TASK create_task: find(0=session, 1=item) used",
    ]


HANDED_ON = {
    "a coroutine": ("jobs.fire_and_forget(process(item))", "TASK jobs.fire_and_forget: process(0=item)"),
    "a coroutine beside other things": (
        "jobs.fire_by_name('n', process(item), delay=5)",
        "TASK jobs.fire_by_name: process(0=item)",
    ),
    "a callable, in another file": (
        "jobs.later(session, process, item)",
        "BACKGROUND jobs.later: process(0=item)",
    ),
    "a callable": ("here(session, process, item, session=1)", "BACKGROUND here: process(0=item, session=1)"),
    "a callable that is called": ("starting(process, item)", "TASK starting: process(0=item)"),
    "not just as it came": ("turned(process, item)", "TASK turned: process(0=item) suspected"),
    "from one to the next": ("fire(process(item))", "TASK fire: process(0=item)"),
}


@pytest.mark.parametrize("situation", HANDED_ON)
def test_functions_of_the_project_that_hand_on(tmp_path: Path, situation: str) -> None:
    body, expected = HANDED_ON[situation]
    text = f"""
async def endpoint(item, session):
    {body}

def here(tasks: BackgroundTasks, function, *args, **kwargs):
    tasks.add_task(function, *args, **kwargs)

def starting(function, *args):
    running.add(asyncio.create_task(function(*args)))

def turned(function, *args):
    running.add(asyncio.create_task(function(*reversed(args))))

def fire(coro):
    jobs.fire_and_forget(coro)
"""
    assert [told(site) for site in found(tmp_path, text, "endpoint")] == [expected]


def test_schedulers_of_the_settings(tmp_path: Path) -> None:
    names = ("outside.mailer.push", "app.jobs.stored")
    body = "mailer.push(process, item)\njobs.stored(process, item, session=session)\njobs.stored(process(item))"
    assert in_function(tmp_path, body, "item, session", names) == [
        "TASK mailer.push: process(0=item)",
        "TASK jobs.stored: process(0=item, session=session)",
        "TASK jobs.stored: process(0=item)",
    ]


NO_SITES = {
    "a method of the project by the same name": "todo.add_task('title', item)",
    "an object of the project": "Todo().submit(item)",
    "delay of the project": "todo.delay(item)",
    "a service that creates tasks": "await Service().create_task(session, item)",
    "a service that is not in view": "await session.service.create_task(session, item)",
    "a task that is made of data": "session.repo.create_task(item)",
    "a task that is made of several things": "session.repo.create_task(session, find(session, item))",
    "a task made of a model": "session.client.create_task(Todo())",
    "an awaited method that adds": "await session.repo.add_task(item)",
    "a title": "session.repo.add_task('title', item)",
    "a title with a place holder": "session.repo.add_task(f'{item}', session)",
    "an object that is added": "session.repo.add_task(Todo(), session)",
    "a declared title": "session.board.add_task(title, item)",
    "a form that is sent": "await session.form.submit(item)",
    "a call that is awaited": "await process(item, session)",
    "a coroutine that is only made": "job = process(item)",
    "a loop that runs to the end": "asyncio.run(process(item))",
    "waiting for what was started": "await asyncio.wait_for(process(item), 5)",
    "sleeping": "await asyncio.sleep(5)",
    "a callback that forgets the task": "session.task.add_done_callback(running.discard)",
    "a thread without a function": "threading.Thread(name='x').start()",
    "a model that is called a thread": "session.Thread(title='x', owner=item)",
    "a process that is not one": "session.Process(item)",
    "a function that waits for its coroutine": "await jobs.run_and_wait(process(item))",
    "a function that takes all": "jobs.stored(item, session)",
    "a function that is given no function": "turned(item, session)",
    "the response itself": "return JSONResponse({'item': item})",
    "an executor": "ThreadPoolExecutor(max_workers=2)",
    "background tasks": "BackgroundTasks()",
    "a partial": "job = partial(process, item)",
    "set on a mapping": "session.update(item)",
}


@pytest.mark.parametrize("situation", NO_SITES)
def test_what_only_looks_like_it(tmp_path: Path, situation: str) -> None:
    text = f"""
async def endpoint(item, session, title: str):
    {NO_SITES[situation]}

def turned(function, *args):
    running.add(asyncio.create_task(function(*reversed(args))))
"""
    assert [told(site) for site in found(tmp_path, text, "endpoint")] == []


def test_what_a_nested_function_starts_belongs_to_that(tmp_path: Path) -> None:
    text = """
        async def endpoint(item):
            async def inner():
                create_task(process(item))
            await inner()
    """
    assert found(tmp_path, text, "endpoint") == ()
    assert [told(site) for site in found(tmp_path, text, "endpoint.inner")] == ["TASK create_task: process(0=item)"]


def test_a_function_of_the_module_that_goes_by_the_name_of_a_scheduler(tmp_path: Path) -> None:
    text = """
        def submit(data): ...

        def start_soon(function, item): ...

        async def endpoint(item):
            submit(process(item))
            start_soon(process, item)
    """
    assert found(tmp_path, text, "endpoint") == ()


def test_a_name_that_is_bound_twice_is_not_proved(tmp_path: Path) -> None:
    text = """
        def create_task(data): ...

        async def endpoint(item):
            create_task(process(item))
    """
    assert [told(site) for site in found(tmp_path, text, "endpoint")] == ["TASK create_task: process(0=item) suspected"]


def test_a_loop_that_is_a_parameter_without_a_type_is_not_proved(tmp_path: Path) -> None:
    body = "loop = loop or asyncio.get_event_loop()\nloop.create_task(process(item))"
    assert in_function(tmp_path, body, "item, loop=None") == ["TASK loop.create_task: process(0=item) suspected"]
    assert in_function(tmp_path, "loop.create_task(process(item))", "item, loop: asyncio.AbstractEventLoop") == [
        "TASK loop.create_task: process(0=item)"
    ]


def test_a_list_that_is_put_together_from_itself_ends(tmp_path: Path) -> None:
    lines = [f"found = found + [find(session, {number})]" for number in range(60)]
    body = "\n".join(["found = []", *lines, "await gather(*found)"])
    assert in_function(tmp_path, body, "session") == [
        f"GATHER gather: find(0=session, 1={number})" for number in range(60)
    ]


def test_functions_that_hand_on_to_each_other_end(tmp_path: Path) -> None:
    text = """
        def one(coro):
            two(coro)

        def two(coro):
            one(coro)

        async def endpoint(item):
            one(process(item))
    """
    assert found(tmp_path, text, "endpoint") == ()


def test_sites_of_a_module_and_of_a_class_body(tmp_path: Path) -> None:
    text = """
        scheduler.add_job(blocking, "interval", args=[todo])

        class Config:
            job = queue.enqueue(blocking, todo)
    """
    assert [told(site) for site in found(tmp_path, text, "")] == ["QUEUE scheduler.add_job: blocking(0=todo)"]
    assert [told(site) for site in found(tmp_path, text, "Config")] == ["QUEUE queue.enqueue: blocking(0=todo)"]


def test_sites_come_in_source_order(tmp_path: Path) -> None:
    body = "create_task(process(item))\nawait gather(count(session))\ntasks.add_task(process, item)"
    assert [one.partition(" ")[0] for one in in_function(tmp_path, body, TASKS)] == ["TASK", "GATHER", "BACKGROUND"]


def test_arguments_are_counted_as_they_are_written(tmp_path: Path) -> None:
    [site] = found(tmp_path, "def f(tasks: BackgroundTasks):\n    tasks.add_task(process, a, k=b, *c, m=d)\n", "f")
    assert site.holder is site.call
    assert [(ast.unparse(one.value), one.index) for one in site.arguments] == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


def test_the_holder_of_a_coroutine_is_its_call(tmp_path: Path) -> None:
    [site] = found(tmp_path, "async def f():\n    create_task(process(a, session=b))\n", "f")
    assert site.holder is not None
    assert ast.unparse(site.holder) == "process(a, session=b)"
    assert ast.unparse(site.call) == "create_task(process(a, session=b))"
    assert [one.index for one in site.arguments] == [0, 1]
    assert site.kind is Kind.TASK
