"""The leak proof: the bundled application before and after the tool's own patch, under the same load."""
