"""The last resort for lines that arguments or items made too long: their own brackets are split, one part on a line.
Pure; text to text.

A formatter would often break more around them, but it keeps such brackets, and so does Python: line ends within
brackets mean nothing.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from codemods.plan import AddArgument, AddItem
from codemods.transformers.documents import width
from codemods.transformers.expression_fit import Growing
from codemods.transformers.line_width import PRAGMA, lines_of, node_range, same_meaning
from codemods.transformers.physical_lines import split_lines


def with_split(after: str, made: Iterable[tuple[ast.stmt, ast.expr, Growing]], step: str) -> str | None:
    """`after` with the outermost brackets split of those that were added to and have lines that are too long.

    `made` are the expressions of `after` that were edited, each with the statement that holds it. None where there are
    no such brackets, or none that can be split for certain.
    """
    lines = split_lines(after)
    joined = [(statement, node, edit) for statement, node, edit in made if isinstance(edit, AddArgument | AddItem)]
    added = Counter(node for _, node, _ in joined)
    for statement, node, edit in sorted(joined, key=lambda one: (one[1].lineno, one[1].col_offset)):
        written_on = lines_of(node, edit, added[node])
        if not edit.limit or all(width(lines[line - 1].rstrip("\r\n")) <= edit.limit for line in written_on):
            continue
        if any(node in ast.walk(one) for one in ast.walk(statement) if isinstance(one, ast.JoinedStr)):
            continue  # before Python 3.12 what stands in an f-string stays on its line
        for further in (step, ""):  # the lines of a part move right, but for those of a string
            text = _split(lines, node, step, edit.limit, further)
            if text is not None and text != after and same_meaning(after, text):
                return text
    return None


def _split(lines: Sequence[str], node: ast.expr, step: str, limit: int, further: str) -> str | None:
    start, end = node_range(lines, node)
    around = lines[start[0] - 1 : end[0]]
    whole = "".join([*around[:-1], around[-1][: end[1]]])[start[1] :]
    found = _brackets(whole)
    if found is None or any(PRAGMA.search(line) for line in around):
        return None
    opening, parts, has_last_comma = found
    head = "".join([*lines[: start[0] - 1], lines[start[0] - 1][: start[1]], whole[:opening]])
    tail = "".join([lines[end[0] - 1][end[1] :], *lines[end[0] :]])
    line = head[head.rfind("\n") + 1 :]
    margin = line[: len(line) - len(line.lstrip())]
    newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
    rows = [margin + step + ", ".join(parts)]
    if not isinstance(node, ast.Call) or has_last_comma or "\n" in rows[0] or width(rows[0]) > limit:
        rows = [margin + step + re.sub(r"\n(?=[^\r\n])", "\n" + further, part) + "," for part in parts]
    return head + newline.join([whole[opening], *rows, margin + whole[-1]]) + tail


def _brackets(whole: str) -> tuple[int, list[str], bool] | None:
    """Where the brackets open that a text ends with, the parts in them, and whether a comma follows the last one.

    None where a comment stands between parts, or where all have lines of their own already.
    """
    rows = split_lines(whole)
    depth, opening, ends, comments = 0, 0, list[int](), list[int]()
    for token in tokenize.generate_tokens(io.StringIO("(" + "".join(rows) + "\n)", newline="").readline):
        row, column = token.start
        at = sum(map(len, rows[: row - 1])) + column - (row == 1)
        if token.type == tokenize.OP and token.string in "([{":
            depth += 1
            if depth == 2:
                opening, ends, comments = at, [], []
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
            if depth == 1:
                ends.append(at)
        elif depth == 2 and token.string == ",":
            ends.append(at)
        elif depth == 2 and token.type == tokenize.COMMENT:
            comments.append(at)
    parts = [whole[start + 1 : end] for start, end in pairwise([opening, *ends])]
    if comments or all("\n" in part[: len(part) - len(part.lstrip())] for part in parts):
        return None
    stripped = [part.strip() for part in parts]
    has_last_comma = not stripped[-1]
    return opening, stripped[:-1] if has_last_comma else stripped, has_last_comma
