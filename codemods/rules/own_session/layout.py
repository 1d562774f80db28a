"""New statements laid out as formatters do where a line would be too long. Works on text only."""

from __future__ import annotations

import ast
import io
import tokenize

_STEP = "    "


def laid_out(line: str, margin: int, limit: int) -> list[str]:
    """A statement of one line, `x = await f(...)` or `def f(...):`, on as many lines as it needs.

    `margin` is how far it will be indented, `limit` the width that lines may have; 0: any.
    """
    if not limit or margin + len(line) <= limit:
        return [line]
    if line.lstrip().startswith(("def ", "async def ")):
        return _definition(line, margin, limit)
    tree = ast.parse(line).body[0]
    value = tree.value if isinstance(tree, (ast.Assign, ast.Expr, ast.Return)) else None
    if value is None or not isinstance(value, (ast.Await, ast.Call)):
        return [line]
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call):
        return [line]
    prefix = line[: call.col_offset]
    return _Call(line, limit).lines(prefix, call, "", margin)


def _definition(line: str, margin: int, limit: int) -> list[str]:
    head, parts, tail = _parted(line)
    inner = ", ".join(parts)
    if margin + len(_STEP) + len(inner) <= limit:
        return [f"{head}(", f"{_STEP}{inner}", f"){tail}"]
    return [f"{head}(", *(f"{_STEP}{one}," for one in parts), f"){tail}"]


def _parted(line: str) -> tuple[str, list[str], str]:
    """What stands before the parameters of a signature, the parameters one by one, and what stands behind them."""
    depth, first, start = 0, 0, 0
    parts: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(f"{line}\n    pass\n").readline):
        column = token.start[1]
        if token.type == tokenize.OP and token.string in "([{":
            depth += 1
            if depth == 1 and not first:
                first = start = column + 1
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
            if depth == 0 and first:
                parts.append(line[start:column].strip())
                return line[: first - 1], [one for one in parts if one], line[column + 1 :]
        elif token.type == tokenize.OP and token.string == "," and depth == 1 and first:
            parts.append(line[start:column].strip())
            start = column + 1
    return line, [], ""


class _Call:
    """Lays out the calls of one statement, each argument as it is written."""

    def __init__(self, source: str, limit: int) -> None:
        self.source = source
        self.limit = limit

    def text(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.source, node) or ast.unparse(node)

    def lines(self, prefix: str, call: ast.Call, suffix: str, margin: int) -> list[str]:
        """A call with its arguments on lines of their own; a chain of calls link by link."""
        one = f"{prefix}{self.text(call)}{suffix}"
        if margin + len(one) <= self.limit:
            return [one]
        chain = self.chain(call)
        if len(chain) > 2 and not prefix:
            return [*chain[:-1], f"{chain[-1]}{suffix}"]
        given = [*call.args, *call.keywords]
        inner = ", ".join(self.text(each) for each in given)
        head = f"{prefix}{self.text(call.func)}("
        if margin + len(_STEP) + len(inner) <= self.limit:
            return [head, f"{_STEP}{inner}", f"){suffix}"]
        made = [head]
        comma = "," if len(given) > 1 else ""
        for each in given:
            inside = each.value if isinstance(each, ast.Await) else each
            if isinstance(inside, ast.Call):
                wait = "await " if isinstance(each, ast.Await) else ""
                made += [f"{_STEP}{line}" for line in self.lines(wait, inside, comma, margin + len(_STEP))]
            else:
                made.append(f"{_STEP}{self.text(each)},")
        return [*made, f"){suffix}"]

    def chain(self, call: ast.Call) -> list[str]:
        """`select(A)`, `.options(...)`, `.where(...)`."""
        links: list[str] = []
        node: ast.expr = call
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            arguments = ", ".join(self.text(each) for each in [*node.args, *node.keywords])
            links.insert(0, f".{node.func.attr}({arguments})")
            node = node.func.value
        return [self.text(node), *links]
