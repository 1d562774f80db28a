"""Which expression a name stands for: what hides it, what may bind it anew, what replaces it from elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from codemods import sources
from codemods.flow.scope import Scope, scopes
from codemods.flow.sole_value import sole_value
from codemods.plan import Source
from codemods.project.link import link
from codemods.project.scan import scan
from codemods.project.symbols import ModuleName


def told(root: Path, text: str, **more: str) -> list[str]:
    """What each argument of `use(...)` in `app/db.py` stands for, as text; "?" where that cannot be told.

    `more` are modules of the same package. They are only read when they are asked for.
    """
    read: dict[str, Source] = {}
    for name, content in {"__init__": "", "db": text, **more}.items():
        path = root / "app" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(content).lstrip("\n"), "utf-8")
        source = sources.read(root, f"app/{name}.py")
        assert isinstance(source, Source)
        read[source.path] = source
    names = {path: ModuleName(one.module, one.is_package) for path, one in read.items()}
    project = link([scan(read["app/db.py"])], names, load=lambda path: scan(read[path]))
    trees = {path: ast.parse(one.text) for path, one in read.items()}

    def module(path: str) -> Scope | None:
        return next(iter(scopes(trees[path], path, project)), None) if path in trees else None

    calls = [
        (node, scope)
        for scope in scopes(trees["app/db.py"], "app/db.py", project)
        for node in scope.watched()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "use"
    ]
    found = [sole_value(call.args[0], scope, module) for call, scope in calls]
    return ["?" if isinstance(one, str) else ast.unparse(one.node) for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "[use(url) for number in range(2)]",
        "lambda number: use(url)",
        "lambda: use(url)",
        "[url for url in ()], use(url)",
        "def make():\n    return use(url)",
        "def make():\n    return [use(url) for number in range(2)]",
        "class Db:\n    made = use(url)",
        "class Db:\n    url = 2\n    def make(self):\n        return use(url)",
    ],
)
def test_a_name_that_nothing_hides(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, f"url = 1\n{text}\n") == ["1"]


@pytest.mark.parametrize(
    "text",
    [
        "[use(url) for url in ()]",
        "{key: use(url) for key, (url, *rest) in ()}",
        "[use(url) for number in () for url in number]",
        "[use(url.name) for url in ()]",
        "lambda url: use(url)",
        "lambda *, url=2: use(url)",
        "lambda **url: use(url)",
        "lambda: [url := 2, use(url)]",
        "[use(url) for number in () if (url := number)]",
        "class Db:\n    url = 2\n    made = [use(url) for number in range(2)]",
        "def make(url):\n    return [use(url) for number in range(2)]",
    ],
)
def test_a_name_that_is_hidden(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, f"url = 1\n{text}\n") == ["?"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("from app.local import *\nurl = 1", "1"),
        ("url = 1\nfrom app.local import *", "?"),
        ("url = 1\nfrom app.other import *", "1"),
        ("url = 1\nfrom app.some import *", "1"),
        ("url = 1\nfrom outside import *", "?"),
        ("try:\n    from outside import *\nexcept ImportError:\n    url = 1", "?"),
        ("if 1:\n    from app.other import *\nelse:\n    url = 1", "1"),
    ],
)
def test_a_star_import_may_bind_it(tmp_path: Path, text: str, value: str) -> None:
    more = {"local": "url = 2", "other": "port = 2", "some": "__all__ = ['port']\nurl = 2\nport = 3"}
    assert told(tmp_path, f"{text}\nuse(url)\n", **more) == [value]


@pytest.mark.parametrize("name", ["boot", "load-data"])
def test_a_file_that_was_not_read_yet_replaces_it(tmp_path: Path, name: str) -> None:
    text = "from app.config import url\nuse(url)\n"
    assert told(tmp_path, text, config="url = 1") == ["1"]
    assert told(tmp_path, text, config="url = 1", **{name: "from app import config\nconfig.url = 2"}) == ["?"]
