"""The benchmark: this tool beside ruff, ripgrep, libcst's codemod runner and codemodder, on the same trees in one run.

`make benchmark`, or `PYTHONPATH=tests:. python -m benchmarks.run [--short] [--rounds N] [--into README.md]
[-o FOLDER]`, with the Python that the tool and the extra `benchmark` are installed for. Trees and caches stand in a
temporary folder. Writes table.md, chart.png and results.json into FOLDER, and with `--into` the table between the
markers of that file.

How it is measured stands below the table. Programs that are not there are named and left out. The table is on stdout,
the progress on stderr. Exit codes: 0 all was measured, 1 something was not, or a command wrote into a tree; 2 a wrong
call; 3 a package could not be fetched; 130 interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from field.fetch import FetchError

from benchmarks import chart, table
from benchmarks.figures import Measured
from benchmarks.rounds import Failed, Results, Size, measured, version
from benchmarks.tools import NothingToMeasure, Program, Toolbox, found
from benchmarks.trees import Tree, changed, copied, package

COPIES = (2, 4)


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Which packages: one that is also copied, others, and on which of them the slow commands run."""

    copied: str
    others: tuple[str, ...]
    slow: tuple[str, ...]
    size: Size


# jupyterhub is the application of 50,000 lines; the others are servers on async sessions
SHORT = Choice("argilla-server", ("jupyterhub",), ("argilla-server",), Size(3, 1, seconds=165))
FULL = Choice(
    *("fractal-server", ("jupyterhub", "datajunction-server", "langflow-base"), ("fractal-server", "jupyterhub")),
    Size(5, 2),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; gives the exit code."""
    options = _options(arguments)
    choice = SHORT if options.short else FULL
    if options.rounds:
        rounds = dataclasses.replace(choice.size, rounds=options.rounds)
        choice = dataclasses.replace(choice, size=rounds)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the temporary folder goes, whoever ends the run
    try:
        if options.into is not None:  # before minutes are spent
            table.replaced(options.into.read_text(encoding="utf-8"), "")
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            return benchmark(choice, Path(folder), options.output, options.into)
    except FetchError as error:
        _tell(f"{error}")
        return 3
    except (NothingToMeasure, OSError, table.NoMarkers) as error:
        _tell(f"{error}")
        return 2
    except Failed as error:
        _tell(f"{error}")
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130


def benchmark(choice: Choice, folder: Path, output: Path, into: Path | None) -> int:
    """The whole benchmark in `folder`; gives the exit code. Raises FetchError, NothingToMeasure, Failed."""
    scratch = folder / "scratch"
    scratch.mkdir()
    toolbox, versions = _working(found(scratch), scratch)
    trees, growth = _trees(choice, folder)
    load = os.getloadavg()[0]
    everything = list({tree.name: tree for tree in (*trees, *growth)}.values())
    results = measured(everything, toolbox, choice.size, scratch, _tell)

    problems = [f"{command} on {tree}: {said}" for (tree, command), said in results.failures.items()]
    problems += [f"something wrote into {tree.name}" for tree in everything if changed(tree)]
    report = table.Report(
        trees=[_measured(tree, results) for tree in trees],
        growth=[_measured(tree, results) for tree in growth],
        starts=results.starts,
        programs={command.name: command.program for command in toolbox.commands},
        about=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the start; "
        f"Python {platform.python_version()}; {'; '.join(versions)}.",
        notes=(*toolbox.missing, *problems),
    )
    _write(report, output, into)
    for problem in problems:
        sys.stdout.write(f"FAILED  {problem}\n")
    return 1 if problems else 0


def _trees(choice: Choice, folder: Path) -> tuple[list[Tree], list[Tree]]:
    """The trees of their own, and those that are copies of one."""
    _tell("unpacking packages ...")
    names = (choice.copied, *choice.others)
    trees = [package(name, folder / "trees" / name, slow=name in choice.slow) for name in names]
    copies = [copied(trees[0], count, folder / "trees" / f"{count}x") for count in COPIES]
    return trees, [trees[0], *copies]


def _working(toolbox: Toolbox, scratch: Path) -> tuple[Toolbox, list[str]]:
    """The toolbox without the programs that do not start, and the versions of the others. Raises Failed for ours."""
    working: list[Program] = []
    versions = []
    missing = list(toolbox.missing)
    for program in toolbox.programs:
        try:
            said = version(program, scratch)
        except Failed as failed:
            if program is toolbox.programs[0]:
                raise
            missing.append(str(failed))
            continue
        working.append(program)
        versions.append(said if program.name in said.lower() else f"{program.name} {said}")
    names = {program.name for program in working}
    commands = [command for command in toolbox.commands if command.program in names]
    for word in missing:
        _tell(f"left out: {word}")
    return Toolbox(working, commands, missing), versions


def _measured(tree: Tree, results: Results) -> Measured:
    return Measured(tree.name, tree.files, tree.lines, results.runs[tree.name])


def _write(report: table.Report, output: Path, into: Path | None) -> None:
    text = table.block(report)
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(text, encoding="utf-8")
    told = json.dumps(dataclasses.asdict(report), indent=1)
    (output / "results.json").write_text(told + "\n", encoding="utf-8")
    try:
        chart.draw(report, output / "chart.png")
    except ImportError:
        (output / "chart.png").unlink(missing_ok=True)
        _tell("chart.png is not drawn: matplotlib is not installed")
    sys.stdout.write(text)
    _tell(f"table.md, chart.png and results.json are in {output}")
    if into is not None:
        into.write_text(table.replaced(into.read_text(encoding="utf-8"), text), encoding="utf-8")
        _tell(f"the table is in {into}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="This tool beside others, on the same trees.")
    parser.add_argument("--short", action="store_true", help="fewer and smaller trees, fewer rounds: three minutes")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="how often, except for the slow commands")
    parser.add_argument("--into", type=Path, metavar="FILE", help="also put the table between the markers of this file")
    folder = Path("benchmark-report")
    parser.add_argument("-o", "--output", type=Path, default=folder, metavar="FOLDER", help="write here")
    options = parser.parse_args(arguments)
    if shutil.which("git") is None:
        parser.error("git is not on the PATH")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("one round at least")
    return number


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
