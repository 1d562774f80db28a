"""The tool without what makes it fast: the same command, done the long way, for `both_ways` to compare with.

`python -P plainly.py [--only NAME]... LEVEL FOLDER`: the working directory is looked through once, and FOLDER gets
`report.json` and `fix.patch`, as `diff` prints them. Changes the functions of this process alone; every name that it
replaces has to be there, so one that is renamed is noticed. Exit code as that of `diff`.

What only remembers an answer (a dictionary beside a function) stays: it decides nothing. So does the reading of newer
syntax through a mask, which is no short cut: where the running Python reads the file itself, the mask is not asked.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from codemods import __main__, engine, sources
from codemods.flow import scheduling, session_makers
from codemods.plan import Change, Failure, Plan, Source
from codemods.transformers import slices


class EveryWord(bytes):
    """The bytes of a file in which every word is said to stand."""

    def __contains__(self, word: object) -> bool:
        return True


def every_file_has_every_word(patch: Patch) -> None:
    """Every file is parsed, and every rule looks at all of them."""
    read, with_data = sources.read, engine._with_data

    def plain_read(root: Path, path: str) -> Source | Failure:
        source = read(root, path)
        return source if isinstance(source, Failure) else replace(source, data=EveryWord(source.data))

    def plain_with_data(source: Source, change: Change) -> Source:
        changed = with_data(source, change)
        return replace(changed, data=EveryWord(changed.data))

    patch(sources, "read", plain_read)
    patch(engine, "_with_data", plain_with_data)
    run = engine.run
    patch(engine, "run", lambda request, *more: run(replace(request, prefilter=False), *more))


def every_file_mentions_every_name(patch: Patch) -> None:
    """Who uses a function is looked for in all files, not only in those that the index of names has."""

    def mentioning(codebase: engine.Codebase, names: Collection[str]) -> list[str]:
        return sorted(codebase.trees)

    patch(engine, "_mentioning", mentioning)


def every_call_may_schedule(patch: Patch) -> None:
    """What a call means is asked of every call, by whatever name it goes."""
    patch(scheduling._Sites, "may_schedule", lambda self, function: True)


def every_file_may_make_sessions(patch: Patch) -> None:
    patch(session_makers, "_may_make", lambda facts: True)


def whole_files_are_edited(patch: Patch) -> None:
    """libcst gets the file and not the statements: also those in syntax that it does not read stay as they were."""
    spliced = slices._spliced

    def whole(source: Source, outline: Any, runs: Any) -> str | None:
        # a file that libcst does not read back can only be edited in part
        return spliced(source, outline, runs) if slices._parse(source.text) is None else None

    patch(slices, "_spliced", whole)


def folders_are_walked(patch: Patch) -> None:
    """Files are found by looking into every folder, and git is not asked."""
    patch(sources, "_git_files", lambda top, failed: None)


def typer_reads_the_command_line(patch: Patch) -> None:
    patch(__main__, "_plain", lambda arguments: None)


def the_collector_runs(patch: Patch) -> None:
    patch(engine, "collector_held", contextlib.nullcontext)


Patch = Callable[[object, str, object], None]

ACCELERATIONS: dict[str, Callable[[Patch], None]] = {
    "words": every_file_has_every_word,
    "names": every_file_mentions_every_name,
    "scheduling": every_call_may_schedule,
    "makers": every_file_may_make_sessions,
    "slices": whole_files_are_edited,
    "git": folders_are_walked,
    "arguments": typer_reads_the_command_line,
    "collector": the_collector_runs,
}


@contextlib.contextmanager
def without(names: Collection[str] = tuple(ACCELERATIONS)) -> Iterator[None]:
    """Within the block this process does without the accelerations of these names. Raises KeyError, AttributeError."""
    undo: list[tuple[Any, str, object]] = []

    def patch(owner: Any, name: str, value: object) -> None:
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    try:
        for name in names:
            ACCELERATIONS[name](patch)
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def once(patch: Patch) -> None:
    """The engine runs once for the same level: both forms of output show one and the same plan."""
    run, known = engine.run, dict[int, Plan]()

    def remembered(request: engine.RunRequest, *more: Any) -> Plan:
        if request.level not in known:
            known[request.level] = run(request, *more)
        return known[request.level]

    patch(engine, "run", remembered)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="plainly")
    parser.add_argument("--only", action="append", choices=tuple(ACCELERATIONS), help="do without this one alone")
    parser.add_argument("level")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    common = ["diff", "--no-cache", "--quiet", "--level", options.level]
    with without(options.only or tuple(ACCELERATIONS)):
        once(setattr)
        code = __main__.main([*common, "--output-format", "json", "-o", str(options.folder / "report.json")])
        patched = __main__.main([*common, "-o", str(options.folder / "fix.patch")])
    return code if code == patched else 2


if __name__ == "__main__":
    sys.exit(main())
