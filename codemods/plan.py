"""The values everything speaks in: what was read, what was found, what would be edited, and the plan that holds it all.

Imports nothing of ours and touches nothing: no file, no clock, no environment.

Positions. A *line* is 1-based and counts what Python counts as lines (`\\r\\n`, `\\r`, `\\n`). A *column* in a `Span`
is 0-based and counts code points (as libcst does); a `Site`, which people read, has 1-based columns.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from dataclasses import dataclass, field

# The rule of ledger entries for comments that suppress nothing. It is none of the code; reports set it apart.
UNUSED = "unused-suppression"


class Level(enum.IntEnum):
    """How far a change may be trusted (`cli.md`, "Levels of trust"). Ordered: a smaller level is more trusted."""

    SAFE = 0
    REVIEW = 1
    MANUAL = 2

    @property
    def label(self) -> str:
        """The word people read and type: `safe`, `review`, `manual`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file as it stands on disk.

    `text` is `data` decoded, without the byte order mark, newlines untouched, so that
    `bom + text.encode(encoding) == data`. `newline` and `indent` are the file's most common ones.
    """

    path: str  # posix, relative to the project root
    module: str  # dotted import name; "" when the file cannot be imported by one
    is_package: bool  # an `__init__.py`
    data: bytes
    text: str
    encoding: str
    bom: bytes
    newline: str
    indent: str

    @property
    def sha256(self) -> str:
        """Hex digest of `data`; a plan is stale when the file on disk has another one."""
        return hashlib.sha256(self.data).hexdigest()

    def encode(self, text: str) -> bytes:
        """The bytes of a new text of this file. Raises UnicodeEncodeError when its encoding lacks a character."""
        return self.bom + text.encode(self.encoding)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source text: 1-based lines, 0-based columns in code points, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A place in the code that was looked at, as people are told of it (1-based line and column)."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    function: str  # dotted name: module, classes, functions; the module alone at module level

    @property
    def place(self) -> str:
        """`path:line`, the form that editors and terminals make clickable."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """Something seen in the code on which a decision rests."""

    path: str
    line: int
    text: str


# --- edits: a small closed set of plain data, anchored to statements of the ORIGINAL source -------------------------
# A statement is named by the line on which it starts (the `def`/`class` line, not its decorators'). Rules only name
# statements that do not share their line with another one, so the line is enough.


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """Put the sibling statements from line `first` to line `last` into `[async ]with {context} as {name}:`.

    `creation` is the line of the statement `name = ...` that made the session; it is a sibling at or before `first`
    and is taken away; its own comments go to the block's header. `context` is the source text of the context
    expression; None takes the right-hand side of the creation as it is written. `keep_annotation` leaves
    `name: annotation` standing on a line of its own above the block.

    The creation may also be an `if` without `else` that holds nothing but the assignment; then `context` is required,
    and the whole `if` goes.

    With `creation` None nothing is taken away and `context` is required: the session was made inside of an expression
    (see `ReplaceExpression`), is entered late under the name it has, or is a new one. With `name` None there is no
    `as`.

    `prologue` are statements, written without indentation, that the block begins with.
    """

    path: str
    creation: int | None
    first: int
    last: int
    is_async: bool
    name: str | None
    context: str | None = None
    keep_annotation: bool = False
    prologue: str = ""


@dataclass(frozen=True, slots=True)
class WidenBlock:
    """The `with` statement that starts on line `block` takes in the siblings after it, down to line `last`."""

    path: str
    block: int
    last: int


@dataclass(frozen=True, slots=True)
class RemoveStatement:
    """Take away the simple statement on this line. Its comments stay, on lines of their own where it stood."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class DissolveTry:
    """The `try` on this line has a `finally` that a block replaces.

    The statements on the lines `closes` go from its `finally` (statements of that suite, or the whole `if` that guards
    the close); what else the `finally` holds stays, in order. A `finally` left empty goes; a `try` left without
    handlers and `finally` gives way to its body, at its place in the suite around it. Every comment stays.
    """

    path: str
    line: int
    closes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReplaceExpression:
    """Put `text` in the place of the expression that stands at exactly this span."""

    path: str
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class DissolveBlock:
    """The `with` on this line gives way to its body, at its place in the suite around it: a block around it now holds
    what its only item entered. Every comment stays."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class GuardBlock:
    """Put the sibling statements from line `first` to line `last` into the form that the practices give dependencies.

    `try:` around them, `except Exception:` with `[await] {name}.rollback()` and `raise`, `finally:` with
    `[await] {name}.close()`; awaited when `is_async`. The session `name` is made above, and stays where it is made.
    """

    path: str
    first: int
    last: int
    is_async: bool
    name: str


@dataclass(frozen=True, slots=True)
class AddFinally:
    """The `try` on this line, which has no `finally`, gets one that closes the session `name` (awaited when
    `is_async`)."""

    path: str
    line: int
    is_async: bool
    name: str


@dataclass(frozen=True, slots=True)
class LoopToBlock:
    """The loop `[async ]for {name} in ...:` on this line, which has no `else`, becomes `[async ]with {context} as
    {name}:`. Its body stays as it is; `break` and `continue` of this loop are taken away by edits of their own."""

    path: str
    line: int
    context: str


@dataclass(frozen=True, slots=True)
class ReplaceStatement:
    """Put the statements of `code`, written without indentation, in the place of the simple statement on this line.

    The comments of the replaced statement stay: those above it above, the one behind it behind the first line.
    Compound statements in `code` are indented by the file's own step.
    """

    path: str
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class ChangeDefinition:
    """The function whose `def` stands on this line becomes an `async def` when `is_async` (which it may be already),
    and declares `returns` as its result; None leaves the annotation, or its absence, as it is."""

    path: str
    line: int
    is_async: bool
    returns: str | None = None


@dataclass(frozen=True, slots=True)
class InsertBefore:
    """Put the statements of `code`, written without indentation, before the statement on this line.

    They stand above the comments and blank lines that lead the statement; first in a suite, below its header.
    Compound statements in `code` are indented by the file's own step. Nothing but imports, in a function, stands above
    the block that begins there, with a blank line below.
    """

    path: str
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class InsertAfter:
    """Put the statements of `code`, written without indentation, after the statement on this line, in the same suite.

    The statement may be a compound one. A block that is opened or widened down to this line holds what is put there.
    """

    path: str
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class NameReturned:
    """The `return value` on this line becomes `name = value`, the statements of `code`, and `return name`.

    The value stays as it is written, with the comments in it; the comments above the statement stay above the first
    line, the one behind it behind the value. `code` is written without indentation.
    """

    path: str
    line: int
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class AddArgument:
    """The call that stands at exactly this span gets one more argument, the last one.

    Where the arguments stand on lines of their own the new one does, too; a trailing comma stays trailing.

    A line that the edit makes longer than `limit` columns is laid out as a formatter would, where that touches no other
    line; 0: no limit.
    """

    path: str
    span: Span
    text: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class ChainCall:
    """Put `text`, `.options(...)`, directly behind the expression at exactly this span.

    Where the next call of the chain stands on a line of its own, the new one does, too. `limit` is that of
    `AddArgument`.
    """

    path: str
    span: Span
    text: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class ArgumentChange:
    """One argument of a call, by its place among all as they are written, from 0. `text` is the whole new argument, or
    several with commas between, `item_id=item.id` or `item.id`; None takes it away."""

    index: int
    text: str | None


@dataclass(frozen=True, slots=True)
class ChangeArguments:
    """The call that stands at exactly this span gets other arguments. Those that are not named stay, comments too.

    A comment that belongs to an argument that goes stays on a line of its own. `limit` is that of `AddArgument`.
    """

    path: str
    span: Span
    changes: tuple[ArgumentChange, ...]
    limit: int = 0


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """One parameter of a function, by its name. `text` is the whole new one, `item_id: int`, or several with commas
    between; None takes it away."""

    name: str
    text: str | None


@dataclass(frozen=True, slots=True)
class ChangeParameters:
    """The function whose `def` stands on this line gets other parameters. Those that are not named stay, comments too.

    A `*` or `/` that separates nothing any more goes. `limit` is that of `AddArgument`.
    """

    path: str
    line: int
    changes: tuple[ParameterChange, ...]
    limit: int = 0


@dataclass(frozen=True, slots=True)
class AddFunction:
    """Put the function of `code`, written without indentation, behind the function or class on this line.

    It stands in the same suite, as far away as formatters want: two blank lines at module level, one in a class.
    """

    path: str
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class AddItem:
    """The dict display that stands at exactly this span gets one more item, the last one, of `text`: `"key": value`.

    Lines and `limit` are those of `AddArgument`.
    """

    path: str
    span: Span
    text: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class CreateFile:
    """Make a file that is not there yet, of `text` with `\\n` line ends, in UTF-8."""

    path: str
    text: str


Edit = (
    OpenBlock
    | WidenBlock
    | RemoveStatement
    | DissolveTry
    | ReplaceExpression
    | DissolveBlock
    | GuardBlock
    | AddFinally
    | LoopToBlock
    | ReplaceStatement
    | ChangeDefinition
    | InsertBefore
    | InsertAfter
    | NameReturned
    | AddArgument
    | ChainCall
    | ChangeArguments
    | ChangeParameters
    | AddFunction
    | AddItem
    | CreateFile
)


@dataclass(frozen=True, slots=True)
class NeedsImport:
    """The edits use `name`: make it importable beside the import statement that starts on line `beside`.

    When that statement is `from {module} import ...` with the same `module` text (dots of a relative import
    included) the name joins it; else `from {module} import {name}` follows it on a line of its own, or stands above it
    when `above`. `apart` puts a blank line between the two.
    """

    path: str
    beside: int
    module: str
    name: str
    above: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class DropIfUnused:
    """Take `name` out of the import statement on this line if nothing in the changed file uses it any more."""

    path: str
    line: int
    name: str


Request = NeedsImport | DropIfUnused


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where the code breaks a house rule: what was seen, how it would be changed, or why it is left alone."""

    key: str  # unique in a plan: rule, dotted name, hash of the anchor's text, ordinal among equals
    rule: str
    site: Site
    level: Level
    message: str  # what is wrong and what is done about it, one line
    reason: str = ""  # MANUAL: the fact that stopped it. REVIEW: what a person should confirm
    advice: str = ""  # MANUAL: what to do by hand
    facts: tuple[Fact, ...] = ()
    edits: tuple[Edit, ...] = ()  # empty when MANUAL
    requests: tuple[Request, ...] = ()
    requires: tuple[str, ...] = ()  # keys of findings without which this one must not be made
    # (rule, path, line) of places that a finding must change in the same run, or this one must not be made
    requires_at: tuple[tuple[str, str, int], ...] = ()
    unless: str = ""  # why it is not made, when one of those places is left alone; "": told in general words
    indifferent: bool = False  # left alone, but in nobody's way: who has this place in `requires_at` need not wait
    aspect: str = ""  # which part of the rule was looked at, in a word of the rule's own; "": it has but one
    undecided: bool = False  # MANUAL: not even whether the rule is broken here could be told

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that the edits touch, sorted."""
        return tuple(sorted({edit.path for edit in self.edits}))


@dataclass(frozen=True, slots=True)
class Right:
    """A place that was looked at and found right as it is."""

    rule: str
    site: Site
    why: str
    aspect: str = ""  # as for a finding


Examined = Finding | Right


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that are only right together; shown, accepted, applied and undone whole."""

    id: str
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The least trusted level of what the group must contain."""
        return max(finding.level for finding in self.findings)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted({path for finding in self.findings for path in finding.paths}))

    @property
    def edit_count(self) -> int:
        return sum(len(finding.edits) for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Change:
    """The bytes of one file before and after a chosen set of groups."""

    path: str
    before: bytes | None  # None: the file is not there yet
    after: bytes
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """A file that could not be handled. `stage` is one of read, parse, examine, compose, verify."""

    path: str
    stage: str
    message: str
    line: int = 0

    @property
    def is_lasting(self) -> bool:
        """Whether it comes again on the very same file; not so one of time, of memory, of a worker."""
        return self.stage == "read" or (self.stage == "parse" and self.message.startswith("not valid Python"))


class End(enum.StrEnum):
    """Where a site ended in the ledger; every site looked at has exactly one end."""

    CHANGED = "changed"
    RIGHT = "already right"
    REFUSED = "refused"
    HELD_BACK = "held back"
    SUPPRESSED = "suppressed"
    KNOWN = "there before"  # in a baseline, so that it does not count; never as the engine gives it


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    end: End
    rule: str
    site: Site
    text: str  # the message of a change, the reason of a refusal, why it is right, what holds it back
    group: str = ""
    key: str = ""  # of the finding; "" for what is right
    advice: str = ""  # what to do by hand, for a refusal
    aspect: str = ""  # of the finding, or of what is right
    undecided: bool = False  # of a refusal: not even whether the rule is broken could be told


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every site looked at, once. The ends add up to the sites by construction."""

    entries: tuple[Entry, ...] = ()

    def counts(self) -> dict[End, int]:
        """How many sites came to each end, all ends present."""
        seen = Counter(entry.end for entry in self.entries)
        return {end: seen[end] for end in End}

    def of(self, end: End) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.end is end)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run found and would do. Everything that a person sees or applies is made from this value."""

    root: str  # absolute path of the project root
    level: Level  # the highest level included
    groups: tuple[Group, ...]  # that edit something and are wanted, at any level
    ledger: Ledger
    failures: tuple[Failure, ...]
    changes: tuple[Change, ...]  # of the groups at or below `level`
    hashes: dict[str, str] = field(default_factory=dict)  # path -> sha256 of the source that was read
    files_read: int = 0
    lines_read: int = 0
    settings_hash: str = ""
    tool_version: str = ""

    @property
    def included(self) -> tuple[Group, ...]:
        """The groups whose edits are in `changes`."""
        return tuple(group for group in self.groups if group.level <= self.level)

    @property
    def refused(self) -> tuple[Entry, ...]:
        return self.ledger.of(End.REFUSED)
