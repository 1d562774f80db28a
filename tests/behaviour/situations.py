"""The table of situations: how applications lend a session wrongly, and in which endings each of them leaks."""

from __future__ import annotations

from dataclasses import dataclass, field

from behaviour.applications import (
    COMMITS_AFTERWARDS,
    COMMITS_AFTERWARDS_SYNC,
    DATABASE,
    ENDPOINT,
    ENDPOINT_SYNC,
    HEADER,
    OPENS_ONLY,
    OPENS_ONLY_SYNC,
    RETURN,
    WORK,
    WORK_SYNC,
    application,
    save_notes,
    save_notes_sync,
    suite,
)
from codemods.plan import Level

IN_A_TASK = ("normal", "raises", "cancelled")
WITHOUT_A_TASK = ("normal", "raises", "interrupted")
# what has to come of an ending, so that it was tried at all
MEANT = {"raises": "OutsideError", "cancelled": "CancelledError", "interrupted": "KeyboardInterrupt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One application as it was written.

    `leaks` and `lingers` name the endings that keep a connection: for good, or for a while, until the loop has closed
    what was abandoned.
    """

    name: str
    app: str  # the source of the module `app`
    entry: str = "save_notes"  # a function of `app`, or a path to which is posted
    level: Level = Level.SAFE  # at which the tool changes it
    endings: tuple[str, ...] = IN_A_TASK
    leaks: tuple[str, ...] = ()
    lingers: tuple[str, ...] = ()
    modules: dict[str, str] = field(default_factory=dict, hash=False)
    counted: int = 2  # the notes that it sees at its end
    otherwise: dict[str, str] = field(default_factory=dict, hash=False)  # endings that come out as something else

    @property
    def files(self) -> dict[str, str]:
        """All of the application, by file name."""
        return {"database.py": DATABASE, **self.modules, "app.py": self.app}


# The form of the practices: leaks in no way, and is left as it is.
RIGHT = Situation(
    name="form_of_the_practices",
    app=application(
        """
        async def get_session() -> AsyncIterator[AsyncSession]:
            session = new_session()
            try:
                yield session
            except Exception:
                await session.rollback()
                raise
            finally:
                await session.close()
        """,
        ENDPOINT,
    ),
    entry="/notes",
)

INJECTED = (
    Situation(
        name="generator_without_close",
        app=application(
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                session = new_session()
                yield session
            """,
            ENDPOINT,
        ),
        entry="/notes",
        leaks=IN_A_TASK,
    ),
    Situation(
        name="generator_that_commits_and_closes_on_the_happy_path",
        app=application(
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                session = new_session()
                yield session
                await session.commit()
                await session.close()
            """,
            ENDPOINT,
        ),
        entry="/notes",
        leaks=("raises", "cancelled"),
    ),
    Situation(
        name="generator_that_rolls_back_but_never_closes",
        app=application(
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                session = new_session()
                try:
                    yield session
                    await session.commit()
                except Exception:
                    await session.rollback()
                    raise
            """,
            ENDPOINT,
        ),
        entry="/notes",
        # a commit and a rollback give the connection back; being cancelled is no Exception
        leaks=("cancelled",),
    ),
    Situation(
        name="generator_whose_finally_does_not_close",
        app=application(
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                session = new_session()
                try:
                    yield session
                finally:
                    print("request is over")
            """,
            ENDPOINT,
        ),
        entry="/notes",
        leaks=IN_A_TASK,
    ),
    Situation(
        name="generator_that_sets_its_session_up",
        app=application(
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                session = new_session()
                await session.execute(text("PRAGMA foreign_keys = ON"))
                yield session
            """,
            ENDPOINT,
        ),
        entry="/notes",
        leaks=IN_A_TASK,
    ),
    Situation(
        name="sync_generator_closed_on_the_happy_path",
        app=application(
            """
            def get_session() -> Iterator[Session]:
                session = new_sync_session()
                yield session
                session.close()
            """,
            ENDPOINT_SYNC,
        ),
        entry="/notes",
        leaks=("raises", "cancelled"),
    ),
    Situation(
        name="session_passed_through",
        app=application(
            OPENS_ONLY.replace("get_session", "open_session"),
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                async for session in open_session():
                    yield session
            """,
            ENDPOINT,
        ),
        entry="/notes",
        lingers=("raises", "cancelled"),
    ),
    Situation(
        name="new_session_returned",
        app=application(
            """
            async def get_session() -> AsyncSession:
                return new_session()
            """,
            ENDPOINT,
        ),
        entry="/notes",
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    ),
    Situation(
        name="new_session_returned_by_a_plain_function",
        app=application(
            """
            def get_session() -> AsyncSession:
                return new_session()
            """,
            ENDPOINT,
        ),
        entry="/notes",
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    ),
    Situation(
        name="session_returned_after_it_was_set_up",
        app=application(
            """
            async def get_session() -> AsyncSession:
                session = new_session()
                await session.execute(text("PRAGMA foreign_keys = ON"))
                return session
            """,
            ENDPOINT,
        ),
        entry="/notes",
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    ),
    Situation(
        name="session_returned_out_of_its_block",
        app=application(
            """
            async def get_session() -> AsyncSession:
                async with new_session() as session:
                    return session
            """,
            ENDPOINT,
        ),
        entry="/notes",
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    ),
    Situation(
        name="next_of_a_generator_returned",
        app=application(
            OPENS_ONLY_SYNC.replace("get_session", "open_session"),
            """
            def get_session() -> Session:
                return next(open_session())
            """,
            ENDPOINT_SYNC,
        ),
        entry="/notes",
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    ),
)

BY_HAND = (
    Situation(
        name="loop_left_by_return",
        app=application(OPENS_ONLY, save_notes(suite("async for session in get_session():", WORK, RETURN))),
        lingers=IN_A_TASK,
    ),
    Situation(
        name="loop_left_by_break_before_the_commit",
        app=application(
            COMMITS_AFTERWARDS,
            save_notes(suite("async for session in get_session():", WORK, "break\n"), RETURN),
        ),
        level=Level.REVIEW,
        lingers=IN_A_TASK,
    ),
    Situation(
        name="loop_run_to_its_end_for_the_commit",
        app=application(COMMITS_AFTERWARDS, save_notes(suite("async for session in get_session():", WORK), RETURN)),
        lingers=("raises", "cancelled"),
    ),
    Situation(
        name="loop_over_a_generator_that_never_closes",
        app=application(
            """
            async def get_session() -> AsyncIterator[AsyncSession]:
                session = new_session()
                yield session

            """,
            save_notes(suite("async for session in get_session():", WORK), RETURN),
        ),
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    ),
    Situation(
        name="loop_over_a_generator_that_writes_what_it_is_given",
        app=application(
            """
            async def get_session(opened_by: str) -> AsyncIterator[AsyncSession]:
                async with new_session() as session:
                    session.add(Note(text=opened_by))
                    await session.flush()
                    yield session

            """,
            save_notes(suite('async for session in get_session("night job"):', WORK, RETURN)),
        ),
        lingers=IN_A_TASK,
        counted=3,
    ),
    Situation(
        name="loop_over_a_dependency_of_another_module",
        app=HEADER.replace("import Note, new_session, new_sync_session", "import Note")
        + "from dependencies import get_session\n\n"
        + save_notes(suite("async for session in get_session():", WORK, RETURN)),
        modules={"dependencies.py": HEADER + OPENS_ONLY},
        lingers=IN_A_TASK,
    ),
    Situation(
        name="sync_loop_run_to_its_end_for_the_commit",
        app=application(
            COMMITS_AFTERWARDS_SYNC,
            save_notes_sync(suite("for session in get_session():", WORK_SYNC), RETURN),
        ),
        endings=WITHOUT_A_TASK,
    ),
    # `look_up` gives the loop the turns in which it closes the abandoned generator; without them it does so in the
    # middle of a statement, and nobody could say how that ends
    Situation(
        name="session_of_anext",
        app=application(
            OPENS_ONLY,
            save_notes("session = await anext(get_session())\n", "await look_up()\n", WORK, RETURN),
        ),
        leaks=IN_A_TASK,
    ),
    Situation(
        name="session_of_anext_in_a_call",
        app=application(
            OPENS_ONLY,
            suite("async def write(session: AsyncSession) -> int | None:", "await look_up()\n", WORK, RETURN),
            "\n",
            save_notes("return await write(await anext(get_session()))\n"),
        ),
        leaks=IN_A_TASK,
    ),
    Situation(
        name="session_of_next",
        app=application(OPENS_ONLY_SYNC, save_notes_sync("session = next(get_session())\n", WORK_SYNC, RETURN)),
        endings=WITHOUT_A_TASK,
        leaks=WITHOUT_A_TASK,
    ),
    Situation(
        name="block_around_next",
        app=application(
            OPENS_ONLY_SYNC, save_notes_sync(suite("with next(get_session()) as session:", WORK_SYNC, RETURN))
        ),
        endings=WITHOUT_A_TASK,
    ),
    Situation(
        name="context_manager_closed_on_the_happy_path",
        app=application(
            """
            @asynccontextmanager
            async def session_scope() -> AsyncIterator[AsyncSession]:
                session = new_session()
                yield session
                await session.commit()
                await session.close()

            """,
            save_notes(suite("async with session_scope() as session:", WORK, RETURN)),
        ),
        level=Level.REVIEW,
        leaks=("raises", "cancelled"),
    ),
)

SITUATIONS = INJECTED + BY_HAND
