"""The database of a project: what its last runs found, and on what. Writes that one file.

Two tables. A plan stands under all that it was made from; under each request stand what was noted when it was answered
last, and which plan that was.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from codemods.run_cache import place
from codemods.run_cache.notes import Contents, Notes
from codemods.run_cache.place import Unusable

KEPT = 8
"""Runs of a project that are remembered."""
_LARGEST = 64 * 1024 * 1024
_WAIT = 0.2  # seconds for somebody else who writes
_TABLES = """
CREATE TABLE IF NOT EXISTS plans (about TEXT, contents TEXT, made INTEGER, plan BLOB, PRIMARY KEY (about, contents));
CREATE TABLE IF NOT EXISTS requests (request TEXT PRIMARY KEY, about TEXT, contents TEXT, made INTEGER, notes BLOB);
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """How a request was answered last."""

    about: str  # a hash of all that the plan was made from but the contents
    contents: str  # a hash of those
    notes: Notes
    sources: Contents


class Store:
    """The database for a project. Every method raises Unusable or OSError when it cannot be used."""

    def __init__(self, project: str) -> None:
        self._project = project

    def last(self, request: str) -> Remembered | None:
        """How this request was answered last; else how any other one was, when `request` is empty."""
        where, given = ("WHERE request = ?", (request,)) if request else ("ORDER BY made DESC LIMIT 1", ())
        with self._open() as database:
            row = database.execute(f"SELECT about, contents, notes FROM requests {where}", given).fetchone()
        if row is None:
            return None
        about, contents, blob = row
        notes, sources = json.loads(_unpacked(blob))
        return Remembered(about, contents, Notes.of(notes), Contents.of(sources))

    def knows(self, about: str) -> bool:
        """Whether there is a plan that differs at most in the contents."""
        with self._open() as database:
            return database.execute("SELECT 1 FROM plans WHERE about = ?", (about,)).fetchone() is not None

    def plan(self, about: str, contents: str) -> str | None:
        """A plan, as it was put in."""
        with self._open() as database:
            row = database.execute(
                "SELECT plan FROM plans WHERE about = ? AND contents = ?", (about, contents)
            ).fetchone()
        return None if row is None else _unpacked(row[0])

    def put(self, request: str, remembered: Remembered, plan: str | None) -> None:
        """Remember how the request was answered; `plan` is None for one that is there."""
        notes = _packed(json.dumps([remembered.notes.plain(), remembered.sources.plain()]))
        packed = None if plan is None else _packed(plan)
        if len(notes) + len(packed or b"") > _LARGEST:
            raise Unusable("too much was found to remember it")
        with self._open(make=True) as database:
            database.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _TABLES.split(";")):
                database.execute(statement)
            ((now,),) = database.execute(
                "SELECT max(coalesce((SELECT max(made) FROM plans), 0), coalesce((SELECT max(made) FROM requests), 0))"
            ).fetchall()
            key = (remembered.about, remembered.contents)
            if packed is not None:
                database.execute("INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?)", (*key, now + 1, packed))
            database.execute("UPDATE plans SET made = ? WHERE about = ? AND contents = ?", (now + 1, *key))
            database.execute("INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, ?)", (request, *key, now + 1, notes))
            for table in ("plans", "requests"):
                database.execute(
                    f"DELETE FROM {table} WHERE made NOT IN (SELECT made FROM {table} ORDER BY made DESC LIMIT {KEPT})"
                )
            database.execute("COMMIT")
        place.make_room(place.database(self._project))

    @contextlib.contextmanager
    def _open(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        file = place.database(self._project, make=make)
        try:
            database = sqlite3.connect(file, timeout=_WAIT, isolation_level=None)
            try:
                yield database
            finally:
                database.close()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise Unusable("") from error  # somebody has only just begun it
            raise Unusable(f"{file}: {error}") from error
        except (sqlite3.Error, ValueError, TypeError) as error:
            with contextlib.suppress(OSError):
                os.unlink(file)  # ours, and damaged: the next run begins anew
            raise Unusable(f"{file} was damaged and is removed") from error


def _packed(text: str) -> bytes:
    data = text.encode()
    return sha256(data).digest() + zlib.compress(data, 1)


def _unpacked(blob: bytes) -> str:
    """Raises Unusable for what is not what was packed."""
    try:
        data = zlib.decompress(blob[32:])
    except (zlib.error, TypeError) as error:
        raise Unusable("what is remembered was damaged") from error
    if sha256(data).digest() != blob[:32]:
        raise Unusable("what is remembered was damaged")
    return data.decode()
