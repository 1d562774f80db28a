"""Text of others inside of GitHub's Markdown and HTML: shown as it is, and nothing more. Pure.

File names, source and messages must not forge markup, mention a person, or link an issue, a commit or a page.
"""

from __future__ import annotations

import html
import re

from codemods.review.visible import visible

_IN_BACKTICKS = re.compile(r"`([^`]+)`")
_MARKUP = re.compile(r"([\\`*_\[\]<|~&$])")
# GitHub looks for these in what Markdown has become, so no backslash helps: `@name`, `#1`, `GH-1`, addresses, commits.
_LINKED = re.compile(r"@|#(?=\w)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
_COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b", re.IGNORECASE)
_TOO_SHORT = re.compile(r"[0-9a-f]{6}(?!\Z)", re.IGNORECASE)  # for a commit
_NOTHING = "&#8203;"  # a space of no width, as dependency bots put it behind an `@`


def prose(told: str) -> str:
    """Text within a line; what stands in backticks is shown as code.

    It must not begin a line: a `1.` or a `-` there would begin a list.
    """
    out, at = [], 0
    told = visible(told)
    for found in _IN_BACKTICKS.finditer(told):
        out += [_plain(told[at : found.start()]), code(found[1])]
        at = found.end()
    return "".join([*out, _plain(told[at:])])


def code(told: str) -> str:
    """A span of code, fenced by more backticks than are in it. Not for the cells of a table: a `|` ends them."""
    told = visible(told)
    if not told:
        return ""
    runs = [len(run) for run in re.findall("`+", told)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if runs or told.startswith(" ") else ""
    return f"{fence}{pad}{told}{pad}{fence}"


def html_code(told: str) -> str:
    """Code where Markdown is not read: inside of an HTML element."""
    return f"<code>{html.escape(visible(told))}</code>"


def _plain(told: str) -> str:
    told = _MARKUP.sub(r"\\\1", told)
    told = _LINKED.sub(rf"\g<0>{_NOTHING}", told)
    return _COMMIT.sub(lambda found: _TOO_SHORT.sub(rf"\g<0>{_NOTHING}", found[0]), told)
