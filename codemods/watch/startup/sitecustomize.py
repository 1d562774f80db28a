"""Python runs this when it starts, in every process of a watched command: the watch waits there for SQLAlchemy.

Changes nothing of a process that never loads SQLAlchemy. Runs the environment's own `sitecustomize`, which it hides.
The Python may be another one than ours, older too, and need not have this package: so it is loaded by its path.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))
_NAME = os.path.basename(_PACKAGE)
_FOLDER = os.environ.get("SESSION_LEAKS_FOLDER", "")


def _not_watched(reason: str) -> None:
    try:
        with open(os.path.join(_FOLDER, f"not-watched-{os.getpid()}.txt"), "w") as file:
            file.write(f"a process of Python {sys.version_info[0]}.{sys.version_info[1]} was not watched: {reason}")
    except OSError:
        pass


def _waiting() -> "Any":
    """The module that waits, under no name: at this time nobody knows what the program will call `codemods`."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("_session_leaks", os.path.join(_PACKAGE, "watch", "on_import.py"))
    if spec is None or spec.loader is None:
        raise ImportError(_PACKAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ours(name: str) -> "Any":
    """A module of this package, beside whatever else the program may have under that name."""
    import importlib.util

    found = importlib.util.find_spec(_NAME)
    initial = os.path.join(_PACKAGE, "__init__.py")
    if found is not None and found.origin is not None and os.path.realpath(found.origin) == os.path.realpath(initial):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(_NAME, initial, submodule_search_locations=[_PACKAGE])
    if spec is None or spec.loader is None:
        raise ImportError(initial)
    before = _taken_out()
    try:
        sys.modules[_NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[_NAME])
        return importlib.import_module(name)
    finally:
        _taken_out()
        sys.modules.update(before)


def _taken_out() -> "dict[str, ModuleType]":
    names = [name for name in sys.modules if name == _NAME or name.startswith(_NAME + ".")]
    return {name: sys.modules.pop(name) for name in names}


def _begin() -> None:
    try:
        _ours(_NAME + ".watch.watched_process").begin()
    except Exception as error:
        _not_watched(f"{type(error).__name__}: {error}")


def _wait_for_sqlalchemy() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # the program's Python, not ours
        _not_watched("it takes 3.11")
        return
    try:
        _waiting().after_orm(_begin)
    except Exception as error:
        _not_watched(f"{type(error).__name__}: {error}")


def _run_the_next() -> None:
    """Run the `sitecustomize` that would have been found without us, and be that from then on."""
    import importlib.util
    from importlib.machinery import PathFinder

    others = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if __name__ == "sitecustomize":
    if _FOLDER:
        _wait_for_sqlalchemy()
    _run_the_next()
