"""What one file says, as plain picklable data: no tree node crosses a file border. Touches nothing.

Expressions are kept as small values (`Expression`), as much of them as resolving definitions needs; all else is
`Opaque`. Everything here is frozen, compares by value, and can be printed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from codemods.project.hashing import Hashed, hashed_once


@hashed_once
@dataclass(frozen=True, slots=True)
class Name(Hashed):
    """A plain name, to be looked up in the scope in which it stands."""

    id: str


@hashed_once
@dataclass(frozen=True, slots=True)
class Attribute(Hashed):
    """`value.name`."""

    value: Expression
    name: str


@hashed_once
@dataclass(frozen=True, slots=True)
class Call(Hashed):
    """`function(*arguments, **keywords)`. A keyword named None is a `**` argument; starred arguments are Opaque."""

    function: Expression
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str | None, Expression], ...] = ()

    def keyword(self, name: str) -> Expression | None:
        """The value of one keyword argument; None when it is not given."""
        return next((value for key, value in self.keywords if key == name), None)

    @property
    def has_double_star(self) -> bool:
        return any(key is None for key, _ in self.keywords)


@hashed_once
@dataclass(frozen=True, slots=True)
class Awaited(Hashed):
    """`await value`."""

    value: Expression


@hashed_once
@dataclass(frozen=True, slots=True)
class Item(Hashed):
    """`value[key]`."""

    value: Expression
    key: Expression


@hashed_once
@dataclass(frozen=True, slots=True)
class Either(Hashed):
    """`a or b`, `a if c else b`: one of these."""

    options: tuple[Expression, ...]


@hashed_once
@dataclass(frozen=True, slots=True)
class Entered(Hashed):
    """What `with value as name` binds to the name."""

    value: Expression


@hashed_once
@dataclass(frozen=True, slots=True)
class Iterated(Hashed):
    """What `for name in value` binds to the name."""

    value: Expression


@hashed_once
@dataclass(frozen=True, slots=True)
class Annotated(Hashed):
    """A value of which only the declared type is in view."""

    annotation: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A constant: None, a bool, a number or a string. Unlike in Python, 1 is not True: answers are kept by it."""

    value: object

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Literal):
            return NotImplemented
        return self.value.__class__ is other.value.__class__ and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


@hashed_once
@dataclass(frozen=True, slots=True)
class Lambda(Hashed):
    """`lambda: value`, without parameters."""

    value: Expression


@hashed_once
@dataclass(frozen=True, slots=True)
class Mapping(Hashed):
    """`{"key": value}`, with literal keys."""

    items: tuple[tuple[object, Expression], ...]


@hashed_once
@dataclass(frozen=True, slots=True)
class Series(Hashed):
    """`[a, b]` or `(a, b)` in a class body; the parameters of a declared type."""

    elements: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """An expression that says nothing about sessions."""


Expression = (
    Name
    | Attribute
    | Call
    | Awaited
    | Item
    | Either
    | Entered
    | Iterated
    | Annotated
    | Literal
    | Lambda
    | Mapping
    | Series
    | Opaque
)


@dataclass(frozen=True, slots=True)
class Import:
    """One name bound by an import: the module `module`, or its attribute `attribute`."""

    name: str
    module: str  # absolute dotted name, relative imports resolved
    attribute: str | None
    line: int
    scope: str = ""  # qualified name of the function it stands in; "" at module level
    written_module: str = ""  # the module as written after `from`, dots included; "" for a plain `import`


@dataclass(frozen=True, slots=True)
class Binding:
    """A name and every expression that is bound to it in one scope, in order."""

    name: str
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """A parameter is handed to a call."""

    function: Expression
    position: int | None  # index among the positional arguments; None when given by keyword
    keyword: str | None
    awaited: bool
    line: int
    around: tuple[Expression, ...] = ()  # the functions of the calls around this call: `create_task` of `f(s)` in it
    result_kept: bool = False  # the result outlives the call: stored, or bound to a name that is stored or handed on


@dataclass(frozen=True, slots=True)
class ParameterUse:
    """What a function does with one of its parameters (the function's summary, `design.md` 4.3)."""

    name: str
    kept: int = 0  # line on which it is stored on an object, in a container or a global; 0: nowhere
    kept_by_self: bool = False  # it is kept, and only on attributes of the method's own object
    captured: int = 0  # line of a nested function or lambda that holds it
    returned: int = 0
    yielded: int = 0
    closed: int = 0
    aliased: int = 0
    passed: tuple[Passed, ...] = ()
    methods: tuple[str, ...] = ()  # the methods that are called on it


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    annotation: Expression | None
    default: Expression | None
    kind: str  # "positional", "keyword", "*", "**"


@dataclass(frozen=True, slots=True)
class Enclosing:
    """A context manager that is open while a generator is suspended, or (`is_loop`) the generator that it loops over
    to hand on what that yields. A `begin` of what is yielded and `suppress` are told of in other ways."""

    value: Expression
    line: int
    is_loop: bool = False


