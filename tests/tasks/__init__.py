"""Applications that schedule tasks, run through FastAPI on databases before and after the tool has changed them."""
