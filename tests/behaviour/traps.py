"""The table of traps: applications in which a change that looks right loses or adds a write, or ends otherwise.

Whether the tool changes or refuses them is for the fixture cases to say; at the level that is trusted the work has to
stay what it was. Every trap carries the wrong change too, to show that a trial would notice it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import indent

from behaviour.applications import (
    COMMITS_AFTERWARDS,
    COMMITS_AFTERWARDS_SYNC,
    COMMITS_IN_FINALLY,
    COMMITS_IN_FINALLY_SYNC,
    ENDPOINT,
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
from behaviour.situations import IN_A_TASK, WITHOUT_A_TASK, Situation
from codemods.plan import Level

LOOP = "async for session in get_session():"
BLOCK_OF_FACTORY = "async with new_session() as session:"
BLOCK_OF_GENERATOR = "async with asynccontextmanager(get_session)() as session:"

GENERATOR = """
async def get_session() -> AsyncIterator[AsyncSession]:
{body}"""
# a generator whose handler sees nothing as long as a loop drives it: no loop throws an error into its generator
HANDLES = """
async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        try:
            yield session
        {handler}

"""

# the context manager commits at a normal end, and at no other
BLOCK_AROUND_YIELD = """
@asynccontextmanager
async def committing(session: AsyncSession) -> AsyncIterator[None]:
    yield
    await session.commit()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session, committing(session):
        yield session

