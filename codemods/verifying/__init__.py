"""Whether what was applied passes a command of the user's; when not, which groups must be left out so that it does."""
