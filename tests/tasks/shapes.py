"""The table of shapes: how applications hand a session or an entity to what runs later, and what comes of it."""

from __future__ import annotations

from tasks.background import BACKGROUND
from tasks.in_the_loop import IN_THE_LOOP
from tasks.keys import KEYS

SHAPES = (*BACKGROUND, *KEYS, *IN_THE_LOOP)
