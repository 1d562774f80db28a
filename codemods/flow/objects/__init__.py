"""Which objects a function has in its hands at each of its statements, and in what state they are.

`values` says what an expression may give, `world` what names hold and how objects stand, `selects` and `results` what
a SQL statement loads (semantics D), `evaluate` and `interpret` run a function in the head: every branch, loops until
nothing changes any more. `summaries` says what a function of the project gives. Reads trees; never runs the code.
"""
