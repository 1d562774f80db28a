"""Projects and plans for the tests of what is done with a saved plan."""
