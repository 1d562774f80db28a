"""The program: runs the command line and turns whatever happens into one plain line and an exit code.

Writes to stderr only. `-v` adds the traceback of an error. All that takes time to import is imported inside `main`: a
Ctrl-C that comes before the program has begun is told like any other.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from codemods.cli import INTERRUPTED, PROGRAM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `session-codemods` with these arguments (default: the process's); gives the exit code, raises nothing."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        print(f"{PROGRAM}: interrupted; no file is half written", file=sys.stderr)
    return code


def _run(arguments: Sequence[str]) -> int:
    import typer

    from codemods.cli.program import app
    from codemods.cli.stopping import Stopped

    try:
        return int(app(list(arguments), prog_name=PROGRAM, standalone_mode=False) or 0)
    except Stopped as error:
        return _tell(str(error), error, arguments)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        usage = _usage(error)
        if usage is not None:
            return _tell(usage, None, arguments)
        kind = type(error).__name__
        return _tell(f"internal error: {kind}: {error} (-v shows where)", error, arguments)


def _usage(error: Exception) -> str | None:
    """The text of an error that the parser of the command line raised; None for any other error."""
    # typer carries its own copy of click, older ones use the real one: the classes differ, their words do not.
    describe = getattr(error, "format_message", None)
    if describe is None:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    return f"{str(describe()).strip().rstrip('.')}; see: {command} --help"


def _tell(message: str, error: BaseException | None, arguments: Sequence[str]) -> int:
    import re

    from codemods.review.visible import visible

    if error is not None and any(re.fullmatch(r"--verbose|-[a-zA-Z]*v[a-zA-Z]*", argument) for argument in arguments):
        import traceback

        traceback.print_exception(error)
    line = f"{PROGRAM}: {visible(message)}\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
    return 2


if __name__ == "__main__":
    sys.exit(main())
