"""Script that replaces itself with a program that ends when the process that started it ends.

On Linux the kernel kills the program. On other systems it ends when it next writes to its standard output, a pipe to
that process. The script runs as a program of its own, because code between fork and exec is not safe in a process with
threads.

Arguments: process ID of the parent, path of the program, arguments of the program.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2): the signal comes at the end of the thread that started this process


def main() -> None:
    """Set the parent-death signal where there is one, and execute the program."""
    parent, program, *arguments = sys.argv[1:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:  # Linux
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(1)  # the parent ended before the call
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the thread that started this process blocks signals
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and the program would inherit that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(program, [program, *arguments])
    except OSError as error:
        sys.exit(f"cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
