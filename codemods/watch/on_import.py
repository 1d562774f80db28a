"""Calls something once SQLAlchemy's ORM is loaded, at once where it is already. Touches `sys.meta_path` meanwhile.

So nothing is imported earlier than the program itself imports it, and a program without SQLAlchemy pays nothing. This
file is loaded into every Python process of a watched command: it imports only what is loaded anyway.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ORM = "sqlalchemy.orm"


class AfterImport:
    """A finder that finds nothing itself: it lets the others find the module, and is told when that was executed."""

    def __init__(self, module: str, then: Callable[[], None]) -> None:
        self._module = module
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._module:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                self._follow(spec)
                return spec
        return None

    def _follow(self, spec: ModuleSpec) -> None:
        loader = spec.loader
        execute = getattr(loader, "exec_module", None)
        if loader is None or execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            # the loader stays in the module's spec: it must look as it did
            del loader.exec_module
            execute(module)
            self.stop()
            self._then()

        loader.exec_module = exec_module  # type: ignore[method-assign]

    def stop(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def after_orm(then: Callable[[], None]) -> Callable[[], None]:
    """Call `then` when `sqlalchemy.orm` is loaded. Gives what ends the waiting."""
    if ORM in sys.modules and not getattr(getattr(sys.modules[ORM], "__spec__", None), "_initializing", False):
        then()
        return lambda: None
    finder = AfterImport(ORM, then)
    sys.meta_path.insert(0, finder)
    return finder.stop
