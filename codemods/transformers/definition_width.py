"""Headers of functions that other parameters made too long are laid out anew, as a formatter would. Pure; text to text.

Only a header that stands on one line is touched. What cannot be laid out for certain stays long.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Sequence

from codemods.plan import ChangeParameters
from codemods.transformers.documents import Break, Document, Group, IfBroken, Indented, printed, width
from codemods.transformers.parameter_fit import Function
from codemods.transformers.physical_lines import split_lines


def within_header_limits(before: str, after: str, made: Iterable[tuple[Function, ChangeParameters]], step: str) -> str:
    """`after` with the headers that are too long laid out, where that can be done.

    `made` are the functions of `after` that were edited; `before` is the original, in which a header may have been too
    long already. The parameters are indented by `step`.
    """
    old, lines = split_lines(before), split_lines(after)
    for function, edit in sorted(made, key=lambda one: one[0].lineno, reverse=True):
        line = lines[function.lineno - 1]
        bare = line.rstrip("\r\n")
        was_long = width(old[edit.line - 1].rstrip("\r\n")) > edit.limit
        if not edit.limit or was_long or width(bare) <= edit.limit or function.body[0].lineno == function.lineno:
            continue
        text = _laid_out(bare, edit.limit, step)
        if text is not None:
            newline = line[len(bare) :]
            lines[function.lineno - 1] = text.replace("\n", newline) + newline
    return "".join(lines)


def _laid_out(line: str, limit: int, step: str) -> str | None:
    """A header on lines of its own; None where it does not end on its line, has a comment behind it or a comma behind
    its last parameter, or where no layout keeps to the limit."""
    tokens = _tokens(line)
    opening = next((index for index, token in enumerate(tokens) if token.string in ("(", "[")), None)
    if opening is None or tokens[opening].string == "[" or tokens[-1].string != ":":
        return None
    parts: list[str] = []
    start, depth = tokens[opening].end[1], 0
    for token in tokens[opening:]:
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if depth == 0 or (depth == 1 and token.string == ","):
            parts.append(line[start : token.start[1]].strip())
            start = token.end[1]
        if depth == 0:
            break
    if not all(parts):
        return None
    margin = line[: len(line) - len(line.lstrip())]
    prefix, suffix = line[: tokens[opening].end[1]], line[start - 1 :]
    text = prefix + printed(_parameters(parts, suffix), limit=limit, margin=margin, step=step, column=width(prefix))
    return None if any(width(one) > limit for one in text.split("\n")) else text


def _parameters(parts: Sequence[str], suffix: str) -> list[Document]:
    """Parameters on one inner line where they fit there, else one on each."""
    joined: list[Document] = []
    for part in parts:
        joined += [",", Break(" "), part] if joined else [part]
    return [Group((Indented((Break(), Group((*joined, IfBroken(","))))), Break(), suffix))]


def _tokens(line: str) -> list[tokenize.TokenInfo]:
    """The tokens of a line, comments too; none where it does not end what it begins."""
    skipped = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    try:
        found = list(tokenize.generate_tokens(io.StringIO(line.lstrip()).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    margin = len(line) - len(line.lstrip())
    return [
        token._replace(start=(1, token.start[1] + margin), end=(1, token.end[1] + margin))
        for token in found
        if token.type not in skipped
    ]
