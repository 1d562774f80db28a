"""What a worker does with one repository: look at it, unless the result that is there still holds. Writes nothing.

Top level and plain data both ways, so that every executor can carry it. What is heavy is imported when it works.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import codemods
from codemods.fleet.values import Answer, Options, Result, Task
from codemods.plan import Failure, Level

if TYPE_CHECKING:
    from codemods.engine import RunRequest
    from codemods.plan import Plan
    from codemods.settings import Settings
    from codemods.sources import Discovery


def look(task: Task) -> Answer:
    """The dry run of one repository. What stops it is told in the answer; raises nothing but what ends a process."""
    started = time.monotonic()
    if task.version not in ("", codemods.__version__):
        return Answer(error=f"the worker has version {codemods.__version__} of this tool, not {task.version}")
    from codemods.engine import NoPythonFiles
    from codemods.saving import Moved
    from codemods.settings import SettingsError
    from codemods.sources import SourceError

    try:
        return _looked(task, started)
    except NoPythonFiles as error:
        return Answer(error=str(error) or "no Python file there")
    except (Moved, SettingsError, SourceError) as error:
        return Answer(error=str(error))
    except Exception as error:  # a fault of ours costs one repository, and is named
        return Answer(error=f"internal error: {type(error).__name__}: {error}")


def _looked(task: Task, started: float) -> Answer:
    from codemods import engine, plan_file, saving, sources
    from codemods.apply.git import patch_base
    from codemods.review.patch import patch

    path = Path(task.path)
    root = sources.find_root(path)
    if not path.is_dir():
        raise sources.SourceError(f"{path}: not a folder")
    request = engine.RunRequest(root, (path,), settings_for(root, task.options), task.options.level)
    discovery = sources.discover(root, request.paths, request.settings)
    if not discovery.files and not discovery.failures:
        raise engine.NoPythonFiles
    base = patch_base(root, root, ())
    key, hashes = _key(request, discovery, base.prefix)
    if key == task.known:
        return Answer(kept=True)
    plan = engine.run(request, None, discovery)
    if plan.hashes != hashes:
        moved = {path for path, _ in plan.hashes.items() ^ hashes.items()}
        raise saving.Moved(min(moved))
    saved = plan_file.dump(saving.saved(plan, request)).encode()
    result = Result(
        key=key if all(one.is_lasting for one in plan.failures) else "",
        tool_version=codemods.__version__,
        root=str(root),
        base=str(base.folder),
        files=plan.files_read,
        lines=plan.lines_read,
        ends={end.value: count for end, count in plan.ledger.counts().items()},
        safe=_places(plan, Level.SAFE),
        review=_places(plan, Level.REVIEW),
        groups=len(plan.included),
        failures=plan.failures,
        seconds=round(time.monotonic() - started, 3),
    )
    return Answer(result, saved, patch(plan.changes, base.prefix, strip=base.strip))


def _places(plan: Plan, level: Level) -> int:
    return sum(len(group.findings) for group in plan.included if group.level is level)


def check(options: Options) -> None:
    """Raises SettingsError for options that no repository could obey."""
    from codemods.settings import Settings

    _laid_over(Settings(), options)


def settings_for(root: Path, options: Options) -> Settings:
    """The project's settings with the options laid over them. Raises SettingsError."""
    from codemods import settings

    return _laid_over(settings.load(root, rules=_rules()), options)


def _laid_over(read: Settings, options: Options) -> Settings:
    from codemods.settings import laid_over

    select, ignore, globs = options.select, options.ignore, options.extend_exclude
    return laid_over(read, _rules(), select=select, ignore=ignore, extend_exclude=globs)


def _rules() -> Collection[str]:
    from codemods.rules import RULES

    return [rule.name for rule in RULES]


# --- what a result rests on -------------------------------------------------------------------------------------------


def _key(request: RunRequest, discovery: Discovery, prefix: str) -> tuple[str, Mapping[str, str]]:
    """A hash of all that the result is made from, and the hashes of the files: what they hold counts, wherever the
    checkout stands and whatever git says of it."""
    from codemods import sources

    hashes: dict[str, str] = {}
    told: list[object] = [[one.path, one.stage, one.message, one.line] for one in discovery.failures]
    for path in discovery.files:
        match sources.read(discovery.root, path):
            case Failure() as failure:
                told.append([path, failure.stage, failure.message, failure.line])
            case source:
                hashes[path] = source.sha256
                told.append([path, source.sha256, source.module, source.is_package])
    below = [path.resolve().relative_to(discovery.root).as_posix() for path in request.paths]
    wanted = [path in discovery.wanted for path in discovery.files]
    asked_for = [identity(), request.settings.digest(), int(request.level), below, prefix, wanted, told]
    return hashlib.sha256(json.dumps(asked_for).encode()).hexdigest(), hashes


@functools.cache
def identity() -> str:
    """Equal for equal tools, on every machine: version, our code, Python, and the library that edits."""
    found = hashlib.sha256(
        f"{codemods.__version__}\0{sys.version_info}\0{importlib.metadata.version('libcst')}".encode()
    )
    package = Path(codemods.__file__).parent
    for file in sorted(package.rglob("*.py")):
        found.update(f"\0{file.relative_to(package).as_posix()}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
