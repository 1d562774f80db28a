"""Files in syntax that the running Python may not know are read as the newer Python reads them, and edited as exactly.

Where a Python 3.13 is on this machine its own `ast` is the reference, places included.
"""

from __future__ import annotations

import ast
import glob
import io
import json
import re
import shutil
import subprocess
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods.engine import RunRequest, run
from codemods.plan import ChangeDefinition, DropIfUnused, Edit, Level, NeedsImport, OpenBlock, Plan, Request, Source
from codemods.project.link import Place, Project, link
from codemods.project.name_uses import Role, name_uses
from codemods.project.nodes import parents_of
from codemods.project.scan import scan
from codemods.project.sessions import SessionMeaning, UnknownMeaning
from codemods.project.symbols import ModuleName
from codemods.settings import Settings
from codemods.syntax import comment_tokens, compile_error, masked, parse, parse_expression
from codemods.syntax.masking import Mask, Masker
from codemods.syntax.places import Places
from codemods.syntax.restoring import Restoring
from codemods.transformers.compose import ComposeError, compose
from codemods.transformers.verify import verify_bytes

# every form by the Python that brought it
SNIPPETS = {
    "3.12": [
        "def f[T](x: T) -> T: return x\n",
        "async def f[T: (int, str), *Ts, **P](x: T, *y: *Ts) -> T: return x\n",
        "def f[\n    T: 'a.B',  # a comment\n\n    *Ts,\n](\n    x: T,\n): pass\n",
        "def f [ T ] \\\n  (x): pass\n",
        "class A[T]: pass\n",
        "class A[T: list[int]](B, metaclass=C): x: T\n",
        "class A[\n  T,\n]:\n    async def f[S](self, x: S) -> T: return f'{x['ü']}'\n",
        "@d\nasync def f[T](): pass\n",
        "type X = int\n",
        "if a: type X = int\n",
        "type X[T, *Ts, **P] = dict[T, Callable[P, tuple[*Ts]]]; x = 1\n",
        "type X[\n    äö,\n] = list[äö]\ntype type = type\n",
        "type = 1; type.x = 2; type(type)[0]\nx: type = 3\ntype: int = 4\nmatch type:\n    case _: pass\n",
        "x = f'{a['b']}'\n",
        "x = f'{\n  a  # c }\n}'\n",
        "f'{\n}'.join(x)\n".replace("{\n}", "{\na\n}"),
        "x = f'{'\\n'.join(a)}'\n",
        "x = f'{f'{f'{1}'}'}' 'b' f\"{b}\" r'\\c'\n",
        "x = f'{a:{b!r:{c}}} {d:%Y-%m} {e = } {f = !r:>{g}} {{h}} {i!s}{j,k}{*l,}{(yield)}'\n",
        "x = f'''{\na:{\nb}}\n{c}'''\n",
        "x = ('a'  # one\n     f'{b['c']}'\n     'd')  # two\n",
        "x = rf'\\{a['b']}\\d' + f'\\{a}\\}}' + f'\\N{BULLET}{a}' + Rf'\\N{a}'\n",
        "x = u'ü' f'{ü['ß']}' 'ä'; y = z\n",
        "x = f'{a!=b}{a<=b}{(lambda x: {x: 1})}{(a:=1)}{a:=^10}{ {1: 2}[1] }'\n",
        "match f'{a['b']}':\n    case 1: pass\n",
        "print(f'{a['b']}'[0], *f'{a}', **{f'{b}': 1}, k=f'{c}')\nassert f'{d}', f'{e}'\n",
        "f'{a['b']}'\nclass A:\n    f'{a['b']}'\n",
        "x = [f'{a['b']}' for a in b if f'{a}' if not f'{c}']\r\ny = f'{d}'\r\n",
        "x = f'{a['b']}' if f'{c}' else f'{d}'; lambda: f'{e}'; x[f'{g}':f'{h}']\n",
        "x = f'{(await a)['b']}{[c async for c in d]}{e if f else g:{h}}'\n",
        "x = f'{a['b']}' # c\\\nx = 1\n",
        "x = f'{a['#']}'  # no field {\n",
    ],
    "3.13": [
        "class A[T = int, *Ts = *tuple[int, str], **P = [int]]: pass\n",
        "type X[T: int = bool, *Ts = Unpack[tuple[()]]] = T\n",
        "def f[T = list[dict[str, int]]](): pass\n",
    ],
    "3.14": [
        "try: pass\nexcept A, B: pass\n",
        "try: pass\nexcept A, b.C(1, 2), D if 0 else E,: pass\n",
        "try:\n    pass\nexcept* A, B:\n    pass\nexcept*(A), B:\n    pass\n",
        "try: pass\nexcept (0), A: pass\n",
        "x = t'{a}'\n",
        "x = t'{a['b']!r:{c}}' t'{d = }'\n",
        "x = tr'\\d{a}' Rt'{b}'\n",
        "x = f'{t'{a}'}'\n",
    ],
    "3.15": [
        "x = [*a for a in b]\n",
        "x = {**a for a in b if c}\n",
        "x = {*a for a in b}; y = (*a for a in b)\n",
        "f(*a for a in b)\nf(x)(*a.b async for a in b)\n",
        "x = [[*a for a in b], *[c for c in d]]\n",
        "lazy import a, b.c as d\nlazy from .e import (f,\n  g)\nlazy = 1; lazy.x = 2\nlazy(lazy)\n",
    ],
}
EVERY = [
    pytest.param(text, id=f"{version}-{index}") for version in SNIPPETS for index, text in enumerate(SNIPPETS[version])
]


