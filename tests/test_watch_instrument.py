"""The instrument: it takes itself out again, holds nothing, and tells a leak from what only looks like one."""

from __future__ import annotations

import gc
import importlib.util
import inspect
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

if importlib.util.find_spec("sqlalchemy") is None:
    pytest.skip("the demo-app extra is not installed", allow_module_level=True)

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import Pool, StaticPool

from codemods.leak_report import LeakKind
from codemods.watch import instrument
from codemods.watch.instrument import Listener, Record, watching
from codemods.watch.judging import Tally, verdict
from codemods.watch.on_import import AfterImport
from codemods.watch.places import FRAMES_KEPT, calling_frames, frames_of, relative
from codemods.watch.table import rows, summary


class Heard(Listener):
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.gone: list[Record] = []

    def made(self, record: Record) -> None:
        self.records.append(record)

    def collected(self, record: Record) -> None:
        self.gone.append(record)


@pytest.fixture
def heard() -> Iterator[Heard]:
    listener = Heard()
    with watching(listener):
        yield listener


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    yield made
    made.dispose()


def test_everything_is_put_back() -> None:
    def state() -> tuple[object, ...]:
        methods = {name: vars(Session)[name] for name in ("__init__", "close", "invalidate", "reset")}
        return methods, [event.contains(*one) for one in events], list(sys.meta_path)

    events = (
        (Session, "after_begin", instrument._after_begin),
        (Session, "after_transaction_end", instrument._after_transaction_end),
        (Pool, "invalidate", instrument._after_invalidate),
    )

    before = state()
    with watching(Heard()):
        during = state()
        assert instrument.installed()
    assert state() == before != during
    assert (before[1], during[1]) == ([False] * 3, [True] * 3)
    assert not instrument.installed()


def test_two_watches_at_once_and_the_first_ends_first(engine: Engine) -> None:
    first, second = Heard(), Heard()
    stop_first, stop_second = instrument.start(first), instrument.start(second)
    try:
        Session(engine).close()
        stop_first()
        Session(engine).close()
    finally:
        stop_first()
        stop_second()
    assert (len(first.records), len(second.records)) == (1, 2)
    assert not instrument.installed()


def test_a_patch_of_somebody_else_over_ours_stays(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    before = vars(Session)["__init__"]
    calls = []
    stop = instrument.start(Heard())
    ours = vars(Session)["__init__"]

    def theirs(self: Session, *arguments: object, **named: object) -> None:
        calls.append(1)
        ours(self, *arguments, **named)

    monkeypatch.setattr(Session, "__init__", theirs)
    stop()
    try:
        assert vars(Session)["__init__"] is theirs
        with watching(again := Heard()):
            Session(engine).close()
        assert (len(calls), len(again.records)) == (1, 1)
    finally:
        setattr(Session, "__init__", before)  # noqa: B010
    monkeypatch.undo()
    setattr(Session, "__init__", before)  # noqa: B010


def test_the_signature_and_the_errors_of_a_session_stay(heard: Heard) -> None:
    assert "autoflush" in inspect.signature(Session).parameters
    with pytest.raises(TypeError, match="nonsense"):
        Session(nonsense=1)  # type: ignore[call-arg]
    assert heard.records == []


def test_a_session_is_as_collectable_as_before(heard: Heard, engine: Engine) -> None:
    gc.collect()
    session = Session(engine)
    gone = weakref.ref(session)
    gc.disable()
    try:
        del session
        assert gone() is None
    finally:
        gc.enable()
    assert heard.gone == heard.records
    assert instrument.live_records() == []


def test_a_session_made_before_the_watch_is_left_alone(engine: Engine) -> None:
    with Session(engine) as session, watching(listener := Heard()):
        session.execute(text("select 1"))
        session.rollback()
        session.close()
    assert listener.records == []


def test_a_listener_that_fails_breaks_nothing(engine: Engine) -> None:
    class Failing(Listener):
        def made(self, record: Record) -> None:
            raise LookupError

    before = instrument.failures()
    with watching(Failing()), Session(engine) as session:
        assert session.scalar(text("select 1")) == 1
    assert instrument.failures() == before + 1


def test_a_connection_closed_by_hand_is_not_held(heard: Heard, engine: Engine) -> None:
    session = Session(engine)
    connection = session.connection()
    assert verdict(heard.records[0], strict=False) is LeakKind.HELD
    connection.close()
    assert verdict(heard.records[0], strict=False) is None
    session.close()


def test_a_connection_that_was_thrown_away_is_not_held(heard: Heard, engine: Engine) -> None:
    session = Session(engine)
    session.connection().invalidate()
    del session
    gc.collect()
    assert verdict(heard.records[0], strict=False) is None


def test_used_again_after_its_end_is_told_only_while_it_holds(heard: Heard, engine: Engine) -> None:
    session = Session(engine)
    session.close()
    session.connection()
    assert verdict(heard.records[0], strict=False) is LeakKind.REUSED
    session.commit()
    assert [verdict(heard.records[0], strict=strict) for strict in (False, True)] == [None, LeakKind.REUSED]
    session.close()


def test_what_is_taken_and_given_back_is_told(engine: Engine) -> None:
    class Told(Listener):
        def __init__(self) -> None:
            self.events: list[str] = []

        def took(self, record: Record) -> None:
            self.events.append("took")

        def gave_back(self, record: Record) -> None:
            self.events.append("gave back")

        def borrowed(self, record: Record) -> None:
            self.events.append("borrowed")

    with watching(Told()) as listener:
        with Session(engine) as session:
            session.connection()
        with Session(engine) as session:
            session.connection().invalidate()
        with engine.connect() as connection, Session(connection) as session:
            session.connection()
            session.rollback()
            session.connection()
    assert isinstance(listener, Told)
    assert listener.events == ["took", "gave back", "took", "gave back", "gave back", "borrowed"]


def test_a_session_is_settled_when_nothing_can_give_back_what_it_holds(heard: Heard, engine: Engine) -> None:
    session = Session(engine)
    connection = session.connection()
    (record,) = heard.records
    assert not record.settled
    del session
    gc.collect()
    assert (record.alive, record.settled) == (False, False)
    connection.close()
    assert record.settled


def test_since_when_a_connection_is_held(heard: Heard, engine: Engine) -> None:
    with Session(engine) as session:
        session.connection()
        first = heard.records[0].since
        session.begin_nested()
        session.connection()
        assert heard.records[0].since == first > 0
        session.rollback()


def test_sessions_of_many_threads_are_all_noted(heard: Heard, engine: Engine) -> None:
    def work() -> None:
        for _ in range(100):
            Session(engine).close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard.records) == 400
    assert {verdict(record, strict=True) for record in heard.records} == {None}


