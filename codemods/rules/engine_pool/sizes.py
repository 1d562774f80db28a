"""Whether the pool of an engine takes a size: only a queue pool does (semantics H1, H2, rule 29). Decides only."""

from __future__ import annotations

from dataclasses import dataclass

from codemods.flow.database_url import DatabaseUrl, Family
from codemods.plan import Fact
from codemods.project.drivers import SERVER_DRIVERS
from codemods.rules.base import ModuleView
from codemods.rules.engine_pool.named_urls import named_urls

SETTLE = "`server = true` in [tool.session-codemods.engine-pool]"
_SQLITE_DRIVERS = frozenset({"aiosqlite", "pysqlite3", "pysqlite3-binary"})


@dataclass(frozen=True, slots=True)
class Sizes:
    """`wanted`: the sizes are to be added, `why` says on what that rests. Else `why` they are not, where that is to be
    told."""

    wanted: bool
    why: str = ""
    facts: tuple[Fact, ...] = ()
    is_settled_by_hand: bool = False  # no setting of ours would change that


def sizes_of(url: DatabaseUrl, pool: str, view: ModuleView) -> Sizes:
    """For an engine with this URL, and with the queue pool that is named `pool`, if one is."""
    settings = view.settings
    if pool or url.family is Family.SERVER or settings.engine_pool.server:
        return Sizes(True)
    if settings.engine_pool.server is False:
        return Sizes(False)
    drivers = [one for one in settings.drivers if not (url.not_sqlite and one in _SQLITE_DRIVERS)]
    others = [one for one in drivers if one not in SERVER_DRIVERS]
    unsaid = f"the URL is `{url.text}`" if url.text else "the URL is not in view"
    if others:
        which = f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} among the declared drivers"
        return Sizes(False, f"{unsaid}, and {which}, whose pools may take no size")
    if not drivers:
        return Sizes(False, f"{unsaid}, and the project declares no driver of a server")
    named = named_urls(view).sqlite
    if named is not None and not url.not_sqlite:
        reason = f"{unsaid}, and {named.path}:{named.line} names SQLite, whose pools may take no size"
        return Sizes(False, reason, (named,))
    if settings.sqlite_in is not None and not url.not_sqlite:
        path, line = settings.sqlite_in
        return Sizes(False, f"{unsaid}, and {path}:{line} names SQLite, whose pools may take no size")
    files = dict(settings.driver_files)
    declared = ", ".join(f"{one} ({files[one]})" if one in files else one for one in drivers)
    one = len(drivers) == 1
    return Sizes(True, f"{unsaid}, taken for a server's: {declared} {'is' if one else 'are'} all that is declared")
