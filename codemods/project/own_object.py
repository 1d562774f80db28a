"""Whether a method gives back its own object, or another one that holds the same session. Asks the project; pure."""

from __future__ import annotations

from codemods.project.facts import Attribute, Awaited, Call, Either, Expression, FunctionFacts, Name
from codemods.project.link import Place, Project
from codemods.project.sessions import ClassMeaning, FunctionMeaning, SessionMeaning


def gives_own_object(method: FunctionMeaning, project: Project, seen: frozenset[FunctionMeaning] = frozenset()) -> bool:
    """`return self`, `return self.session`, `return Page(self)`, `return Users(self.session)`, as far as it is in view.

    What the method has loaded, or made of that, is not its object. Of the subclasses each may answer in its own way.
    """
    if method in seen:
        return False
    for one in [method, *project.overrides(method)]:
        for definition in project.symbols.functions(one.module, one.qualname):
            if definition.in_class and definition.parameters:
                returned = _Returned(definition, Place(one.module, one.qualname), project, seen | {method})
                if any(returned.is_own(value) for value in definition.returns):
                    return True
    return False


class _Returned:
    """What one method returns."""

    def __init__(
        self, definition: FunctionFacts, place: Place, project: Project, seen: frozenset[FunctionMeaning]
    ) -> None:
        self.definition = definition
        self.receiver = definition.parameters[0].name
        self.place = place
        self.project = project
        self.seen = seen

    def is_own(self, value: Expression, names: frozenset[str] = frozenset()) -> bool:
        """Whether the value is the object, or holds it or its session."""
        match value:
            case Name(id=name) if name == self.receiver:
                return True
            case Name(id=name) if name not in names:
                bound = [one for binding in self.definition.bindings if binding.name == name for one in binding.values]
                return any(self.is_own(one, names | {name}) for one in bound)
            case Either(options=options):
                return any(self.is_own(one, names) for one in options)
            case Awaited(value=inner):
                return self.is_own(inner, names)
            case Attribute(value=Name(id=name)) if name == self.receiver:
                return isinstance(self.project.meaning(value, self.place), SessionMeaning)
            case Call(function=Attribute(value=Name(id=name)) as function) if name == self.receiver:
                called = self.project.meaning(function, self.place)
                return isinstance(called, FunctionMeaning) and gives_own_object(called, self.project, self.seen)
            case Call(function=function, arguments=arguments, keywords=keywords):
                if not isinstance(self.project.meaning(function, self.place), ClassMeaning):
                    return False
                return any(self.is_own(one, names) for one in [*arguments, *(given for _, given in keywords)])
            case _:
                return False
