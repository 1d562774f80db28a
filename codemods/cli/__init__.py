"""The command line: options in, one call, text out, exit code. A command a module, each with `add_to`.

Exit codes: 0 nothing to do or all done, 1 findings or a diff, 2 a wrong call or nothing could be done (`__main__`),
3 a file could not be handled, 4 the command of `--verify` failed; 3 wins over 1. Writes the streams and the files
that options name; files of the project are written by `apply` alone. What is heavy is imported inside the commands, so
that `--version` and `--help` answer at once.
"""

PROGRAM = "session-codemods"
INTERRUPTED = 130  # the exit code after Ctrl-C
