"""Which methods of an object close the session that it was made with. Asks the project; reads no tree.

What a method calls of its object is a fact (`own_calls`): so it is told alike of a class here and one in another file.
"""

from __future__ import annotations

from collections.abc import Sequence

from codemods.flow.closing import CLOSES
from codemods.project.facts import AttributeSet, Either, FunctionFacts, Literal, Name
from codemods.project.keeping import parameter_name
from codemods.project.link import Project
from codemods.project.sessions import ClassMeaning, External, FunctionMeaning

_LEAVING = ("__aexit__", "__exit__")


def method_closes(
    class_: ClassMeaning, name: str, kept: frozenset[str], project: Project, *, is_async: bool
) -> bool | None:
    """Whether a method of the class closes for certain what it keeps; None: it does not close it at all.

    `kept` are the names of the attributes, as `kept_attributes` gives them; `is_async`: the close has to be awaited.
    """
    return _closes_from(project, project.bases(class_), 0, name, kept, is_async, frozenset())


def _closes_from(
    project: Project,
    classes: Sequence[ClassMeaning | External],
    first: int,
    name: str,
    kept: frozenset[str],
    is_async: bool,
    seen: frozenset[tuple[int, str]],
) -> bool | None:
    """The same for the method that the classes have from the one at index `first` on: `super()` skips some."""
    symbols = project.symbols
    for index, base in enumerate(classes[first:], first):
        if not isinstance(base, ClassMeaning):
            return False if name in CLOSES or name in _LEAVING else None
        for definition in symbols.functions(base.module, f"{base.qualname}.{name}"):
            if (index, name) in seen:
                return None
            after = seen | {(index, name)}
            perhaps = _closes_something(definition)
            for call in definition.own_calls:
                owner, _, method = call.chain.rpartition(".")
                found: bool | None = None
                if _is_close_of(call.chain, kept):
                    found = True
                elif owner in ("self", "super"):
                    start = 0 if owner == "self" else index + 1
                    found = _closes_from(project, classes, start, method, kept, is_async, after)
                if found and call.certain and (call.awaited or not is_async):
                    return True
                perhaps = perhaps or found is not None
            return False if perhaps else None
    return None


def _closes_something(definition: FunctionFacts) -> bool:
    """Whether the method closes something that it does not reach by a chain from its object: perhaps the session."""
    explained = {call.chain.rpartition(".")[2] for call in definition.own_calls}
    return bool(definition.calls & CLOSES - explained)


def _is_close_of(chain: str, kept: frozenset[str]) -> bool:
    parts = chain.split(".")
    return len(parts) == 3 and parts[0] == "self" and parts[1].strip("_") in kept and parts[2] in CLOSES


def kept_attributes(class_: ClassMeaning, place: tuple[int | None, str | None], project: Project) -> frozenset[str]:
    """The names, without underscores around them, of the attributes in which an object keeps the session.

    Where the way from the parameter to an attribute is not seen, those by the usual convention.
    """
    symbols = project.symbols
    classes = [base for base in project.bases(class_) if isinstance(base, ClassMeaning)]
    attributes = [(base, one) for base in classes for one in _attributes(base, project)]
    for base in classes:
        init = FunctionMeaning(base.module, f"{base.qualname}.__init__", bound=True)
        for definition in symbols.functions(init.module, init.qualname):
            name = parameter_name(definition, init, *place)
            kept = {one.name for owner, one in attributes if owner == base and _is_given(one, "__init__", name)}
            if not kept:
                return frozenset({"session", "db_session", (name or "").strip("_")} - {""})
            # one that is set anew elsewhere may be another session by then
            others = {one.name for _, one in attributes if not _is_given(one, "__init__", name) and _holds_more(one)}
            return frozenset(one.strip("_") for one in kept - others)
    if place[1] is not None:
        return frozenset({place[1]})  # a dataclass
    fields = [one.name.strip("_") for _, one in attributes if one.method == "" and one.annotation is not None]
    return frozenset(fields[place[0] : place[0] + 1] if place[0] is not None and len(classes) == 1 else {"session"})


def _attributes(class_: ClassMeaning, project: Project) -> Sequence[AttributeSet]:
    facts = project.class_facts(class_)
    return facts.attributes if facts is not None else ()


def _is_given(one: AttributeSet, method: str, parameter: str | None) -> bool:
    """`self.session = session`, `self.session = session or make()`, of a parameter of that method."""
    options = one.value.options if isinstance(one.value, Either) else (one.value,)
    return one.method.rpartition(".")[2] == method and parameter is not None and Name(parameter) in options


def _holds_more(one: AttributeSet) -> bool:
    """Whether an attribute is set to a value: neither declared alone nor emptied."""
    return one.method != "" and not (isinstance(one.value, Literal) and one.value.value is None)
