"""A pytest run whose sessions are watched: judged after each test, shown at the end. Changes no result of a test.

A session is judged when the teardown of its test is over, so that fixtures have closed theirs. One that somebody still
has then, or whose task or thread is still at work, may yet be closed or used again, by a fixture of a wider scope or a
moment later: it is judged when it was collected, at the end of the run at the latest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codemods import leak_report
from codemods.leak_report import Leak, LeakReport
from codemods.watch import instrument, table
from codemods.watch.instrument import Listener, Place, Record
from codemods.watch.judging import Tally, verdict
from codemods.watch.on_import import ORM
from codemods.watch.report_file import writable

OUTPUT = "session_leaks"


class WatchedRun(Listener):
    """The hooks. Raises pytest.UsageError for a report that cannot be written there."""

    def __init__(self, config: pytest.Config, *, strict: bool) -> None:
        self._config = config
        self._strict = strict
        self._worker = hasattr(config, "workerinput")
        self._root = str(config.rootpath)
        self._report = None if self._worker else _report_path(config)
        self._run = Place("")
        self._place = self._run
        self._open: list[tuple[Record, str]] = []
        self._tally = Tally()
        self._sessions = 0
        self._borrowed = 0
        self._loaded = False
        self._failures = 0
        self._handed_over: list[Leak] = []
        self._leaks: tuple[Leak, ...] = ()
        self._remarks: list[str] = []
        self._stop = instrument.start(self)

    # --- sessions -----------------------------------------------------------------------------------------------------

    def made(self, record: Record) -> None:
        self._sessions += 1
        self._place.records.append(record)

    def borrowed(self, record: Record) -> None:
        self._borrowed += 1

    def _over(self, place: Place) -> None:
        """Judge what was made there."""
        place.over = True
        self._open += [(record, place.name) for record in place.records]
        place.records.clear()
        self._judge_open(at_end=False)

    def _judge_open(self, at_end: bool) -> None:
        """Those that nothing can happen to any more, at the end all of them."""
        still_open = []
        for record, where in self._open:
            if not at_end and not record.settled and (record.alive or record.at_work):
                still_open.append((record, where))
                continue
            kind = verdict(record, strict=self._strict)
            if kind is not None:
                self._tally.add(record, kind, where)
        self._open = still_open

    # --- the run ------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        outer, self._place = self._place, Place(item.nodeid)
        try:
            yield
        finally:
            place, self._place = self._place, outer
            self._over(place)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, None, None]:
        if fixturedef.scope == "function":
            yield
            return
        outer, self._place = self._place, Place(f"fixture {fixturedef.argname} ({fixturedef.scope})")
        try:
            yield
        finally:
            place, self._place = self._place, outer
            self._open += [(record, place.name) for record in place.records]

    # the innermost: a worker of xdist sends its output right after, the terminal writes its summary
    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        yield
        self._open += [(record, "") for record in self._run.records]
        self._run.records.clear()
        self._judge_open(at_end=True)
        self._loaded = self._loaded or ORM in sys.modules
        self._failures += instrument.failures()
        own = self._tally.leaks(self._root)
        if self._worker:
            self._hand_over(own)
            return
        self._leaks = leak_report.merged([*own, *self._handed_over])
        self._write()
        if self._leaks and self._config.getoption("session_leaks_fail") and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        self._stop()

    # --- workers of xdist ---------------------------------------------------------------------------------------------

    def _hand_over(self, leaks: tuple[Leak, ...]) -> None:
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        output[OUTPUT] = {
            "report": leak_report.dumps(LeakReport(self._root, leaks, self._strict)),
            "sessions": self._sessions,
            "borrowed": self._borrowed,
            "loaded": self._loaded,
            "failures": self._failures,
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker is done, or dead."""
        output: Mapping[str, Any] | None = getattr(node, "workeroutput", {}).get(OUTPUT)
        if output is None:
            self._remarks.append(f"worker {node.gateway.id} ended early: the sessions of its tests are not counted")
            return
        self._handed_over += leak_report.parsed(json.loads(output["report"])).leaks
        self._sessions += output["sessions"]
        self._borrowed += output["borrowed"]
        self._failures += output["failures"]
        self._loaded = self._loaded or output["loaded"]

    # --- the end ------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        if self._report is None:
            return
        try:
            report = LeakReport(self._root, self._leaks, self._strict)
            self._report.write_text(leak_report.dumps(report), encoding="utf-8")
        except OSError as error:
            self._remarks.append(f"{self._report}: not written: {error.strerror or error}")
            print(f"session leaks: {self._remarks[-1]}", file=sys.stderr)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The table."""
        terminalreporter.section("session leaks")
        if self._loaded:
            complete = not (self._failures or self._remarks)
            terminalreporter.line(table.summary(self._leaks, self._sessions, self._borrowed, complete=complete))
        else:
            terminalreporter.line("SQLAlchemy's ORM was not loaded: nothing to watch")
        for line in table.rows(self._leaks):
            terminalreporter.line(line)
        if self._failures:
            self._remarks.append(f"{table.counted(self._failures, 'session')} could not be watched: an error of ours")
        for remark in self._remarks:
            terminalreporter.line(remark)


def _report_path(config: pytest.Config) -> Path | None:
    given = config.getoption("session_leaks_report")
    if not given:
        return None
    path = Path(config.invocation_params.dir, given)
    if not writable(path):
        raise pytest.UsageError(f"--session-leaks-report {given}: no file can be written there")
    return path
