"""What was found before: in a report that was kept, or in an earlier revision. Only what is new then counts.

Reads the report, or asks git for the Python files of a revision, which are put into a temporary folder. Writes nothing
else. The files are taken as git holds them: no attribute, filter or hook of the repository has a say.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from codemods import engine
from codemods.engine import NoPythonFiles, RunRequest
from codemods.plan import End, Ledger, Plan
from codemods.repository import Repository

_REGULAR = frozenset({b"100644", b"100664", b"100755"})  # not symbolic links, and not submodules


class BaselineError(Exception):
    """There is nothing to compare with. The text says why, and what to do."""


def keys(plan: Plan) -> frozenset[str]:
    """The keys of all that `check` tells: what would be changed at the plan's level, and what is left alone."""
    made = {finding.key for group in plan.included for finding in group.findings}
    return frozenset(made | {entry.key for entry in plan.refused})


def without(plan: Plan, known: Collection[str]) -> Plan:
    """The plan without the findings that are known: in the ledger they are told apart, so that it still adds up.

    A group is left out when all of it is known. Of one that holds something new all findings count, since it is shown
    and written whole.
    """
    groups = tuple(one for one in plan.groups if any(finding.key not in known for finding in one.findings))
    new = {finding.key for group in groups for finding in group.findings}
    counting = (End.CHANGED, End.REFUSED)
    entries = tuple(
        replace(one, end=End.KNOWN) if one.end in counting and one.key in known and one.key not in new else one
        for one in plan.ledger.entries
    )
    kept = {one.id for one in groups}
    changes = tuple(change for change in plan.changes if any(group.id in kept for group in change.groups))
    return replace(plan, groups=groups, ledger=Ledger(entries), changes=changes)


def of_report(path: Path) -> frozenset[str]:
    """The keys in a report of `check --output-format json`. Raises BaselineError."""
    try:
        content = json.loads(path.read_bytes())
        found = [finding["key"] for finding in content["findings"]]
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        advice = "`check --output-format json -o FILE` makes one"
        raise BaselineError(f"{path}: no report of check; {advice}") from error
    # "" would be the key of everything that has none
    return frozenset(key for key in found if isinstance(key, str) and key)


def of_revision(revision: str, request: RunRequest, repository: Repository) -> frozenset[str]:
    """The keys of what the same check finds in the project at `revision`, under the present settings.

    A project that is not there yet at the revision had no findings. Raises BaselineError when git does not know the
    revision, or not all of its files are there; and what `repository.git` raises.
    """
    tree = _tree(revision, repository)
    relative = [PurePosixPath(path.resolve().relative_to(request.root).as_posix()) for path in request.paths]
    named = {f"{repository.prefix}{path}" for path in relative}
    with tempfile.TemporaryDirectory(prefix="session-codemods-") as temporary:
        top = _top(Path(temporary).resolve(), repository.top)
        root = top / repository.prefix
        root.mkdir(parents=True, exist_ok=True)
        blobs = [blob for blob in _blobs(tree, repository) if _counts(blob.path, repository.prefix, named)]
        for blob, data in zip(blobs, _contents(blobs, revision, repository), strict=True):
            _put(top / blob.path, data, revision)
        paths = tuple(root / path for path in relative if (root / path).exists())
        if relative and not paths:
            return frozenset()
        # what git tracks is in the tree, whatever it would ignore
        settings = replace(request.settings, respect_gitignore=False)
        try:
            return keys(engine.run(replace(request, root=root, paths=paths, settings=settings)))
        except NoPythonFiles:
            return frozenset()


@dataclass(frozen=True, slots=True)
class _Blob:
    path: str  # from the top of the repository
    id: bytes


def _tree(revision: str, repository: Repository) -> str:
    if revision.startswith("-") or "\n" in revision or "\0" in revision:
        raise BaselineError(f"--since: {revision!r} is no revision")
    answer = repository.git("cat-file", "--batch-check", data=os.fsencode(f"{revision}^{{tree}}\n"))
    words = answer.split()
    if len(words) != 3 or words[1] != b"tree":
        told = "it knows no such revision; `git fetch --unshallow` adds what a shallow clone lacks"
        raise BaselineError(f"--since: git cannot give the files of {revision!r}: {told}")
    return words[0].decode()


def _top(folder: Path, top: Path) -> Path:
    """The place in `folder` for the top of the repository. It has the name of `top`, and stands in the same packages:
    a module is called after the outermost package that it is in, which may be the top, or hold it."""
    outside = top.parent
    while outside != outside.parent and (outside / "__init__.py").is_file():
        outside = outside.parent
    place = folder
    for name in top.parent.relative_to(outside).parts:
        place /= name
        _put(place / "__init__.py", b"", "")
    return place / top.name


def _blobs(tree: str, repository: Repository) -> Iterator[_Blob]:
    """The regular files of a tree."""
    for record in repository.git("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        about, _, name = record.partition(b"\t")
        mode, *_, blob = about.split(b" ")
        path = os.fsdecode(name)
        # git makes no tree with such a name, a stranger may have made one
        if mode in _REGULAR and not {"", ".", ".."}.intersection(path.replace(os.sep, "/").split("/")):
            yield _Blob(path, blob)


def _counts(path: str, prefix: str, named: Collection[str]) -> bool:
    """Whether the run may look at this file: all else that it needs is in the settings, which are the present ones."""
    folder, _, name = path.rpartition("/")
    if path.startswith(prefix):
        return name.endswith(".py") or name == "pyvenv.cfg" or path in named
    return name == "__init__.py" and prefix.startswith(f"{folder}/" if folder else "")


def _contents(blobs: Iterable[_Blob], revision: str, repository: Repository) -> Iterator[bytes]:
    """What the files hold, one after the other."""
    wanted = [blob.id for blob in blobs]
    answer = repository.git("cat-file", "--batch", data=b"".join(one + b"\n" for one in wanted))
    start = 0
    for one in wanted:
        end = answer.index(b"\n", start)
        kind = answer[start:end].split(b" ")
        if kind[:2] != [one, b"blob"]:
            told = "the clone lacks some of them; `git fetch` them first"
            raise BaselineError(f"--since: git cannot give the files of {revision!r}: {told}")
        start = end + 1 + int(kind[2])
        yield answer[end + 1 : start]
        start += 1  # a newline ends each


def _put(place: Path, data: bytes, revision: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    except OSError as error:
        told = f"{place.name} cannot be put into {place.parent}: {error.strerror or error}"
        raise BaselineError(f"--since: the files of {revision!r} cannot be laid out: {told}") from error
