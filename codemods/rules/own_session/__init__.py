"""What becomes of functions that get a session of their own instead of being handed one. What rules share."""
