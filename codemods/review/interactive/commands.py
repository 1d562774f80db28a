"""What can be typed in a review: one key each, or, line by line, a word. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass


class Command(enum.Enum):
    """What a reviewer can ask for: the key, the words, what it does, and what it needs besides."""

    ACCEPT = ("y", ("accept", "yes"), "accept this group", "")
    REFUSE = ("n", ("refuse", "no"), "refuse this group", "")
    REFUSE_NOTED = ("N", ("note",), "refuse it, with a note that says why; Esc leaves the note", "Note: ")
    ACCEPT_RULE = ("a", ("rule", "all"), "accept all open groups of this rule that are shown", "")
    ACCEPT_FILE = ("d", ("file",), "accept this and the open groups after it in this file", "")
    SKIP = ("s", ("skip", "next"), "leave it open and go on", "")
    WHY = ("w", ("why",), "the facts it rests on, and the page of the rule", "")
    UNDO = ("u", ("undo",), "take back the last answer", "")
    FIND = ("/", ("find",), "find a path, function, rule or words; nothing: the same again", "Find: ")
    QUIT = ("q", ("quit", "exit"), "stop; all answers are saved", "")
    HELP = ("?", ("help",), "this list", "")

    def __init__(self, key: str, words: tuple[str, ...], meaning: str, asks: str) -> None:
        self.key = key
        self.words = words
        self.meaning = meaning
        self.asks = asks  # the prompt for a line of text that belongs to it


@dataclass(frozen=True, slots=True)
class Typed:
    """A command with the text that belongs to it. None: nothing that is known."""

    command: Command | None
    text: str = ""


_KEY_PRESS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)?")
_BY_KEY = {command.key: command for command in Command}
_BY_WORD = {word: command for command in Command for word in command.words}


def of_key(key: str) -> Command | None:
    """The command of a key. Several characters at once, as of a paste or an arrow key, are none."""
    return _BY_KEY.get(key)


def printable(text: str) -> str:
    """A text as it was meant: without what arrow keys and the like send, and without other characters that do not
    print."""
    told = _KEY_PRESS.sub("", text)
    return "".join(one if one.isprintable() else " " if one.isspace() else "" for one in told).strip()


def of_line(line: str) -> Typed:
    """The command of a line: its first word, `accept`, or its key, `y`; the rest is its text, as in `find users`.

    A text behind `refuse` is the note. A text behind a command that takes none makes the line unknown: it was meant
    otherwise.
    """
    word, _, text = line.strip().partition(" ")
    if word.startswith("/") and len(word) > 1:
        word, text = "/", line.strip()[1:]
    command = _BY_KEY.get(word) or _BY_WORD.get(word.lower())
    text = printable(text)
    if command is Command.REFUSE and text:
        command = Command.REFUSE_NOTED
    if command is None or (text and not command.asks):
        return Typed(None, line.strip())
    return Typed(command, text)
