"""Puts into the tree of a mask what the mask hides. Changes the tree it is given, reads a text; nothing else."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from typing import TypeVar

from codemods.syntax import nodes
from codemods.syntax.masking import Exceptions, Mask, Masker, Strings, TypeParameter
from codemods.syntax.places import Places, Position
from codemods.syntax.tokens import Field, Kind, Literal, Scanner, Token

Placed = TypeVar("Placed", bound=ast.AST)

_IN_TEXT = re.compile(r"\\N\{[^}]*\}|\\(?:\r\n|[^{}])|\\(?=[{}]|$)|\{\{|\}\}|\r\n|\r|\"")
_BLANKS = " \t\f\r\n"


class Restoring:
    """One text and the mask of it, or of a stretch of it. Raises SyntaxError where what was hidden is no Python."""

    def __init__(self, text: str, places: Places, mask: Mask) -> None:
        self._text = text
        self._places = places
        self._mask = mask
        self._whole: set[int] = set()  # nodes that hide nothing more

    def restore(self, tree: ast.AST) -> None:
        """Restores everything below a node; its places are those of the text."""
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if id(node) in self._whole:
                continue
            for name in node._fields:
                value = getattr(node, name, None)
                if isinstance(value, list):
                    value[:] = self._restored_list(node, value)
                    waiting += [one for one in value if isinstance(one, ast.AST)]
                elif isinstance(value, ast.AST):
                    restored = self._restored(node, value)
                    if restored is not value:
                        setattr(node, name, restored)
                    waiting.append(restored)

    def _restored_list(self, parent: ast.AST, values: list[object]) -> list[object]:
        made: list[object] = []
        mark: tuple[str, Position] | None = None
        for value in values:
            if not isinstance(value, ast.AST):
                made.append(value)
            elif isinstance(value, ast.Expr) and _place(value) in self._mask.marks:
                mark = self._mask.marks[_place(value)], _place(value)
            elif mark is not None:
                made.append(self._marked(*mark, value))
                mark = None
            else:
                made.append(self._restored(parent, value))
        return made

    def _restored(self, parent: ast.AST, node: ast.AST) -> ast.AST:
        match node:
            case ast.Constant(value=0) if _place(node) in self._mask.holes:
                if isinstance(parent, ast.MatchValue | ast.MatchMapping):
                    raise SyntaxError(
                        "patterns may only match literals and attribute lookups",
                        ("<unknown>", node.lineno, node.col_offset + 1, None),
                    )
                hidden = self._mask.holes[_place(node)]
                found = self._strings(hidden) if isinstance(hidden, Strings) else self._exceptions(hidden)
                self._whole.add(id(found))
                return found
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                if _place(node) in self._mask.type_parameters:
                    nodes.with_field(node, "type_params", self._type_parameters(_place(node)))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() if _place(node) in self._mask.stars:
                return self._unpacking(node)
        return node

    # --- statements -----------------------------------------------------------------------------------------------

    def _marked(self, word: str, place: Position, statement: ast.AST) -> ast.stmt:
        """The statement behind a mark, which begins at the mark."""
        match word, statement:
            case "type", ast.Assign(targets=[target], value=value):
                name = target.value if isinstance(target, ast.Subscript) else target
                assert isinstance(name, ast.Name)
                name.ctx = ast.Store()
                alias = nodes.TypeAlias(name=name, type_params=self._type_parameters(place), value=value)
                return _at(alias, place, _end(statement))
            case "lazy", ast.Import() | ast.ImportFrom():
                if isinstance(statement, ast.ImportFrom) and statement.module == "__future__" and not statement.level:
                    raise self._error("lazy from __future__ import is not allowed", place)
                return _at(nodes.with_field(statement, "is_lazy", 1), place, _end(statement))
        raise self._error("invalid syntax", place)

    def _type_parameters(self, place: Position) -> list[ast.AST]:
        return [self._type_parameter(one) for one in self._mask.type_parameters.get(place, [])]

    def _type_parameter(self, one: TypeParameter) -> ast.AST:
        default = None if one.default is None else self._expression(*one.default, may_be_starred=one.stars == "*")
        made: ast.AST
        match one.stars:
            case "*":
                made = nodes.TypeVarTuple(name=one.name, default_value=default)
            case "**":
                made = nodes.ParamSpec(name=one.name, default_value=default)
            case _:
                bound = None if one.bound is None else self._expression(*one.bound)
                made = nodes.TypeVar(name=one.name, bound=bound, default_value=default)
        return _at(made, self._places[one.start], self._places[one.end])

    # --- expressions ----------------------------------------------------------------------------------------------

    def _exceptions(self, hidden: Exceptions) -> ast.expr:
        found = self._expression(hidden.start, hidden.end)
        for element in found.elts if isinstance(found, ast.Tuple) else [found]:
            if isinstance(element, ast.Starred | ast.NamedExpr):
                raise self._error("invalid syntax", _place(element))
        return found

    def _unpacking(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> ast.expr:
        """`[*a for a in b]`, and `{**a for a in b}`, which the mask shows as a set."""
        star = self._mask.stars[_place(node)]
        width = 2 if self._at_place(star).startswith("**") else 1
        if width == 2:
            # the expression to be unpacked is the key, and there is no value
            made = ast.DictComp(key=node.elt, value=None, generators=node.generators)  # type: ignore[arg-type]
            return ast.copy_location(made, node)
        node.elt = _at(ast.Starred(value=node.elt, ctx=ast.Load()), star, _end(node.elt))
        return node

    def _at_place(self, place: Position) -> str:
        return self._text[self._places.offset(place) :][:2]

    def _expression(self, start: int, end: int, *, may_be_starred: bool = False) -> ast.expr:
        """The expression that stands from `start` to `end`, a tuple without parentheses among them."""
        mask = Masker(self._text, self._places, start, end, bracketed=True).mask()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(f"({mask.text}\n{',' if may_be_starred else ''})")
            except SyntaxError as error:  # its place is that in the stretch
                raise self._places.error(error.msg, start) from error
        found = tree.body[0].value if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) else None
        if found is None:
            raise self._places.error("invalid syntax", start)
        is_whole = found.lineno == 1 and found.col_offset == 0
        self._move(found, start)
        if may_be_starred and isinstance(found, ast.Tuple):
            if len(found.elts) != 1:
                raise self._places.error("invalid syntax", start)
            found, is_whole = found.elts[0], False
        if isinstance(found, ast.Tuple) and is_whole and found.elts:
            first, last = self._without_blanks(start, end)
            _at(found, self._places[first], self._places[last])
        elif is_whole:  # `f"{x for x in y}"`
            raise self._places.error("invalid syntax", start)
        holder = ast.Expr(found)
        Restoring(self._text, self._places, mask).restore(holder)
        return holder.value

    def _without_blanks(self, start: int, end: int) -> tuple[int, int]:
        tokens = Masker(self._text, self._places, start, end, bracketed=True).tokens
        return tokens[0].start, tokens[-1].end

    def _move(self, tree: ast.expr, start: int) -> None:
        """Moves what was read behind one bracket in the first line to where it begins in the text."""
        line, column = self._places[start]
        for node in ast.walk(tree):
            if "lineno" not in node._attributes:
                continue
            placed: ast.expr = node  # type: ignore[assignment]
            if placed.lineno == 1:
                placed.col_offset += column - 1
            if placed.end_lineno == 1 and placed.end_col_offset is not None:
                placed.end_col_offset += column - 1
            placed.lineno += line - 1
            placed.end_lineno = (placed.end_lineno or 1) + line - 1

    # --- strings --------------------------------------------------------------------------------------------------

    def _strings(self, hidden: Strings) -> ast.expr:
        first, last = hidden.tokens[0].start, hidden.tokens[-1].end
        prefixes = {token.prefix for token in hidden.tokens}
        is_template = any("t" in prefix for prefix in prefixes)
        if any("b" in prefix for prefix in prefixes):
            raise self._places.error("cannot mix bytes and nonbytes literals", first)
        if is_template and not all("t" in prefix for prefix in prefixes):
            raise self._places.error("cannot mix t-string literals with string or bytes literals", first)
        values = self._joined([value for token in hidden.tokens for value in self._values(token)])
        made = nodes.TemplateStr(values=values) if is_template else ast.JoinedStr(values=values)
        return _at(made, self._places[first], self._places[last])

    def _values(self, token: Token) -> list[ast.expr]:
        if token.kind is Kind.STRING:
            value = ast.parse(token.text, mode="eval").body
            return [_at(value, self._places[token.start], self._places[token.end])]
        return self._parts(token.parts, raw="r" in token.prefix, is_template="t" in token.prefix)

    def _parts(self, parts: Sequence[Literal | Field], *, raw: bool, is_template: bool) -> list[ast.expr]:
        made: list[ast.expr] = []
        for part in parts:
            if isinstance(part, Literal):
                made.append(self._constant(self._literal(part, raw=raw), part.start, part.end))
            else:
                if part.debug_end is not None:
                    written = self._without_comments(part.first, part.debug_end)
                    made.append(self._constant(written, part.first, part.debug_end))
                made.append(self._field(part, raw=raw, is_template=is_template))
        return made

    def _without_comments(self, start: int, end: int) -> str:
        tokens = Scanner(self._text, self._places).tokens(start, end, bracketed=True)
        return "".join(token.text for token in tokens if token.kind is not Kind.COMMENT)

    def _constant(self, value: str, start: int, end: int) -> ast.Constant:
        return _at(ast.Constant(value=value), self._places[start], self._places[end])

    def _literal(self, part: Literal, *, raw: bool) -> str:
        written = self._text[part.start : part.end]

        def plain(match: re.Match[str]) -> str:
            found = match[0]
            if found in ("{{", "}}"):
                return found[0]
            if found in ("\r\n", "\r"):
                return "\n"
            if raw:
                return found.replace("\r\n", "\n").replace("\r", "\n")
            return {"\\": "\\\\", '"': '\\"'}.get(found, found)

        text = _IN_TEXT.sub(plain, written)
        if raw:
            return text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                value = ast.literal_eval(f'"""{text}"""')
            except SyntaxError as error:
                raise self._places.error(error.msg, part.start) from error
        assert isinstance(value, str)
        return value

    def _field(self, part: Field, *, raw: bool, is_template: bool) -> ast.expr:
        value = self._expression(part.first, part.last)
        spec: ast.expr | None = None
        if part.spec is not None:
            values = self._joined(self._parts(part.spec, raw=raw, is_template=False))
            spec = _at(ast.JoinedStr(values=values), self._places[part.spec_start], self._places[part.end - 1])
        conversion = -1
        if part.conversion is not None:
            if part.conversion not in ("s", "r", "a"):
                raise self._places.error("f-string: invalid conversion character", part.start)
            conversion = ord(part.conversion)
        elif part.debug_end is not None and spec is None:
            conversion = ord("r")
        made: ast.expr
        if is_template:
            written = self._text[part.first : part.last].strip(_BLANKS)
            made = nodes.Interpolation(value=value, str=written, conversion=conversion, format_spec=spec)
        else:
            made = ast.FormattedValue(value=value, conversion=conversion, format_spec=spec)
        return _at(made, self._places[part.start], self._places[part.end])

    @staticmethod
    def _joined(values: Sequence[ast.expr]) -> list[ast.expr]:
        """Adjacent constants as one; empty ones are left out."""
        made: list[ast.expr] = []
        for value in values:
            before = made[-1] if made else None
            if isinstance(before, ast.Constant) and isinstance(value, ast.Constant):
                before.value = f"{before.value!s}{value.value!s}"
                before.end_lineno, before.end_col_offset = value.end_lineno, value.end_col_offset
            else:
                made.append(value)
        return [value for value in made if not (isinstance(value, ast.Constant) and value.value == "")]

    def _error(self, message: str, place: Position) -> SyntaxError:
        return self._places.error(message, self._places.offset(place))


def _place(node: ast.AST) -> Position:
    return Position(getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def _end(node: ast.AST) -> Position:
    return Position(getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))


def _at(node: Placed, start: Position, end: Position) -> Placed:
    for name, value in zip(("lineno", "col_offset", "end_lineno", "end_col_offset"), (*start, *end), strict=True):
        setattr(node, name, value)
    return node
