"""Syntax that came with newer Pythons, around a leak: it is read and kept whatever Python runs this."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods import syntax
from codemods.formatted_lines import NotTaken, taken_over
from codemods.placing import extents
from codemods.settings import Settings
from hostile.projects import CURED, LEAK, after, failed, lay, run

# by the PEP that brought it; it stands in the function, behind the use of the session
INSIDE = {
    "654 except*": "try:\n        pass\n    except* ValueError:\n        pass",
    "695 generic function": "def first[T](x: list[T]) -> T: return x[0]",
    "695 generic class": "class Box[T, *Ts, **P]: item: T",
    "695 type": "type Pairs[K, V] = dict[K, list[V]]",
    "696 default": "class Box[T = int]: item: T",
    "701 same quotes": "x = f'{query['id']}'",
    "701 nested": "x = f'{f'{f'{1}'}'}'",
    "701 backslash": "x = f'{'\\n'.join(query)}'",
    "701 comment": "x = f'{\n  query  # why }\n}'",
    "750 template": "x = t'{query!r:{1}}'",
    "758 except": "try:\n        pass\n    except ValueError, KeyError:\n        pass",
    "758 except*": "try:\n        pass\n    except* ValueError, KeyError:\n        pass",
    "798 list": "x = [*one for one in query]",
    "798 dict": "x = {**one for one in query}",
}
ABOVE = {
    "810 lazy import": "lazy import json\n",
    "810 lazy from": "lazy from json import loads, dumps\n",
    "695 type": "type Rows = list[int]\n",
    "701 same quotes": "NAME = f'{__name__['0':]}'\n",
}


@pytest.mark.parametrize("pep", INSIDE)
def test_a_function_with_newer_syntax_is_cured_and_keeps_it(tmp_path: Path, pep: str) -> None:
    text, expected = (one.replace("    return 1\n", f"    {INSIDE[pep]}\n    return 1\n") for one in (LEAK, CURED))
    plan = run(lay(tmp_path, {"new.py": text}))
    assert failed(plan) == {}
    assert after(plan)["new.py"].decode() == expected


@pytest.mark.parametrize("pep", ABOVE)
def test_a_file_with_newer_syntax_is_cured_and_keeps_it(tmp_path: Path, pep: str) -> None:
    plan = run(lay(tmp_path, {"new.py": f"{LEAK}\n\n{ABOVE[pep]}"}))
    assert failed(plan) == {}
    assert after(plan)["new.py"].decode() == f"{CURED}\n\n{ABOVE[pep]}"


@pytest.mark.parametrize(
    "use",
    [
        "f'{session}'",
        "f'{session!r:>{1}}'",
        "f'{1:{session}}'",
        "f'{f'{session}'}'",
        "f'{session = }'",
        "t'{session}'",
        "[*one for one in session]",
        "f'{query['a']}' f'{session}'",
    ],
)
def test_a_name_in_newer_syntax_is_a_use_of_it(tmp_path: Path, use: str) -> None:
    """The block reaches as far as the string that uses the session, or the place is left."""
    text = LEAK.replace("    return 1\n", f"    await session.commit()\n    return {use}\n")
    plan = run(lay(tmp_path, {"new.py": text}))
    assert failed(plan) == {}
    changed = after(plan).get("new.py", b"").decode()
    assert not changed or changed.endswith(f"        return {use}\n")


def test_a_module_that_only_a_string_uses_is_still_imported(tmp_path: Path) -> None:
    text = LEAK.replace("from db", "import db\nfrom db").replace("return 1", "return f'{db.engine['x']}'")
    plan = run(lay(tmp_path, {"new.py": text}), Settings(respect_gitignore=False))
    assert failed(plan) == {}
    assert b"import db\n" in after(plan)["new.py"]


BEFORE = "type Row = int\n\n\ndef f(a):\n    x = f'{a['b']}'\n    return x\n"


def test_what_a_formatter_did_to_newer_syntax_is_taken_over() -> None:
    ours = BEFORE.replace("    return x\n", "    return (x,1)\n")
    formatted = ours.replace("(x,1)", "(x, 1)")
    assert taken_over(BEFORE.encode(), ours.encode(), formatted.encode()) == formatted.encode()


@pytest.mark.parametrize("wrong", ["a['b']", "a['c' ]"])
def test_what_a_formatter_broke_in_newer_syntax_is_not_taken_over(wrong: str) -> None:
    ours = BEFORE.replace("    x = f'{a['b']}'\n", "    x = f'{a['c']}'\n    y = 1 # so\n")
    for formatted in (ours.replace("a['c']", "a['d']"), ours.replace(" # so", ""), ours.replace("1 # so", "2 # so")):
        with pytest.raises(NotTaken):
            taken_over(BEFORE.encode(), ours.encode(), formatted.encode())


def test_the_place_of_a_function_is_found_beside_newer_syntax() -> None:
    assert extents(BEFORE.encode(), "f") == [(3, 6)]
    assert extents(f"# coding: latin-1\n# é\n{BEFORE}".encode("latin-1"), "f") == [(5, 8)]


def test_each_of_them_is_newer_than_the_oldest_python_or_read_by_all() -> None:
    for text in (*INSIDE.values(), *ABOVE.values()):
        syntax.parse(f"async def f(query):\n    {text}\n" if text in INSIDE.values() else text)
