"""Shortages of descriptors, memory, threads or processes, which a service survives."""

import errno

_ERRNOS = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN])


def describe_shortage(error: BaseException) -> str | None:
    """Return what the system lacks if that is why an error was raised, else None."""
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return error.strerror or str(error)
    if isinstance(error, RuntimeError) and ("start new thread" in str(error) or "allocate lock" in str(error)):
        return "no more threads"
    return None
