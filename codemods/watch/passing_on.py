"""The signals that are sent to us while a command runs: which of them it must be sent too. Changes our own handlers.

Those of a terminal reach the command by themselves, as it is in our process group: sent twice, a Ctrl-C would make a
server give up at once. All others are sent to us alone, as far as anybody can tell.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from types import FrameType
from typing import Self

PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGWINCH")
_BY_KERNEL = 0x80  # SI_KERNEL: by Linux itself, which is how a terminal does it


class Signals:
    """Within its block signals do not end us. `begin` comes right after the command was started, which thus inherits
    what is ignored; `received` says what it must be sent."""

    def __init__(self) -> None:
        self._numbers = [int(number) for name in PASSED_ON if (number := getattr(signal, name, None)) is not None]
        self._noted: list[int] = []
        self._before: dict[int, object] = {}
        self._mask: set[int] | None = None

    def __enter__(self) -> Self:
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._catch(number)
        return self

    def begin(self) -> None:
        """The command runs. It may handle what it was started to ignore, so that is noted too from now on."""
        for number in self._numbers:
            if number not in self._before:
                self._catch(number)
        if hasattr(signal, "sigtimedwait"):
            self._mask = {int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, self._waited_for())}

    def __exit__(self, *_: object) -> None:
        if self._mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for number, handler in self._before.items():
            if handler is not None:  # none of Python's
                signal.signal(number, handler)  # type: ignore[arg-type]

    def _catch(self, number: int) -> None:
        self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._noted.append(number)

    def _waited_for(self) -> list[int]:
        return [*self._numbers, signal.SIGCHLD]

    def received(self, seconds: float, process: subprocess.Popen[bytes]) -> Iterator[int]:
        """Wait for at most so long, and no longer than the command runs; give the signals that it has to be sent."""
        if self._mask is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        else:
            yield from self._waited(seconds, process)
        while self._noted:
            number = self._noted.pop(0)
            if not _a_terminals(number) or not _terminal_tells(process):
                yield number

    def _waited(self, seconds: float, process: subprocess.Popen[bytes]) -> Iterator[int]:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            told = signal.sigtimedwait(self._waited_for(), left)
            if told is None or told.si_signo == signal.SIGCHLD:
                return
            if told.si_code != _BY_KERNEL or not _a_terminals(told.si_signo) or not _with_us(process):
                yield told.si_signo


def _a_terminals(number: int) -> bool:
    return signal.Signals(number).name in FROM_TERMINAL


def _with_us(process: subprocess.Popen[bytes]) -> bool:
    try:
        return os.getpgid(process.pid) == os.getpgrp()
    except OSError:
        return True


def _terminal_tells(process: subprocess.Popen[bytes]) -> bool:
    """Whether a signal that came from who knows where may be the terminal's, which the command got too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except (OSError, AttributeError):
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp() and _with_us(process)
    except OSError:
        return False
    finally:
        os.close(terminal)
