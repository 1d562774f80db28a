"""What runs a callable later, out of sight of the block that hands it its arguments. Tables and one question; pure."""

from __future__ import annotations

from codemods.project.sessions import External, FunctionMeaning, Meaning, UnknownMeaning

_SCHEDULERS = frozenset(
    {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.run_coroutine_threadsafe",
        "asyncio.tasks.create_task",
        "asyncio.Task",
        "asyncio.TaskGroup().create_task",
        "anyio.create_task_group().start_soon",
        "concurrent.futures.ThreadPoolExecutor().submit",
        "concurrent.futures.ProcessPoolExecutor().submit",
        "multiprocessing.Process",
        "threading.Thread",
        "threading.Timer",
        "fastapi.BackgroundTasks().add_task",
        "fastapi.background.BackgroundTasks().add_task",
        "starlette.background.BackgroundTask",
        "starlette.background.BackgroundTasks",
        "starlette.background.BackgroundTasks().add_task",
    }
)
# methods of objects that could not be resolved: the name alone does not prove a scheduler, but it forbids a guess
_SUSPECTED = frozenset(
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
    }
)


def runs_later(called: Meaning, last_name: str, awaited: bool, factories: frozenset[str] = frozenset()) -> str:
    """How a called thing runs its arguments later: "task" when proved, "suspected" by an unresolved name, "" when not.

    `last_name` is the last name of the called expression. An awaited `run_in_executor` or `to_thread` is sequential.
    """
    if isinstance(called, External):
        if called.dotted in _SCHEDULERS or called.dotted in factories:
            return "task"
        return "suspected" if last_name in _SUSPECTED and not awaited else ""
    if isinstance(called, FunctionMeaning):
        return ""
    if isinstance(called, UnknownMeaning) and last_name in _SUSPECTED and not awaited:
        return "suspected"
    return ""
