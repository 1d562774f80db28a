"""Reads what the reviewer types: single keys from a terminal, or lines from anywhere. Writes only what it is given.

Keys are read with `typer.getchar` on Windows. Elsewhere it would not do: it throws away what was typed after the
prompt was shown and before it began to read.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TextIO

from codemods.review.interactive.commands import Typed, of_key, of_line, printable

if sys.platform != "win32":
    import termios

_AT_ONCE = 64  # bytes of one read: more than any key sends
_INTERRUPT, _END, _ESCAPE = "\x03", "\x04", "\x1b"
_LONGEST = 4096  # bytes of a line: more than a terminal takes
_LOCAL_MODES, _CHARACTERS = 3, 6  # where termios keeps them


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
        while True:
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
            if (text := self._line()) is not None:
                return Typed(command, printable(text))
            self._write("\n")

    def _line(self) -> str | None:
        """A line of text, edited as the terminal lets one; None when it was left with Esc."""
        if sys.platform == "win32":
            line = self._source.readline()
            return None if _ESCAPE in line else line
        with self._modes() as modes:
            modes[_CHARACTERS][termios.VEOL] = _ESCAPE.encode()  # so that it ends the line at once
            termios.tcsetattr(self._source.fileno(), termios.TCSADRAIN, modes)
            line = os.read(self._source.fileno(), _LONGEST).decode("utf-8", "replace")
        return None if line.endswith(_ESCAPE) else line

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
        with self._modes() as modes:
            modes[_LOCAL_MODES] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
            # what was typed before the question is no answer
            termios.tcsetattr(self._source.fileno(), termios.TCSAFLUSH, modes)
            yield

    @contextlib.contextmanager
    def _modes(self) -> Iterator[list[Any]]:
        """The modes of the terminal, to be changed and set; afterwards it is as it was."""
        terminal = self._source.fileno()
        before = termios.tcgetattr(terminal)
        try:
            yield termios.tcgetattr(terminal)
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
