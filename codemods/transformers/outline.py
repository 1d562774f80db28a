"""The suites of a file: which statements stand beside each other, and where. Pure; `ast` on the text it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from codemods.transformers.errors import ComposeError
from codemods.transformers.physical_lines import PhysicalLines


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """Sibling statements. `owner` is the suite and index of the statement that they are the body (or a branch) of."""

    statements: list[ast.stmt]
    owner: Place | None

    @property
    def depth(self) -> int:
        return 0 if self.owner is None else self.owner.suite.depth + 1


@dataclass(frozen=True, slots=True)
class Place:
    """One statement of a suite."""

    suite: Suite
    index: int

    @property
    def statement(self) -> ast.stmt:
        return self.suite.statements[self.index]


def suites_of(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statement lists directly inside a statement, in order; the very lists, so that they can be changed."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        inner = getattr(statement, name, None) or []
        if name in ("handlers", "cases"):
            yield from (part.body for part in inner)
        elif inner:
            yield inner


def first_line(statement: ast.stmt) -> int:
    """The first physical line of a statement, its decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def last_line(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


@dataclass(frozen=True, slots=True)
class Outline:
    """All suites of a file, and the statement that starts on each line."""

    lines: PhysicalLines
    suites: list[Suite] = field(default_factory=list)
    places: dict[int, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, lines: PhysicalLines) -> Outline:
        outline = cls(lines)
        outline._add(tree.body, None)
        return outline

    def _add(self, statements: list[ast.stmt], owner: Place | None) -> None:
        suite = Suite(statements, owner)
        self.suites.append(suite)
        for index, statement in enumerate(statements):
            place = Place(suite, index)
            # the outermost statement of a line names it: `if x:` and not the `y` of `if x: y`
            self.places.setdefault(statement.lineno, place)
            for inner in suites_of(statement):
                self._add(inner, place)

    def find(self, line: int) -> Place:
        """The statement that starts on `line` and has its lines for itself. Raises ComposeError if there is none."""
        place = self.places.get(line)
        if place is None:
            raise ComposeError(f"no statement starts on line {line}", line)
        if not self.alone(place):
            raise ComposeError(f"the statement on line {line} shares its line with other code", line)
        return place

    def alone(self, place: Place) -> bool:
        """Whether no other statement or header stands on the lines of this one."""
        statement, siblings = place.statement, place.suite.statements
        before = self.lines[statement.lineno].encode()[: statement.col_offset]
        if before.strip(b" \t\f"):
            return False
        if self.lines[statement.lineno].encode()[statement.col_offset :].startswith(b"elif") and isinstance(
            statement, ast.If
        ):
            return False
        following = siblings[place.index + 1 : place.index + 2]
        return all(first_line(sibling) > last_line(statement) for sibling in following)
