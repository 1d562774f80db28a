"""A dependency closes the session that it lends on every path, and nobody drives its generator by hand.

What it changes
    A generator that makes a session, yields it and does not close it on every path: used by `Depends` it gets the
    practices' form, `try` / `yield` / `except Exception:` rollback, `raise` / `finally:` close, with all that stood
    behind the `yield` kept where it ran; used otherwise it opens the session with a block. A plain function that
    returns a session to `Depends` becomes a generator, when every use in view is a `Depends`. A generator that is
    driven by hand (`async for session in get_session()`, `await anext(get_session())`, `next(get_db())`) gives way to
    a block: over the factory that it opens, where it only opens and closes (or where it never got to do more), else
    over the generator itself as a context manager.

Why
    FastAPI closes nothing that a dependency returns, and resumes a generator behind its `yield` only when nothing was
    raised. A generator that is left by `return` or `break`, or advanced once, is closed by the garbage collector or by
    the event loop, a moment later or in the middle of the work; an exception never reaches its `except`, and what
    stands behind its `yield` never runs.

Before
    async def get_session():
        session = new_async_session()
        yield session
        await session.commit()

After
    async def get_session():
        session = new_async_session()
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise
        finally:
            await session.close()

Leaves alone
    Dependencies that close on every path, in whatever form. Refused, each with its reason: generators with several
    yields, or that swallow exceptions; functions that somebody calls directly; loops that are left in the middle, or
    whose session is used after them; sessions that go to a task. Reported: `Depends` on a sessionmaker, generators
    that are driven in a way that fails, responses that stream through an injected session.

Safety
    `safe` where what worked goes on in the same way. `review` where something starts to run that did not run before (a
    commit behind the `yield`), where a returned session becomes a yielded one, where what was loaded is detached
    earlier than before, and where tests replace the dependency.
"""

from __future__ import annotations

from collections.abc import Iterable

from codemods.flow.driving import driven
from codemods.plan import Examined
from codemods.rules.base import ModuleView
from codemods.rules.session_dependency.driving import Driving
from codemods.rules.session_dependency.injecting import Injecting
from codemods.rules.session_dependency.lending import Lending
from codemods.rules.session_dependency.look import NAME, Look
from codemods.rules.session_dependency.returning import Returning

_PAGE = __doc__ or ""


class SessionDependency:
    """The rule. Its page is the docstring of this module."""

    name = NAME
    summary = "a dependency closes its session on every path, and nobody drives its generator by hand"
    level_text = "safe, review"
    words = (b"ession", b"Depends")
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every generator that lends a session, and for every place that drives one."""
        keys = view.keys(NAME)
        for scope in view.scopes:
            look = Look(view, scope, keys, tuple(driven(scope)))
            yield from Lending(look).examine()
            yield from Returning(look).examine()
            yield from Driving(look).examine()
            yield from Injecting(look).examine()
