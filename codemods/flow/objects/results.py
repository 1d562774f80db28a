"""What a result gives by each of its methods: the tables of semantics D2. Pure."""

from __future__ import annotations

from dataclasses import replace

from codemods.flow.objects.values import (
    NOTHING,
    PLAIN,
    Alternative,
    How,
    Many,
    One,
    Origin,
    Query,
    Result,
    Row,
    Selected,
    Selection,
    Unknown,
    Value,
    union,
    value,
)

_LISTS = frozenset({"all", "fetchall", "fetchmany", "partitions"})
_OPTIONAL = frozenset({"first", "one_or_none", "fetchone"})
_SAME = frozenset({"tuples", "yield_per", "execution_options", "freeze"})


def first(result: Result | Query, path: str) -> Value:
    """What the first selected thing gives."""
    return _selected(result, getattr(result, "index", 0), path)


def _selected(result: Result | Query, index: int, path: str) -> Value:
    known = result.selection
    if known is None:
        return PLAIN
    chosen = known.selected[min(index, len(known.selected) - 1)]
    if chosen.class_ is None:
        return value(Unknown(chosen.text or "the statement", result.session)) if chosen.unknown else PLAIN
    return value(One(_origin(result, known, chosen, index, path), (), chosen.class_))


def _origin(result: Result | Query, known: Selection, chosen: Selected, index: int, path: str) -> Origin:
    return Origin(
        How.LOADED,
        path,
        *result.site,
        index,
        chosen.text,
        chosen.class_,
        result.session,
        known.anchor,
        known.joined,
        known.options,
        known.foreign,
    )


def row(result: Result | Query, path: str) -> Value:
    """One row."""
    known = result.selection
    if known is None:
        return value(Row(()))
    if any(chosen.unknown for chosen in known.selected) and len(known.selected) == 1:
        return value(Row(None))
    names = tuple(chosen.text.rpartition(".")[2] for chosen in known.selected)
    return value(Row(tuple(_selected(result, index, path) for index in range(len(known.selected))), names))


def element(result: Result | Query, path: str) -> Value:
    """What iterating over the result gives."""
    if isinstance(result, Query):
        known = result.selection
        single = known is None or len(known.selected) == 1
        if single and known is not None and (known.selected[0].class_ is not None or known.selected[0].unknown):
            return first(result, path)
        return row(result, path)
    if result.plain_rows:
        return value(Row(()))
    return first(result, path) if result.scalars else row(result, path)


def many(result: Result | Query, path: str) -> Value:
    """All of it, as a list."""
    known = result.selection
    doubled = known is not None and known.joined and not (known.unique or getattr(result, "unique", False))
    return value(Many(element(result, path), doubled))


def called(result: Result | Query, method: str, path: str) -> Value:
    """What a method of the result gives."""
    if isinstance(result, Query):
        return _queried(result, method, path)
    if method == "scalars":
        return value(replace(result, scalars=True))
    if method == "unique":
        return value(replace(result, unique=True))
    if method in ("mappings", "columns"):
        return value(replace(result, plain_rows=True))
    if method in _SAME:
        return value(result)
    if method in _LISTS:
        return value(Many(many(result, path))) if method == "partitions" else many(result, path)
    if method in _OPTIONAL:
        return union([element(result, path), NOTHING])
    if method == "one":
        return element(result, path)
    if method in ("scalar", "scalar_one_or_none"):
        return union([first(result, path), NOTHING])
    if method == "scalar_one":
        return first(result, path)
    return PLAIN  # rowcount, keys, close


def _queried(query: Query, method: str, path: str) -> Value:
    if method == "all":
        return many(query, path)
    if method in ("first", "one_or_none", "get"):
        return union([element(query, path), NOTHING])
    if method == "one":
        return element(query, path)
    if method in ("scalar", "scalar_one_or_none"):
        return union([first(query, path), NOTHING])
    if method in ("count", "delete", "update", "exists", "subquery", "statement", "cte"):
        return PLAIN
    return value(Unknown(f"query.{method}()", query.session))


def executed(selection: Selection | None, site: tuple[int, int], session: int) -> Alternative:
    return Result(selection, site, session)