def by_mask(text: str) -> tuple[Mask, ast.Module]:
    """The mask of a text and the tree made with it, even where the running Python reads the text itself."""
    places = Places(text)
    mask = Masker(text, places, 0, len(text)).mask()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(mask.text)
        Restoring(text, places, mask).restore(tree)
    return mask, tree


def lines_of(text: str) -> list[bytes]:
    return [line.encode() for line in re.split(r"\r\n|\r|\n", text)]


def check_places(text: str, tree: ast.AST) -> None:
    """Every name, argument and attribute of the tree stands in the text where the tree says."""
    lines = lines_of(text)
    for node in ast.walk(tree):
        written = getattr(node, "id", None) if isinstance(node, ast.Name) else None
        written = node.arg if isinstance(node, ast.arg) else written
        if written is not None:
            assert isinstance(node, ast.Name | ast.arg)
            assert lines[node.lineno - 1][node.col_offset :].startswith(written.encode()), ast.dump(node)
        if isinstance(node, ast.Name):
            assert node.end_lineno == node.lineno
            assert node.end_col_offset == node.col_offset + len(node.id.encode())


def described(node: object) -> str:
    """A tree as text, the same in every Python: fields that are empty or None are left out, places are not."""
    if isinstance(node, ast.AST):
        fields = {name: getattr(node, name, None) for name in sorted(node._fields)}
        told = ",".join(f"{name}={described(value)}" for name, value in fields.items() if value not in (None, []))
        place = (
            [getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")]
            if ("lineno" in node._attributes)
            else ""
        )
        return f"{type(node).__name__}{place}({told})"
    if isinstance(node, list):
        return f"[{','.join(described(one) for one in node)}]"
    return repr(node)


def is_older(text: str) -> bool:
    """Whether the running Python reads the text by itself."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


# --- the mask -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EVERY)
def test_newer_syntax_is_read_and_every_name_is_where_the_tree_says(text: str) -> None:
    mask, tree = by_mask(text)
    assert [len(line) for line in lines_of(mask.text)] == [len(line) for line in lines_of(text)]
    check_places(text, tree)
    if not is_older(text):  # whose own places inside of strings are wrong before Python 3.12
        assert described(parse(text)) == described(tree)


@pytest.mark.parametrize("text", EVERY)
def test_newer_syntax_compiles_by_its_mask(text: str) -> None:
    inside = "async def _():\n" + "".join(f"  {line}" for line in text.splitlines(keepends=True))
    if not re.search(r"\n\]|\n\}|\n[a-z]\n|'''|yield|lazy|\*tuple", text):
        assert compile_error(inside) is None
    assert compile_error(f"return\n{text}") is not None


@pytest.mark.parametrize("text", EVERY)
def test_libcst_reads_what_is_read_here(text: str) -> None:
    if not re.search(r"(?i)tr?'.*' r?t'", text):  # which libcst does not know
        assert cst.parse_module(text).code == text


@pytest.mark.parametrize(
    "text",
    [
        'print f"{x}"\n',
        'x = y f"{x}"\n',
        'x = 1 f"{x}"\n',
        'x = None f"{x}"\n',
        'x = a() f"{x}"\n',
        "f'{}'\n",
        "f'{ }'\n",
        "f'{a b}'\n",
        "f'}'\n",
        "f'{a'\n",
        "f'{a!x}'\n",
        "f'{a['b'}'\n",
        "f'{a for a in b['c']}'\n",
        "f'{*a}' + f'{b['c']}'\n",
        "f'{lambda x: 1}'\n",
        "f'a\nb'\n",
        "f'{a['b']}' = 1\n",
        "f'{a['b']}' b'c'\n",
        "t'{a}' 'b'\n",
        "t'{a}' f'{b}'\n",
        "match x:\n    case f'{a['b']}': pass\n",
        "match x:\n    case {f'{a['b']}': 1}: pass\n",
        "try: pass\nexcept A, B as e: pass\n",
        "try: pass\nexcept , : pass\n",
        "try: pass\nexcept A, *B: pass\n",
        "def f[](): pass\n",
        "def f[T]: pass\n",
        "def f[T:](): pass\n",
        "def f[T = ](): pass\n",
        "def f[*Ts: int](): pass\n",
        "def f[T U](): pass\n",
        "def f[if](): pass\n",
        "class A[1]: pass\n",
        "type X\n",
        "type X[T]\n",
        "type if = 1\n",
        "type X[T] += 1\n",
        "lazy import\n",
        "lazy from __future__ import annotations\n",
        "[**a for a in b]\n",
        "f(**a for a in b)\n",
        "f(x, *a for a in b)\n",
        "[x, *a for a in b]\n",
        "x = $\n",
        "x = (1]\n",
        "x = '\n",
        "def f[T](): pass\nx = = 1\n",
    ],
)
def test_what_no_python_reads_is_an_error_with_its_line(text: str) -> None:
    with pytest.raises(SyntaxError) as raised:
        by_mask(text)
    assert 1 <= (raised.value.lineno or 0) <= text.count("\n") + 1
    with pytest.raises(SyntaxError):
        parse(text)


def test_error_behind_newer_syntax_is_told_with_its_own_line() -> None:
    with pytest.raises(SyntaxError) as raised:
        parse("def f[T](): pass\n\nx = f'{a['b']}'\ny = = 1\n")
    assert raised.value.lineno == 4


def test_exceptions_without_parentheses_are_a_tuple() -> None:
    plain = ast.dump(ast.parse("try: pass\nexcept (A, B): pass\n"))
    assert ast.dump(parse("try: pass\nexcept A, B: pass\n")) == plain


def test_unpacking_in_comprehensions_is_told() -> None:
    listed, table = (parse_expression(text) for text in ("[*a for a in b]", "{**a for a in b}"))
    assert isinstance(listed, ast.ListComp)
    assert isinstance(listed.elt, ast.Starred)
    assert (listed.elt.col_offset, listed.elt.end_col_offset) == (1, 3)
    assert isinstance(table, ast.DictComp)
    assert isinstance(table.key, ast.Name)
    assert getattr(table, "value", ...) is None


def test_lazy_import_is_an_import_that_begins_at_its_first_word() -> None:
    statement = parse("lazy from a import b\n").body[0]
    assert isinstance(statement, ast.ImportFrom)
    assert (statement.col_offset, statement.end_col_offset) == (0, 20)
    assert statement.is_lazy == 1  # type: ignore[attr-defined]


def test_template_holds_its_values_with_their_texts() -> None:
    template = parse_expression("t'a{ b['c'] !r:>{d}}'")
    constant, value = template.values  # type: ignore[attr-defined]
    assert type(template).__name__ == "TemplateStr"
    assert constant.value == "a"
    assert (type(value).__name__, value.str, value.conversion) == ("Interpolation", "b['c']", ord("r"))
    assert {node.id for node in ast.walk(template) if isinstance(node, ast.Name)} == {"b", "d"}


# --- comments -------------------------------------------------------------------------------------------------------


def by_tokenize(text: str) -> Iterator[tuple[str, int, int]]:
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if token.type == tokenize.COMMENT:
            yield token.string.rstrip("\r"), *token.start


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[1] / "codemods").rglob("*.py")), ids=lambda path: path.name
)
def test_comments_are_those_that_tokenize_finds(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [(one.text, one.line, one.column) for one in comment_tokens(text)] == list(by_tokenize(text))
    assert masked(text) == text


def test_comments_inside_of_strings_are_comments() -> None:
    text = "x = f'{a['#']}' # one\ny = f'''#{\n  b # two\n:#{\n  # three\nc}}'''\ndef f[\n  T, # four\n](): pass\n"
    found = [(one.text, one.line, one.alone) for one in comment_tokens(text)]
    assert found == [("# one", 1, False), ("# two", 3, False), ("# three", 5, True), ("# four", 8, False)]


# --- the reference --------------------------------------------------------------------------------------------------

SERVER = """
import ast, json, sys, warnings
warnings.simplefilter("ignore")
sys.setrecursionlimit(10000)
def described(node):
    if isinstance(node, ast.AST):
        fields = {name: getattr(node, name, None) for name in sorted(node._fields)}
        told = ",".join(f"{name}={described(value)}" for name, value in fields.items() if value not in (None, []))
        places = ("lineno", "col_offset", "end_lineno", "end_col_offset")
        place = [getattr(node, name) for name in places] if "lineno" in node._attributes else ""
        return f"{type(node).__name__}{place}({told})"
    if isinstance(node, list):
        return f"[{','.join(described(one) for one in node)}]"
    return repr(node)
for line in sys.stdin:
    try:
        told = described(ast.parse(json.loads(line)))
    except (SyntaxError, ValueError):
        told = None
    print(json.dumps(told), flush=True)
"""


class Reference:
    """A Python 3.13 that is asked for its trees."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tree(self, text: str) -> str | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(text), file=self._process.stdin, flush=True)
        told: str | None = json.loads(self._process.stdout.readline())
        return told


def _pythons() -> Iterator[str]:
    yield from (found for found in [shutil.which("python3.13")] if found)
    yield from glob.glob(str(Path.home() / ".pyenv/versions/3.13.*/bin/python"))


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    for python in _pythons():
        asked = subprocess.run(
            [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.stdout.strip() == "(3, 13)":
            break
    else:
        pytest.skip("there is no Python 3.13 to compare with")
    process = subprocess.Popen([python, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield Reference(process)


@pytest.fixture(scope="module")
def library(reference: Reference) -> Path:
    for python in _pythons():
        code = "import sys, os; print(sys.version_info[:2], os.path.dirname(os.__file__), sep=';')"
        version, _, folder = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.partition(";")
        if version == "(3, 13)":
            return Path(folder.strip())
    raise AssertionError("the reference is gone")


@pytest.mark.parametrize("text", [text for version in ("3.12", "3.13") for text in SNIPPETS[version]])
def test_tree_is_that_of_the_newer_python(text: str, reference: Reference) -> None:
    expected = reference.tree(text)
    assert expected is not None
    assert described(by_mask(text)[1]) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("test/test_fstring.py", "test/test_type_params.py", "test/test_type_aliases.py", "test/test_grammar.py"),
        *("test/test_patma.py", "test/test_except_star.py", "test/test_unpack_ex.py", "test/test_string_literals.py"),
        *("typing.py", "dataclasses.py", "traceback.py", "ast.py", "asyncio/taskgroups.py", "turtle.py"),
    ],
)
def test_tree_of_a_library_file_is_that_of_the_newer_python(name: str, reference: Reference, library: Path) -> None:
    if not (library / name).is_file():
        pytest.skip(f"this Python comes without {name}")
    text = (library / name).read_text("utf-8")
    expected = reference.tree(text)
    assert expected is not None
    assert described(by_mask(text)[1]) == expected


# --- properties -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "session", "ü", "名前", "type", "lazy", "match", "f", "t", "_"])
TEXTS = st.sampled_from(["", " ", "x", "ä", "{{", "}}", "#", "\\n", "名", "a b", "\\\\", "="])


def _quoted(inner: st.SearchStrategy[str], prefixes: list[str]) -> st.SearchStrategy[str]:
    """Strings with replacement fields, all in the same quotes."""
    conversions = st.sampled_from(["", "!r", " = ", " = !s", ":>10", ":{a}", "!a:{名前!r}"])
    blanks = st.sampled_from(["", " ", "\n", "\n\n  ", " # ü }\n"])
    field = st.builds(
        lambda before, one, how, after: f"{{{before}({one}){how}{'' if how else after}}}",
        blanks,
        inner,
        conversions,
        blanks,
    )
    parts = st.lists(st.one_of(TEXTS, field), max_size=4).map("".join)
    one = st.builds(
        lambda prefix, quote, part: f"{prefix}{quote}{part}{quote}",
        st.sampled_from(prefixes),
        st.sampled_from(["'", '"', "'''"]),
        parts,
    )
    return (
        st.lists(st.one_of(one, st.sampled_from(["'plain'", 'r"\\d"'])), min_size=1, max_size=3)
        .map(" ".join)
        .map(lambda text: f"({text})")
    )


def expressions(*, newer: bool) -> st.SearchStrategy[str]:
    def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        forms = [
            st.builds("{}({}, k={})".format, NAMES, inner, inner),
            st.builds("({} + {})".format, inner, inner),
            st.builds("[{} for {} in {}]".format, inner, NAMES, inner),
            st.builds("{}[{}]".format, NAMES, inner),
            st.builds("(lambda {}: {})".format, NAMES, inner),
            st.builds("{{{}: '{{}}'}}".format, inner),
        ]
        if newer:
            forms.append(_quoted(inner, ["f", "F", "rf"]))
        return st.one_of(forms)

    return st.recursive(NAMES, wider, max_leaves=6)


def modules(*, newer: bool) -> st.SearchStrategy[str]:
    value = expressions(newer=newer)
    forms = [
        st.builds("{} = {}  # ü\n".format, NAMES, value),
        st.builds("def {}(x: {} = 1):\n    return {}\n".format, NAMES, value, value),
        st.builds("if {}: {} = 1; {}\n".format, value, NAMES, value),
        st.builds("try:\n    pass\nexcept ({}, {}):\n    {}\n".format, value, value, value),
        st.builds(
            "@{}\nasync def {}():\n\n    '''ü'''\n    async with {} as {}: pass\n".format, value, NAMES, value, NAMES
        ),
    ]
    if newer:
        bound = st.sampled_from(
            ["T", "T: int", "T: (ü, 'a')", "*Ts", "**P", "T = list[ü]", "T,\n", "ü: f'{a['b']}', 名前"]
        )
        forms += [
            st.builds("def {}[{}](x: {}) -> {}:\n    return {}\n".format, NAMES, bound, value, value, value),
            st.builds("class {}[{}]:\n    x: {} = {}\n".format, NAMES, bound, value, value),
            st.builds("class {}[{}]({}, k={}): pass\n".format, NAMES, bound, value, value),
            st.builds("type {} = {}\n".format, NAMES, value),
            st.builds("if {}: type {}[{}] = {}; {}\n".format, value, NAMES, bound, value, value),
        ]
    return st.lists(st.one_of(forms), min_size=1, max_size=4).map("".join)


def in_newest(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    forms = [
        st.builds("try:\n    pass\nexcept {}, {}:\n    {}\n".format, value, value, value),
        st.builds("x = [*{} for {} in {}]\n".format, value, NAMES, value),
        st.builds("x = f({{**{} for {} in {}}}, (*{} for a in b))\n".format, value, NAMES, value, value),
        st.builds("lazy import ü\nx = t'{{({}) !r:{{a}}}}ü'; y = {}\n".format, value, value),
    ]
    return st.lists(st.one_of(forms), min_size=1, max_size=4).map("".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=modules(newer=False))
def test_mask_of_older_syntax_is_the_text_itself(text: str) -> None:
    ast.parse(text)
    assert by_mask(text)[0].text == text
    assert masked(text) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(text=modules(newer=True))
def test_newer_syntax_however_nested_is_read_as_the_newer_python_does(text: str, reference: Reference) -> None:
    expected = reference.tree(text)
    assert expected is not None
    mask, tree = by_mask(text)
    assert [len(line) for line in lines_of(mask.text)] == [len(line) for line in lines_of(text)]
    assert described(tree) == expected
    check_places(text, tree)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=in_newest(expressions(newer=True)))
def test_every_name_of_the_newest_syntax_is_where_the_tree_says(text: str) -> None:
    mask, tree = by_mask(text)
    assert [len(line) for line in lines_of(mask.text)] == [len(line) for line in lines_of(text)]
    check_places(text, tree)


# --- edits ----------------------------------------------------------------------------------------------------------


def source(text: str) -> Source:
    return Source("app/a.py", "app.a", False, text.encode(), text, "utf-8", b"", "\n", "    ")


def edited(text: str, *changes: Edit | Request) -> str:
    requests = [one for one in changes if isinstance(one, NeedsImport | DropIfUnused)]
    edits = [one for one in changes if not isinstance(one, NeedsImport | DropIfUnused)]
    return compose(source(text), edits, requests).decode()


def opened(first: int, last: int) -> OpenBlock:
    return OpenBlock("app/a.py", first, first + 1, last, True, "s")


def test_generic_function_becomes_async_and_keeps_its_type_parameters() -> None:
    text = "def f[T: (int, str), *Ts](x: T) -> T:\n    return x\n"
    made = edited(text, ChangeDefinition("app/a.py", 1, True, "list[T]"))
    assert made == "async def f[T: (int, str), *Ts](x: T) -> list[T]:\n    return x\n"


def test_block_around_strings_in_their_own_quotes_keeps_every_byte_of_them() -> None:
    text = "async def f():\n    s = S()\n    x = f'''{\n  a  # ü\n  }\n  {b['c'] = }'''\n    return x\n"
    made = edited(text, opened(2, 3))
    assert "\n  {b['c'] = }'''" in made
    assert "# ü" in made
    assert made.startswith("async def f():\n    async with S() as s:\n        x = f'''{\n")


def test_string_whose_layout_is_its_text_is_never_laid_out_anew() -> None:
    text = "async def f():\n    s = S()\n    x = f'{\n      a\n        = }'\n    return x\n"
    with pytest.raises(ComposeError, match="does not hold the statements"):
        edited(text, opened(2, 3))


def test_import_joins_and_leaves_a_lazy_one() -> None:
    text = "lazy from a import b, c\n\n\nprint(b)\n"
    needed = NeedsImport("app/a.py", 1, "a", "d")
    assert edited(text, needed) == "lazy from a import b, c, d\n\n\nprint(b)\n"
    assert edited(text, DropIfUnused("app/a.py", 1, "c")) == "lazy from a import b\n\n\nprint(b)\n"
    beside = NeedsImport("app/a.py", 1, "e", "f")
    assert edited(text, beside) == "lazy from a import b, c\nfrom e import f\n\n\nprint(b)\n"


def test_name_that_only_a_string_uses_is_used() -> None:
    text = "from a import b, c\n\nx = f'{b['d']}'\n"
    drops = [DropIfUnused("app/a.py", 1, name) for name in ("b", "c")]
    assert edited(text, *drops) == "from a import b\n\nx = f'{b['d']}'\n"


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("def f[T](x):\n    return f'{\n x['b'] \n}'\n", "lacks a comment"),
        ("def f[T](x):\n    return f'{\n x['c'] # one\n}'\n", "lacks a string constant"),
        ("def f[T](x):\n    return f'{\n x['b'] # one\n}'\nreturn\n", "does not compile"),
        ("def f[T](x):\n    return f'{\n x['b' # one\n}'\n", "cannot be parsed"),
        ("def f[T](x, x):\n    return f'{\n x['b'] # one\n}'\n", "does not compile"),
    ],
)
def test_damage_to_a_file_in_newer_syntax_is_seen(after: str, reason: str) -> None:
    before = "def f[T](x):\n    return f'{\n x['b'] # one\n}'\n"
    verify_bytes(source(before), before.encode())
    with pytest.raises(ComposeError, match=reason):
        verify_bytes(source(before), after.encode())


def test_string_that_libcst_does_not_read_does_not_stop_an_edit_elsewhere() -> None:
    text = 'x = t"{a}" t"{b}"\n\n\nasync def f():\n    s = S()\n    await s.get()\n'
    assert edited(text, opened(5, 6)).endswith("    async with S() as s:\n        await s.get()\n")
    with pytest.raises(ComposeError):
        verify_bytes(source(text), (text + "x = = 1\n").encode())


# --- names ----------------------------------------------------------------------------------------------------------

DATABASE = """\
from typing import Annotated
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

Session = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))

async def get_session():
    async with Session() as session:
        yield session

type Dependency = Annotated[AsyncSession, Depends(get_session)]
type Perhaps[AsyncSession] = AsyncSession | None
"""


def project(text: str) -> Project:
    module = Source("app/a.py", "app.a", False, text.encode(), text, "utf-8", b"", "\n", "    ")
    return link([scan(module)], {"app/a.py": ModuleName("app.a", False)})


def parameter(text: str, function: str) -> object:
    return project(DATABASE + text).name("s", Place("app/a.py", function))


def test_type_statement_is_followed() -> None:
    found = parameter("async def f(s: Dependency): pass\n", "f")
    assert isinstance(found, SessionMeaning)
    assert found.is_async


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("async def f[AsyncSession](s: AsyncSession): pass\n", "f"),
        ("class A[AsyncSession]:\n    def f(self, s: AsyncSession): pass\n", "A.f"),
        ("def f[AsyncSession]():\n    def g(s: AsyncSession): pass\n", "f.g"),
        ("async def f[Session]():\n    s = Session()\n", "f"),
        ("async def f(s: Perhaps[str]): pass\n", "f"),
    ],
)
def test_type_parameter_hides_what_has_its_name_outside(text: str, function: str) -> None:
    assert isinstance(parameter(text, function), UnknownMeaning)


