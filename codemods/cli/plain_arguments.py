"""Reads the plain command lines of `check` and `diff`, which are nearly all, at a tenth of what typer takes for them.

Options are those that the commands declare. Whatever is not plain (help, abbreviations, mistakes, anything that could
be read in two ways) is left to typer, which has the words for it. Touches nothing.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.models

# what a declaration may ask of typer besides reading a word
_MORE = ("callback", "envvar", "parser", "click_type", "is_eager", "exists", "resolve_path", "prompt", "count")


@dataclass(frozen=True, slots=True)
class _Parameter:
    names: tuple[str, ...]  # as they are typed; none: what stands by itself
    kind: type
    is_list: bool

    def value(self, word: str) -> Any:
        """The value of a word. Raises ValueError for what is none."""
        if not word or word.startswith("-"):
            raise ValueError(word)
        return self.kind(word)


def plain_call(command: Callable[..., int], words: Sequence[str]) -> dict[str, Any] | None:
    """What the command is called with for these words; None where they are not plain."""
    parameters = _parameters(command)
    if parameters is None:
        return None
    by_name = {name: key for key, one in parameters.items() for name in one.names}
    (alone,) = (key for key, one in parameters.items() if not one.names)
    given: dict[str, Any] = {}
    waiting = list(reversed(words))
    try:
        while waiting:
            word = waiting.pop()
            name, has_value, value = word.partition("=")
            key = by_name[name if word.startswith("--") else word] if word.startswith("-") else alone
            one = parameters[key]
            if one.kind is bool:
                if has_value or key in given:
                    return None
                given[key] = True
            elif one.is_list:
                given.setdefault(key, []).append(one.value(_word_of(one, word, has_value, value, waiting)))
            elif key in given:
                return None
            else:
                given[key] = one.value(_word_of(one, word, has_value, value, waiting))
    except (KeyError, ValueError, IndexError):
        return None
    return given


def _word_of(one: _Parameter, word: str, has_value: str, value: str, waiting: list[str]) -> str:
    """The word that is the value: the one itself, what stands behind its `=`, or the next one."""
    if not one.names:
        return word
    return value if has_value else waiting.pop()


def _parameters(command: Callable[..., int]) -> dict[str, _Parameter] | None:
    """What the command can be called with; None when one of its parameters is of a kind that this does not know."""
    hints = typing.get_type_hints(command, include_extras=True)
    found = {}
    for key in inspect.signature(command).parameters:
        annotation, declared, *_ = typing.get_args(hints[key])
        is_option = isinstance(declared, typer.models.OptionInfo)
        if any(getattr(declared, name, None) for name in _MORE):
            return None
        kinds = [one for one in _alternatives(annotation) if one is not types.NoneType]
        is_list = typing.get_origin(kinds[0]) is list
        kind = typing.get_args(kinds[0])[0] if is_list else kinds[0]
        # typer takes the first name for the default where the default stands elsewhere
        names = (declared.default, *(declared.param_decls or ())) if is_option else ()
        if any("/" in name for name in names):
            names = ("",)  # `--this/--that` is left to typer
        if len(kinds) != 1 or not (kind in (bool, str, Path) or issubclass(kind, enum.StrEnum)):
            return None
        found[key] = _Parameter(names, kind, is_list)
    return found


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
