"""Names that schedulers go by: what each runs, when, and where its arguments stand. Tables and values; pure.

A name that could not be resolved proves nothing: it only forbids a guess.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

# methods of objects that could not be resolved: the name alone does not prove a scheduler, but it forbids a guess
SUSPECTED = frozenset(
    {
        "add_done_callback",
        "add_job",
        "add_task",
        "apply_async",
        "call_later",
        "call_soon",
        "call_soon_threadsafe",
        "create_task",
        "delay",
        "enqueue",
        "enqueue_job",
        "ensure_future",
        "run_in_executor",
        "spawn",
        "start_soon",
        "submit",
        "Thread",
        "Timer",
        "Process",
        "BackgroundTask",
    }
)

# responses that are sent piece by piece, after the function that made them has returned
STREAMING = frozenset({"StreamingResponse", "EventSourceResponse"})


class Kind(enum.StrEnum):
    """When what is handed over runs, seen from the function that hands it over."""

    BACKGROUND = "after the response"
    TASK = "event loop task"
    THREAD = "thread"  # a thread, process or executor that nobody waits for on the spot
    QUEUE = "queue"
    AWAITED = "awaited"  # awaited on the spot: it is over before anything goes on
    GATHER = "gathered"  # at the same time as the other awaitables of the same call


class Form(enum.StrEnum):
    """How what runs later, and its arguments, are written."""

    CALLABLE = "add_task(f, a, k=b)"
    COROUTINE = "create_task(f(a, k=b))"
    PACKED = "Thread(target=f, args=(a,), kwargs={'k': b})"
    GATHERED = "gather(f(a), g(b))"
    GATHERED_LIST = "as_completed([f(a), g(b)])"
    METHOD = "f.delay(a, k=b)"
    METHOD_PACKED = "f.apply_async(args=(a,), kwargs={'k': b})"


@dataclass(frozen=True, slots=True)
class Runner:
    """Something that runs a callable later, and how it is called."""

    kind: Kind
    form: Form
    target: int = 0  # position of what runs later
    target_keyword: str = "func"  # the name that it can be given by
    first: int = 1  # position of its first argument; PACKED: of the tuple with all of them, the dict comes next
    own: frozenset[str] = frozenset()  # keywords that the scheduler keeps for itself
    awaitable: bool = False  # awaiting the call waits for the end of what it runs
    proved: bool = True  # False: only the name suggests it


_COROUTINE = Runner(Kind.TASK, Form.COROUTINE, target_keyword="coro", awaitable=True)
_ADDED = Runner(Kind.BACKGROUND, Form.CALLABLE)
_STARTED = Runner(Kind.TASK, Form.CALLABLE, own=frozenset({"name"}))
_SOON = Runner(Kind.TASK, Form.CALLABLE, target_keyword="callback", own=frozenset({"context"}))
_LATER = Runner(Kind.TASK, Form.CALLABLE, 1, "callback", 2, frozenset({"context"}))
_CALLBACK = Runner(Kind.TASK, Form.CALLABLE, target_keyword="fn", own=frozenset({"context"}))
_IN_THREAD = Runner(
    Kind.THREAD, Form.CALLABLE, own=frozenset({"abandon_on_cancel", "cancellable", "limiter"}), awaitable=True
)
_TO_THREAD = Runner(Kind.THREAD, Form.CALLABLE, awaitable=True)
_IN_EXECUTOR = Runner(Kind.THREAD, Form.CALLABLE, 1, "func", 2, awaitable=True)
_SUBMITTED = Runner(Kind.THREAD, Form.CALLABLE, target_keyword="fn")
_THREAD = Runner(Kind.THREAD, Form.PACKED, 1, "target", 3)
_TIMER = Runner(Kind.THREAD, Form.PACKED, 1, "function", 2)
_POOL = Runner(Kind.THREAD, Form.PACKED)
_JOB = Runner(Kind.QUEUE, Form.PACKED, first=2)
_SENT = Runner(Kind.QUEUE, Form.PACKED, target_keyword="name")
_DELAYED = Runner(Kind.QUEUE, Form.METHOD)
_APPLIED = Runner(Kind.QUEUE, Form.METHOD_PACKED, first=0)
_RQ = frozenset(
    {"job_timeout", "timeout", "result_ttl", "ttl", "failure_ttl", "description", "depends_on", "job_id", "at_front"}
    | {"meta", "retry", "repeat", "on_success", "on_failure", "on_stopped", "pipeline"}
)
_ENQUEUED = Runner(Kind.QUEUE, Form.CALLABLE, target_keyword="f", own=_RQ)
_ENQUEUED_AT = Runner(Kind.QUEUE, Form.CALLABLE, 1, "f", 2, _RQ)
_ARQ = frozenset({"_job_id", "_queue_name", "_defer_until", "_defer_by", "_expires", "_job_try"})
_NAMED = Runner(Kind.QUEUE, Form.CALLABLE, target_keyword="function", own=_ARQ)
# what `schedulers` in the settings names; when it starts what it runs is not told, so as soon as can be
DECLARED = Runner(Kind.TASK, Form.CALLABLE)

# functions, and classes whose making is enough, by dotted name
FUNCTIONS: Mapping[str, Runner] = {
    "asyncio.create_task": _COROUTINE,
    "asyncio.tasks.create_task": _COROUTINE,
    "asyncio.Task": _COROUTINE,
    "asyncio.ensure_future": Runner(Kind.TASK, Form.COROUTINE, target_keyword="coro_or_future", awaitable=True),
    "asyncio.tasks.ensure_future": Runner(Kind.TASK, Form.COROUTINE, target_keyword="coro_or_future", awaitable=True),
    "asyncio.run_coroutine_threadsafe": Runner(Kind.TASK, Form.COROUTINE, target_keyword="coro"),
    "asyncio.gather": Runner(Kind.GATHER, Form.GATHERED),
    "asyncio.tasks.gather": Runner(Kind.GATHER, Form.GATHERED),
    "asyncio.as_completed": Runner(Kind.GATHER, Form.GATHERED_LIST),
    "asyncio.to_thread": _TO_THREAD,
    "asyncio.threads.to_thread": _TO_THREAD,
    "anyio.to_thread.run_sync": _IN_THREAD,
    "starlette.concurrency.run_in_threadpool": _TO_THREAD,
    "fastapi.concurrency.run_in_threadpool": _TO_THREAD,
    "starlette.background.BackgroundTask": _ADDED,
    "threading.Thread": _THREAD,
    "threading.Timer": _TIMER,
    "multiprocessing.Process": _THREAD,
    "multiprocessing.context.Process": _THREAD,
    "celery.execute.send_task": _SENT,
}

_OBJECTS: Mapping[str, tuple[str, ...]] = {
    "background": (
        "fastapi.BackgroundTasks",
        "fastapi.background.BackgroundTasks",
        "starlette.background.BackgroundTasks",
    ),
    "loop": (
        "asyncio.AbstractEventLoop",
        "asyncio.BaseEventLoop",
        "asyncio.SelectorEventLoop",
        "asyncio.ProactorEventLoop",
        "asyncio.events.AbstractEventLoop",
        "asyncio.get_event_loop",
        "asyncio.get_running_loop",
        "asyncio.new_event_loop",
        "asyncio.events.get_event_loop",
        "asyncio.events.get_running_loop",
        "uvloop.Loop",
        "uvloop.new_event_loop",
    ),
    "task group": ("asyncio.TaskGroup", "asyncio.taskgroups.TaskGroup"),
    "anyio group": ("anyio.create_task_group", "anyio.abc.TaskGroup", "anyio.TaskGroup"),
    "future": ("asyncio.Task", "asyncio.Future", "concurrent.futures.Future"),
    "executor": (
        "concurrent.futures.Executor",
        "concurrent.futures.ThreadPoolExecutor",
        "concurrent.futures.ProcessPoolExecutor",
        "concurrent.futures.thread.ThreadPoolExecutor",
        "concurrent.futures.process.ProcessPoolExecutor",
    ),
    "pool": (
        "multiprocessing.Pool",
        "multiprocessing.pool.Pool",
        "multiprocessing.pool.ThreadPool",
    ),
    "celery": ("celery.Celery", "celery.app.base.Celery"),
    "rq": ("rq.Queue", "rq.queue.Queue"),
    "arq": ("arq.ArqRedis", "arq.connections.ArqRedis", "arq.create_pool", "arq.connections.create_pool"),
    "apscheduler": tuple(
        f"apscheduler.schedulers.{module}.{name}Scheduler"
        for module, name in (
            ("asyncio", "AsyncIO"),
            ("background", "Background"),
            ("base", "Base"),
            ("blocking", "Blocking"),
        )
    ),
}
# what an object is that this class or function makes, by dotted name
OBJECTS: Mapping[str, str] = {dotted: name for name, every in _OBJECTS.items() for dotted in every}

METHODS: Mapping[tuple[str, str], Runner] = {
    ("background", "add_task"): _ADDED,
    ("loop", "create_task"): _COROUTINE,
    ("loop", "run_in_executor"): _IN_EXECUTOR,
    ("loop", "call_soon"): _SOON,
    ("loop", "call_soon_threadsafe"): _SOON,
    ("loop", "call_later"): _LATER,
    ("loop", "call_at"): _LATER,
    ("task group", "create_task"): _COROUTINE,
    ("anyio group", "start_soon"): _STARTED,
    ("anyio group", "start"): _STARTED,
    ("future", "add_done_callback"): _CALLBACK,
    ("executor", "submit"): _SUBMITTED,
    ("executor", "map"): _SUBMITTED,
    ("pool", "apply_async"): _POOL,
    ("celery", "send_task"): _SENT,
    ("rq", "enqueue"): _ENQUEUED,
    ("rq", "enqueue_in"): _ENQUEUED_AT,
    ("rq", "enqueue_at"): _ENQUEUED_AT,
    ("rq", "enqueue_call"): Runner(Kind.QUEUE, Form.PACKED),
    ("arq", "enqueue_job"): _NAMED,
    ("apscheduler", "add_job"): _JOB,
}

# of a function that a decorator of a queue has made a task of
TASK_METHODS: Mapping[str, Runner] = {
    "delay": _DELAYED,
    "kiq": _DELAYED,
    "apply_async": _APPLIED,
}
ACTOR_METHODS: Mapping[str, Runner] = {
    "send": _DELAYED,
    "send_with_options": _APPLIED,
}
QUEUES = ("celery", "dramatiq", "taskiq", "huey")
SIGNATURES = frozenset({"s", "si", "signature"})

# what could not be resolved, by its last name
BY_NAME: Mapping[str, Runner] = {
    "BackgroundTask": _ADDED,
    "Process": _THREAD,
    "Thread": _THREAD,
    "Timer": _TIMER,
    "add_done_callback": _CALLBACK,
    "add_job": _JOB,
    "add_task": _ADDED,
    "apply_async": _APPLIED,
    "call_later": _LATER,
    "call_soon": _SOON,
    "call_soon_threadsafe": _SOON,
    "create_task": _COROUTINE,
    "delay": _DELAYED,
    "enqueue": _ENQUEUED,
    "enqueue_job": _NAMED,
    "ensure_future": _COROUTINE,
    "kiq": _DELAYED,
    "run_in_executor": _IN_EXECUTOR,
    "spawn": replace(_COROUTINE, awaitable=False),
    "start_soon": _STARTED,
    "submit": _SUBMITTED,
}
