"""Entities that leave the block of their session by `return` are expunged just before.

What it changes
    An entity, or a list of entities, that a function loads or writes with a session of its own and returns gets
    `session.expunge(...)` directly before the `return`: plain where that cannot raise, with `if ... in session` where
    the object may be out of the session already, `session.expunge_all()` for more than two values and for parents
    with their children. A returned expression gets a name first, from the model: `user`, `messages`. Where the
    `return` stands after the block, the lines go to the end of the block.

Why
    What leaves a block is detached when the block ends. Saying so in the function makes it plain to the reader that
    the object is no longer in a session: what was not loaded can no longer be loaded, and what is changed later is not
    written. It does not make relationships readable, and does not revive what a commit has expired.

Before
    async with async_session() as session:
        result = await session.execute(select(Message).where(Message.user_id == user_id))
        return list(result.scalars())

After
    async with async_session() as session:
        result = await session.execute(select(Message).where(Message.user_id == user_id))
        messages = list(result.scalars())
        for message in messages:
            session.expunge(message)
        return messages

Leaves alone
    Entities of a session that the caller gave: it is still open. Rows, columns, counts, mappings and schemas. Refused,
    each with its reason: new objects that are not flushed (they would never be written), changes that a commit
    further on would write, objects that a commit or rollback has expired (an expunge does not help them), deleted
    ones, results that are read after the block, and values of which it cannot be told whether they are entities.

Safety
    `safe`: an expunge directly before the end of the block does what the end of the block does, and the form is one
    that cannot raise. `review` where a changed object is returned before anything writes the change (it is lost with
    the line or without it), and where the block commits at its end. With `expunge = "needed"` only what changes what
    can be read is made.
"""

from __future__ import annotations

from collections.abc import Iterable

from codemods.plan import Examined
from codemods.rules.base import ModuleView
from codemods.rules.expunge_return.returns import Returns

NAME = "expunge-return"
_PAGE = __doc__ or ""


class ExpungeReturn:
    """The rule. Its page is the docstring of this package."""

    name = NAME
    summary = "entities that leave the block of their session by return are expunged just before"
    level_text = "safe, review"
    words = (b"ession",)
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every `return` of an entity that was had from a session."""
        keys = view.keys(NAME)
        for scope in view.scopes:
            if scope.is_function:
                yield from Returns(view, scope, keys, NAME).examine()
