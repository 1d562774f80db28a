"""Remembers what a dry run found, so that the next one on the same files answers at once, with the same plan.

Reads the files that a run reads, to tell that they are the same, and keeps what was found in a database in the user's
cache folder; never writes into a project, and is never the reason of an error: what it cannot use it does without.

A plan is known by all that it was made from: the request, the tool itself, what the project was asked while its
settings were read and its files looked for (`asked`), and the content of every file. Content is told by its hash, and
a hash is taken over from before only for a file whose size, times and inode are what they were.
"""
