"""Why an edit could not be made; raised by every part of this package, touches nothing."""

from __future__ import annotations


class ComposeError(Exception):
    """The edits of a file could not be made as they were asked for. Nothing was written.

    `message` says what stood in the way, `line` where (1-based line of the original source, 0 when it is the file).
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
