"""The page of a rule as Markdown: its titles become headings, its examples code. Pure."""

from __future__ import annotations

import re
import textwrap

_SECTION = re.compile(r"^(?P<title>\S.*)\n(?P<body>(?:[ \t]+\S.*\n|[ \t]*\n)+)", re.MULTILINE)
_EXAMPLES = frozenset({"Before", "After"})


def as_markdown(page: str) -> str:
    """A page, whose sections are a title and indented lines below it, with a final newline."""
    return _SECTION.sub(_section, page.strip("\n") + "\n").rstrip("\n") + "\n"


def _section(found: re.Match[str]) -> str:
    title, body = found["title"], textwrap.dedent(found["body"]).strip("\n")
    if not body:
        return f"{title}\n\n"
    text = f"```python\n{body}\n```" if title in _EXAMPLES else body
    return f"### {title}\n\n{text}\n\n"
