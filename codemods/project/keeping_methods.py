"""Names of methods that keep what they are given, or hand it to whoever takes it out again. Pure."""

# methods of containers, context variables and signals that keep what they are given
KEEPING = frozenset(
    {"append", "appendleft", "add", "extend", "extendleft", "insert", "put", "put_nowait", "set", "setdefault"}
    | {"update", "register", "push", "heappush"}
)
# methods that, awaited or not, by their names hand what they are given to whoever takes it out again
TAKING = KEEPING | {"enqueue", "send", "send_nowait", "submit"}
