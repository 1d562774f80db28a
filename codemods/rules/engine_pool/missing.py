"""Which options an engine lacks, which of them may be added, and why the others are not. Decides only."""

from __future__ import annotations

from dataclasses import dataclass

from codemods.flow.call_options import Options
from codemods.flow.database_url import DatabaseUrl, Family
from codemods.plan import Fact
from codemods.project.engines import SIZES
from codemods.rules.base import ModuleView
from codemods.rules.engine_pool.named_urls import named_urls
from codemods.rules.engine_pool.sizes import Sizes, sizes_of

_DEFAULTS = {"pool_size": 5, "max_overflow": 10, "pool_timeout": 30}


@dataclass(frozen=True, slots=True)
class Missing:
    """`added` are options with their values, in order. `unsized` is why sizes are left out, to be reported apart."""

    added: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    unsized: str = ""
    unsized_facts: tuple[Fact, ...] = ()
    sizes: tuple[str, ...] = ()  # those that are left out
    is_settled_by_hand: bool = False  # no setting of ours would change that


def missing(options: Options, url: DatabaseUrl, pool: str, view: ModuleView) -> Missing:
    """What an engine with this URL, and with the queue pool named `pool`, if one is, lacks; `echo_pool` apart."""
    every = wanted(view)
    lacking = {name: value for name, value in every.items() if options.get(name) is None}
    reasons: list[str] = []
    facts: list[Fact] = []
    left_out = tuple(name for name in SIZES if name in lacking)
    sizes = _sizes(options, url, pool, view)
    if not sizes.wanted:
        lacking = {name: value for name, value in lacking.items() if name not in SIZES}
    if "pool_recycle" in lacking and url.family is Family.UNKNOWN and not url.not_sqlite and not pool:
        named = named_urls(view).in_memory
        if named is not None and view.settings.engine_pool.server is not True:
            del lacking["pool_recycle"]
            reasons.append(
                f"pool_recycle is left out: {named.path}:{named.line} names a database in memory, which is lost with"
                " its connection"
            )
            facts.append(named)
        elif "aiosqlite" in view.settings.drivers and view.settings.engine_pool.server is not True:
            age = lacking["pool_recycle"]
            reasons.append(f"a database in memory behind this URL would be lost after {age} seconds (pool_recycle)")
    if made_explicit := _explicit(lacking):
        reasons.insert(0, made_explicit)
    if sizes.wanted and sizes.why and left_out:
        reasons.append(sizes.why)
    unsized = sizes.why if left_out and not sizes.wanted else ""
    return Missing(
        tuple(lacking.items()),
        tuple(reasons),
        tuple(facts),
        unsized,
        sizes.facts,
        left_out if unsized else (),
        sizes.is_settled_by_hand,
    )


def wanted(view: ModuleView) -> dict[str, str]:
    """The options that the settings ask for, with their values, in the order in which they are written."""
    pool = view.settings.engine_pool
    values: dict[str, int | bool | None] = {
        "pool_size": pool.pool_size,
        "max_overflow": pool.max_overflow,
        "pool_timeout": pool.pool_timeout,
        "pool_pre_ping": pool.pool_pre_ping or None,
        "pool_recycle": pool.pool_recycle,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _sizes(options: Options, url: DatabaseUrl, pool: str, view: ModuleView) -> Sizes:
    by_hand = [one for name in SIZES if (one := options.get(name)) is not None and not one.certain]
    if by_hand:
        reason = f"sizes are set under a condition (line {by_hand[0].line})"
        return Sizes(False, reason, is_settled_by_hand=True)
    return sizes_of(url, pool, view)


def _explicit(lacking: dict[str, str]) -> str:
    """What the sizes are that are added."""
    added = {name: lacking[name] for name in SIZES if name in lacking}
    same = [value for name, value in added.items() if value == str(_DEFAULTS[name])]
    if not added:
        return ""
    told = []
    if same:
        values = same[0] if len(same) == 1 else f"{', '.join(same[:-1])} and {same[-1]}"
        one = len(same) == 1
        told.append(f"{values} {'is' if one else 'are'} the queue pool's default{'' if one else 's'} made explicit")
    other = [f"{name}={value}" for name, value in added.items() if value != str(_DEFAULTS[name])]
    if other:
        told.append(f"{', '.join(other)} {'is' if len(other) == 1 else 'are'} your settings'")
    return ", ".join(told)
