"""From the edits and requests of one file to its new bytes. Pure: reads a `Source`, writes nothing.

Statements first, then imports, then the checks: what comes out has been read back and compared with what the edits
ought to give, so a caller may trust the bytes or gets a ComposeError, never something in between.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import replace

from codemods import syntax
from codemods.plan import (
    AddArgument,
    AddFunction,
    AddItem,
    ChainCall,
    ChangeArguments,
    ChangeDefinition,
    ChangeParameters,
    DissolveTry,
    Edit,
    GuardBlock,
    InsertAfter,
    InsertBefore,
    OpenBlock,
    Request,
    Source,
    Span,
    WidenBlock,
)
from codemods.transformers.deep_stack import with_deep_stack
from codemods.transformers.definition_width import within_header_limits
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_fit import Growing
from codemods.transformers.fit import start_line
from codemods.transformers.imports import settle_imports
from codemods.transformers.intended import added_imports, check_statements, edited_definitions, edited_expressions
from codemods.transformers.line_width import within_limits
from codemods.transformers.slices import edit_statements
from codemods.transformers.split_brackets import with_split
from codemods.transformers.verify import verify_bytes

__all__ = ["ComposeError", "compose"]


def compose(source: Source, edits: Iterable[Edit], requests: Iterable[Request]) -> bytes:
    """The bytes of `source` with these edits and requests made.

    Edits and requests of other files are left out, and equal ones are made once. Their order does not matter, but for
    several that put something at one place: what is asked for first stands first. Raises ComposeError, with the
    original's line, when an edit does not fit the file, when two do not fit each other, or when the result would not be
    exactly the file with the edits made.
    """
    chosen = sorted(dict.fromkeys(edit for edit in edits if edit.path == source.path), key=_position)
    wanted = [request for request in dict.fromkeys(requests) if request.path == source.path]
    if not chosen and not wanted:
        return source.data
    if re.search(r"\r(?!\n)", source.text):
        raise ComposeError("the file has line ends that are a carriage return alone")
    return with_deep_stack(lambda: _compose(source, _joined(chosen), wanted))


def _compose(source: Source, edits: list[Edit], requests: list[Request]) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            original = syntax.parse(source.text)
            text = edit_statements(source, original, edits)
            check_statements(source.text, text, edits)
            text = settle_imports(source, original, text, requests, added_imports(source.text, text, edits))
            check_statements(source.text, text, edits)
            text = _within_limits(source, text, edits)
            after = source.encode(text)
            verify_bytes(source, after, edits)
    except SyntaxError as error:
        raise ComposeError(f"the text cannot be read: {error.msg}", error.lineno or 0) from error
    except UnicodeEncodeError as error:
        raise ComposeError(f"the file's encoding {source.encoding} lacks a character that is needed") from error
    return after


def _within_limits(source: Source, text: str, edits: list[Edit]) -> str:
    if not any(isinstance(edit, Growing | ChangeParameters) and edit.limit for edit in edits):
        return text
    edited = edited_expressions(source.text, text, edits)
    short = within_limits(source.text, text, edited, source.indent)
    while (split := with_split(short, edited_expressions(source.text, short, edits), source.indent)) is not None:
        short = split
    definitions = edited_definitions(source.text, short, edits)
    short = within_header_limits(source.text, short, definitions, source.indent)
    check_statements(source.text, short, edits)
    return short


def _joined(edits: list[Edit]) -> list[Edit]:
    """Several widenings of one block are one, down to the last line that any of them asks for; several dissolutions
    of one `try` are one that takes what any of them takes; several changes of one definition, of one call or of
    one function's parameters that do not gainsay each other are one."""
    widened = {edit.block: edit for edit in sorted(edits, key=_position) if isinstance(edit, WidenBlock)}
    dissolved: dict[int, DissolveTry] = {}
    for edit in edits:
        if isinstance(edit, DissolveTry):
            known = dissolved.get(edit.line, edit)
            dissolved[edit.line] = replace(known, closes=tuple(sorted({*known.closes, *edit.closes})))
    single = WidenBlock | DissolveTry | ChangeDefinition | ChangeArguments | ChangeParameters
    others = [edit for edit in edits if not isinstance(edit, single)]
    definitions = _joined_definitions([edit for edit in edits if isinstance(edit, ChangeDefinition)])
    arguments: dict[Span, ChangeArguments] = {}
    parameters: dict[int, ChangeParameters] = {}
    for edit in edits:
        if isinstance(edit, ChangeArguments):
            of_call = arguments.get(edit.span, edit)
            changes = tuple(dict.fromkeys((*of_call.changes, *edit.changes)))
            arguments[edit.span] = replace(edit, changes=changes, limit=_limit(of_call.limit, edit.limit))
        if isinstance(edit, ChangeParameters):
            of_function = parameters.get(edit.line, edit)
            named = tuple(dict.fromkeys((*of_function.changes, *edit.changes)))
            parameters[edit.line] = replace(edit, changes=named, limit=_limit(of_function.limit, edit.limit))
    joined: list[Edit] = [*others, *widened.values(), *dissolved.values(), *definitions]
    joined += [*arguments.values(), *parameters.values()]
    return sorted(joined, key=_position)


def _limit(one: int, other: int) -> int:
    """The smaller of two limits, 0 being none."""
    return min(one, other) or max(one, other)


def _joined_definitions(edits: list[ChangeDefinition]) -> list[ChangeDefinition]:
    made: list[ChangeDefinition] = []
    for line in sorted({edit.line for edit in edits}):
        same = [edit for edit in edits if edit.line == line]
        is_async = any(edit.is_async for edit in same)
        returns: set[str | None] = {edit.returns for edit in same if edit.returns is not None}
        # two results that differ are two edits of one line, and are refused as such
        made += [replace(same[0], is_async=is_async, returns=one) for one in returns or {None}]
    return made


def _position(edit: Edit) -> tuple[int, int, str]:
    last = edit.last if isinstance(edit, OpenBlock | WidenBlock | GuardBlock) else 0
    in_order = isinstance(edit, InsertBefore | InsertAfter | AddArgument | AddItem | ChainCall | AddFunction)
    return start_line(edit), last, type(edit).__name__ if in_order else repr(edit)
