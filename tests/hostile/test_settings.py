"""Settings as a stranger may leave them: an error of one line that names the file, never a traceback, never a wait."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from codemods.settings import Settings, SettingsError, load
from hostile.projects import LEAK, after, lay, run

RULES = ("session-scope", "task-arguments")


def loaded(root: Path, text: str | bytes) -> Settings:
    (root / "pyproject.toml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return load(root, rules=RULES)


def message(root: Path, text: str | bytes) -> str:
    with pytest.raises(SettingsError) as raised:
        loaded(root, text)
    assert raised.value.message.startswith(str(root / "pyproject.toml"))
    assert "\n" not in raised.value.message
    return raised.value.message


@pytest.mark.parametrize(
    "text",
    [
        "[tool.session-codemods]\nselect = " + "[" * 100_000,
        "[tool.session-codemods]\nselect = " + "{a=" * 50_000,
        "[tool.session-codemods]\nline-length = " + "9" * 10_000,
        "[tool.session-codemods]\nselect = ['" + "x" * 100_000 + "']",
        "[tool.session-codemods]\n" + "y" * 100_000 + " = 1",
        "[tool.session-codemods]\nselect = ['a\\nb']",
        '[tool.session-codemods]\n"a\\u001b[31m" = 1',
        "[tool.session-codemods]\nselect = 1\nselect = 2",
        b"[tool.session-codemods]\nselect = ['\xff']",
        b"\0\0\0",
        "[tool.session-codemods]\nline-length = inf",
        "[tool.session-codemods]\nline-length = nan",
        "[tool.session-codemods]\ntarget-python = '3." + "9" * 5000 + "'",
        "[tool.session-codemods]\nsqlalchemy = '2." + "9" * 5000 + "'",
        "[tool.session-codemods]\nengine-pool.pool-size = 1" + "0" * 4000,
    ],
    ids=[
        *("deep_list", "deep_table", "huge_number", "huge_rule", "huge_key", "newline", "escape", "twice", "not_utf8"),
        *("nul", "infinite", "not_a_number", "huge_python", "huge_sqlalchemy", "huge_pool"),
    ],
)
def test_what_cannot_be_obeyed_is_one_short_line(tmp_path: Path, text: str | bytes) -> None:
    assert len(message(tmp_path, text)) < 2_000 + len(str(tmp_path))


@pytest.mark.parametrize(
    "glob",
    ["../x", "/../x", "a/../../x", "~/x", "~root/x", "C:\\x", "..", "!../x", "a\nb", "\0", "", "  ", "#x", "a\\..\\b"],
)
@pytest.mark.parametrize("key", ["exclude", "extend-exclude", "per-file-ignores"])
def test_a_glob_that_leaves_the_root_or_is_none_is_refused(tmp_path: Path, key: str, glob: str) -> None:
    quoted = "".join(f"\\u{ord(char):04x}" for char in glob)
    value = f'{{ "{quoted}" = [] }}' if key == "per-file-ignores" else f'["{quoted}"]'
    assert key in message(tmp_path, f"[tool.session-codemods]\n{key} = {value}")


@pytest.mark.parametrize(
    "glob",
    [
        "*" * 60 + "x",
        "a*" * 40 + "b",
        "**/" * 40 + "x",
        "[" + "a-z" * 500 + "]",
        "(a+)+$",
        "?" * 300,
        "[!" * 50,
        "{a,b}" * 50,
    ],
)
def test_no_glob_makes_a_run_wait(tmp_path: Path, glob: str) -> None:
    lay(tmp_path, {"a" * 200 + ".py": LEAK, "a/" * 40 + "b.py": "x = 1\n"})
    try:
        settings = loaded(tmp_path, f"[tool.session-codemods]\nselect = ['session-scope']\nexclude = ['{glob}']\n")
    except SettingsError:
        return
    run(tmp_path, settings)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link_to_nothing", "link_in_a_circle", "device"])
def test_settings_that_are_no_file_are_refused_or_not_there_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "pyproject.toml"
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "link_to_nothing":
            place.symlink_to("nothing")
        case "link_in_a_circle":
            place.symlink_to("pyproject.toml")
        case _:
            place.symlink_to("/dev/zero")
    said = ""
    try:
        settings = load(tmp_path, rules=RULES)
    except SettingsError as error:
        said = error.message
    assert str(place) in said or settings.select is None


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_settings_file_that_was_asked_for_and_never_ends_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "settings.toml"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    with pytest.raises(SettingsError, match="not a file"):
        load(tmp_path, place, rules=RULES)


def test_a_settings_file_larger_than_anyone_writes_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "pyproject.toml").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    with pytest.raises(SettingsError, match="larger than"):
        load(tmp_path, rules=RULES)


@pytest.mark.parametrize(
    "name", ["requirements.txt", "uv.lock", "poetry.lock", "setup.cfg", "ruff.toml", ".env", "setup.py"]
)
@pytest.mark.parametrize("kind", ["pipe", "folder", "noise", "deep"])
def test_what_a_project_declares_by_itself_is_never_an_error(tmp_path: Path, name: str, kind: str) -> None:
    place = tmp_path / name
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "noise":
            place.write_bytes(bytes(range(256)) * 50)
        case _:
            place.write_text("[a]\nx = " + "[" * 50_000)
    lay(tmp_path, {"good.py": LEAK})
    assert "good.py" in after(run(tmp_path, load(tmp_path, rules=RULES)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
    ),
    st.sampled_from(["select", "exclude", "tidy", "line-length", "scope", "sessions", "target-python", "engine-pool"]),
)
@given_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_of_any_key_is_obeyed_or_named(tmp_path: Path, value: object, key: str) -> None:
    text = (
        json.dumps(value)
        .replace("null", "1979-05-27")
        .replace("NaN", "nan")
        .replace("Infinity", "inf")
        .replace("\x7f", "")
    )
    said = "pyproject.toml"
    try:
        loaded(tmp_path, f"[tool.session-codemods]\n{key} = {text}\n")
    except SettingsError as error:
        said = error.message
    assert "pyproject.toml" in said
    assert "\n" not in said
