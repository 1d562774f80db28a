"""Newer forms of a text turned into older ones, in place: the mask. Pure.

The mask of a text has its lines, and each of them has as many UTF-8 bytes as before; what the mask leaves alone stays
where it was. So every place that `ast` names in the mask is right in the text. What the mask hides is told beside it:

- A string with replacement fields, and `A, B` behind `except`, becomes `(0   )`: a hole.
- `type X = ...` becomes `0;   X = ...`, `lazy import x` becomes `0;   import x`: the mark of the statement behind it.
- Type parameters are blanked: `def f[T](x)` becomes `def f(   x)`, `class A[T]:` becomes `class A( ):`.
- The star of `[*a for a in b]` is blanked.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from dataclasses import dataclass, field

from codemods.syntax.places import Places, Position
from codemods.syntax.tokens import Kind, Scanner, Token

_SKIPPED = frozenset({Kind.BLANK, Kind.COMMENT})
_VALUES = frozenset({"None", "True", "False"})
_BEFORE_SUBJECT = frozenset({"match", "case"})


@dataclass(frozen=True, slots=True)
class TypeParameter:
    """One of a list; the pairs are limits of expressions."""

    start: int
    end: int
    stars: str
    name: str
    bound: tuple[int, int] | None
    default: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Strings:
    """Adjacent strings, at least one of them with replacement fields."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Exceptions:
    """The `A, B` of `except A, B:`, from `start` to `end`."""

    start: int
    end: int


@dataclass(slots=True)
class Mask:
    """The mask of a text from one offset to another, and what it hides by the place where the tree shows it."""

    text: str = ""
    holes: dict[Position, Strings | Exceptions] = field(default_factory=dict)
    marks: dict[Position, str] = field(default_factory=dict)  # `type` or `lazy`
    type_parameters: dict[Position, list[TypeParameter]] = field(
        default_factory=dict
    )  # by `def`, `async`, `class`, `type`
    stars: dict[Position, Position] = field(default_factory=dict)  # by the opening bracket


@dataclass(slots=True)
class _Bracket:
    token: Token
    star: Token | None = None  # the first thing in it
    is_list: bool = False  # a comma or a `for` was seen


