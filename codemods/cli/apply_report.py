"""What `apply` wrote as one JSON object: that of `check`, with what became of it. Touches nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codemods.cli.writing import Written
    from codemods.plan import Plan
    from codemods.review.terminal import Viewpoint


def report(plan: Plan, made: Written, verified: bool | None, stale: Mapping[str, str], seen: Viewpoint) -> str:
    """The object as text. `plan.changes` stand in the files; `verified`: None where nothing was to be."""
    from codemods import __version__
    from codemods.review import json_report
    from codemods.review.visible import encodable

    done = made.done
    content: dict[str, Any] = json.loads(json_report.report(plan, __version__, seen.path, with_changes=True))
    written = {encodable(group.id) for group in done.groups} if done.run else set()
    for group in content["groups"]:
        group["included"] = group["id"] in written
    content |= {
        "run": done.run or None,
        "verified": verified,
        "not_taken_back": encodable(done.stuck) or None,
        "left_out": [{"group": encodable(one.group.id), "why": encodable(one.why)} for one in done.left_out],
        "not_formatted": [
            {"path": encodable(seen.path(path)), "why": encodable(why)}
            for path, why in sorted(made.unformatted.items())
        ],
        "commits": [{"id": one.id, "subject": encodable(one.batch.subject)} for one in made.commits],
        "stale": [{"group": encodable(group), "why": encodable(why)} for group, why in stale.items()],
    }
    return json.dumps(content, indent=2) + "\n"
