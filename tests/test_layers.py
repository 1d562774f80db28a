"""Who may import whom, held by reading our own imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "codemods"

EVERYTHING_BELOW_ENGINE = frozenset(
    {
        *("deep_stack", "nesting"),
        *("syntax", "plan", "settings", "declared", "requirements", "gitignore", "decoding", "sources"),
        *("project", "flow", "rules", "clearing", "transformers", "settle", "suppression", "asked", "safe_git"),
        "git_environment",
    }
)
# what the commands bring together
COMMANDS = EVERYTHING_BELOW_ENGINE | {
    *("engine", "review", "apply", "scaffold", "saved_plan", "plan_file", "planned", "merging", "shared_plan"),
    *("saving", "rebasing", "user_command", "run_words", "repository", "batches", "committing", "splitting"),
    *("formatting", "verifying", "baseline", "leak_report", "witness", "batch_unit"),
}
# Layer -> the other layers it may import. A layer is a module or folder directly in the package.
ALLOWED: Mapping[str, frozenset[str]] = {
    "syntax": frozenset(),
    "deep_stack": frozenset(),
    "nesting": frozenset({"project"}),
    "plan": frozenset(),
    "settings": frozenset({"gitignore", "declared", "asked"}),
    "declared": frozenset({"project", "requirements", "asked"}),
    "requirements": frozenset({"asked", "syntax"}),
    "gitignore": frozenset({"asked"}),
    "decoding": frozenset(),
    "sources": frozenset({"plan", "settings", "gitignore", "decoding", "asked", "safe_git"}),
    "project": frozenset({"plan", "syntax"}),
    "flow": frozenset({"plan", "project", "syntax"}),
    "rules": frozenset({"plan", "project", "flow", "settings"}),
    "clearing": frozenset({"plan", "project", "flow", "rules"}),
    "settle": frozenset({"plan"}),
    "suppression": frozenset({"plan", "syntax"}),
    "transformers": frozenset({"plan", "syntax", "deep_stack"}),
    "saved_plan": frozenset({"plan", "settings"}),
    "protected_names": frozenset(),
    "plan_file": frozenset({"plan", "saved_plan", "protected_names"}),
    "planned": frozenset({"plan", "saved_plan", "transformers", "batches"}),
    "review": frozenset({"plan", "saved_plan", "leak_report", "witness"}),
    "apply": frozenset({"plan", "protected_names", "git_environment"}),
    "leak_report": frozenset(),
    "watch": frozenset({"leak_report"}),
    "witness": frozenset({"plan", "leak_report"}),
    "merging": frozenset({"saved_plan"}),
    "shared_plan": frozenset({"plan_file", "merging", "saved_plan"}),
    "user_command": frozenset(),
    "run_words": frozenset({"apply", "review"}),
    "repository": frozenset({"apply", "git_environment"}),
    "batch_unit": frozenset(),
    "batches": frozenset({"plan", "review", "batch_unit"}),
    "committing": frozenset({"plan", "apply", "batches", "repository", "git_environment"}),
    "splitting": frozenset({"plan", "review", "batches", "repository"}),
    "formatted_lines": frozenset({"decoding", "review", "syntax"}),
    "formatting": frozenset({"plan", "apply", "formatted_lines", "user_command"}),
    "git_environment": frozenset(),
    "verifying": frozenset(
        {"plan", "saved_plan", "planned", "apply", "batches", "repository", "user_command", "git_environment"}
    ),
    "engine": EVERYTHING_BELOW_ENGINE,
    "saving": frozenset({"plan", "saved_plan", "sources", "engine"}),
    "placing": frozenset({"decoding", "review", "syntax"}),
    "rebasing": frozenset({"plan", "planned", "saved_plan", "review", "placing"}),
    "scaffold": EVERYTHING_BELOW_ENGINE | {"engine"},
    "run_cache": EVERYTHING_BELOW_ENGINE | {"engine"},
    "asked": frozenset(),
    "safe_git": frozenset({"asked", "git_environment"}),
    "fleet": EVERYTHING_BELOW_ENGINE | {"engine", "saving", "plan_file", "review", "apply"},
    "cli": COMMANDS | {"run_cache", "fleet"},
    "baseline": frozenset({"plan", "engine", "repository"}),
    "__main__": frozenset({"cli", "review"}),
}
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "common", "misc"})


@dataclass(frozen=True, slots=True)
class Import:
    importer: str  # dotted name of the module
    imported: str  # dotted name of a module of ours, or the first part of a foreign one
    line: int
    on_load: bool  # happens when the importer is loaded: not in a function, not for the type checker only


def modules_of(package: Path) -> dict[str, str]:
    """Every module of the package by dotted name, with its text; a package folder goes by its own name."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def packages_of(package: Path) -> frozenset[str]:
    return frozenset(".".join(p.parent.relative_to(package.parent).parts) for p in package.rglob("__init__.py"))


def imports_of(modules: Mapping[str, str], packages: frozenset[str], package: str = "codemods") -> list[Import]:
    def ours(name: str) -> str:
        """The longest beginning of the name that is a module; `codemods.plan.Source` means `codemods.plan`."""
        if name.split(".")[0] != package:
            return name.split(".")[0]
        while name not in modules and "." in name:
            name = name.rpartition(".")[0]
        return name

    found = []
    for importer, text in modules.items():
        for node, on_load in import_statements(ast.parse(text), on_load=True):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                base = node.module or ""
                if node.level:
                    up = importer.split(".")[: (None if importer in packages else -1)]
                    up = up[: len(up) - node.level + 1]
                    base = ".".join([*up, base] if base else up)
                names = [f"{base}.{alias.name}" for alias in node.names]
            found += [Import(importer, ours(name), node.lineno, on_load) for name in names]
    return found


