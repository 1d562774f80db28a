"""Does a task in a process of its own, which may take too long or die and takes nobody along.

Starts that process, ends it, and leaves nothing. It works under every executor, where a worker has threads, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO, BinaryIO

from codemods.fleet.safe_start import ENVIRONMENT
from codemods.fleet.values import Answer, Task, Work

_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from codemods.fleet.apart import serve; serve()"
_WORDS = 200


def handled(work: Work, task: Task) -> Answer:
    """What `work` says of the task: here, or apart where the task wants that or has a limit of time."""
    if task.apart or task.options.timeout is not None:
        return apart(work, task)
    return work(task)


def apart(work: Work, task: Task) -> Answer:
    """What `work`, a function that can be imported, says in a process of its own; how that one died, where it did."""
    limit = task.options.timeout
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        try:
            said = _answer(process, pickle.dumps((work, task)), limit)
        except BaseException:  # Ctrl-C: nobody waits for it any more
            process.kill()
            raise
        if said is None:
            process.kill()
            return Answer(error=f"took longer than {limit:g} seconds (--timeout)")
        code = process.wait()
        if code == 0:
            with contextlib.suppress(Exception):  # an answer that was cut off is none
                answer = pickle.loads(said)
                if isinstance(answer, Answer):
                    return answer
        return Answer(error=f"the process that looked at it {_how(code)}{_last_words(errors)}")


def _answer(process: subprocess.Popen[bytes], question: bytes, limit: float | None) -> bytes | None:
    """What the process writes until it ends; None when it takes longer than the limit."""
    assert process.stdin is not None
    assert process.stdout is not None
    output, said = process.stdout, []
    reader = threading.Thread(target=lambda: said.append(_all(output)), daemon=True)
    reader.start()
    with contextlib.suppress(OSError):  # dead already: its code says how
        process.stdin.write(question)
        process.stdin.flush()
    reader.join(limit)
    return said[0] if said else None


def _all(stream: IO[bytes]) -> bytes:
    try:
        return stream.read()
    except (OSError, ValueError):  # closed under our feet
        return b""


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        return f"was killed by {name}" + (" (memory may have run out)" if name == "SIGKILL" else "")
    return f"was killed by signal {-code}"


def _last_words(errors: BinaryIO | IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode("utf-8", "backslashreplace").strip().splitlines()
    told = next((line.strip() for line in lines if line.startswith("Fatal")), lines[-1].strip() if lines else "")
    return f": {told[:_WORDS]}" if told else ""


def serve() -> None:
    """The process itself: one task from stdin, its answer to stdout. Ends when nobody waits for it any more."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints is no answer
    work, task = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_when_alone, daemon=True).start()
    answer = work(task)
    output.write(pickle.dumps(answer))
    output.flush()
    os._exit(0)  # the thread that reads would be waited for


def _end_when_alone() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
