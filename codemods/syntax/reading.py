"""Python text of any version from 3.11 to 3.15 to a tree of `ast`, whatever Python runs this. Pure; runs nothing.

`ast.parse` itself, where it reads the text. Else the mask of the text is read, and what the mask hides is put into the
tree: the tree that the newer Python's own `ast` gives, places included.
"""

from __future__ import annotations

import ast
import warnings

from codemods.syntax.masking import Mask, Masker
from codemods.syntax.places import Places
from codemods.syntax.restoring import Restoring

NEWEST = "3.15"  # whose syntax is known here


def parse(text: str, filename: str = "<unknown>") -> ast.Module:
    """The tree of a file's text. Raises SyntaxError for what no Python reads, and what else `ast.parse` does."""
    try:
        return ast.parse(text, filename)
    except SyntaxError as error:
        return _parsed(text, filename, error)


def parse_expression(text: str) -> ast.expr:
    """The tree of one expression, with no blank before it. Raises as `parse` does."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        body = _parsed(text, "<unknown>", error).body
        if len(body) == 1 and isinstance(body[0], ast.Expr):
            return body[0].value
        raise


def compile_error(text: str) -> Exception | None:
    """What stops a compiler that can read the text: a `return` outside of a function, a parameter that is there twice.

    Of a text in newer syntax the mask is asked. The text's own error where it cannot be read; None where all is well.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape, and what the mask seems to call
        try:
            try:
                compile(text, "<text>", "exec", dont_inherit=True)
            except SyntaxError:
                compile(masked(text), "<text>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return error
    return None


def masked(text: str) -> str:
    """The text in the syntax of the running Python: each line with as many bytes, what is not newer where it was.

    It is the text itself when that can be read already. Raises SyntaxError when no Python reads it.
    """
    try:
        ast.parse(text)
    except SyntaxError as error:
        mask, _ = _mask(text, error)
        ast.parse(mask.text)
        return mask.text
    return text


def _mask(text: str, error: SyntaxError) -> tuple[Mask, Places]:
    places = Places(text)
    mask = Masker(text, places, 0, len(text)).mask()
    if mask.text == text:
        raise error
    return mask, places


def _parsed(text: str, filename: str, error: SyntaxError) -> ast.Module:
    try:
        mask, places = _mask(text, error)
        tree = ast.parse(mask.text, filename)
        Restoring(text, places, mask).restore(tree)
    except SyntaxError as deeper:
        deeper.filename = filename
        raise
    return tree
