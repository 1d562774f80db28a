"""Programs for the tool to fail on: real files with a few bytes changed, and statements woven around sessions.

Everything comes from a `random.Random`: one seed, one program. Reads the fixtures; writes nothing.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"
HEADER = """from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
new_session = async_sessionmaker(engine, expire_on_commit=False)

"""


@cache
def real_files() -> tuple[bytes, ...]:
    """The files of the fixtures that hold a session."""
    found = [*FIXTURES.glob("*/*/before.py"), *FIXTURES.glob("legacy_app/**/*.py")]
    return tuple(data for path in sorted(found) if b"ession" in (data := path.read_bytes()))


def program(seed: int) -> bytes:
    """The program of a seed: every third is woven, the others are real files with something changed."""
    chance = random.Random(seed)
    if seed % 3 == 0:
        data = woven(chance).encode()
        return mutated(data, chance) if chance.random() < 0.3 else data
    return mutated(chance.choice(real_files()), chance)


# --- bytes that change ----------------------------------------------------------------------------------------------

PIECES = (
    *(b"\0", b"\r", b"\r\n", b"\x0c", b"\t", b"\\\n", b"\xef\xbb\xbf", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b"\x1a"),
    *(
        b"'",
        b'"',
        b'"""',
        b"f'{",
        b"}",
        b"(",
        b")",
        b"[",
        b":",
        b";",
        b",",
        b"#",
        b"@",
        b"*",
        b"**",
        b"->",
        b":=",
        b"\\",
    ),
    *(
        b"async ",
        b"await ",
        b"yield ",
        b"lambda: ",
        b"not ",
        b"del session\n",
        b"global session\n",
        b"return\n",
        b"pass; ",
    ),
    *(b"# coding: latin-1\n", b"# session-codemods: ignore\n", b"# fmt: off\n", b"if 0: ", b"else:\n", b"finally:\n"),
    *(b"session", b"session = None\n", b"new_session()", b"with session:\n", b"match session:\n", b"type X = int\n"),
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes after one to four changes."""
    changes: Sequence[Callable[[bytes, random.Random], bytes]] = (
        *(_byte, _piece, _piece, _line_goes, _line_twice, _lines_swapped, _indented, _newlines, _cut, _other_file),
    )
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        data = chance.choice(changes)(data, chance)
    return data


def _byte(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _piece(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    if chance.random() < 0.5:  # where a statement begins
        at = data.rfind(b"\n", 0, at) + 1
        at += len(data[at:]) - len(data[at:].lstrip(b" "))
    return data[:at] + chance.choice(PIECES) + data[at:]


def _line_goes(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _line_twice(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    lines.insert(chance.randrange(len(lines) + 1) if chance.random() < 0.3 else at, lines[at])
    return b"".join(lines)


def _lines_swapped(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    lines[at - 1], lines[at] = lines[at], lines[at - 1]
    return b"".join(lines)


def _indented(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    for number in range(at, min(len(lines), at + chance.randrange(1, 8))):
        lines[number] = b"    " + lines[number] if chance.random() < 0.7 else lines[number].removeprefix(b"    ")
    return b"".join(lines)


def _newlines(data: bytes, chance: random.Random) -> bytes:
    ways = [
        (b"\n", b"\r\n"),
        (b"\n", b"\r"),
        (b"    ", b"\t"),
        (b"    ", b" "),
        (b" ", b"\xc2\xa0"),
        (b"s", "ſ".encode()),
    ]
    old, new = chance.choice(ways)
    return data.replace(old, new, -1 if chance.random() < 0.7 else chance.randrange(20))


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _other_file(data: bytes, chance: random.Random) -> bytes:
    other = chance.choice(real_files()).splitlines(keepends=True)
    at = chance.randrange(len(other))
    lines = data.splitlines(keepends=True)
    where = chance.randrange(len(lines) + 1)
    return b"".join([*lines[:where], *other[at : at + chance.randrange(1, 12)], *lines[where:]])


# --- statements around sessions ---------------------------------------------------------------------------------------

SIMPLE = (
    *("await {s}.execute(select(1))", "rows = (await {s}.execute(q)).all()", "{s}.add(q)", "await {s}.commit()"),
    *("await {s}.close()", "{s}.close", "return await {s}.scalar(q)", "return {s}", "yield {s}", "{s} = new_session()"),
    *(
        "{s} = None",
        "del {s}",
        "other = {s}",
        "x = lambda: {s}",
        "x = [{s} for {s} in q]",
        "x = ({s} := new_session())",
    ),
    *(
        "global {s}",
        "nonlocal {s}",
        "import {s}",
        "from a import b as {s}",
        "assert {s}, {s}",
        "raise q from {s}",
        "pass",
    ),
    *(
        "x: {s} = q",
        "{s}: object = new_session()",
        "x = f'{{{s}!r:>{{q}}}}'",
        "x = '''\n{s}\n'''",
        "await g({s}, *q, **{s})",
    ),
    *(
        "x = {s} if q else new_session()",
        "x, {s} = q, new_session()",
        "{s}.info['a'] += 1",
        "self.s = {s}",
        "q[{s}] = {s}",
    ),
    *(
        "x = await (await new_session().execute(q)).scalar()",
        "{s} = other = new_session()",
        "print({s}) ; x = 1",
        "...",
    ),
    *(
        "x = q \\\n        + 1",
        "@{s}\ndef d(): pass",
        "# only {s}",
        "x = (  # c\n    {s}  # d\n)  # e",
        "break",
        "continue",
    ),
    *(
        "async def n():\n    await {s}.execute(q)",
        "class C:\n    a = {s}",
        "x = [await {s}.get(q, i) async for i in q]",
    ),
)
COMPOUND = (
    *("if q:", "for x in q:", "async for {s} in q:", "while q:", "with q as {s}:", "async with new_session() as {s}:"),
    *(
        "async with {s}.begin():",
        "async with {s}:",
        "with q, \\\n        q:",
        "match q:\n    case {s}:\n        pass\n    case _:",
    ),
    *(
        "def n({s}={s}):",
        "async def n(a, *, {s}=None):",
        "class C({s}):",
        "with (q as x, q as y,):",
        "if q: pass\nelse:",
    ),
)


def woven(chance: random.Random) -> str:
    """A module of a few functions that make, use, hand on and leave sessions in ways that people may not.

    Nearly always one that can be compiled.
    """
    for _ in range(50):
        text = _woven(chance)
        try:
            compile(text, "woven", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError:
            continue
        break
    return text


def _woven(chance: random.Random) -> str:
    functions = []
    for number in range(chance.randrange(1, 4)):
        kind = chance.choice(["async def", "async def", "async def", "def"])
        body = _block(chance, 1, 5)
        name = chance.choice(["session", "s", "db"])
        made = f"    {name} = new_session()\n" if chance.random() < 0.8 else ""
        functions.append(f"\n{kind} f{number}(q, g=None, self=None):\n{made}{body}".replace("{s}", name))
    text = HEADER + "\n".join(functions)
    return text.rstrip("\n") if chance.random() < 0.1 else text


def _block(chance: random.Random, depth: int, most: int) -> str:
    lines = []
    for _ in range(chance.randrange(1, most + 1)):
        inside = chance.random() if depth < 5 else 1.0
        if inside < 0.25:
            lines += [chance.choice(COMPOUND), *_lines(_block(chance, 1 + depth, 3), depth)]
        elif inside < 0.35:
            lines += ["try:", *_lines(_block(chance, 1 + depth, 3), depth)]
            lines += [chance.choice(["except Exception:", "except* ValueError as {s}:", "finally:"])]
            lines += _lines(_block(chance, 1 + depth, 2), depth)
        else:
            lines.append(chance.choice(SIMPLE[:5] if chance.random() < 0.6 else SIMPLE))
        if chance.random() < 0.1:
            lines.append(chance.choice(["", "# c", "        # far", "\x0c", "# fmt: off", "#"]))
    written = "\n".join(lines).split("\n")
    return "".join(f"{'    ' * depth}{line}\n" if line.strip() else "\n" for line in written)


def _lines(block: str, depth: int) -> list[str]:
    """The lines of an inner block, without the indentation that the outer one adds."""
    return [line.removeprefix("    " * depth) for line in block.rstrip("\n").split("\n")]
