"""Whether other parameters fit a function, and what they make of it. Pure; `ast` alone.

A second reading of what `change_parameters.py` does to nodes: both have to agree.
"""

from __future__ import annotations

import ast
import re
from collections import Counter

from codemods import syntax
from codemods.plan import ChangeParameters
from codemods.transformers.errors import ComposeError
from codemods.transformers.outline import Outline, first_line

Function = ast.FunctionDef | ast.AsyncFunctionDef
_TYPES = re.compile(r"#\s*type:(?!\s*ignore\b)")
_Given = tuple[ast.arg, ast.expr | None]


def check_parameters(outline: Outline, function: Function, edit: ChangeParameters) -> None:
    """Raise ComposeError unless the parameters of `function` can be changed so.

    Types in comments speak of the parameters as they are, and stop the edit.
    """
    end = max(first_line(function.body[0]), function.lineno + 1)
    if any(_TYPES.search(outline.lines[line]) for line in range(function.lineno, end)):
        raise ComposeError(f"a comment declares the types of the function on line {edit.line}", edit.line)
    changed_parameters(function.args, edit)


def changed_parameters(args: ast.arguments, edit: ChangeParameters) -> ast.arguments:
    """The parameters with the changes made. Raises ComposeError where one is not there or named twice, where a text is
    no parameter, where two come to have one name, or where one without a default comes behind one with."""
    line = edit.line
    new = {change.name: change.text for change in edit.changes}
    if not new or len(new) < len(edit.changes):
        raise ComposeError(f"the parameters to change on line {line} are not told one by one", line)
    positional = [*args.posonlyargs, *args.args]
    given = _with_defaults(positional, args.defaults)
    first, others = given[: len(args.posonlyargs)], given[len(args.posonlyargs) :]
    by_name: list[_Given] = list(zip(args.kwonlyargs, args.kw_defaults, strict=True))
    missing = new.keys() - {one.arg for one, _ in [*given, *by_name]}
    if missing:
        raise ComposeError(f"the function on line {line} has no parameter `{min(missing)}`", line)
    first, others, by_name = (_changed(one, new, line) for one in (first, others, by_name))
    kept = [default for _, default in [*first, *others] if default is not None]
    if any(default is None for _, default in [*first, *others][len(first) + len(others) - len(kept) :]):
        raise ComposeError(f"a parameter without a default follows one with a default on line {line}", line)
    starred = [one for one in (args.vararg, args.kwarg) if one is not None]
    names = Counter([*(one.arg for one, _ in [*first, *others, *by_name]), *(one.arg for one in starred)])
    for name, count in names.items():
        if count > 1:
            raise ComposeError(f"the function on line {line} would have two parameters `{name}`", line)
    return ast.arguments(
        posonlyargs=[one for one, _ in first],
        args=[one for one, _ in others],
        vararg=args.vararg,
        kwonlyargs=[one for one, _ in by_name],
        kw_defaults=[default for _, default in by_name],
        kwarg=args.kwarg,
        defaults=kept,
    )


def _changed(given: list[_Given], new: dict[str, str | None], line: int) -> list[_Given]:
    made: list[_Given] = []
    for one, default in given:
        text = new.get(one.arg)
        if text is not None:
            made += _parameters(text, line)
        elif one.arg not in new:
            made.append((one, default))
    return made


def _parameters(text: str, line: int) -> list[_Given]:
    """The parameters that a text is, at least one, and their defaults."""
    try:
        function = syntax.parse(f"def _({text}\n): pass").body
    except SyntaxError:
        function = []
    match function:
        case [
            ast.FunctionDef(args=ast.arguments(posonlyargs=[], args=[_, *_], vararg=None, kwonlyargs=[]) as args)
        ] if args.kwarg is None and text.strip()[-1:] != ",":
            return _with_defaults(args.args, args.defaults)
    raise ComposeError(f"`{text}` is no parameter", line)


def _with_defaults(positional: list[ast.arg], defaults: list[ast.expr]) -> list[_Given]:
    return list(zip(positional, [*[None] * (len(positional) - len(defaults)), *defaults], strict=True))
