"""Classes of the project whose objects hold a session: on an attribute, or on that of an object they hold. Pure."""

from __future__ import annotations

from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, InstanceMeaning, SessionMeaning

_DEEP = 3


def holds_session(class_: ClassMeaning, project: Project, depth: int = _DEEP) -> bool:
    """Whether an object of the class keeps a session that it was given, or something that does."""
    for base in project.bases(class_):
        facts = project.class_facts(base) if isinstance(base, ClassMeaning) else None
        if facts is None or not isinstance(base, ClassMeaning):
            continue
        for attribute in facts.attributes:
            means = project.meaning(attribute.value, Place(base.module, attribute.method or base.qualname))
            if isinstance(means, SessionMeaning):
                return True
            if isinstance(means, InstanceMeaning) and isinstance(means.of, ClassMeaning) and depth:
                if means.of != class_ and holds_session(means.of, project, depth - 1):
                    return True
    return False
