"""The environment for a git that is asked about the folder it is run in, and about no other. Touches nothing."""

from __future__ import annotations

import os

# What names another repository, or other parts of one, and how paths are read; hooks set them. What configures git
# (GIT_CONFIG_COUNT and the like) is the user's and stays: it may say who they are, and what folders they trust.
_ELSEWHERE = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "IMPLICIT_WORK_TREE", "INDEX_FILE", "COMMON_DIR", "PREFIX", "INTERNAL_SUPER_PREFIX"),
        *("NAMESPACE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES", "SHALLOW_FILE", "GRAFT_FILE"),
        *("REPLACE_REF_BASE", "NO_REPLACE_OBJECTS", "LITERAL_PATHSPECS", "GLOB_PATHSPECS", "NOGLOB_PATHSPECS"),
        "ICASE_PATHSPECS",
    )
)


def without_git() -> dict[str, str]:
    """The environment of this process, without what makes git look elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
