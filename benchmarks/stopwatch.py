"""Runs one command and measures it: a small program of its own, started anew for every run.

A process inherits the peak memory of the one that started it, so what starts a command must be small: run with
`python -I -S`, this one has about 8 MiB, and no command is ever seen to take less. Imports only what is built in.

Arguments: the file for what the command prints, then the command. Prints on stdout the exit code, the seconds that
passed, the CPU seconds and the peak memory as the system counts it (of the largest process, children included).
"""

import os
import sys
import time


def main() -> None:
    """Run the command of `sys.argv`; nothing is raised unless it cannot be started."""
    output, *command = sys.argv[1:]
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, file, 1), (os.POSIX_SPAWN_DUP2, file, 2)]
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - started
    cpu = usage.ru_utime + usage.ru_stime
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {wall!r} {cpu!r} {usage.ru_maxrss}\n")


if __name__ == "__main__":
    main()
