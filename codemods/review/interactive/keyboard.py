"""Reads what the reviewer types: single keys from a terminal, or lines from anywhere. Writes only what it is given.

Keys are read with `typer.getchar` on Windows. Elsewhere it would not do: it throws away what was typed after the
prompt was shown and before it began to read.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Protocol, TextIO

from codemods.review.interactive.commands import Typed, of_key, of_line

if sys.platform != "win32":
    import termios

_AT_ONCE = 64  # bytes of one read: more than any key sends
_INTERRUPT, _END = "\x03", "\x04"
_LOCAL_MODES = 3  # where termios keeps them


class Keyboard(Protocol):
    """Where commands come from."""

    def read(self, prompt: str) -> Typed:
        """Shows the prompt and gives the next command. Raises EOFError at the end and KeyboardInterrupt on Ctrl-C."""


class Lines:
    """Commands as words, each on a line: for pipes, plain terminals and people who have the screen read to them."""

    def __init__(self, source: TextIO, write: Callable[[str], None]) -> None:
        self._source = source
        self._write = write

    def read(self, prompt: str) -> Typed:
        while True:
            self._write(prompt)
            line = self._source.readline()
            if not line:
                raise EOFError
            if line.strip():
                return of_line(line)


class Keys:
    """Commands as single keys. A key counts only when it was pressed after the prompt was shown."""

    def __init__(self, source: TextIO, write: Callable[[str], None]) -> None:
        self._source = source
        self._write = write

    def read(self, prompt: str) -> Typed:
        with self._single_keys():
            self._write(prompt)
            key = self._key()
        if key == _INTERRUPT:
            raise KeyboardInterrupt
        if key in (_END, ""):
            raise EOFError
        command = of_key(key)
        if command is None or not command.asks:
            self._write(f"{key if key.isprintable() else ''}\n")
            return Typed(command)
        self._write(f"\n{command.asks}")
        return Typed(command, self._source.readline().strip())

    def _key(self) -> str:
        if sys.platform == "win32":
            import typer

            return typer.getchar()
        return os.read(self._source.fileno(), _AT_ONCE).decode("utf-8", "replace")

    @contextlib.contextmanager
    def _single_keys(self) -> Iterator[None]:
        """The terminal gives each key at once and shows none; afterwards it is as it was.

        Ctrl-C and Ctrl-Z come as keys: a shell that is given the terminal meanwhile would leave it in another mode.
        """
        if sys.platform == "win32":
            yield
            return
        terminal = self._source.fileno()
        before = termios.tcgetattr(terminal)
        during = termios.tcgetattr(terminal)
        during[_LOCAL_MODES] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        try:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, during)  # what was typed before the question is no answer
            yield
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
