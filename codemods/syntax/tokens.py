"""A text of any Python from 3.11 to 3.15 as tokens, strings with replacement fields among them. Pure.

Not `tokenize`: that one knows only the strings of the Python that runs it. Like it, this reads the words and leaves the
sentences to the parser; what cannot be a token of Python raises SyntaxError.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import NamedTuple

from codemods.syntax.places import Places


class Kind(enum.Enum):
    NAME = enum.auto()
    NUMBER = enum.auto()
    OPERATOR = enum.auto()
    STRING = enum.auto()  # without replacement fields, bytes included
    TEMPLATE = enum.auto()  # f"..." and t"..."
    COMMENT = enum.auto()
    LINE_END = enum.auto()  # not inside brackets: ends a statement
    BLANK = enum.auto()  # spaces, joined lines, line ends inside brackets


@dataclass(frozen=True, slots=True)
class Literal:
    """Text of a template between its fields, escapes and doubled braces as they are written."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """`{expression = !conversion :spec}`. `first` and `last` are the limits of the expression, blanks included."""

    start: int
    end: int
    first: int
    last: int
    debug_end: int | None  # behind `=` and the blanks that follow it
    conversion: str | None
    spec: tuple[Literal | Field, ...] | None
    spec_start: int


class Token(NamedTuple):
    kind: Kind
    start: int
    end: int
    text: str
    parts: tuple[Literal | Field, ...] = ()  # of a template

    @property
    def prefix(self) -> str:
        """The letters before the quote, in lower case."""
        letters = _LETTERS.match(self.text)
        return letters[0].lower() if letters else ""


_TOKEN = re.compile(
    r"""
    (?P<BLANK> (?: [ \t\f] | \\(?:\r\n|\r|\n) )+ )
    | (?P<LINE_END> \r\n | \r | \n )
    | (?P<COMMENT> \#[^\r\n]* )
    | (?P<TEMPLATE> (?i:[ft]r?|r[ft]) (?: \'\'\' | \"\"\" | ' | " ) )
    | (?P<STRING> (?i:[rbu]|br|rb)? (?:
        \'\'\' [^\\']* (?: (?:\\[\s\S]|'(?!'')) [^\\']* )* \'\'\'
        | \"\"\" [^\\"]* (?: (?:\\[\s\S]|"(?!"")) [^\\"]* )* \"\"\"
        | '(?!'') [^\\\r\n']* (?: \\(?:\r\n|[\s\S]) [^\\\r\n']* )* '
        | "(?!"") [^\\\r\n"]* (?: \\(?:\r\n|[\s\S]) [^\\\r\n"]* )* "
    ) )
    | (?P<NUMBER> (?: \d | \.\d ) (?: [eE][+-]\d | [\w.] )* )
    | (?P<NAME> (?: [^\W\d] | [^\x00-\x7f] ) (?: \w | [^\x00-\x7f] )* )  # which letters: see the parser
    | (?P<OPERATOR> \.\.\. | \*\*=? | //=? | >>=? | <<=? | != | -> | :=
        | [=<>+\-*/%@&|^]= | [=<>+\-*/%@&|^~.,:;()\[\]{}!] )
    """,
    re.VERBOSE,
)
_KINDS = {kind.name: kind for kind in Kind}
_PREFIX = "fFtTrR"
_LETTERS = re.compile(r"[A-Za-z]*")
_OPERATOR = re.compile(
    r"\.\.\.|\*\*=?|//=?|>>=?|<<=?|!=|->|:=|[=<>+\-*/%@&|^]=|[=<>+\-*/%@&|^~.,:;()\[\]{}!]",
)
_BLANK_OR_LINE_END = re.compile(r"(?:[ \t\f\r\n]|#[^\r\n]*[\r\n])+")
_CONVERSION = re.compile(r"!([A-Za-z_]\w*)[ \t\f\r\n]*")
_CLOSING = {")": "(", "]": "[", "}": "{"}


class Scanner:
    """Reads one text from a place on. Raises SyntaxError."""

    def __init__(self, text: str, places: Places) -> None:
        self._text = text
        self._places = places

    def tokens(self, start: int, end: int, *, bracketed: bool) -> list[Token]:
        """The tokens from `start` to `end`, blanks included. `bracketed`: brackets stand around all of it."""
        found: list[Token] = []
        depth = [""] if bracketed else []
        position = start
        while position < end:
            token = self.token(position, in_brackets=bool(depth))
            self._count(token, depth)
            found.append(token)
            position = token.end
        if position != end or len(depth) != int(bracketed):
            raise self._places.error("a bracket or a string is not closed", start)
        return found

    def _count(self, token: Token, depth: list[str]) -> None:
        if token.kind is Kind.OPERATOR and token.text in "([{":
            depth.append(token.text)
        elif token.kind is Kind.OPERATOR and token.text in _CLOSING:
            if not depth or depth.pop() != _CLOSING[token.text]:
                raise self._places.error(f"unmatched '{token.text}'", token.start)

    def token(self, position: int, *, in_brackets: bool) -> Token:
        """The token that begins at `position`."""
        match = _TOKEN.match(self._text, position)
        if match is None:
            character = self._text[position]
            what = "unterminated string literal" if character in "'\"" else f"invalid character {character!r}"
            raise self._places.error(what, position)
        kind, text = _KINDS[match.lastgroup or ""], match[0]
        if kind is Kind.TEMPLATE:
            quote = text.lstrip(_PREFIX)
            parts, end = self._template(match.end(), quote, raw="r" in text.lower())
            return Token(kind, position, end, self._text[position:end], parts)
        if kind is Kind.LINE_END and in_brackets:
            kind = Kind.BLANK
        return Token(kind, position, match.end(), text)

    # --- templates ------------------------------------------------------------------------------------------------

    def _template(self, position: int, quote: str, *, raw: bool) -> tuple[tuple[Literal | Field, ...], int]:
        """The parts of a template whose opening quote ends at `position`, and where it ends."""
        parts: list[Literal | Field] = []
        while True:
            end = self._literal(position, quote, raw=raw, in_spec=False)
            if end > position:
                parts.append(Literal(position, end))
            if self._text.startswith(quote, end):
                return tuple(parts), end + len(quote)
            if self._text[end] == "}":
                raise self._places.error("f-string: single '}' is not allowed", end)
            field = self._field(end, quote, raw=raw)
            parts.append(field)
            position = field.end

    def _literal(self, position: int, quote: str, *, raw: bool, in_spec: bool) -> int:
        """Where the text that begins at `position` stops: at the closing quote or at a brace that is not doubled."""
        text, start = self._text, position
        while position < len(text):
            if text.startswith(quote, position):
                return position
            character = text[position]
            if character == "\\":
                if text.startswith(("{", "}"), position + 1):
                    position += 1  # the brace counts, though a backslash stands before it
                elif not raw and text.startswith("N{", position + 1):
                    closing = text.find("}", position)
                    if closing < 0:
                        break
                    position = closing + 1
                else:
                    position += 3 if text.startswith("\r\n", position + 1) else 2
            elif character in "{}":
                if in_spec or not text.startswith(character * 2, position):
                    return position
                position += 2
            elif character in "\r\n" and len(quote) == 1:
                break
            else:
                position += 1
        raise self._places.error("unterminated f-string literal", min(start, max(len(text) - 1, 0)))

    def _field(self, start: int, quote: str, *, raw: bool) -> Field:
        """The replacement field whose brace is at `start`."""
        text = self._text
        position = first = start + 1
        last = debug_end = None
        depth: list[str] = []
        while True:
            if position >= len(text):
                raise self._places.error("f-string: expecting '}'", start)
            if not depth and (
                text[position] in ":}" or (text[position] == "!" and text[position + 1 : position + 2] != "=")
            ):
                break
            token = self.token(position, in_brackets=True)
            self._count(token, depth)
            position = token.end
            if not depth and token.text == "=" and token.kind is Kind.OPERATOR:
                blank = _BLANK_OR_LINE_END.match(text, position)
                behind = blank.end() if blank else position
                if text[behind : behind + 1] in (":", "}", "!") and text[behind : behind + 2] != "!=":
                    last, debug_end = token.start, behind
                    position = behind
        if last is None:
            last = position
        if not text[first:last].strip():
            raise self._places.error("f-string: valid expression required before '}'", start)
        conversion = None
        if text[position] == "!":
            match = _CONVERSION.match(text, position)
            if match is None:
                raise self._places.error("f-string: invalid conversion character", position)
            conversion, position = match[1], match.end()
        spec: list[Literal | Field] | None = None
        spec_start = position
        if text[position : position + 1] == ":":
            spec, position = [], position + 1
            while True:
                end = self._literal(position, quote, raw=raw, in_spec=True)
                if end > position:
                    spec.append(Literal(position, end))
                position = end
                if text[position] != "{":
                    break
                inner = self._field(position, quote, raw=raw)
                spec.append(inner)
                position = inner.end
        if text[position : position + 1] != "}":
            raise self._places.error("f-string: expecting '}'", start)
        return Field(
            start,
            position + 1,
            first,
            last,
            debug_end,
            conversion,
            None if spec is None else tuple(spec),
            spec_start,
        )
