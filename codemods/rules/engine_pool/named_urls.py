"""Where the files of a project name SQLite, in a URL or in a question. Remembered per project; reads trees only."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from codemods.flow.database_url import sqlite_urls
from codemods.flow.only_factory import is_test_path
from codemods.plan import Fact
from codemods.project.link import Project
from codemods.project.named_in_tests import is_test
from codemods.rules.base import ModuleView


@dataclass(frozen=True, slots=True)
class NamedUrls:
    """The first place that names SQLite, and the first outside of tests that names a database in memory."""

    sqlite: Fact | None
    in_memory: Fact | None


_REMEMBERED: WeakKeyDictionary[Project, NamedUrls] = WeakKeyDictionary()


def named_urls(view: ModuleView) -> NamedUrls:
    """What all files of the project name, that of `view` among them."""
    known = _REMEMBERED.get(view.project)
    if known is None:
        _REMEMBERED[view.project] = known = _find(view)
    return known


def _find(view: ModuleView) -> NamedUrls:
    sqlite = in_memory = tested = None
    for path in view.project.symbols.paths():
        there = view.beside(path)
        if there is None or b"sqlite" not in there.source.data:
            continue
        of_tests = is_test_path(path) or is_test(path, there.tree)
        # code that asks for SQLite expects it; what a test asks about says nothing of the project's URL
        for line, is_in_memory in sorted(sqlite_urls(there.tree, or_its_name=not of_tests)):
            fact = Fact(path, line, "SQLite is named")
            if of_tests:
                tested = tested or fact
                continue
            sqlite = sqlite or fact
            in_memory = in_memory or (fact if is_in_memory else None)
    return NamedUrls(sqlite or tested, in_memory)
