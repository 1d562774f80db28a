"""Groups as a series of patches in mail format, one file each, that `git am` and `git apply` take in order.

Writes into a folder that is new or empty, and never over a file. Each patch leaves the files as they are with all
batches up to it made, so that every file compiles after each of them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from pathlib import Path

from codemods.batches import Batch, Contents, steps
from codemods.plan import Change
from codemods.repository import GitError, Repository
from codemods.review.patch import patch
from codemods.review.visible import visible

SERIES = "series"
_NO_COMMIT = "0" * 40
_SLUG = re.compile(r"[^A-Za-z0-9_.]+")
_SLUG_LENGTH = 52
_IDENTITY = re.compile(r"(.*) <([^<>]*)> \d+ [+-]\d+")
_PROGRAM = "session-codemods"


class SplitRefused(Exception):
    """Nothing was written; the text says why."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One patch of the series. `needs_keep_cr`: `git am` takes it with --keep-cr only."""

    name: str
    data: bytes
    needs_keep_cr: bool


@dataclass(frozen=True, slots=True)
class Sender:
    """Who is named as the author of the commits that `git am` makes."""

    name: str
    mail: str
    at: datetime


def sender(root: Path, at: datetime) -> Sender:
    """The person as git would name them in this project; the program, where git does not know."""
    try:
        found = _IDENTITY.fullmatch(Repository.of(root).word("var", "GIT_AUTHOR_IDENT"))
    except GitError:
        found = None
    return Sender(found[1], found[2], at) if found else Sender(_PROGRAM, f"{_PROGRAM}@localhost", at)


def mails(
    made: Sequence[Batch], contents: Contents, sender: Sender, prefix: str = "", strip: str = ""
) -> tuple[Mail, ...]:
    """The patches, in order; a batch that changes nothing has none.

    `prefix` and `strip` are those of `review.patch`. Raises what `contents` raises.
    """
    changing = [(batch, changes) for batch, changes in steps(made, contents) if changes]
    width = max(4, len(str(len(changing))))
    return tuple(
        Mail(
            f"{number:0{width}}-{_slug(batch.subject)}.patch",
            _mail(batch, patch(changes, prefix, False, strip=strip), sender, f"{number}/{len(changing)}"),
            _has_carriage_returns(changes),
        )
        for number, (batch, changes) in enumerate(changing, 1)
    )


def write(some: Iterable[Mail], folder: Path) -> tuple[Path, ...]:
    """Write the patches and the `series` file, which names them in order; gives where the patches are.

    Raises SplitRefused when the folder holds something, or cannot be written; then what was written is gone again.
    """
    some = list(some)
    written: list[Path] = []
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SplitRefused(f"{folder}: holds something already; name a folder that is new or empty")
        files = [(mail.name, mail.data) for mail in some]
        for name, data in [*files, (SERIES, "".join(f"{mail.name}\n" for mail in some).encode())]:
            with open(folder / name, "xb") as file:
                written.append(folder / name)
                file.write(data)
    except BaseException as error:
        for one in written:
            with contextlib.suppress(OSError):
                one.unlink()
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise SplitRefused(f"{folder}: cannot be written: {error.strerror or error}") from error
        raise
    return tuple(written[:-1])


def _mail(batch: Batch, data: bytes, sender: Sender, number: str) -> bytes:
    head = (
        # The date is the one that git gives every such line.
        f"From {_NO_COMMIT} Mon Sep 17 00:00:00 2001\n"
        f"From: {formataddr((visible(sender.name), ascii(sender.mail)[1:-1]))}\n"
        f"Date: {format_datetime(sender.at)}\n"
        f"Subject: [PATCH {number}] {_encoded(batch.subject)}\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\n"
        "Content-Transfer-Encoding: 8bit\n"
    )
    return f"{head}\n{batch.body}---\n".encode() + data


def _encoded(text: str) -> str:
    """A header's text; in the form of RFC 2047 where it is not plain."""
    is_plain = text.isascii() and "=?" not in text
    return text if is_plain else Header(text, "utf-8", header_name="Subject: [PATCH 1000/1000]").encode()


def _slug(subject: str) -> str:
    return _SLUG.sub("-", subject)[:_SLUG_LENGTH].strip("-.") or "change"


def _has_carriage_returns(changes: Iterable[Change]) -> bool:
    return any(b"\r\n" in (change.before or b"") + change.after for change in changes)
