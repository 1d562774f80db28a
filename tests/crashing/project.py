"""A project of fourteen files that a run changes, makes and leaves, and how it looks. Writes where it is told to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from codemods.plan import Change

STORE = ".session-codemods"

Picture = dict[str, tuple[int, int, bytes]]

_MODES = (0o644, 0o600, 0o755, 0o664)
_OLD = {
    **{f"app/part{number}.py": f"async def f{number}():\n    pass\n".encode() for number in range(5)},
    "app/crlf.py": b"import os\r\n\r\nx = 1\r\n",
    "app/deep/down/bom.py": b"\xef\xbb\xbfx = 1\n",
    "app/deep/latin.py": b"# -*- coding: latin-1 -*-\nname = '\xe9'\n",
    "app/no_end.py": b"x = 1",
    "app/empty.py": b"",
    "untouched.py": b"# nobody looks at this\n",
}
_NEW_FILES = ("app/router.py", "app/deep/made.py", "made.py")
CHANGES = (
    *(Change(path, data, b"# changed\r\n" + data * 2, ()) for path, data in _OLD.items() if path != "untouched.py"),
    *(Change(path, None, f"made = {path!r}\n".encode() * 40, ()) for path in _NEW_FILES),
)
REPLACED = tuple(change.path for change in CHANGES if change.before is not None)
MADE = _NEW_FILES


def make(root: Path) -> None:
    for number, (path, data) in enumerate(_OLD.items()):
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(_MODES[number % len(_MODES)])
        time = 1_600_000_000_123_456_789 + number * 1_000_000_007
        os.utime(place, ns=(time, time))


def picture(root: Path) -> Picture:
    """Every file but those of the store: mode, time and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] != STORE and not path.is_dir():
            status = path.lstat()
            found[name] = (stat.S_IMODE(status.st_mode), status.st_mtime_ns, path.read_bytes())
    return found


def contents(files: Picture) -> dict[str, bytes]:
    return {name: data for name, (_, _, data) in files.items()}
