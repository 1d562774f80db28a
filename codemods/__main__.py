"""The program: runs the command line and turns whatever happens into one plain line and an exit code.

Writes to stderr only. `-v` adds the traceback of an error. All that takes time to import is imported inside `main`: a
Ctrl-C that comes before the program has begun is told like any other.
"""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # with `python -m` the folder one stands in, whose modules may be a stranger's

from collections.abc import Callable, Sequence

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


def console() -> None:
    """The process of the command `session-codemods`: as `main`, and then ends it. Raises SystemExit."""
    code = main()
    gc.freeze()  # nothing is left to be found: without this the interpreter looks through every tree once more
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--version"]:  # nothing else is needed for that
        from codemods import __version__

        print(f"{PROGRAM} {__version__}")
        return 0

    import typer

    from codemods.cli.stopping import Stopped

    try:
        if (call := _plain(arguments)) is not None:
            return call()
        from codemods.cli.program import app

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


def _plain(arguments: Sequence[str]) -> Callable[[], int] | None:
    """What the arguments ask for, where they are plain; None where typer has to read them."""
    command: Callable[..., int]
    match list(arguments):
        case ["check", *words]:
            from codemods.cli.check import check as command
        case ["diff", *words]:
            from codemods.cli.diff import diff as command
        case _:
            return None
    from codemods.cli.plain_arguments import plain_call

    given = plain_call(command, words)
    return None if given is None else lambda: command(**given)


def _usage(error: Exception) -> str | None:
    """The text of an error that the parser of the command line raised; None for any other error."""
    # typer carries its own copy of click, older ones use the real one: the classes differ, their words do not.
    describe = getattr(error, "format_message", None)
    if describe is None:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    return f"{str(describe()).strip().rstrip('.').replace('Value error, ', '')}; see: {command} --help"


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
    console()
