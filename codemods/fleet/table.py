"""The summary as a table that people read. Gives text, prints nothing."""

from __future__ import annotations

from codemods.fleet.values import Outcome, Summary
from codemods.review.visible import visible

_HEAD = ("repository", "files", "lines", "places", "safe", "review", "left alone", "failures", "seconds", "state")
_Row = tuple[str, ...]


def table(summary: Summary) -> str:
    """One line for each repository, in the order of the list, and one with the sums."""
    rows = [_row(one) for one in summary.outcomes]
    rows.append(_total(summary))
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(len(_HEAD))]
    return "".join(_line(row, widths) for row in (_HEAD, *rows))


def not_handled(summary: Summary) -> str:
    """The repositories, and the files of others, that could not be handled, each with the reason; "" when none."""
    lines = []
    for one in summary.outcomes:
        if one.message:
            lines.append(f"  {one.message if one.message.startswith(one.path) else f'{one.path}  {one.message}'}")
        for failure in one.result.failures if one.result is not None else ():
            at = f"{failure.path}:{failure.line}" if failure.line else failure.path
            lines.append(f"  {one.path}  {at}  {failure.stage}  {failure.message}")
    if not lines:
        return ""
    return f"Not handled ({len(lines)})\n" + "".join(f"{visible(line)}\n" for line in lines)


def line(outcome: Outcome) -> str:
    """One repository in a line, as it is finished."""
    result = outcome.result
    if result is None:
        what = outcome.message
    else:
        what = f"{result.safe} safe, {result.review} review, {result.left_alone} left alone"
    return visible(f"{outcome.name}: {outcome.state.value}" + (f": {what}" if what else "")) + "\n"


def _row(outcome: Outcome) -> _Row:
    result = outcome.result
    if result is None:
        return (visible(outcome.name), *("-" * 8), outcome.state.value)
    places = (result.places, result.safe, result.review, result.left_alone)
    counts = (result.files, result.lines, *places, len(result.failures))
    return (visible(outcome.name), *map(str, counts), f"{result.seconds:.1f}", outcome.state.value)


def _total(summary: Summary) -> _Row:
    results = [one.result for one in summary.outcomes if one.result is not None]
    counts = (
        sum(one.files for one in results),
        sum(one.lines for one in results),
        sum(one.places for one in results),
        sum(one.safe for one in results),
        sum(one.review for one in results),
        sum(one.left_alone for one in results),
        sum(len(one.failures) for one in results),
    )
    state = f"{len(results)} of {len(summary.outcomes)}"
    return ("total", *map(str, counts), f"{sum(one.seconds for one in results):.1f}", state)


def _line(row: _Row, widths: list[int]) -> str:
    first, *numbers, last = (
        cell.ljust(width) if at in (0, len(row) - 1) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((first, *numbers, last)).rstrip() + "\n"
