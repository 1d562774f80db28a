"""What `apply` wrote as one JSON object: that of `check`, with what became of it. Touches nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codemods.plan import Plan
    from codemods.review.terminal import Viewpoint
    from codemods.verifying.applying import Verified


def report(plan: Plan, done: Verified, verified: bool | None, stale: Mapping[str, str], seen: Viewpoint) -> str:
    """The object as text. `plan.changes` stand in the files; `verified`: None where nothing was to be."""
    from codemods import __version__
    from codemods.review import json_report
    from codemods.review.visible import encodable

    content: dict[str, Any] = json.loads(json_report.report(plan, __version__, seen.path, with_changes=True))
    written = {encodable(group.id) for group in done.groups} if done.run else set()
    for group in content["groups"]:
        group["included"] = group["id"] in written
    content |= {
        "run": done.run or None,
        "verified": verified,
        "not_taken_back": encodable(done.stuck) or None,
        "left_out": [{"group": encodable(one.group.id), "why": encodable(one.why)} for one in done.left_out],
        "stale": [{"group": encodable(group), "why": encodable(why)} for group, why in stale.items()],
    }
    return json.dumps(content, indent=2) + "\n"
