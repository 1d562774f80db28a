"""Which relationships a statement leaves unloaded, and what would have to be written for them. Asks `Project`; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codemods.flow.loader_reading import ANY, LOADING, Loaded
from codemods.project.link import Project
from codemods.project.mapped_classes import is_below, mapped
from codemods.project.mapping import Mapped, Relationship
from codemods.project.sessions import ClassMeaning

_LOADED_BY_MAPPING = {
    "selectin": "selectinload",
    "joined": "joinedload",
    "subquery": "subqueryload",
    "immediate": "immediateload",
}
_NEVER_POPULATED = frozenset({"dynamic", "write_only"})
_WHEN_READ = frozenset({"select", "raise", "raise_on_sql"})


@dataclass(frozen=True, slots=True)
class Missing:
    """A relationship path that has to be loaded: an option for it is to be written, or (`refused`) cannot be.

    `classes` are the classes by which the steps are written (the first is the selected one), `strategies` the
    functions: that of an option which is there for the step already, or of the mapping, else `selectinload`.

    `backrefs` are the indexes of the steps whose attribute a `backref` makes, and no option of the statement names yet:
    where the statement is the first of the process, naming it raises AttributeError (the first step in every version
    of SQLAlchemy, others in 1.4 only).
    """

    path: tuple[str, ...]
    classes: tuple[ClassMeaning, ...]
    strategies: tuple[str, ...]
    refused: str = ""
    backrefs: tuple[int, ...] = ()
    untold: bool = False  # refused because it cannot be told whether it is loaded


def missing(
    wanted: Iterable[tuple[str, ...]], class_: ClassMeaning, loaded: Loaded, project: Project
) -> tuple[Missing, ...]:
    """Which of the wanted relationship paths are not loaded, by options or by the mapping, in declaration order.

    A path is a tuple of names that leads from the class; association proxies and synonyms in it give way to what they
    stand for. Only the longest paths are given; `lazy="noload"` of the mapping reads as empty and is left out. Whether
    the options could be read at all (`loaded.unknown`) is for the caller to look at.
    """
    found: dict[Missing, None] = {}
    for path in wanted:
        one = _Path(class_, loaded, project).missing(path)
        if one is not None:
            found[one] = None
    written = [one for one in found if not one.refused]
    longest = [
        one
        for one in found
        if one.refused or not any(len(other.path) > len(one.path) and _starts(other, one) for other in written)
    ]
    return tuple(sorted(longest, key=lambda one: (_declared_at(one, project), one.path, one.refused)))


def _starts(other: Missing, one: Missing) -> bool:
    return other.path[: len(one.path)] == one.path


def _declared_at(one: Missing, project: Project) -> list[int]:
    """Where each step of the path stands among the relationships of its class."""
    places: list[int] = []
    for name, class_ in zip(one.path, one.classes, strict=False):
        known = mapped(class_, project)
        names = list(known.relationships) if known else []
        places.append(names.index(name) if name in names else len(names))
    return places


class _Path:
    """One path, followed from the selected class."""

    def __init__(self, class_: ClassMeaning, loaded: Loaded, project: Project) -> None:
        self._loaded = loaded
        self._project = project
        self._owner: ClassMeaning | None = class_
        self._names: list[str] = []
        self._classes: list[ClassMeaning] = []
        self._strategies: list[str] = []
        self._backrefs: list[int] = []
        self._needed = 0  # how many steps an option has to name
        self._closed = ""  # why nothing can be written below here
        self._untold = False  # nor whether it is loaded there

    def missing(self, path: tuple[str, ...]) -> Missing | None:
        """What has to be written for this path; None when it is loaded."""
        waiting = list(path)
        followed: set[tuple[ClassMeaning, str]] = set()
        while waiting:
            name = waiting.pop(0)
            owner = self._owner
            known = None if owner is None else mapped(owner, self._project)
            if owner is not None and known is not None and name not in known.relationships:
                meant = self._stands_for(name, known)
                if meant is not None and (owner, name) not in followed:
                    followed.add((owner, name))
                    waiting = [*meant, *waiting]
                    continue
            refused = self._step(name, known)
            if refused == "noload of the mapping":
                break
            if refused:
                whole = (*self._names, name, *waiting)
                return Missing(whole, tuple(self._classes), tuple(self._strategies), refused, untold=self._untold)
        if not self._needed:
            return None
        count = self._needed
        return Missing(
            tuple(self._names[:count]),
            tuple(self._classes[:count]),
            tuple(self._strategies[:count]),
            backrefs=tuple(step for step in self._backrefs if step < count),
        )

    def _stands_for(self, name: str, known: Mapped) -> list[str] | None:
        """The names that an association proxy or a synonym stands for."""
        if known.synonyms.get(name):
            return [known.synonyms[name]]
        proxy = known.proxies.get(name)
        if proxy is None or not proxy.through:
            return None
        through = known.relationships.get(proxy.through)
        target = None if through is None or through.target is None else mapped(through.target, self._project)
        if target is None:
            return None
        leads_on = proxy.attribute in target.relationships or proxy.attribute in target.proxies
        leads_on = leads_on or target.synonyms.get(proxy.attribute, "") in target.relationships
        return [proxy.through, proxy.attribute] if leads_on else [proxy.through]

    def _step(self, name: str, known: Mapped | None) -> str:
        """Follows one relationship; why the path cannot be loaded, or "" when it can."""
        here = (*self._names, name)
        given = self._loaded.paths.get(here, "")
        relationship = known.relationships.get(name) if known else None
        text = f"`{self._owner.qualname}.{name}`" if self._owner else f"`{name}`"
        if relationship is None and given not in LOADING:
            self._untold = True
            return f"{text} is not known to be a relationship"
        if given in ("raiseload", "noload", "lazyload"):
            return f"{given} stands on {text} in the options"
        if given in LOADING:
            particular = self._loaded.particular.get(here, "")
            strategy = "defaultload" if particular or given == "contains_eager" else given
            self._take(name, relationship, strategy)
            if particular in ("of_type", "recursion_depth") and not self._closed:
                self._closed = f"the option for {text} has `{particular}`"
            return ""
        assert relationship is not None
        return self._unwritten(name, relationship, text)

    def _unwritten(self, name: str, relationship: Relationship, text: str) -> str:
        """A step for which no option says a strategy."""
        lazy = relationship.lazy
        if lazy in _NEVER_POPULATED:
            return f'{text} is lazy="{lazy}", and cannot be loaded ahead'
        default = self._loaded.paths.get((*self._names, ANY)) or self._loaded.everywhere
        if default == "noload":
            return f"noload stands on all relationships of {text.partition('.')[0].strip('`')} in the options"
        if default in LOADING or (default in ("", "defaultload") and lazy in _LOADED_BY_MAPPING):
            by_itself = default if default in LOADING else _LOADED_BY_MAPPING[lazy or ""]
            if not self._is_cut(relationship):
                self._take(name, relationship, by_itself)
                return ""
        elif default in ("", "defaultload") and lazy == "noload":
            return "noload of the mapping"
        elif lazy is None or lazy not in _WHEN_READ | _LOADED_BY_MAPPING.keys() | {"noload"}:
            self._untold = True
            return f"how {text} is loaded cannot be told"
        if self._closed:
            self._untold = True
            return self._closed
        if relationship.target is None:
            return f"the class that {text} leads to cannot be told: {relationship.unresolved}"
        self._take(name, relationship, "selectinload")
        self._needed = len(self._names)
        return ""

    def _is_cut(self, relationship: Relationship) -> bool:
        """Whether what loads by itself stops here: the target stands on the path already."""
        target = relationship.target
        if target is None:
            return False
        for class_ in self._classes if self._owner is None else [*self._classes, self._owner]:
            if class_ == target or is_below(class_, target, self._project):
                return True
        return False

    def _take(self, name: str, relationship: Relationship | None, strategy: str) -> None:
        if relationship is not None and relationship.implied and (*self._names, name) not in self._loaded.paths:
            self._backrefs.append(len(self._names))
        self._names.append(name)
        if self._owner is not None:
            self._classes.append(self._owner)
        self._strategies.append(strategy)
        self._owner = None if relationship is None else relationship.target
