"""Applications that make engines, run on databases and SQLAlchemys before and after the tool has changed them."""
