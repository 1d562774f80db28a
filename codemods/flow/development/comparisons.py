"""What a project compares with a word for development: `settings.environment.lower() == "dev"`. Reads trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from codemods.flow.development.constant_names import constant_of
from codemods.flow.development.fields import DEFINITIONS, Declared
from codemods.flow.development.given import LOWERING
from codemods.flow.development.words import ENUMS, WORDS, member_text
from codemods.flow.scope import Scope, own_expressions, scopes
from codemods.plan import Fact
from codemods.project.expressions import expression, last_name
from codemods.project.sessions import ClassMeaning, InstanceMeaning

ENVIRONMENTS = ("environment", "env", "app_env", "stage")  # names, in lower case, the one to be preferred first


@dataclass(frozen=True, slots=True)
class Compared:
    """`settings.environment.lower() == "dev"`: the word, and the method that is called on the field."""

    owner: ClassMeaning | str  # the class of the object; the file of a constant
    name: str
    word: str
    method: str
    fact: Fact


def compared(declared: Declared) -> Iterator[Compared]:
    """Every comparison of the project of a field or constant with a word for development. Reads every file."""
    symbols = declared.project.symbols
    for path, name in symbols.names.items():
        if name.module:
            symbols.module_path(name.module, path)  # reads the file
    for path in symbols.paths():
        facts = symbols.facts[path]
        names = {chain.rpartition(".")[2] for chain in facts.attributes}
        names |= {one.name for one in facts.imports} | {one.name for one in facts.bindings}
        tree = declared.trees(path)
        # "" stands for what is read off something else than a name: `get_settings().environment`
        if tree is not None and any(not name or name.lower() in ENVIRONMENTS for name in names):
            if any(isinstance(node, ast.Compare) and _may_tell(node) for node in ast.walk(tree)):
                yield from _compared_in(tree, path, declared)


def _compared_in(tree: ast.Module, path: str, declared: Declared) -> Iterator[Compared]:
    for scope in scopes(tree, path, declared.project):
        for statement in scope.statements():
            for node in own_expressions(statement) if not isinstance(statement, DEFINITIONS) else ():
                if isinstance(node, ast.Compare) and len(node.ops) == 1:
                    yield from _comparison(node, scope, declared)


def _comparison(node: ast.Compare, scope: Scope, declared: Declared) -> Iterator[Compared]:
    left, right = node.left, node.comparators[0]
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
        pairs = [(left, right), (right, left)]
    elif isinstance(node.ops[0], (ast.In, ast.NotIn)) and isinstance(right, (ast.Tuple, ast.List, ast.Set)):
        pairs = [(left, element) for element in right.elts]
    for asked, given in pairs:
        method = ""
        match asked:
            case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=[]) if attr in LOWERING:
                asked, method = inner, attr
        name = last_name(expression(asked))
        word = _compared_word(given, scope, declared) if name.lower() in ENVIRONMENTS else None
        if word is None or word.lower() not in WORDS:
            continue
        fact = Fact(scope.place.path, node.lineno, ast.unparse(node)[:80])
        if isinstance(asked, ast.Attribute):
            means = scope.meaning(asked.value)
            owner = means.of if isinstance(means, InstanceMeaning) else means
            if isinstance(owner, ClassMeaning):
                yield Compared(owner, name, word, method, fact)
                continue
        home = constant_of(expression(asked), scope.place, declared.project)
        if home is not None:
            yield Compared(home[0], home[1], word, method, fact)


def _compared_word(node: ast.expr, scope: Scope, declared: Declared) -> str | None:
    """The text that something is compared with: a literal, a member of an enumeration, its value."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Attribute) and node.attr == "value":
        node = node.value
    if isinstance(node, ast.Attribute):
        means = scope.meaning(node.value)
        if isinstance(means, ClassMeaning) and declared.is_below(means, ENUMS):
            members = [one for one in declared.fields(means) if one.name == node.attr]
            return member_text(members[0], means, declared) if len(members) == 1 else None
    return None


def _may_tell(node: ast.Compare) -> bool:
    """Whether something that goes by the name of an environment stands in the comparison."""
    names = (getattr(one, "attr", getattr(one, "id", "")) for one in ast.walk(node))
    return any(isinstance(name, str) and name.lower() in ENVIRONMENTS for name in names)
