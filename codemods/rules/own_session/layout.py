"""New statements laid out as formatters do where a line would be too long. Works on text only."""

from __future__ import annotations

import ast

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
    return _call(prefix, call, "", margin, limit)


def _definition(line: str, margin: int, limit: int) -> list[str]:
    head, _, rest = line.partition("(")
    inner, _, tail = rest.rpartition(")")
    if margin + len(_STEP) + len(inner) <= limit:
        return [f"{head}(", f"{_STEP}{inner}", f"){tail}"]
    arguments = ast.parse(f"{line}\n    pass").body[0]
    assert isinstance(arguments, (ast.FunctionDef, ast.AsyncFunctionDef))
    return [f"{head}(", *(f"{_STEP}{one}," for one in _split(inner)), f"){tail}"]


def _split(inner: str) -> list[str]:
    """The parameters of a signature, one by one."""
    parts, depth, current = [], 0, ""
    for character in inner:
        depth += character in "([{"
        depth -= character in ")]}"
        if character == "," and not depth:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()]


def _call(prefix: str, call: ast.Call, suffix: str, margin: int, limit: int) -> list[str]:
    """A call with its arguments on lines of their own; a chain of calls link by link."""
    one = f"{prefix}{ast.unparse(call)}{suffix}"
    if margin + len(one) <= limit:
        return [one]
    chain = _chain(call)
    if len(chain) > 2 and not prefix:
        return [*chain[:-1], f"{chain[-1]}{suffix}"]
    given = [*call.args, *call.keywords]
    inner = ", ".join(ast.unparse(each) for each in given)
    head = f"{prefix}{ast.unparse(call.func)}("
    if margin + len(_STEP) + len(inner) <= limit:
        return [head, f"{_STEP}{inner}", f"){suffix}"]
    lines = [head]
    comma = "," if len(given) > 1 else ""
    for each in given:
        if isinstance(each, (ast.Call, ast.Await)):
            inside = each.value if isinstance(each, ast.Await) else each
            assert isinstance(inside, ast.Call)
            wait = "await " if isinstance(each, ast.Await) else ""
            lines += [f"{_STEP}{line}" for line in _call(wait, inside, comma, margin + len(_STEP), limit)]
        else:
            lines.append(f"{_STEP}{ast.unparse(each)},")
    return [*lines, f"){suffix}"]


def _chain(call: ast.Call) -> list[str]:
    """`select(A)`, `.options(...)`, `.where(...)`."""
    links: list[str] = []
    node: ast.expr = call
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        arguments = ", ".join(ast.unparse(each) for each in [*node.args, *node.keywords])
        links.insert(0, f".{node.func.attr}({arguments})")
        node = node.func.value
    return [ast.unparse(node), *links]