def test_type_parameter_hides_nothing_beside_its_function() -> None:
    assert isinstance(
        parameter("def g[AsyncSession](): pass\nasync def f(s: AsyncSession): pass\n", "f"), SessionMeaning
    )


def uses(text: str) -> list[tuple[Role, int]]:
    tree = parse(text)
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return [(use.role, use.line) for use in name_uses(function, "s", parents_of(tree))]


def test_uses_inside_of_strings_are_uses() -> None:
    assert uses("def f(s):\n    x = f'{s['a']}{\n  g(s)}{1:{s.b}}'\n    return t'{s}'\n") == [
        (Role.OTHER, 2),
        (Role.ARGUMENT, 3),
        (Role.ATTRIBUTE, 3),
        (Role.OTHER, 4),
    ]


def test_type_parameter_of_a_nested_function_is_not_the_variable_around_it() -> None:
    assert uses("def f(s):\n    def g[s](x: s): return s\n    return g\n") == []


def test_bound_of_a_type_parameter_is_read_later() -> None:
    assert uses("def f(s):\n    def g[T: s](x): return x\n    return g\n") == [(Role.CAPTURED, 2)]


# --- the whole tool -------------------------------------------------------------------------------------------------


def planned(folder: Path, text: str) -> Plan:
    (folder / "pyproject.toml").write_text("[project]\nname = 'a'\n", "utf-8")
    (folder / "a.py").write_text(text, "utf-8")
    return run(RunRequest(folder, (), Settings(select=("session-scope",)), Level.REVIEW))


def test_error_that_no_python_reads_is_a_failure_with_line_and_advice(tmp_path: Path) -> None:
    plan = planned(tmp_path, DATABASE + "async def f():\n    s = = Session()\n")
    (failure,) = plan.failures
    assert (failure.path, failure.stage, failure.line) == ("a.py", "parse", DATABASE.count("\n") + 2)
    assert re.search(r"not valid Python 3\.\d+ \(.+\); for newer syntax run the tool with the Python", failure.message)


def test_comment_inside_of_a_string_suppresses_nothing_and_one_behind_it_does(tmp_path: Path) -> None:
    mark = "# session-codemods: ignore[session-scope]"
    body = "async def f(r):\n    s = Session()@\n    return f'{r['" + mark + "']}{(await s.get_one(1, 2)).a}'\n"
    without, with_mark = body.replace("@", ""), body.replace("@", f"  {mark}")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert planned(tmp_path / "one", DATABASE + without).groups != ()
    plan = planned(tmp_path / "two", DATABASE + with_mark)
    assert plan.groups == ()
    assert plan.failures == ()
