"""Answers a request from what is remembered, or has the engine answer it and remembers that.

Reads what the run reads; writes the database alone, and never raises an error of its own.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from codemods import asked
from codemods.run_cache import plan_json, tool
from codemods.run_cache.notes import Contents, Noted, Notes, Status, holds, source_content, status_of
from codemods.run_cache.place import Unusable
from codemods.run_cache.store import Remembered, Store

if TYPE_CHECKING:
    from codemods.engine import Progress, RunRequest
    from codemods.plan import Plan
    from codemods.sources import Discovery

_ENVIRONMENT = ("HOME", "PATH", "XDG_CONFIG_HOME", "USERPROFILE")  # where git is, and finds its settings


class Memory:
    """What is remembered for one request. `trouble` says why it was not used, "" when it could be."""

    def __init__(self, paths: tuple[Path, ...], options: object) -> None:
        """`paths` are those that are asked about, `options` all else that was asked for, as JSON can have it."""
        self.trouble = ""
        self._notes = Notes()
        self._known: Remembered | None = None
        self._tool = self._request = ""
        self._store: Store | None = None
        with self._without_errors():
            self._tool = tool.identity()
            places = [os.path.realpath(path) for path in paths]
            words = {name: os.environ.get(name) for name in sorted(os.environ) if _matters(name)}
            asked_for = json.dumps([self._tool, os.getcwd(), [str(path) for path in paths], places, options, words])
            self._request = sha256(asked_for.encode()).hexdigest()
            self._store = Store(places[0])

    def recalled(self) -> Plan | None:
        """The plan, if the request was answered before and all that it was made from is as it was."""
        plan: Plan | None = None
        with self._without_errors():
            if self._store is not None:
                self._known = self._store.last(self._request)
            if self._store is not None and self._known is not None:
                plan = self._still(self._store, self._known)
        return plan

    def _still(self, store: Store, known: Remembered) -> Plan | None:
        notes = known.notes.again()
        sources = None if notes is None else known.sources.again()
        if notes is None or sources is None or (text := store.plan(known.about, known.contents)) is None:
            return None
        plan = plan_json.parse(text)
        if (notes, sources) != (known.notes, known.sources):  # next time nothing has to be read
            store.put(self._request, Remembered(known.about, known.contents, notes, sources), None)
        return plan

    def listening(self) -> AbstractContextManager[None]:
        """Within the block, what is asked is taken down: the reading of the settings."""
        return nullcontext() if self._store is None else asked.heard_by(self._notes)

    def answered(self, request: RunRequest, progress: Progress | None = None) -> Plan:
        """The plan: one that was made from the very same, or the engine's. Raises what the engine raises."""
        from codemods import engine, sources

        with self.listening():
            discovery = sources.discover(request.root, request.paths, request.settings)
        if self._store is None:
            return engine.run(request, progress, discovery)
        about = ""
        reading = Notes()  # what is asked while files are read
        with self._without_errors():
            with asked.heard_by(reading):
                for path in discovery.files:
                    sources.ask_of(discovery.root, path)
            about = _about(self._tool, request, discovery, reading)
            if plan := self._same(about, discovery, reading):
                return plan
        if not about:  # the cache failed
            return engine.run(request, progress, discovery)
        root = str(discovery.root)
        begun = {path: status_of(os.path.join(root, path), stat.S_ISREG) for path in discovery.files}
        with asked.heard_by(reading):
            plan = engine.run(request, progress, discovery)
        with self._without_errors():
            for failure in plan.failures:
                if not failure.is_lasting:
                    raise Unusable(f"{failure.path} could not be handled")
            text = plan_json.dump(plan)
            if plan_json.parse(text) != plan:
                raise Unusable("this plan cannot be remembered")
            self._put(about, _as_read(root, begun, plan.hashes), reading, text)
        return plan

    def _same(self, about: str, discovery: Discovery, reading: Notes) -> Plan | None:
        """The plan that was made from the very same."""
        assert self._store is not None
        if not self._store.knows(about):
            return None
        before = self._known or self._store.last("")
        sources = Contents.now(str(discovery.root), discovery.files, before.sources if before else None)
        if sources is None or (text := self._store.plan(about, sources.digest())) is None:
            return None
        plan = plan_json.parse(text)
        self._put(about, sources, reading, None)
        return plan

    def _put(self, about: str, sources: Contents, reading: Notes, plan: str | None) -> None:
        """Remember the plan (None: it is there) and what it rests on, unless any of that changed meanwhile."""
        assert self._store is not None
        first, then = self._notes.again(), reading.again()
        if first is None or then is None or tool.identity() != self._tool:
            raise Unusable("files changed meanwhile")
        remembered = Remembered(about, sources.digest(), first.with_those_of(then), sources)
        self._store.put(self._request, remembered, plan)

    @contextmanager
    def _without_errors(self) -> Iterator[None]:
        """Whatever the cache cannot do is done without it."""
        try:
            yield
        except Unusable as error:
            self.trouble = self.trouble or str(error)
        except Exception as error:  # a fault in here must not cost anybody a run
            self.trouble = self.trouble or f"{type(error).__name__}: {error}"


def _matters(name: str) -> bool:
    return name.startswith("GIT_") or name in _ENVIRONMENT


def _about(identity: str, request: RunRequest, discovery: Discovery, reading: Notes) -> str:
    """A hash of all that the plan is made from, but the contents of the files."""
    paths = [str(path.resolve()) for path in request.paths]
    asked_for = [paths, request.settings.digest(), int(request.level), request.cross_paths, request.prefilter]
    failures = [[one.path, one.stage, one.message, one.line] for one in discovery.failures]
    found = [str(discovery.root), discovery.files, sorted(discovery.wanted), failures]
    return sha256(json.dumps([identity, asked_for, found, sorted(reading.kinds.items())]).encode()).hexdigest()


def _as_read(root: str, begun: Mapping[str, Status | None], hashes: Mapping[str, str]) -> Contents:
    """The contents that the run has read, if they are still there; `begun` are the statuses before it.

    Raises Unusable.
    """
    noted = {}
    for path, status in begun.items():
        place, content = os.path.join(root, path), hashes.get(path)
        if status is None or content is None:
            now = source_content(place)
            # what the run could not read has no hash: only its status tells that it is what the run saw
            if now is None or now != (content or (status and now)):
                raise Unusable(f"{path} changed meanwhile")
            content = now
        noted[path] = Noted(content, status)
        if status is not None and not holds(place, noted[path], stat.S_ISREG):
            raise Unusable(f"{path} changed meanwhile")
    return Contents(root, noted)