@dataclass(frozen=True, slots=True)
class GeneratorScope:
    """What a generator with one `yield` does around it, as far as it is a way to lend out a session.

    `plain` means: it only opens, yields, rolls back, logs nothing, re-raises, and closes (`design.md` 5).
    """

    yields: Expression
    plain: bool
    commits: bool
    closes: bool
    swallows: bool
    line: int = 0  # of the `yield`
    closed: int = 0  # line of a close that always runs when the end is reached in order; 0: there is none
    opens: Expression | None = None  # what is called, without arguments, to make what is yielded; None: cannot be told
    awaited: bool = False  # that call is awaited
    made: int = 0  # line of the one call that makes what is yielded, with or without arguments; 0: cannot be told
    prepares: int = 0  # line of something that is done with the session before it is yielded
    set_up: int = 0  # line of the first thing that is done before the yield beside making the session; 0: none
    after: int = 0  # line of what runs behind the yield when nothing is raised, closes and rollbacks apart; 0: nothing
    after_text: str = ""  # what that is, as it is written
    translates: int = 0  # line on which a handler around the yield raises something else
    translates_text: str = ""  # that, as it is written
    handles: int = 0  # line of something that a handler around the yield does beside rolling back, logging and raising
    logs: int = 0  # line of a message to a logger that is written on some way
    enclosing: tuple[Enclosing, ...] = ()  # the context managers that are open at the yield, the innermost first
    tears_down: int = 0  # line of something else that is done however the yield ends
    odd: int = 0  # line of a condition or loop around the yield, or of a `yield` whose value is used


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a function does, beside giving it back, with a variable of its own that it returns or yields.

    `kept` is the line on which something that is not a call may come to hold it; 0: nowhere.
    """

    name: str
    kept: int = 0
    passed: tuple[Passed, ...] = ()


Told = TypeVar("Told")


class Summary(Generic[Told]):
    """What a function does with its parameters, or with what it gives back; worked out when it is first asked for.

    Only functions that something of interest is handed to are ever asked about: not one in ten (and working it out
    for all of them was a third of the scan). It compares, and is pickled, as what it is when worked out.
    """

    __slots__ = ("_find", "_uses")

    def __init__(self, find: Callable[[], tuple[Told, ...]] | tuple[Told, ...]) -> None:
        """`find` must give the same whenever it is called: it may only read a tree."""
        self._find = None if isinstance(find, tuple) else find
        self._uses: tuple[Told, ...] = find if isinstance(find, tuple) else ()

    @property
    def uses(self) -> tuple[Told, ...]:
        if self._find is not None:
            self._uses = self._find()
            self._find = None
        return self._uses

    def __eq__(self, other: object) -> bool:
        return self.uses == other.uses if isinstance(other, Summary) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.uses)

    def __repr__(self) -> str:
        return f"Summary({self.uses!r})"

    def __reduce__(self) -> tuple[type[Summary[Told]], tuple[tuple[Told, ...]]]:
        return Summary, (self.uses,)


@dataclass(frozen=True, slots=True)
class OwnCall:
    """What a method calls of its object: `self.session.close`, or `super.close` for a method of a base."""

    chain: str  # "self." stands for whatever the method calls its object
    awaited: bool  # False for one that is not certain
    certain: bool  # it is made whenever the method is called


@dataclass(frozen=True, slots=True)
class DependsCall:
    """`Depends(argument)`, wherever it stands: a default, an annotation, a decorator, a list."""

    function: Expression
    argument: Expression
    line: int
    scope: str  # qualified name of the function or class in which it is evaluated; "" at module level
    is_override: bool = False  # `app.dependency_overrides[other] = argument`; then `function` is `app`'s attribute


@dataclass(frozen=True, slots=True)
class RouteCall:
    """`router.add_api_route("/x", endpoint, response_model=...)`."""

    call: Call  # its `response_model` is a declared type
    endpoint: Expression  # Opaque when it is not told
    line: int
    scope: str  # qualified name of the function it stands in; "" at module level and in a class body


@dataclass(frozen=True, slots=True)
class HandedOn:
    """The parameter with a callable, and the call that it goes to together with `*args` and `**kwargs`."""

    parameter: str
    scheduler: Expression
    position: int  # of what runs later, in the call of the scheduler
    called: bool  # it is the coroutine `f(*args)` that goes there, not the function


@dataclass(frozen=True, slots=True)
class PartTaken:
    """Something that a function reaches from a parameter, and stores (`function` is None) or hands to a call."""

    parameter: str
    path: tuple[str, ...]  # names of attributes; "[]" for what is in a container
    line: int
    function: Expression | None = None
    position: int | None = None
    keyword: str | None = None


class HandsBack(enum.Enum):
    """Which functions still give what they gave when a decorator stands above them."""

    NOTHING = "none"
    COROUTINES = "coroutine functions"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    qualname: str
    line: int
    is_async: bool
    is_generator: bool
    in_class: str  # qualified name of the class whose method it is; "" for a plain function
    decorators: tuple[Expression, ...]  # a `response_model` that one is given is a declared type
    parameters: tuple[Parameter, ...]
    returns_annotation: Expression | None
    returns_type: Expression | None  # the same, with what `Optional` or `| None` adds and all members of a union
    bindings: tuple[Binding, ...]
    returns: tuple[Expression, ...]
    yields: tuple[Expression, ...]
    summary: Summary[ParameterUse]
    gives: Summary[GivenBack]
    returned_as_is: bool  # the body makes one value, and returns it without doing anything with it
    lends: GeneratorScope | None
    streams: int = 0  # line of a call that by its name makes a streaming response
    suspected_later: int = 0  # line of a call in it, nested functions included, that by its name may run things later
    calls: frozenset[str] = frozenset()  # last names of everything called in it, nested functions included
    takes: Summary[PartTaken] = field(default_factory=lambda: Summary(()))
    calls_own: Summary[OwnCall] = field(default_factory=lambda: Summary(()))
    hands_back: HandsBack = HandsBack.NOTHING  # as a decorator
    hands_on: HandedOn | None = None  # a callable that it takes, with all its arguments, goes to one call as it came

    @property
    def parts_taken(self) -> tuple[PartTaken, ...]:
        """What the function takes out of its parameters and stores, or hands on."""
        return self.takes.uses

    @property
    def own_calls(self) -> tuple[OwnCall, ...]:
        """What a method calls of its own object; nothing for a plain function."""
        return self.calls_own.uses

    @property
    def given_back(self) -> tuple[GivenBack, ...]:
        """What the function does, beside giving it back, with each variable that it may give back."""
        return self.gives.uses

    @property
    def uses(self) -> tuple[ParameterUse, ...]:
        """What the function does with each of its parameters that it uses."""
        return self.summary.uses

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]

    @property
    def parent(self) -> str:
        """Qualified name of what it is defined in; "" at module level."""
        return self.qualname.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class AttributeSet:
    """`self.name = value` in a method, or `name: annotation` / `name = value` in the class body (`method` is "")."""

    name: str
    value: Expression
    method: str
    line: int = 0  # 0: not told
    annotation: Expression | None = None  # in a class body: the declared type, with what `Optional` or `| None` adds


@dataclass(frozen=True, slots=True)
class ClassFacts:
    qualname: str
    line: int
    bases: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    attributes: tuple[AttributeSet, ...]
    decorators: tuple[Expression, ...] = ()
    type_parameters: tuple[str, ...] = ()  # of `class Page[T]`; `*Ts` and `**P` with their stars


@dataclass(frozen=True, slots=True)
class Table:
    """A dict that a module or an object keeps: `_makers = {}`, filled by `_makers[key] = sessionmaker(engine)`.

    `items` are all values that the file puts into it, each with the qualified name of the function or class in which
    it stands; () where that cannot be told.
    """

    qualname: str  # `_makers`, `Registry._makers`
    items: tuple[tuple[str, Expression], ...]
    annotation: Item | None = None  # its declared type, when that is one of dicts


IN_A_TEST = "a test"


@dataclass(frozen=True, slots=True)
class Replaced:
    """A test or a set-up puts something else in the place of a definition."""

    target: str | Expression  # dotted text given to `patch` (".name" in a module not told), or object and attribute
    how: str  # "patch", "monkeypatch.setattr", "dependency_overrides", "assignment", IN_A_TEST
    line: int
    scope: str = ""  # qualified name of the function it stands in
    value: Expression | None = None  # what a module-level assignment calls: `User.posts = relationship(...)`


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    path: str
    module: str
    is_package: bool
    imports: tuple[Import, ...]
    stars: tuple[str, ...]  # absolute names of the modules that are star-imported
    public: tuple[str, ...] | None  # `__all__`, when it is a literal
    bindings: tuple[Binding, ...]
    functions: tuple[FunctionFacts, ...]
    classes: tuple[ClassFacts, ...]
    replaced: tuple[Replaced, ...]
    calls: frozenset[str]  # last names of everything called
    attributes: frozenset[str]  # dotted chains of all attributes that are read
    depends: tuple[DependsCall, ...]
    object_session_lines: tuple[int, ...]  # where the session of an entity is asked for behind its back (C7 b, c)
    routes: tuple[RouteCall, ...] = ()
    tables: tuple[Table, ...] = ()
    handed_names: Summary[str] = field(default_factory=lambda: Summary(()))  # last names whose value goes somewhere
    fixed: frozenset[str] = frozenset()  # what the module itself defines once and for all: see `fixed_names`
