"""The leak proof: the bundled application under load, as it is and after the tool's own patch, on two databases.

`make proof`, or `PYTHONPATH=tests python -m proof.run [--database postgresql|sqlite|both] [--short] [-o FOLDER]`, with
the Python that the tool and the extras `demo-app`, `postgres` and `proof` are installed for. Copies, databases and
servers stand in a temporary folder and end with the run, also when it is interrupted. Writes table.md, chart.txt,
chart.png and results.json into FOLDER.

What is asked, and how both versions are treated alike, stands below the table; what has to hold is in `verdict`. The
table is on stdout, the progress on stderr. Exit codes: 0 the proof holds; 1 it does not, the version before not
leaking being a reason, too, or it could not be carried out; 2 a wrong call; 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import json
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from leaving.postgres import NoServer

from proof import chart, databases, table, verdict
from proof.application import Applications, prepared
from proof.server import ProofError
from proof.trial import FULL, SHORT, Size, Trial, tried

KINDS = ("postgresql", "sqlite")
PACKAGES = ("sqlalchemy", "fastapi", "uvicorn", "asyncpg", "psycopg", "aiosqlite")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the proof; gives the exit code."""
    options = _options(arguments)
    kinds = KINDS if options.database == "both" else (options.database,)
    size = SHORT if options.short else FULL
    try:
        with _ended_by_signals(), tempfile.TemporaryDirectory(prefix="proof-") as folder:
            return prove(kinds, size, options.output, Path(folder))
    except NoServer as error:
        _tell(f"No PostgreSQL server can be started: {error}. `--database sqlite` does without.")
        return 1
    except ProofError as error:
        _tell(f"The proof could not be carried out: {error}")
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130


def prove(kinds: Sequence[str], size: Size, output: Path, folder: Path) -> int:
    """The proof on these databases, in `folder`; writes into `output`. Raises ProofError, NoServer."""
    _tell("migrating a copy of the application ...")
    applications = prepared(folder)
    trials = [_on(kind, applications, size, folder) for kind in kinds]
    problems = [problem for trial in trials for problem in verdict.problems(trial, applications)]

    text = table.table(trials, applications, size, _versions())
    drawn = table.chart(trials)
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(text, encoding="utf-8")
    (output / "chart.txt").write_text(drawn, encoding="utf-8")
    told = json.dumps(table.results(trials, applications, problems), indent=1)
    (output / "results.json").write_text(told + "\n", encoding="utf-8")
    try:
        chart.draw(trials, output / "chart.png")
    except ImportError:
        (output / "chart.png").unlink(missing_ok=True)
        _tell("chart.png is not drawn: matplotlib is not installed")

    sys.stdout.write(f"{text}\n{drawn}\n")
    for problem in problems:
        sys.stdout.write(f"FAILED  {problem}\n")
    if not problems:
        sys.stdout.write("The proof holds.\n")
    _tell(f"table.md, chart.txt, chart.png and results.json are in {output}")
    return 1 if problems else 0


def _on(kind: str, applications: Applications, size: Size, folder: Path) -> Trial:
    async def carried_out(socket: str) -> Trial:
        async with databases.opened(kind, socket, folder) as database:
            return await tried(database, applications, size, folder, lambda text: _tell(f"{kind}: {text}"))

    with databases.server(kind) as socket:
        return asyncio.run(carried_out(socket))


def _versions() -> str:
    found = []
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return f"Python {platform.python_version()}, {', '.join(found)}."


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """The first interrupt or termination ends the block as an interrupt; more of them do not disturb what it ends."""
    ending = (signal.SIGINT, signal.SIGTERM)

    def end(number: int, frame: object) -> None:
        for one in ending:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {one: signal.signal(one, end) for one in ending}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="proof.run", description="The leak proof: before and after, under load.")
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both", help="on which (default: both)")
    parser.add_argument("--short", action="store_true", help="fewer visits, and less time for them")
    parser.add_argument("-o", "--output", type=Path, default=Path("proof-report"), metavar="FOLDER", help="write here")
    return parser.parse_args(arguments)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