def import_statements(node: ast.AST, on_load: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, on_load
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from import_statements(child, on_load=False)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.body:
                yield from import_statements(ast.Module([statement], []), on_load=False)
            for statement in child.orelse:
                yield from import_statements(ast.Module([statement], []), on_load)
        else:
            yield from import_statements(child, on_load)


def layer(module: str) -> str:
    """The layer of one of our modules; "" for the package itself, which holds only the version."""
    return module.split(".")[1] if "." in module else ""


def wrong_directions(imports: list[Import]) -> list[str]:
    wrong = []
    for one in imports:
        here, there = layer(one.importer), layer(one.imported)
        if one.imported.split(".")[0] != "codemods" or here == there or there == "":
            continue
        if there not in ALLOWED.get(here, frozenset()):
            wrong.append(f"{one.importer}:{one.line} imports {one.imported}")
    return wrong


# what rules share
_SHARED = (
    "codemods.rules.base",
    "codemods.rules.blocks",
    "codemods.rules.object_session",
    "codemods.rules.own_session",
)


def rules_that_import_rules(imports: list[Import]) -> list[str]:
    return [
        f"{one.importer}:{one.line} imports {one.imported}"
        for one in imports
        if one.importer.startswith("codemods.rules.")
        and one.imported.startswith("codemods.rules.")
        and not one.imported.startswith(_SHARED)
        and one.importer.split(".")[:3] != one.imported.split(".")[:3]  # a rule may be a package
    ]


def libcst_outside_transformers(imports: list[Import]) -> list[str]:
    return [
        f"{one.importer}:{one.line}"
        for one in imports
        if one.imported == "libcst" and layer(one.importer) != "transformers"
    ]


def cycle(imports: list[Import]) -> list[str]:
    """The modules of one import cycle that would happen on load, first one twice; empty when there is none."""
    graph: dict[str, set[str]] = {}
    for one in imports:
        if one.on_load and one.importer != one.imported:
            graph.setdefault(one.importer, set()).add(one.imported)
    done: set[str] = set()

    def search(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done:
            return []
        for imported in sorted(graph.get(module, ())):
            if found := search(imported, [*trail, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := search(module, []))), [])


OUR_MODULES = modules_of(PACKAGE)
OUR_IMPORTS = imports_of(OUR_MODULES, packages_of(PACKAGE))


def test_our_own_imports_are_seen() -> None:
    seen = {one.imported for one in OUR_IMPORTS if one.importer == "codemods.sources" and one.on_load}
    assert {"codemods.plan", "codemods.decoding", "os"} <= seen


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer(module) for module in OUR_MODULES} - {""} <= set(ALLOWED)


def test_imports_go_one_way() -> None:
    assert wrong_directions(OUR_IMPORTS) == []


def test_the_package_itself_imports_nothing_of_ours() -> None:
    assert [one for one in OUR_IMPORTS if one.importer == "codemods" and one.imported.startswith("codemods")] == []


def test_rules_do_not_import_each_other() -> None:
    assert rules_that_import_rules(OUR_IMPORTS) == []


def test_only_transformers_import_libcst() -> None:
    assert libcst_outside_transformers(OUR_IMPORTS) == []


def test_no_modules_import_each_other_on_load() -> None:
    assert cycle(OUR_IMPORTS) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [module for module in OUR_MODULES if VAGUE_NAMES & set(module.split("."))] == []


# --- the checks see what they are for ---------------------------------------------------------------------------------

PACKAGES = frozenset({"codemods", "codemods.rules", "codemods.transformers"})


def imports_in(**texts: str) -> list[Import]:
    """Imports of a made-up package; `rules__pool` stands for `codemods.rules.pool`."""
    modules = dict.fromkeys(PACKAGES, "")
    modules |= {"codemods." + name.replace("__", "."): text for name, text in texts.items()}
    return imports_of(modules, PACKAGES)


@pytest.mark.parametrize(
    "statement",
    [
        "import codemods.engine",
        "from codemods.engine import run",
        "from codemods import engine",
        "from .. import engine",
        "from ..engine import run",
        "def late():\n    from codemods import engine",
        "if TYPE_CHECKING:\n    from codemods.engine import run",
        "try:\n    import codemods.engine\nexcept ImportError:\n    pass",
    ],
)
def test_an_import_against_the_direction_is_found_however_it_is_written(statement: str) -> None:
    found = wrong_directions(imports_in(engine="", rules__pool=statement))
    assert [text.split(" ", 1)[1] for text in found] == ["imports codemods.engine"]


def test_an_import_along_the_direction_is_right() -> None:
    assert wrong_directions(imports_in(plan="", rules__pool="from codemods.plan import Site\nimport ast")) == []


def test_a_rule_may_import_the_base_of_the_rules_but_no_other_rule() -> None:
    imports = imports_in(rules__base="", rules__pool="from .base import Rule", rules__scope="from . import pool")
    assert rules_that_import_rules(imports) == ["codemods.rules.scope:1 imports codemods.rules.pool"]


def test_libcst_is_found_outside_transformers_only() -> None:
    imports = imports_in(transformers__blocks="import libcst as cst", rules__pool="from libcst.metadata import X")
    assert libcst_outside_transformers(imports) == ["codemods.rules.pool:1"]


def test_a_cycle_on_load_is_found_and_a_late_import_is_none() -> None:
    assert cycle(imports_in(a="import codemods.b", b="from codemods.c import x", c="from . import a")) == [
        "codemods.a",
        "codemods.b",
        "codemods.c",
        "codemods.a",
    ]
    assert cycle(imports_in(a="import codemods.b", b="def late():\n    from . import a")) == []
    assert cycle(imports_in(a="import codemods.b", b="if TYPE_CHECKING:\n    from . import a")) == []
