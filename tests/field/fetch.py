"""Gets the packages of `corpus.toml` from the registry and unpacks them as data; nothing of them is built or imported.

Reads `corpus.toml`. Writes the wheels into `.packages/` beside it, which git ignores, and unpacks into the folder it
is given. Only pip goes to the network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CORPUS = Path(__file__).with_name("corpus.toml")
PACKAGES = Path(__file__).with_name(".packages")

MOST_MEMBERS = 50_000
MOST_BYTES = 500_000_000  # of a whole package, unpacked
LARGE = 100_000  # bytes; files above it that are no Python (pictures, scripts for browsers) only cost time
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the corpus, pinned."""

    name: str
    version: str
    uses_sessions: bool
    sha256: str
    short: bool = False

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


class FetchError(Exception):
    """A package could not be had: the text says which one and why."""


class Unreachable(FetchError):
    """The registry did not answer; no word on the package itself."""


class UnsafeArchive(FetchError):
    """The archive holds something that must not be unpacked. What was unpacked before it was met stays."""


def load(corpus: Path = CORPUS) -> tuple[Package, ...]:
    """The packages of the corpus, in its order. Raises FetchError when the file says something else than packages."""
    try:
        packages = tuple(Package(**table) for table in tomllib.loads(corpus.read_text(encoding="utf-8"))["package"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise FetchError(f"{corpus.name}: {error}") from error
    for package in packages:
        exact = re.fullmatch(r"[0-9.]+(?:\.post[0-9]+)?", package.version)
        if not re.fullmatch(r"[a-z0-9-]+", package.name) or not exact:
            raise FetchError(f"{corpus.name}: {package.pin}: a plain name and an exact version are wanted")
        if not re.fullmatch(r"[0-9a-f]{64}", package.sha256):
            raise FetchError(f"{corpus.name}: {package.pin}: sha256 is not one")
    return packages


def fetch(package: Package, folder: Path = PACKAGES) -> Path:
    """The wheel of the package, from `folder` when it is there already, with the pinned bytes in it.

    Raises Unreachable when the registry does not answer, FetchError when it has no such file.
    """
    wheel = folder / f"{package.name}-{package.version}.whl"
    if wheel.is_file() and digest(wheel) == package.sha256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".arriving-", dir=folder) as arriving:
        requirements = Path(arriving, "requirements.txt")
        requirements.write_text(f"{package.pin} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = [*_pip(), "download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python"]
        command += ["--require-hashes", "--retries", "2", "--timeout", "30", "--disable-pip-version-check"]
        command += ["--dest", arriving, "--requirement", str(requirements)]
        done = subprocess.run(command, cwd=arriving, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise failure(package, done.stdout + done.stderr)
        arrived = [path for path in Path(arriving).iterdir() if path.suffix == ".whl"]
        if len(arrived) != 1 or digest(arrived[0]) != package.sha256:
            raise FetchError(f"{package.pin}: what arrived is not the pinned file")
        arrived[0].replace(wheel)
    return wheel


def failure(package: Package, output: str) -> FetchError:
    """What a failed download was, by what pip said."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")] or output.splitlines()[-1:]
    said = " ".join(errors)[:400]
    answered = re.search(r"DO NOT MATCH THE HASHES|\(from versions: (?!none)", output)
    if not answered and re.search(r"after connection broken by|Could not fetch URL|Read timed out", output):
        return Unreachable(f"{package.pin}: the registry cannot be reached: {said}")
    return FetchError(f"{package.pin}: {said}")


def unpack(wheel: Path, folder: Path) -> None:
    """Write the files of the wheel into `folder`, which must not exist yet. Large ones that are no Python stay out.

    Raises UnsafeArchive for a member that would land outside the folder, is a link, would speak to git, comes
    twice, or when there is more than a package has a right to; FetchError when the file is no archive.
    """
    folder.mkdir(parents=True)
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise UnsafeArchive(f"{wheel.name}: has {len(members)} members")
            for member in members:
                target = folder.joinpath(*_safe_parts(wheel, member))
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                if member.file_size > LARGE and target.suffix != ".py":
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                left = _unpack_member(archive, member, target, left)
    except (FileExistsError, NotADirectoryError) as error:
        raise UnsafeArchive(f"{wheel.name}: {error.filename} comes twice") from error
    except zipfile.BadZipFile as error:
        raise FetchError(f"{wheel.name}: {error}") from error


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _pip() -> Sequence[str]:
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    if shutil.which("uv") is not None:  # uv makes environments without pip
        return ("uv", "tool", "run", "pip")
    raise FetchError("neither pip nor uv is there to download with")


def _safe_parts(wheel: Path, member: zipfile.ZipInfo) -> tuple[str, ...]:
    name = member.orig_filename
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or any(character in name for character in ("\\", ":", "\0"))
        or any(part == ".." or part.lower() == ".git" for part in parts)
    ):
        raise UnsafeArchive(f"{wheel.name}: {name!r} is no path to unpack")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchive(f"{wheel.name}: {name!r} is neither file nor folder")
    return parts


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one file; gives how many bytes are left for the others. What the header says of the size isn't trusted."""
    with archive.open(member) as content, target.open("xb") as file:
        while chunk := content.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise UnsafeArchive(f"{archive.filename}: unpacks to more than {MOST_BYTES:,} bytes")
            file.write(chunk)
    return left
