"""One more item at the end of a dict display, in the layout of those that it has. Pure; works on nodes."""

from __future__ import annotations

import libcst as cst

from codemods.plan import AddItem
from codemods.transformers.comma_lists import NOTHING, CommaList
from codemods.transformers.errors import ComposeError
from codemods.transformers.expression_spans import parse_expression

_Items = CommaList[cst.BaseDictElement]


def with_item(edit: AddItem, node: cst.BaseExpression) -> cst.Dict:
    """The dict with the item. Raises ComposeError where `node` is no dict display, where a comment has no line to stay
    on, or where the text is not one item."""
    line = edit.span.line
    if not isinstance(node, cst.Dict):
        raise ComposeError(f"the expression on line {line} is no dict display", line)
    return _with_listed(node, _listed(node).with_last(_item_node(edit.text, line), line))


def _item_node(text: str, line: int) -> cst.DictElement:
    match parse_expression(f"{{{text}}}", line):
        case cst.Dict(elements=[cst.DictElement(comma=cst.MaybeSentinel.DEFAULT) as item], lpar=[]):
            return item
    raise ComposeError(f"`{text}` is not one item of a dict", line)


def _listed(node: cst.Dict) -> _Items:
    """The items without their commas. What stands behind the last one is always the closing brace's."""
    end = node.rbrace.whitespace_before
    commas = [one.comma if isinstance(one.comma, cst.Comma) else None for one in node.elements]
    if commas and commas[-1] is not None:
        commas[-1] = commas[-1].with_changes(whitespace_after=end)
    bare = [one.with_changes(comma=cst.MaybeSentinel.DEFAULT) for one in node.elements]
    return CommaList.of(bare, commas, node.lbrace.whitespace_after, end)


def _with_listed(node: cst.Dict, made: _Items) -> cst.Dict:
    items: list[cst.BaseDictElement] = []
    for index, part in enumerate(made.parts):
        comma = made.comma(index)
        if comma is not None and index + 1 == len(made.parts):
            comma = comma.with_changes(whitespace_after=NOTHING)
        items.append(part.node.with_changes(comma=cst.MaybeSentinel.DEFAULT if comma is None else comma))
    return node.with_changes(
        elements=items,
        lbrace=node.lbrace.with_changes(whitespace_after=made.first),
        rbrace=node.rbrace.with_changes(whitespace_before=made.end),
    )
