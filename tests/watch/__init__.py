"""Programs that leak sessions, and such that do not, for the tests of `codemods.watch` to run."""
