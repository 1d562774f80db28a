"""FastAPI in other versions beside the installed one: they run what follows a dependency's `yield` at another time.

Gets pinned wheels with `field.fetch`, which keeps them in a folder that git ignores, and unpacks them into the folder
it is given. The environment that the tests run in is not touched.
"""

from __future__ import annotations

from pathlib import Path

from field.fetch import PACKAGES, Package, fetch, unpack

from tasks.applications import ENDED_AFTER_TASKS, ENDS_BEFORE_TASKS


def _pin(name: str, version: str, sha256: str) -> Package:
    return Package(name, version, uses_sessions=False, sha256=sha256)


# FastAPI -> it and the Starlette that it asks for; all else that they import, the installed versions are good for
WHEELS = {
    ENDED_AFTER_TASKS: (
        _pin("fastapi", "0.105.0", "f19ebf6fdc82a3281d10f2cb4774bdfa90238e3b40af3525a0c09fd08ad1c480"),
        _pin("starlette", "0.27.0", "918416370e846586541235ccd38a474c08b80443ed31c578a418e2209b3eef91"),
    ),
    ENDS_BEFORE_TASKS: (
        _pin("fastapi", "0.115.14", "6c0c8bf9420bd58f565e585036d971872472b4f7d3f6c73b698e10cffdefb3ca"),
        _pin("starlette", "0.46.2", "595633ce89f8ffa71a015caed34a5b2dc1c0cdb3f0f1fbd1e69339cf2abeec35"),
    ),
}


def install(version: str, folder: Path, packages: Path = PACKAGES) -> Path:
    """A folder below `folder` to import that FastAPI from.

    Raises FetchError; Unreachable where the registry does not answer.
    """
    target = folder / f"fastapi-{version}"
    target.mkdir(parents=True)
    for package in WHEELS[version]:
        unpacked = folder / f"{package.name}-{package.version}.wheel"
        unpack(fetch(package, packages), unpacked)
        (unpacked / package.name).rename(target / package.name)
    return target
