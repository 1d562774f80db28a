"""What the loader options of one statement load, and which relationships they leave unloaded. Pure; `ast` + Project.

Measured with SQLAlchemy 1.4.54, 2.0.58 and 2.1.9, which agree:

- Two options for one path must be the same strategy with the same arguments, or the statement raises. `defaultload`
  goes with every other one, and keeps what that says: arguments (`innerjoin=True`), criteria (`.and_()`), an alias of
  `contains_eager`. Repeating `selectinload(A.b)` beside `selectinload(A.b.and_(...))` loses the criteria in silence.
- A relationship that the mapping (or `selectinload("*")`) loads by itself is not loaded where its target, or a class
  below the target, stands on the path already: not even `Node.children` with `lazy="selectin"`. An option always loads.
- `raiseload("*")` and its like hold for every entity, `Load(A).raiseload("*")` and `selectinload(A.b).raiseload("*")`
  for one; they take the place of what the mapping says, and an option for the path takes theirs.
- `selectinload(A.b, B.c)` is `defaultload(A.b).selectinload(B.c)`. `recursion_depth=1` loads two levels.
- A `backref` makes no attribute of its class before the mappers are configured: the first query that is run, the first
  object that is made, an option for another relationship (2.x only); `select(A)` alone does not do it.
- Below `A.b.of_type(...)` of several classes nothing that is written for `A.b` has any effect.
"""

from __future__ import annotations

from codemods.flow.loader_missing import Missing, missing
from codemods.flow.loader_reading import Loaded, entity_class, loaded_by

__all__ = ["Loaded", "Missing", "entity_class", "loaded_by", "missing"]
