"""What the whole code base says: facts per file, linked into one project. Reads trees, never disk; edits nothing."""
