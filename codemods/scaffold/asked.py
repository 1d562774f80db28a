"""What a user asks of the scaffold `pool-status`, and the answer that there is nothing to do. Values only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.references import Reference
from codemods.settings import Settings

NAME = "pool-status"
ROUTE = "/debug/pool-status"
_ROUTE = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What was asked for. `application`: a file or folder, or a reference; `folder`: where the user stands."""

    root: Path
    folder: Path
    settings: Settings
    application: Path | Reference
    engine: str = ""
    route: str = ROUTE
    depends: str = ""
    always: bool = False


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The project has such an endpoint: the place, and the path that it answers."""

    place: str
    route: str


def check_route(route: str) -> None:
    """Raise ScaffoldError unless the endpoint can have this path."""
    if not _ROUTE.fullmatch(route):
        raise ScaffoldError(f"--path: {route!r} is not a path such as {ROUTE}")
