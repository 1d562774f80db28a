"""The walk that finds the nodes of a tree: nothing that `ast` finds is missing, and what it keeps is right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from codemods import syntax
from codemods.project.nodes import DEFINITIONS, Parents, children, parents_of, walk

MARKS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.type_ignore)
OWN_SOURCES = sorted((Path(__file__).parents[1] / "codemods").rglob("*.py"))[::9]
EVERY_STATEMENT = '''
import os.path as path, sys
from . import thing as other
global_name: int = 1
@decorator(1)
class Model(Base, metaclass=Meta):
    """What it is."""
    name: Mapped[str] = column(String(20), key=lambda x, *y, z=1, **w: (x, y, z, w))
    @property
    def twice(self, /, a, b=2, *rest: int, c, d=4, **more: str) -> "int":
        nonlocal_ = [x async for x in y if x if z]
        return {**more, "a": 1} | {k: v for k, v in rest} or {*rest, 1} and not a
async def work(session):
    global counter
    async with open(f"{session!r:>{width}}") as (one, *two), other:
        async for item in await session.stream():
            yield item
        else:
            yield from rest
    try:
        assert x < y <= z is not None, "why"
        raise Wrong from error
    except* (A, B) as error:
        del a.b, c[1:2, ::3]
    except* C:
        pass
    finally:
        x @= -1
    while (n := next(numbers)) if a else b:
        continue
    for x in 1, 2:
        break
    match command:
        case {"a": [1, *rest], **more} if more:
            pass
        case Point(x=0, y=None) | -1 as name:
            pass
        case _:
            pass
    return lambda: (yield)
'''
NEWER = """
type Pair[T: int = str, *Ts, **P] = tuple[T, *Ts]
class Page[T](Base[T]):
    def first[K](self, key: K) -> T: ...
"""


def sources() -> list[str]:
    return [EVERY_STATEMENT, NEWER, *(path.read_text("utf-8") for path in OWN_SOURCES)]


@pytest.fixture(params=range(len(sources())), ids=lambda number: f"source {number}")
def tree(request: pytest.FixtureRequest) -> ast.Module:
    return syntax.parse(sources()[request.param], "module.py")


def seen_by_ast(node: ast.AST) -> list[ast.AST]:
    return [child for child in ast.iter_child_nodes(node) if not isinstance(child, MARKS)]


def test_the_children_are_those_that_ast_gives_but_for_operators_and_contexts(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        assert children(node) == seen_by_ast(node), ast.dump(node)


def test_a_walk_meets_every_node_once(tree: ast.Module) -> None:
    met = list(walk(tree))
    assert len(met) == len(set(met))
    assert set(met) == {node for node in ast.walk(tree) if not isinstance(node, MARKS)}


def test_the_nodes_within_a_definition_are_those_of_its_subtree(tree: ast.Module) -> None:
    parents = Parents(tree)
    assert [one for one in ast.walk(tree) if isinstance(one, DEFINITIONS)] == sorted(
        parents.definitions, key=list(ast.walk(tree)).index
    )
    for node in (tree, *parents.definitions, *parents.of_kind(ast.Lambda)):
        assert len(parents.within(node)) == len(set(parents.within(node)))
        assert set(parents.within(node)) == set(walk(node))
        assert set(parents.of_kind_within(node, ast.Call)) == {one for one in walk(node) if isinstance(one, ast.Call)}
        assert parents.names_within(node) == {one.id for one in walk(node) if isinstance(one, ast.Name)}


def test_the_parent_of_a_node_is_the_one_whose_child_it_is(tree: ast.Module) -> None:
    parents = Parents(tree)
    assert parents.of(tree) is None
    for node in walk(tree):
        for child in children(node):
            assert parents.of(child) is node


def test_what_is_watched_belongs_to_the_body_that_it_stands_in() -> None:
    tree = ast.parse(
        "@outer()\ndef f(a=outer()):\n    inner()\n    class C(middle()):\n        lowest()\n    lambda: inner()\n"
    )
    parents = Parents(tree)
    named = {
        getattr(scope, "name", "module"): sorted(call.func.id for call in calls)  # type: ignore[attr-defined]
        for scope, calls in parents.watched.items()
    }
    assert named == {"module": ["outer", "outer"], "f": ["inner", "inner", "middle"], "C": ["lowest"]}


def test_a_tree_is_walked_once() -> None:
    tree = ast.parse("x = 1")
    assert parents_of(tree) is parents_of(tree)
    assert ast.dump(tree) == ast.dump(ast.parse("x = 1"))


def test_nodes_come_in_the_order_of_ast(tree: ast.Module) -> None:
    parents = Parents(tree)
    every = [node for node in ast.walk(tree) if not isinstance(node, MARKS)]
    assert parents.in_order(reversed(every)) == every


def test_every_place_at_which_a_name_is_read_is_known(tree: ast.Module) -> None:
    reads = [
        (node.id if isinstance(node, ast.Name) else node.attr, node)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load)
    ]
    assert {(name, node) for name, nodes in Parents(tree).read.items() for node in nodes} == set(reads)
