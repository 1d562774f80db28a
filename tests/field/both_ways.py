"""One tree looked through the quick ways and the long way: reports and patches have to be the same bytes.

The quick ways are the command as it is, anew and then from what it remembers; the long way is `plainly.py`, which does
without every acceleration. Starts both; writes into a folder outside of the tree.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from field.process import last_line, run

PLAIN = (sys.executable, "-P", str(Path(__file__).with_name("plainly.py")))  # -P: nothing is imported from the tree
LEVEL = "review"  # its look at a change makes the safe one, too
NOT_REMEMBERED = b"The cache was not used"
JSON = ("--output-format", "json")


@dataclass(frozen=True, slots=True)
class Compared:
    """`problems` says what differs; `remembered`, whether the second run was answered from the first one's memory."""

    problems: tuple[str, ...]
    remembered: bool


def compare(tree: Path, folder: Path, tool: Sequence[str], plain: Sequence[str] = PLAIN) -> Compared:
    """Look through `tree` in all ways. `folder`, which must not exist yet, gets what came out, and the cache."""
    folder.mkdir(parents=True)
    codes = set()
    remembered = True

    def quick(name: str, *options: str) -> bytes:
        nonlocal remembered
        done = run([*tool, "diff", "--level", LEVEL, "-v", *options], tree, folder)
        (folder / name).write_bytes(done.stdout)
        codes.add(done.returncode)
        remembered = remembered and NOT_REMEMBERED not in done.stderr
        return done.stdout

    report = quick("anew.json", *JSON)
    patch = quick("remembered.patch")
    again = quick("remembered.json", *JSON)
    done = run([*plain, LEVEL, str(folder)], tree, folder)
    codes.add(done.returncode)
    plain_report, plain_patch = folder / "report.json", folder / "fix.patch"
    if not (plain_report.is_file() and plain_patch.is_file()):
        return Compared((f"the long way gave nothing: {last_line(done.stderr)}",), remembered)
    pairs = {
        "the report that is remembered differs from the first": (again, report),
        "the report differs from that of the long way": (report, plain_report.read_bytes()),
        "the patch differs from that of the long way": (patch, plain_patch.read_bytes()),
    }
    problems = [f"{what}: {_where(one, other)}" for what, (one, other) in pairs.items() if one != other]
    if len(codes) > 1:
        problems.append(f"exit codes differ: {', '.join(map(str, sorted(codes)))}")
    return Compared(tuple(problems), remembered)


def _where(one: bytes, other: bytes) -> str:
    """The first entry of the ledger, or else the first line, that is another in the second text."""
    mine, theirs = (_entries(text) for text in (one, other))
    if mine == theirs:
        mine, theirs = (text.decode("utf-8", "replace").splitlines() for text in (one, other))
    for here, there in zip([*mine, ""], [*theirs, ""], strict=False):
        if here != there:
            return f"`{here}`, the other way `{there}`"
    return "in line ends"


def _entries(text: bytes) -> list[str]:
    """The ledger of a report, an entry a line; nothing where the text is no report."""
    try:
        entries: list[Mapping[str, Any]] = json.loads(text)["ledger"]["entries"]
        return [f"{one['path']}:{one['line']} {one['rule']} {one['end']}: {one['text']}" for one in entries]
    except (ValueError, LookupError, TypeError):
        return []