"""


@dataclass(frozen=True, slots=True)
class Trap:
    """A situation, and its module `app` as one would change it without thinking."""

    situation: Situation
    fallen_into: str

    @property
    def files(self) -> dict[str, str]:
        """All of the application after the wrong change."""
        return self.situation.files | {"app.py": self.fallen_into}


def _loops() -> Iterable[Trap]:
    def loop(name: str, generator: str, block: str, *work: str, lingers: tuple[str, ...] = IN_A_TASK) -> Trap:
        before, after = (application(generator, save_notes(suite(header, *work), RETURN)) for header in (LOOP, block))
        return Trap(Situation(name=name, app=before, lingers=lingers), after)

    def handling(kind: str, *statements: str) -> str:
        return HANDLES.format(handler=indent(suite(f"except {kind} as error:", *statements), "        ").strip())

    left = (WORK, RETURN)
    commits = handling("Exception", "await session.commit()\n", "raise\n")
    commits_always = handling("BaseException", "await session.commit()\n", "raise\n")
    swallows = handling("Exception", "await session.rollback()\n")
    translates = handling("Exception", 'raise RuntimeError("database") from error\n')
    yield loop("commit_in_finally_runs_when_the_loop_is_left", COMMITS_IN_FINALLY, BLOCK_OF_FACTORY, *left)
    yield loop("commit_does_not_run_when_the_loop_is_left", COMMITS_AFTERWARDS, BLOCK_OF_GENERATOR, *left)
    yield loop("block_around_the_yield_does_not_commit", BLOCK_AROUND_YIELD, BLOCK_OF_GENERATOR, *left)
    yield loop(
        "commit_runs_on_one_of_two_ways_out_of_the_loop",
        COMMITS_AFTERWARDS,
        BLOCK_OF_GENERATOR,
        WORK,
        suite("if count == 2:", RETURN),
    )
    yield loop("handler_of_the_generator_swallows", swallows, BLOCK_OF_GENERATOR, *left)
    yield loop("handler_of_the_generator_raises_another_error", translates, BLOCK_OF_GENERATOR, *left)
    yield loop("handler_of_the_generator_commits", commits, BLOCK_OF_GENERATOR, *left)
    yield loop(
        "handler_of_the_generator_commits_and_the_loop_runs_to_its_end",
        commits,
        BLOCK_OF_GENERATOR,
        WORK,
        lingers=("raises", "cancelled"),
    )
    # leaving the loop raises GeneratorExit in the generator, and leaving a block does not
    yield loop("handler_of_everything_commits_when_the_loop_is_left", commits_always, BLOCK_OF_GENERATOR, *left)


def _break_in_finally() -> Trap:
    def hides(header: str, leaves: str) -> str:
        work = suite(header, suite("try:", WORK), suite("finally:", leaves))
        return application(OPENS_ONLY, save_notes("count = 2\n", work, RETURN))

    before, after = hides(LOOP, "break\n"), hides(BLOCK_OF_FACTORY, "pass\n")
    situation = Situation(
        name="break_in_finally_hides_every_error",
        app=before,
        lingers=IN_A_TASK,
        otherwise={"raises": "2", "cancelled": "2"},
    )
    return Trap(situation, after)


def _kept_generator() -> Trap:
    made = "sessions = get_session()\nsession = await anext(sessions)\n"
    run_to_its_end = suite("finally:", "await anext(sessions, None)\n")
    before = save_notes(made, suite("try:", WORK, RETURN), run_to_its_end)
    after = save_notes(suite(BLOCK_OF_FACTORY, WORK, RETURN))
    return Trap(
        Situation(name="kept_generator_is_run_to_its_commit", app=application(COMMITS_AFTERWARDS, before)),
        application(COMMITS_AFTERWARDS, after),
    )


def _sync() -> Iterable[Trap]:
    def sync(name: str, generator: str, before: str, after: str, *, leaks: tuple[str, ...] = ()) -> Trap:
        before, after = (application(generator, save_notes_sync(code)) for code in (before, after))
        return Trap(Situation(name=name, app=before, endings=WITHOUT_A_TASK, leaks=leaks), after)

    work = (WORK_SYNC, RETURN)
    yield sync(
        "commit_in_finally_runs_when_the_sync_loop_is_left",
        COMMITS_IN_FINALLY_SYNC,
        suite("for session in get_session():", *work),
        suite("with new_sync_session() as session:", *work),
    )
    yield sync(
        "next_never_comes_to_the_commit",
        COMMITS_AFTERWARDS_SYNC,
        "session = next(get_session())\n" + "".join(work),
        suite("with contextmanager(get_session)() as session:", *work),
        leaks=WITHOUT_A_TASK,
    )
    yield sync(
        "block_around_next_begins_after_the_commit",
        COMMITS_IN_FINALLY_SYNC,
        suite("with next(get_session()) as session:", *work),
        suite("with contextmanager(get_session)() as session:", *work),
    )


def _read_later() -> Iterable[Trap]:
    """A bare session, once used, still loads a relationship when the function that made it is over."""
    work = (
        'session.add_all([Note(text="first"), Note(text="second")])\n',
        "session.commit()\n",
        "return session.scalars(select(Note).order_by(Note.id)).first()\n",
    )
    reads = "\n" + save_notes_sync("note = first_note()\n", "announce_now()\n", "return len(note.remarks) + 2\n")
    opens = "\n" + suite("def open_session() -> Session:", "return next(get_session())\n") + "\n"
    header = "\ndef first_note() -> Note:"
    for name, context, parts in (
        ("relationship_is_read_after_next", "next(get_session())", [OPENS_ONLY_SYNC]),
        ("relationship_is_read_after_a_returned_next", "open_session()", [OPENS_ONLY_SYNC, opens]),
    ):
        before = suite(header, f"session = {context}\n", *work)
        after = suite(header, suite("with new_sync_session() as session:", *work))
        situation = Situation(
            name=name, app=application(*parts, before, reads), endings=WITHOUT_A_TASK, leaks=WITHOUT_A_TASK
        )
        yield Trap(situation, application(*parts, after, reads))


def _injected() -> Iterable[Trap]:
    def injected(
        name: str, before: str, after: str, *, leaks: tuple[str, ...], otherwise: dict[str, str] | None = None
    ) -> Trap:
        before, after = (application(GENERATOR.format(body=indent(body, "    ")), ENDPOINT) for body in (before, after))
        situation = Situation(name=name, app=before, entry="/notes", leaks=leaks, otherwise=otherwise or {})
        return Trap(situation, after)

    made = "session = new_session()\n"
    lent = suite("try:", "yield session\n")
    yield injected(
        "handler_of_the_dependency_commits",
        made + lent + suite("except Exception:", "await session.commit()\n", "raise\n"),
        made + lent + suite("except Exception:", "await session.rollback()\n", "raise\n"),
        leaks=("normal", "cancelled"),
    )
    yield injected(
        "handler_of_the_dependency_swallows",
        made + lent + suite("except Exception:", "await session.rollback()\n"),
        made + lent + suite("except Exception:", "await session.rollback()\n", "raise\n"),
        leaks=("normal", "cancelled"),
        otherwise={"raises": "FastAPIError"},  # nobody answered
    )
    audits = 'session.add(Note(text="audit"))\nawait session.commit()\n'
    yield injected(
        "close_throws_away_what_is_open_before_more_is_written",
        made + "yield session\n" + "await session.close()\n" + audits,
        made + "yield session\n" + audits,
        leaks=("raises", "cancelled"),
    )


def _called_too() -> Trap:
    injects = """

    app = FastAPI()


    @app.get("/notes")
    async def count_notes(session: AsyncSession = Depends(get_session)) -> int | None:
        return await session.scalar(select(func.count(Note.id)))

    """
    returns = "\n" + suite("async def get_session() -> AsyncSession:", "return new_session()\n")
    calls = save_notes("session = await get_session()\n", WORK, RETURN)
    situation = Situation(
        name="function_for_depends_is_called_too",
        app=application(returns, injects, calls),
        level=Level.REVIEW,
        leaks=IN_A_TASK,
    )
    return Trap(situation, application(OPENS_ONLY, injects, calls))


TRAPS = (*_injected(), _called_too(), *_loops(), _break_in_finally(), _kept_generator(), *_sync(), *_read_later())
