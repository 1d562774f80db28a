"""The rules, in the order in which they look at the code.

The order matters from the second rule on: a rule sees what the ones before it decided for the same function
(`design.md` 4.5). Sessions first get their block; what leaves the block is only looked at then.
"""

from __future__ import annotations

from codemods.rules.base import ModuleView, Rule
from codemods.rules.eager_load import EagerLoad
from codemods.rules.engine_pool import EnginePool
from codemods.rules.expunge_return import ExpungeReturn
from codemods.rules.session_dependency import SessionDependency
from codemods.rules.session_scope import SessionScope
from codemods.rules.shared_session import SharedSession
from codemods.rules.task_arguments import TaskArguments

RULES: tuple[Rule, ...] = (
    SessionScope(),
    SessionDependency(),
    TaskArguments(),
    SharedSession(),
    EnginePool(),
    EagerLoad(),
    ExpungeReturn(),
)

SILENT_WITHOUT_WORDS = frozenset({"session-scope", "session-dependency", "eager-load", "expunge-return"})
"""Those that need not look at a file that holds neither their words nor a name by which a session is had.

The others count what they find right there, too, by names that only the project as a whole tells."""

__all__ = ["RULES", "SILENT_WITHOUT_WORDS", "ModuleView", "Rule"]
