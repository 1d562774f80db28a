"""Makes text safe to show: one line, no control characters, no invisible ones. Touches nothing.

File names and source text come from a stranger's repository: an escape sequence in them must not move the cursor, a
right-to-left mark must not make a line read as another one, a newline must not start a line of its own.
"""

from __future__ import annotations


def visible(text: str, keep: str = "") -> str:
    """The text with every unprintable character, except those in `keep`, written as a backslash escape.

    Bytes of a name that are not UTF-8 (surrogates of `os.fsdecode`) come out as `\\xNN`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def encodable(text: str) -> str:
    """The text with bytes that are not UTF-8 (surrogates of `os.fsdecode`) written as `\\xNN`, the rest as it is."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if "\ud800" <= char <= "\udfff" else char for char in text)


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
