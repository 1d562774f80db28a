"""Applications whose entities leave a block, run on databases before and after the tool has changed them."""
