"""All calls of a project that run something later, file by file, and who else uses what they run. Remembers; pure."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from codemods.flow.objects.interpret import run
from codemods.flow.objects.summaries import FunctionSummaries
from codemods.flow.scheduling import schedulings
from codemods.flow.scope import scopes
from codemods.flow.tasks.carried import Site, site, watched
from codemods.plan import Fact
from codemods.project.dependencies import FindMentions
from codemods.project.engines import CONNECTION, ENGINE
from codemods.project.expressions import dotted, last_name
from codemods.project.facts import Name
from codemods.project.link import Place, Project
from codemods.project.mapped_classes import all_mapped
from codemods.project.sessions import External, FunctionMeaning, InstanceMeaning, UnknownMeaning


@dataclass(frozen=True, slots=True)
class Uses:
    """Where a function of the project is used: the sites that run it later, and everything else, imports apart."""

    sites: tuple[Site, ...]
    others: tuple[Fact, ...]


class Tasks:
    """`tree` gives the tree of a file, `find_mentions` the places at which names are mentioned."""

    def __init__(
        self,
        project: Project,
        summaries: FunctionSummaries,
        tree: Callable[[str], ast.Module | None],
        find_mentions: FindMentions,
    ) -> None:
        self.project = project
        self.summaries = summaries
        self._tree = tree
        self._find_mentions = find_mentions
        self._sites: dict[str, tuple[Site, ...]] = {}
        self._uses: dict[FunctionMeaning, Uses] = {}
        self.judged: dict[Site, object] = {}  # what a rule has said of a site: remembered for it

    def sites(self, path: str) -> tuple[Site, ...]:
        """The sites of a file, in source order."""
        if path not in self._sites:
            found: list[Site] = []
            tree = self._tree(path)
            for scope in scopes(tree, path, self.project) if tree is not None else ():
                here = schedulings(scope)
                if here:
                    record = run(scope, self.summaries, watched=watched(here))
                    found += [site(scope, record, one) for one in here]
            self._sites[path] = tuple(sorted(found, key=lambda one: (one.line, one.scheduling.call.col_offset)))
        return self._sites[path]

    def uses(self, function: FunctionMeaning) -> Uses:
        """Every use of the function in the project that can be told, and every one that may be one."""
        function = replace(function, bound=False)
        if function not in self._uses:
            self._uses[function] = self._find(function)
        return self._uses[function]

    def _find(self, function: FunctionMeaning) -> Uses:
        all_mapped(self.project)  # reads every file: a caller need not hold any other word that matters
        mentioned = [
            one
            for one in self._find_mentions(self._names(function))
            if self._may_be(self.project.meaning(one.chain, Place(one.path, one.scope)), one.chain, function)
        ]
        sites = [
            one
            for path in sorted({mention.path for mention in mentioned})
            for one in self.sites(path)
            if one.function is not None and replace(one.function, bound=False) == function
        ]
        targets = Counter((one.path, getattr(one.scheduling.target, "lineno", 0)) for one in sites)
        others: list[Fact] = []
        for mention in sorted(mentioned, key=lambda one: (one.path, one.line)):
            place = (mention.path, mention.line)
            if targets[place]:
                targets[place] -= 1
            else:
                others.append(Fact(mention.path, mention.line, dotted(mention.chain)))
        return Uses(tuple(sites), tuple(others))

    def _may_be(self, means: object, chain: object, function: FunctionMeaning) -> bool:
        if isinstance(means, FunctionMeaning):
            return replace(means, bound=False) == function
        # something of that name, read off what is not known; or what a property gives
        given = isinstance(means, InstanceMeaning) and means.of in (External(ENGINE), External(CONNECTION))
        return (given or isinstance(means, UnknownMeaning)) and not isinstance(chain, Name)

    def _names(self, function: FunctionMeaning) -> frozenset[str]:
        """The names under which the function goes somewhere in the project."""
        symbols = self.project.symbols
        names = {function.qualname.rpartition(".")[2]}
        known = 0
        while known < len(names):
            known = len(names)
            for path in symbols.paths():
                facts = symbols.facts[path]
                names |= {one.name for one in facts.imports if one.attribute in names}
                names |= {one.name for one in facts.bindings if any(last_name(value) in names for value in one.values)}
        return frozenset(names)
