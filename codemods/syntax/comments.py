"""The comments of a text of any Python from 3.11 to 3.15, those inside of strings with replacement fields too. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codemods.syntax.places import Places
from codemods.syntax.tokens import Field, Kind, Literal, Scanner, Token


@dataclass(frozen=True, slots=True)
class CommentToken:
    """One comment: its text from the hash on, its 1-based line, how many characters stand before it there, and whether
    they are all blank."""

    text: str
    line: int
    column: int
    alone: bool


def comment_tokens(text: str) -> list[CommentToken]:
    """All comments of a text, in order. Raises SyntaxError where the text is no Python."""
    places = Places(text)
    scanner = Scanner(text, places)
    found: list[CommentToken] = []
    code_end = -1  # the offset of the last character of code
    for token in _flat(scanner, scanner.tokens(0, len(text), bracketed=False)):
        if token.kind is Kind.COMMENT:
            line = places.line(token.start)
            found.append(
                CommentToken(
                    token.text, line, places.column(token.start), code_end < 0 or places.line(code_end) != line
                )
            )
        elif token.kind not in (Kind.BLANK, Kind.LINE_END):
            code_end = token.end - 1
    return found


def _flat(scanner: Scanner, tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens, with those of replacement fields before the string that they stand in, whose end is behind them."""
    for token in tokens:
        if token.kind is Kind.TEMPLATE:
            # where the string begins there is code, whatever stands in it
            yield Token(Kind.OPERATOR, token.start, token.start + 1, "")
            yield from _inside(scanner, token.parts)
        yield token


def _inside(scanner: Scanner, parts: Sequence[Literal | Field]) -> Iterator[Token]:
    for part in parts:
        if isinstance(part, Literal):
            continue
        end = part.last if part.debug_end is None else part.debug_end
        yield Token(Kind.OPERATOR, part.start, part.start + 1, "{")
        yield from _flat(scanner, scanner.tokens(part.first, end, bracketed=True))
        yield from _inside(scanner, part.spec or ())
