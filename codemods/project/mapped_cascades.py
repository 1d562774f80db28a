"""What is expunged together with an object: the classes that the expunge cascade leads to. Asks the mappings; pure."""

from __future__ import annotations

from codemods.project.link import Project
from codemods.project.mapped_classes import all_mapped, below
from codemods.project.sessions import ClassMeaning


def expunge_reaches(class_: ClassMeaning, project: Project) -> frozenset[ClassMeaning] | None:
    """The mapped classes of which an object may be expunged along with one that is loaded as `class_`.

    `class_` is among them when it is reachable from itself. An object may be of a class below the one that was asked
    for, and is one of each class above its own. None: something on the way is not known.
    """
    known = all_mapped(project)
    if class_ not in known:
        return None
    reached: set[ClassMeaning] = set()
    seen: set[ClassMeaning] = set()
    waiting = [class_]
    while waiting:
        current = waiting.pop()
        for one in [current, *below(current, project)]:
            if one in seen:
                continue
            seen.add(one)
            if known[one].may_relate_more:
                return None
            for relationship in known[one].relationships.values():
                if relationship.expunges is False:
                    continue
                if relationship.expunges is None or relationship.target is None:
                    return None
                target = relationship.target
                for hit in (target, *below(target, project)):
                    reached |= {hit, *known[hit].parents}
                waiting.append(target)
    return frozenset(reached)
