"""One expression takes the place of another. Pure; works on the nodes it is given."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from codemods.plan import ReplaceExpression
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import own_pairs, parse_expression
from codemods.transformers.leading_lines import comment_lines

_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


def replacement(edit: ReplaceExpression, node: cst.BaseExpression, newline: str) -> cst.BaseExpression:
    """What takes the place of `node`; lines that end in it end with `newline`.

    Parentheses around it stay, but for those of `(await f()).x` where a name or a call takes the place of the `await`.
    Raises ComposeError where `node` has a comment in it, or the text is no expression.
    """
    own = own_pairs(node)
    kept = len(node.lpar) - own
    if comment_lines(node.with_changes(lpar=node.lpar[kept:], rpar=node.rpar[:own])):
        raise ComposeError(f"the expression on line {edit.span.line} has a comment in it", edit.span.line)
    new = parse_expression(re.sub(r"\r\n|\n", lambda _: newline, edit.text), edit.span.line)
    lpar, rpar = node.lpar[:kept], node.rpar[own:]
    if isinstance(new, _ATOMS) and not isinstance(node, _ATOMS):
        lpar, rpar = _without_bare_pairs(lpar, rpar)
    return new.with_changes(lpar=[*lpar, *new.lpar], rpar=[*new.rpar, *rpar])


def _without_bare_pairs(
    lpar: Sequence[cst.LeftParen], rpar: Sequence[cst.RightParen]
) -> tuple[list[cst.LeftParen], list[cst.RightParen]]:
    """The parentheses that hold white space or comments: the others were there for what they held."""
    pairs = [
        (left, right)
        for left, right in zip(lpar, reversed(rpar), strict=True)
        if not (left.whitespace_after.empty and right.whitespace_before.empty)
    ]
    return [left for left, _ in pairs], [right for _, right in reversed(pairs)]
