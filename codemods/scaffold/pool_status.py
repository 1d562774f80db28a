"""The endpoint that shows the state of the pool (practices, "Проверка состояния пула"), as a plan for a project.

Finds the FastAPI application and the engine by definition, writes a module with a router beside the project's own
routers, and includes it, by default in development only. Reads the files of the project; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from codemods import __version__, engine, sources
from codemods.deep_stack import with_deep_stack
from codemods.plan import End, Entry, Failure, Group, Ledger, Level, Plan
from codemods.scaffold.adding import Addition, addition
from codemods.scaffold.applications import Application, find_application, named_application
from codemods.scaffold.asked import NAME, AlreadyThere, PoolStatus, check_route
from codemods.scaffold.errors import ScaffoldError
from codemods.scaffold.existing import route_to
from codemods.scaffold.look import Look
from codemods.scaffold.references import file_of, front_of
from codemods.scaffold.result import check_result


def planned(asked: PoolStatus, progress: engine.Progress | None = None) -> Plan | AlreadyThere:
    """The plan that adds the endpoint: one group with one finding. Raises ScaffoldError, which says what to type."""
    tell = progress or (lambda stage, done, total: None)
    check_route(asked.route)
    with engine.collector_held():
        # as in a run: code is nested as deep as it likes, and a file that takes too long is left
        return with_deep_stack(lambda: _found(asked, tell))


def _found(asked: PoolStatus, tell: engine.Progress) -> Plan | AlreadyThere:
    paths = (asked.application,) if isinstance(asked.application, Path) else ()
    discovery = sources.discover(asked.root, paths, asked.settings)
    if not discovery.files and not discovery.failures:
        raise engine.NoPythonFiles
    codebase, unread = engine.read(discovery, tell)
    request = engine.RunRequest(asked.root, paths, asked.settings, Level.REVIEW, prefilter=False)
    look = Look(codebase, engine.linked(codebase, (), request, tell))
    failures = sorted({*discovery.failures, *unread, *codebase.failures.values(), *engine.undeclared(asked.settings)})
    try:
        look, application = _application(asked, look, discovery.wanted)
    except ScaffoldError as error:
        raise _with_failures(error, failures) from error
    place = route_to(asked.route, look)
    if place is not None:
        return AlreadyThere(place, asked.route)
    added = addition(asked, application, look)
    return added if isinstance(added, AlreadyThere) else _plan(asked, codebase, added, failures)


def _with_failures(error: ScaffoldError, failures: list[Failure]) -> ScaffoldError:
    if not failures:
        return error
    more = f" and {len(failures) - 1} more files" if len(failures) > 1 else ""
    return ScaffoldError(f"{error} ({failures[0].path}{more} could not be read: {failures[0].message})")


def _application(asked: PoolStatus, look: Look, wanted: Iterable[str]) -> tuple[Look, Application]:
    if isinstance(asked.application, Path):
        application = find_application(look, list(wanted))
        if _is_ambiguous(application.path, look):
            name = application.factory or application.name
            module = look.source(application.path).module
            short = module.rpartition(".")[2]
            raise ScaffoldError(
                f"{application.path} is in no package and nothing shows how it is imported; name the application as "
                f"for uvicorn, {module}:{name} or, when that is started in its folder, {short}:{name}"
            )
        return look, application
    path = file_of(asked.application, asked.folder, look, asked.root)
    look = replace(look, front=front_of(asked.application, path, look))
    return look, named_application(look, path, asked.application.name)


def _is_ambiguous(path: str, look: Look) -> bool:
    """Whether a file below the root has no package and imports nothing of the project, so that its name is a guess."""
    folder = path.rpartition("/")[0]
    if folder in ("", "src") or f"{folder}/__init__.py" in look.codebase.sources:
        return False
    symbols = look.project.symbols
    for other in (path, *(one for one in look.paths() if one != path)):
        for imported in symbols.facts[other].imports:
            target = symbols.module_path(imported.module, other)
            if target is not None and (other == path or target.rpartition("/")[0] == folder):
                return False
    return True


# --- the plan -------------------------------------------------------------------------------------------------------


def _plan(asked: PoolStatus, codebase: engine.Codebase, added: Addition, failures: list[Failure]) -> Plan:
    finding = added.finding
    group = Group(finding.key, (finding,))
    changes, broken = engine.composed(codebase, (group,), Level.REVIEW)
    if broken:
        raise ScaffoldError(f"{finding.site.place}: {broken[finding.key]}")
    check_result(added.look, changes, finding.site.path, added.home, added.engine)
    entry = Entry(End.CHANGED, NAME, finding.site, finding.message, group.id, finding.key)
    return Plan(
        root=str(asked.root),
        level=Level.REVIEW,
        groups=(group,),
        ledger=Ledger((entry,)),
        failures=tuple(failures),
        changes=changes,
        hashes={path: source.sha256 for path, source in codebase.sources.items()},
        files_read=len(codebase.sources),
        lines_read=sum(source.data.count(b"\n") for source in codebase.sources.values()),
        settings_hash=asked.settings.digest(),
        tool_version=__version__,
    )
