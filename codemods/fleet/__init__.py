"""The dry run over many checkouts: a repository a task, through any `concurrent.futures.Executor`.

Reads the checkouts; writes into the one folder of results, nothing else. `run` is the whole of it; it knows no library
for clusters: what goes to a worker and comes back is plain data, and the function can be pickled by its name.
"""

from codemods.fleet.local import Local
from codemods.fleet.running import run
from codemods.fleet.values import FleetError, Options, Outcome, Result, State, Summary

__all__ = ["FleetError", "Local", "Options", "Outcome", "Result", "State", "Summary", "run"]
