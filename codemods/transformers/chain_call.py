"""Calls put behind an expression, in the layout of the chain that goes on behind it. Pure; works on nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.plan import ChainCall
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression

CHAINABLE = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)

_Gap = cst.BaseParenthesizableWhitespace


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The calls that go behind one expression, in order, and the dots before the first, the others, and what follows.

    The dots carry the line breaks: comments behind the expression stay behind it, comments above what follows stay
    above that.
    """

    edits: tuple[ChainCall, ...]
    first: cst.Dot
    between: cst.Dot
    following: cst.Dot


def chain_of(edits: Sequence[ChainCall], following: cst.Attribute | None) -> Chain:
    """The calls that go behind an expression. `following` is the attribute that it is the value of, if there is one."""
    if following is None or not (_breaks(following.dot.whitespace_before) or _breaks(following.dot.whitespace_after)):
        last = cst.Dot() if following is None else following.dot
        return Chain(tuple(edits), cst.Dot(), cst.Dot(), last)
    before, after = following.dot.whitespace_before, following.dot.whitespace_after
    return Chain(
        tuple(edits),
        cst.Dot(whitespace_before=_upper(before), whitespace_after=_upper(after)),
        cst.Dot(whitespace_before=_bare(before), whitespace_after=_bare(after)),
        cst.Dot(whitespace_before=_lower(before), whitespace_after=_lower(after)),
    )


def with_chain(chain: Chain, node: cst.BaseExpression) -> cst.BaseExpression:
    """The expression with the calls behind it, inside of its own parentheses.

    Raises ComposeError where it is none that an attribute binds to as a whole, or where a text is no chain of calls.
    """
    for edit in chain.edits:
        line = edit.span.line
        if not isinstance(node, CHAINABLE):
            raise ComposeError(f"no call can follow the expression on line {line}", line)
        lpar, rpar = node.lpar, node.rpar
        dot = chain.first if edit is chain.edits[0] else chain.between
        made = parse_expression("_" + edit.text, line)
        made = _onto(made, node.with_changes(lpar=[], rpar=[]), dot, edit)
        node = made.with_changes(lpar=lpar, rpar=rpar)
    return node


def with_next_dot(chain: Chain, node: cst.BaseExpression) -> cst.BaseExpression:
    """The attribute behind a chain with its own line break."""
    assert isinstance(node, cst.Attribute)
    return node.with_changes(dot=chain.following)


def _onto(text: cst.BaseExpression, node: cst.BaseExpression, dot: cst.Dot, edit: ChainCall) -> cst.BaseExpression:
    """`text`, a chain that begins with a placeholder, with `node` in its place."""
    if text.lpar:
        raise ComposeError(f"`{edit.text}` is no call of a chain", edit.span.line)
    match text:
        case cst.Attribute(value=cst.Name("_", lpar=[])):
            return text.with_changes(value=node, dot=dot)
        case cst.Attribute(value=inner) | cst.Subscript(value=inner):
            return text.with_changes(value=_onto(inner, node, dot, edit))
        case cst.Call(func=inner):
            return text.with_changes(func=_onto(inner, node, dot, edit))
    raise ComposeError(f"`{edit.text}` is no call of a chain", edit.span.line)


def _breaks(gap: _Gap) -> bool:
    return isinstance(gap, cst.ParenthesizedWhitespace) or (isinstance(gap, cst.SimpleWhitespace) and "\\" in gap.value)


def _upper(gap: _Gap) -> _Gap:
    """A gap without the comment and blank lines that stand in it: what is behind the upper line stays."""
    return gap.with_changes(empty_lines=[]) if isinstance(gap, cst.ParenthesizedWhitespace) else gap


def _bare(gap: _Gap) -> _Gap:
    return _upper(_lower(gap))


def _lower(gap: _Gap) -> _Gap:
    """A gap without the comment behind the upper line."""
    if not isinstance(gap, cst.ParenthesizedWhitespace):
        return gap
    return gap.with_changes(first_line=cst.TrailingWhitespace(newline=gap.first_line.newline))