# --- frames -----------------------------------------------------------------------------------------------------------


def deep(number: int, make: sessionmaker[Session]) -> Session:
    return make() if number == 0 else deep(number - 1, make)


def test_so_many_frames_are_kept_the_innermost_first(heard: Heard, engine: Engine) -> None:
    deep(20, sessionmaker(engine)).close()
    frames = frames_of(heard.records[0].frames)
    assert len(frames) == FRAMES_KEPT
    assert {frame.function for frame in frames} == {"deep"}
    assert frames[0].code == "return make() if number == 0 else deep(number - 1, make)"


def test_a_session_that_no_line_of_the_project_made(heard: Heard) -> None:
    """The innermost line that is none of SQLAlchemy's."""
    made = threading.Timer(0, Session)
    made.start()
    made.join()
    (frame,) = frames_of(heard.records[0].frames)
    assert frame.path.endswith("threading.py")


def test_no_frame_of_ours_or_of_pytest_is_told(heard: Heard, engine: Engine) -> None:
    Session(engine).close()
    assert [frame.path for frame in frames_of(heard.records[0].frames, str(inspect.currentframe()))] == [__file__]
    assert calling_frames(None) == ()


def test_paths_are_relative_below_the_root_only() -> None:
    assert relative("/a/b/c.py", "/a") == "b/c.py"
    assert relative("/a/b/c.py", "/a/") == "b/c.py"
    assert relative("/ab/c.py", "/a") == "/ab/c.py"
    assert relative("/a/b/c.py", "") == "/a/b/c.py"


# --- counting ---------------------------------------------------------------------------------------------------------


def test_leaks_of_one_line_are_one_row(heard: Heard, engine: Engine) -> None:
    kept = []
    for _ in range(200):
        kept.append(Session(engine))
    tally = Tally()
    for number, record in enumerate(heard.records):
        assert tally.add(record, LeakKind.HELD, f"test {number}") is (number == 0)
    (leak,) = tally.leaks()
    assert (leak.count, leak.still_held, len(leak.where)) == (200, 0, 20)
    for session in kept[:3]:
        session.connection()
    assert tally.leaks()[0].still_held == 3
    for session in kept:
        session.close()
    text_of_it = "\n".join(rows(tally.leaks()))
    assert "held: 200 sessions ended with a connection out" in text_of_it
    assert "seen in test 0 and 19 more" in text_of_it
    assert summary(tally.leaks(), 200) == "200 sessions watched, 200 leaked from 1 place"


# --- waiting for the import -------------------------------------------------------------------------------------------


def test_the_import_is_told_of_when_it_is_over_and_leaves_no_trace(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waited_for.py").write_text("import sys\nbefore = 'told' in vars(sys)\nlast = 1\n")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    told: list[bool] = []
    finder = AfterImport("waited_for", lambda: told.append(hasattr(sys.modules["waited_for"], "last")))
    sys.meta_path.insert(0, finder)
    try:
        module = __import__("waited_for")
    finally:
        finder.stop()
        sys.modules.pop("waited_for", None)
    assert told == [True]
    assert finder not in sys.meta_path
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_an_import_that_fails_is_none() -> None:
    told: list[int] = []
    finder = AfterImport("no_such_module_here", lambda: told.append(1))
    sys.meta_path.insert(0, finder)
    try:
        with pytest.raises(ModuleNotFoundError):
            __import__("no_such_module_here")
    finally:
        finder.stop()
    assert told == []
