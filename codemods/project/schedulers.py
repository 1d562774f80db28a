"""What runs a callable later, out of sight of the block that hands it its arguments. Tables and one question; pure."""

from __future__ import annotations

from codemods.project.link import Project
from codemods.project.scheduler_names import SUSPECTED
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


def runs_later(called: Meaning, last_name: str, awaited: bool, project: Project) -> str:
    """How a called thing runs its arguments later: "task" when proved, "suspected" by an unresolved name, "" when not.

    `last_name` is the last name of the called expression. An awaited `run_in_executor` or `to_thread` is sequential.
    """
    if isinstance(called, External):
        if called.dotted in _SCHEDULERS or called.dotted in project.schedulers:
            return "task"
        return "suspected" if last_name in SUSPECTED and not awaited else ""
    if isinstance(called, FunctionMeaning):
        return "task" if project.dotted(called) in project.schedulers else ""
    if isinstance(called, UnknownMeaning) and last_name in SUSPECTED and not awaited:
        return "suspected"
    return ""
