"""Shortages of descriptors, memory, threads or processes, which a service survives."""

import errno

_ERRNOS = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN])
_MAX_CAUSES = 10


def describe_shortage(error: BaseException) -> str | None:
    """Return what the system lacks if that is why an error was raised, directly or as its cause, else None."""
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if cause is None:
            break
        if shortage := _describe(cause):
            return shortage
        cause = cause.__cause__ or cause.__context__
    return None


def _describe(error: BaseException) -> str | None:
    # Extension modules that lose a MemoryError cause a SystemError: "returned NULL without setting an exception"
    if isinstance(error, MemoryError) or (isinstance(error, SystemError) and "exception" in str(error)):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return error.strerror or str(error)
    if isinstance(error, RuntimeError) and ("start new thread" in str(error) or "allocate lock" in str(error)):
        return "no more threads"
    return None
