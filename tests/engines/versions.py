"""SQLAlchemy in other versions beside the installed one: their pools differ, and what an engine may be told with them.

Gets pinned wheels with `field.fetch`, which keeps them in a folder that git ignores, and unpacks them into the folder
it is given. The environment that the tests run in is not touched.
"""

from __future__ import annotations

from pathlib import Path

from field.fetch import PACKAGES, Package, fetch, unpack

INSTALLED = "installed"
"""The SQLAlchemy that is installed: a 2.1."""

OTHER_LINE = "2.0.58"
"""One of the line before."""

FILES_UNPOOLED = "2.0.36"
"""One of those (before 2.0.38) in which the pool of a SQLite file is a NullPool, which takes no size (semantics A8)."""

# those without compiled parts: they run on every machine
WHEELS = {
    version: Package("sqlalchemy", version, uses_sessions=False, sha256=sha256)
    for version, sha256 in (
        (OTHER_LINE, "cc1b78ba0ed1f32156d1582f94ca4aca74633e4dcdde3eb1562dd4742493f594"),
        (FILES_UNPOOLED, "fddbe92b4760c6f5d48162aef14824add991aeda8ddadb3c31d56eb15ca69f8e"),
    )
}
VERSIONS = (INSTALLED, *WHEELS)


def install(version: str, folder: Path, packages: Path = PACKAGES) -> Path:
    """A folder below `folder` to import that SQLAlchemy from.

    Raises FetchError; Unreachable where the registry does not answer.
    """
    target = folder / f"sqlalchemy-{version}"
    unpack(fetch(WHEELS[version], packages), target)
    return target
