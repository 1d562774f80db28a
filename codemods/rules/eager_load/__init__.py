"""Relationships that are read after the block of their session are loaded in it.

What it changes
    The statement that loads an object gets a loader option, `.options(selectinload(User.roles))`, for every
    relationship that is read of the object after its session is closed: by the function itself, by its callers in any
    file, by the functions that the object is handed to, and by the schemas of FastAPI routes and `model_validate`.
    As deep as it is read: `selectinload(Order.user).selectinload(User.city)`. `session.get(User, pk)` gets
    `options=[...]` where nothing was loaded before it; a new object is refreshed with `attribute_names` (SQLAlchemy 2).

Why
    After its session is closed an object is detached: a relationship that was not loaded raises DetachedInstanceError
    when it is read, far away from the function that loaded the object.

Before
    result = await session.execute(select(Slot).where(Slot.id == slot_id))

After
    result = await session.execute(select(Slot).options(selectinload(Slot.recruiter)).where(Slot.id == slot_id))

Leaves alone
    Relationships that are loaded already: by an option, by `lazy="selectin"` and its like on the mapping, by `refresh`,
    `awaitable_attrs` or `run_sync`, or that are set by hand before they are read. Reads in the branch of another class,
    behind a key that is never null, or behind a flag that the caller leaves off. Objects of a session that is still
    open. Refused, each with its reason: dynamic and write-only relationships, paths that an option forbids, objects
    that may be in the identity map already, statements that are made elsewhere, classes that the file cannot name, code
    that asks whether a thing is loaded or catches what an unloaded one raises, and readers many calls away.

Safety
    `review`, always: a reader was found, and a person should see that it is one. The reason names it.
"""

from __future__ import annotations

from collections.abc import Iterable

from codemods.flow.objects.sight import has_session
from codemods.plan import Examined
from codemods.rules.base import ModuleView
from codemods.rules.eager_load.loads import Loads

NAME = "eager-load"
_PAGE = __doc__ or ""


class EagerLoad:
    """The rule. Its page is the docstring of this package."""

    name = NAME
    summary = "relationships that are read after the block of their session are loaded in it"
    level_text = "review"
    # the files in which something is loaded, and those that say what a relationship is
    words = (b"ession", b"elationship(", b"backref(", b"association_proxy")
    page = _PAGE

    def examine(self, view: ModuleView) -> Iterable[Examined]:
        """A finding or a `Right` for every load of which a relationship is read later."""
        keys = view.keys(NAME)
        for scope in view.scopes:
            if scope.is_function and has_session(scope):
                yield from Loads(view, scope, keys, NAME).examine()
