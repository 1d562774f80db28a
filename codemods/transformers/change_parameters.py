"""Other parameters for a function, in the places and the layout of those that it has. Pure; works on nodes."""

from __future__ import annotations

import libcst as cst

from codemods.plan import ChangeParameters
from codemods.transformers.comma_lists import NOTHING, CommaList
from codemods.transformers.errors import ComposeError

_Parameter = cst.Param | cst.ParamStar | cst.ParamSlash


def with_parameters(edit: ChangeParameters, node: cst.FunctionDef) -> cst.FunctionDef:
    """The function with the parameters changed; a `*` or `/` that parts nothing any more goes.

    Raises ComposeError where the function lacks one of the parameters, where a text is no parameter, or where one
    that does not stay has a comment in it.
    """
    line = edit.line
    nodes = _in_order(node.params)
    named = {one.name.value: index for index, one in enumerate(nodes) if isinstance(one, cst.Param) and not _stars(one)}
    new: dict[int, list[_Parameter]] = {}
    for change in edit.changes:
        if change.name not in named:
            raise ComposeError(f"the function on line {line} has no parameter `{change.name}`", line)
        new[named[change.name]] = [] if change.text is None else _parameters_of(change.text, line)
    left = [one for index, old in enumerate(nodes) for one in new.get(index, [old])]
    for index, one in enumerate(nodes):
        needless = isinstance(one, cst.ParamSlash) and left and left[0] is one
        if needless or (isinstance(one, cst.ParamStar) and not _parts_more(left, one)):
            new[index] = []
    made = _listed(node, nodes).changed(new, line)
    return node.with_changes(params=_parameters(made, node.params), whitespace_before_params=made.first)


def _in_order(params: cst.Parameters) -> list[_Parameter]:
    """The parameters as they are written, with the marks between them."""
    made: list[_Parameter] = list(params.posonly_params)
    if isinstance(params.posonly_ind, cst.ParamSlash):
        made.append(params.posonly_ind)
    made += params.params
    if isinstance(params.star_arg, cst.Param | cst.ParamStar):
        made.append(params.star_arg)
    made += params.kwonly_params
    if params.star_kwarg is not None:
        made.append(params.star_kwarg)
    return made


def _stars(param: cst.Param) -> bool:
    return param.star in ("*", "**")


def _parts_more(left: list[_Parameter], star: cst.ParamStar) -> bool:
    """Whether a parameter that is given by name only stands behind the `*`."""
    behind = left[left.index(star) + 1 :]
    return any(isinstance(one, cst.Param) and not _stars(one) for one in behind)


def _parameters_of(text: str, line: int) -> list[_Parameter]:
    try:
        made = cst.parse_statement(f"def _({text}\n): pass\n")
    except cst.ParserSyntaxError as error:
        raise ComposeError(f"`{text}` is no parameter", line) from error
    match made:
        case cst.FunctionDef(params=cst.Parameters(params=[*_, cst.Param(comma=cst.MaybeSentinel.DEFAULT)]) as found):
            if len(found.params) == len(_in_order(found)):
                return [_bare(one) for one in found.params]
    raise ComposeError(f"`{text}` is no parameter", line)


def _listed(node: cst.FunctionDef, nodes: list[_Parameter]) -> CommaList[_Parameter]:
    commas = [one.comma if isinstance(one.comma, cst.Comma) else None for one in nodes]
    last = NOTHING if not nodes else _behind(nodes[-1])
    return CommaList.of([_bare(one) for one in nodes], commas, node.whitespace_before_params, last)


def _behind(one: _Parameter) -> cst.BaseParenthesizableWhitespace:
    match one:
        case cst.Param():
            return one.whitespace_after_param
        case cst.ParamSlash():
            return one.whitespace_after
        case _:
            return NOTHING


def _bare(one: _Parameter) -> _Parameter:
    """A parameter without what stands between it and the next."""
    match one:
        case cst.Param():
            return one.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_param=NOTHING)
        case cst.ParamSlash():
            return one.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after=NOTHING)
        case _:
            return one.with_changes(comma=cst.Comma())


def _parameters(made: CommaList[_Parameter], old: cst.Parameters) -> cst.Parameters:
    """The parameters in the groups that they stood in."""
    positional: list[cst.Param] = []
    first: list[cst.Param] = []
    slash: cst.ParamSlash | cst.MaybeSentinel = cst.MaybeSentinel.DEFAULT
    star: cst.Param | cst.ParamStar | cst.MaybeSentinel = cst.MaybeSentinel.DEFAULT
    by_name: list[cst.Param] = []
    kwarg: cst.Param | None = None
    for index in range(len(made.parts)):
        match _placed(made, index):
            case cst.ParamSlash() as one:
                first, positional, slash = positional, [], one
            case cst.ParamStar() as one:
                star = one
            case cst.Param(star="*") as one:
                star = one
            case cst.Param(star="**") as one:
                kwarg = one
            case cst.Param() as one if star is cst.MaybeSentinel.DEFAULT:
                positional.append(one)
            case cst.Param() as one:
                by_name.append(one)
    return old.with_changes(
        posonly_params=first,
        posonly_ind=slash,
        params=positional,
        star_arg=star,
        kwonly_params=by_name,
        star_kwarg=kwarg,
    )


def _placed(made: CommaList[_Parameter], index: int) -> _Parameter:
    comma: cst.Comma | cst.MaybeSentinel = made.comma(index) or cst.MaybeSentinel.DEFAULT
    gap = NOTHING if isinstance(comma, cst.Comma) else made.last
    match made.parts[index].node:
        case cst.Param() as one:
            return one.with_changes(comma=comma, whitespace_after_param=gap)
        case cst.ParamSlash() as one:
            return one.with_changes(comma=comma, whitespace_after=gap)
        case one:
            return one.with_changes(comma=comma)