class Masker:
    """Masks one stretch of a text; `tokens` are those of it, without blanks and comments.

    Raises SyntaxError for what no Python reads.
    """

    def __init__(self, text: str, places: Places, start: int, end: int, *, bracketed: bool = False) -> None:
        self._text = text
        self._places = places
        self._limits = (start, end)
        every = Scanner(text, places).tokens(start, end, bracketed=bracketed)
        self.tokens = [token for token in every if token.kind not in _SKIPPED]
        self._changes: list[tuple[int, int, str]] = []
        self._mask = Mask()
        self._brackets: list[_Bracket] = []
        self._bracketed = bracketed

    def mask(self) -> Mask:
        index = 0
        while index < len(self.tokens):
            index = self._at(index)
        start, end = self._limits
        made, position = [], start
        for first, last, text in sorted(self._changes):
            made += [self._text[position:first], text]
            position = last
        self._mask.text = "".join([*made, self._text[position:end]])
        return self._mask

    def _at(self, index: int) -> int:
        """Masks what begins at a token; the index of the token to go on with."""
        token = self.tokens[index]
        if token.kind in (Kind.STRING, Kind.TEMPLATE):
            return self._strings(index)
        if token.kind is Kind.OPERATOR:
            self._operator(index)
        if token.kind is Kind.NAME:
            if token.text == "for":
                self._comprehension()
            elif token.text in ("def", "class") and not self._brackets:
                return self._definition(index)
            elif token.text == "except" and self._begins_statement(index):
                return self._except(index)
            elif token.text in ("type", "lazy") and self._begins_statement(index):
                return self._soft(index)
        return index + 1

    # --- what stands around ---------------------------------------------------------------------------------------

    def _is(self, index: int, *texts: str) -> bool:
        """Whether an operator or keyword of these stands there."""
        token = self.tokens[index] if 0 <= index < len(self.tokens) else None
        return token is not None and token.kind in (Kind.OPERATOR, Kind.NAME) and token.text in texts

    def _is_identifier(self, index: int) -> bool:
        token = self.tokens[index] if index < len(self.tokens) else None
        return token is not None and token.kind is Kind.NAME and not keyword.iskeyword(token.text)

    def _begins_statement(self, index: int) -> bool:
        if self._brackets or self._bracketed:
            return False
        return index == 0 or self.tokens[index - 1].kind is Kind.LINE_END or self._is(index - 1, ";", ":")

    def _closing(self, index: int) -> int:
        """The index of the bracket that closes the one at `index`."""
        depth = 0
        for place in range(index, len(self.tokens)):
            if self._is(place, "(", "[", "{"):
                depth += 1
            elif self._is(place, ")", "]", "}"):
                depth -= 1
                if not depth:
                    return place
        raise self._places.error("a bracket is not closed", self.tokens[index].start)

    def _blank(self, start: int, end: int, first: str = "", last: str = "") -> None:
        """Blanks a stretch, but for its line ends; `first` and `last` take the place of its ends, byte by byte."""
        hidden = "".join(
            character if character in "\r\n" else " " * len(character.encode("utf-8", "surrogatepass"))
            for character in self._text[start:end]
        )
        self._changes.append((start, end, first + hidden[len(first) : len(hidden) - len(last)] + last))

    # --- the forms ------------------------------------------------------------------------------------------------

    def _operator(self, index: int) -> None:
        token = self.tokens[index]
        if token.text in "([{":
            star = self.tokens[index + 1] if self._is(index + 1, "*", "**") else None
            self._brackets.append(_Bracket(token, star))
        elif token.text in ")]}":
            if self._brackets:  # else the one that stands around all of it
                self._brackets.pop()
        elif token.text == "," and self._brackets:
            self._brackets[-1].is_list = True

    def _comprehension(self) -> None:
        bracket = self._brackets[-1] if self._brackets else None
        if bracket is None or bracket.star is None or bracket.is_list:
            return
        bracket.is_list = True
        if bracket.star.text == "**" and bracket.token.text != "{":
            return
        self._blank(bracket.star.start, bracket.star.end)
        self._mask.stars[self._places[bracket.token.start]] = self._places[bracket.star.start]

    def _strings(self, index: int) -> int:
        behind = index
        while behind < len(self.tokens) and self.tokens[behind].kind in (Kind.STRING, Kind.TEMPLATE):
            behind += 1
        group = tuple(self.tokens[index:behind])
        if all(token.kind is Kind.STRING for token in group):
            return behind
        self._check_operand(index)
        self._hole(group[0].start, group[-1].end, Strings(group))
        return behind

    def _check_operand(self, index: int) -> None:
        """`name f"..."` is no Python, but `name (0)` would be a call."""
        before = self.tokens[index - 1] if index else None
        if before is None:
            return
        is_value = before.kind is Kind.NUMBER or self._is(index - 1, ")", "]", "}")
        if before.kind is Kind.NAME and (before.text in _VALUES or not keyword.iskeyword(before.text)):
            is_value = not (before.text in _BEFORE_SUBJECT and self._begins_statement(index - 1))
        if is_value:
            raise self._places.error("invalid syntax", self.tokens[index].start)

    def _hole(self, start: int, end: int, hidden: Strings | Exceptions) -> None:
        self._blank(start, end, "(0", ")")
        line, column = self._places[start]
        self._mask.holes[Position(line, column + 1)] = hidden

    def _except(self, index: int) -> int:
        """`except A, B:` and `except* A, B:`; with `as` behind it no Python reads it, and it stays."""
        first = index + 2 if self._is(index + 1, "*") else index + 1
        last, depth, commas = first, 0, False
        while last < len(self.tokens) and self.tokens[last].kind is not Kind.LINE_END:
            if self._is(last, "(", "[", "{"):
                depth += 1
            elif self._is(last, ")", "]", "}"):
                depth -= 1
            elif depth == 0:
                if self._is(last, ":", "as"):
                    break
                commas = commas or self._is(last, ",")
            last += 1
        if not commas or not self._is(last, ":") or last == first:
            return index + 1
        start, end = self.tokens[first].start, self.tokens[last - 1].end
        if end - start < 3:
            raise self._places.error("expected one or more exception types", start)
        self._hole(start, end, Exceptions(start, end))
        return last

    def _definition(self, index: int) -> int:
        opening = index + 2
        if not (self._is_identifier(index + 1) and self._is(opening, "[")):
            return index + 1
        closing = self._closing(opening)
        head = index - 1 if self._is(index - 1, "async") and self._is(index, "def") else index
        self._parameters(head, opening, closing)
        start = self.tokens[opening].start
        if self._is(closing + 1, "("):
            self._blank(start, self.tokens[closing + 1].end, "(")
            self._brackets.append(_Bracket(self.tokens[closing + 1]))
            return closing + 2
        if self._is(index, "def"):
            raise self._places.error("expected '('", self.tokens[closing].end - 1)
        self._blank(start, self.tokens[closing].end, "(", ")")
        return closing + 1

    def _soft(self, index: int) -> int:
        """A `type` or `lazy` that begins a statement and may be meant as a keyword."""
        token = self.tokens[index]
        if token.text == "lazy":
            if not self._is(index + 1, "import", "from"):
                return index + 1
        elif not (self._is_identifier(index + 1) and self._is(index + 2, "=", "[")):
            return index + 1
        self._blank(token.start, token.end, "0;")
        self._mask.marks[self._places[token.start]] = token.text
        if token.text == "type" and self._is(index + 2, "["):
            closing = self._closing(index + 2)
            self._parameters(index, index + 2, closing)
            self._blank(self.tokens[index + 3].start, self.tokens[closing - 1].end, "0")
            return closing + 1
        return index + 2

    def _parameters(self, head: int, opening: int, closing: int) -> None:
        """Notes the type parameters between two brackets for the statement that begins at the token `head`."""
        found: list[TypeParameter] = []
        first = opening + 1
        while first < closing:
            behind, depth = first, 0
            while behind < closing and (depth or not self._is(behind, ",")):
                depth += self._is(behind, "(", "[", "{") - self._is(behind, ")", "]", "}")
                behind += 1
            found.append(self._parameter(self.tokens[first:behind], first))
            first = behind + 1
        if not found:
            raise self._places.error("Type parameter list cannot be empty", self.tokens[opening].start)
        self._mask.type_parameters[self._places[self.tokens[head].start]] = found

    def _parameter(self, tokens: Sequence[Token], first: int) -> TypeParameter:
        stars = tokens[0].text if tokens and self._is(first, "*", "**") else ""
        rest = tokens[1:] if stars else tokens
        if not rest or rest[0].kind is not Kind.NAME or keyword.iskeyword(rest[0].text):
            raise self._places.error("expected a type parameter", self.tokens[first].start)
        name, limits = rest[0], rest[1:]
        end = name.end
        bound: tuple[int, int] | None = None
        default: tuple[int, int] | None = None
        if limits:
            depth, split = 0, len(limits)
            for place, token in enumerate(limits):
                if token.kind is Kind.OPERATOR:
                    depth += (token.text in "([{") - (token.text in ")]}")
                    if depth == 0 and token.text == "=":
                        split = place
                        break
            if split and not (limits[0].text == ":" and split > 1 and not stars):
                raise self._places.error("invalid type parameter", limits[0].start)
            if split:
                bound = (limits[1].start, limits[split - 1].end)
            if split < len(limits):
                if split + 1 == len(limits):
                    raise self._places.error("expected a default", limits[split].start)
                default = (limits[split + 1].start, limits[-1].end)
            end = limits[-1].end
        return TypeParameter(tokens[0].start, end, stars, name.text, bound, default)
