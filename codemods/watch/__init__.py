"""Finds out in a running program which line made a session that was never given back.

A pytest plugin (`pytest --session-leaks`), a command that runs any other one (`python -m codemods.watch -- COMMAND`),
an ASGI middleware (`codemods.watch.asgi.SessionLeaks`). Nothing of it is needed by the migration tool, and it needs
nothing of that but the values of `leak_report`. Importing this package imports nothing.
"""
