"""Names that schedulers go by, for what cannot be resolved. A name proves nothing: it only forbids a guess."""

from __future__ import annotations

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
