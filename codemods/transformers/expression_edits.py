"""The edits of the expressions of one tree, each found at its node. Pure; works on the nodes it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import CodeRange

from codemods.plan import AddArgument, AddItem, ChainCall, ChangeArguments, Edit, ReplaceExpression
from codemods.transformers.add_argument import with_argument
from codemods.transformers.add_item import with_item
from codemods.transformers.chain_call import Chain, chain_of, with_chain, with_next_dot
from codemods.transformers.change_arguments import with_arguments
from codemods.transformers.expression_spans import ExpressionEdit, nodes_at
from codemods.transformers.replace_expression import replacement


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionEdits:
    """What becomes of the expressions of a tree, by their original nodes.

    `followed` are the attributes that stand behind an expression which gets calls on lines of their own.
    """

    replaced: Mapping[cst.CSTNode, cst.BaseExpression]
    changed: Mapping[cst.CSTNode, ChangeArguments]
    added: Mapping[cst.CSTNode, Sequence[AddArgument | AddItem]]
    chains: Mapping[cst.CSTNode, Chain]
    followed: Mapping[cst.CSTNode, Chain]

    @classmethod
    def of(
        cls, edits: Sequence[Edit], positions: Mapping[cst.CSTNode, CodeRange], offset: int, newline: str
    ) -> ExpressionEdits:
        """The edits that lie in a tree, whose lines lack `offset` to those of the original and end with `newline`.

        Raises ComposeError where an expression is not found, or what stands there cannot be edited so.
        """
        asked = [edit for edit in edits if isinstance(edit, ExpressionEdit)]
        nodes = nodes_at({edit.span for edit in asked}, positions, offset)
        replaced: dict[cst.CSTNode, cst.BaseExpression] = {}
        changed: dict[cst.CSTNode, ChangeArguments] = {}
        added: dict[cst.CSTNode, list[AddArgument | AddItem]] = {}
        calls: dict[cst.CSTNode, list[ChainCall]] = {}
        for edit in asked:
            node = nodes[edit.span]
            match edit:
                case ReplaceExpression():
                    replaced[node] = replacement(edit, node, newline)
                case ChangeArguments():
                    changed[node] = edit
                case AddArgument() | AddItem():
                    added.setdefault(node, []).append(edit)
                case ChainCall():
                    calls.setdefault(node, []).append(edit)
        behind = {node.value: node for node in positions if isinstance(node, cst.Attribute)} if calls else {}
        chains: dict[cst.CSTNode, Chain] = {}
        followed: dict[cst.CSTNode, Chain] = {}
        for one, texts in calls.items():
            following = behind.get(one) if isinstance(one, cst.BaseExpression) and not one.lpar else None
            chains[one] = chain_of(texts, following)
            if following is not None:
                followed[following] = chains[one]
        return cls(replaced, changed, added, chains, followed)

    def made(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseExpression:
        """What becomes of one expression, in which everything that lies deeper has been edited already."""
        if original in self.replaced:
            return self.replaced[original]
        if original in self.changed:
            updated = with_arguments(self.changed[original], updated)
        for edit in self.added.get(original, ()):
            updated = with_argument(edit, updated) if isinstance(edit, AddArgument) else with_item(edit, updated)
        if original in self.followed:
            updated = with_next_dot(self.followed[original], updated)
        return with_chain(self.chains[original], updated) if original in self.chains else updated
