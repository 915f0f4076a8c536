"""ffmpeg as a child process: finding the program, starting it, and killing all children at the program's end."""

import atexit
import shutil
import subprocess
import threading
import weakref

from genre_edge.errors import AudioError
from genre_edge.system.signals import blocked

_children: "weakref.WeakSet[subprocess.Popen[bytes]]" = weakref.WeakSet()
_children_lock = threading.Lock()  # held while a child is started and registered
_shutting_down = False  # checked under the lock; if True, no child is started


def has_ffmpeg() -> bool:
    """Return True if the ffmpeg program is installed."""
    return shutil.which("ffmpeg") is not None


def ffmpeg_program(name: str) -> str:
    """Return the path of the ffmpeg program.

    Args:
        name: the source that needs ffmpeg; the error names it.

    Raises:
        AudioError: ffmpeg is not installed.
    """
    path = shutil.which("ffmpeg")
    if path is None:
        raise AudioError(f"{name}: needs ffmpeg, which is not installed (apt install ffmpeg)")
    return path


@atexit.register
def kill_child_processes() -> None:
    """Kill all running ffmpeg processes and refuse to start new ones, so that none outlives the program."""
    global _shutting_down
    _shutting_down = True
    acquired = _children_lock.acquire(timeout=1)  # a start in progress may hang, for example on a failed disk
    for child in list(_children):
        child.kill()
    if acquired:
        _children_lock.release()


def start(name: str, arguments: list[str], stderr: int) -> "subprocess.Popen[bytes]":
    """Start and register an ffmpeg process whose standard output is a pipe.

    Args:
        name: the source, for errors.
        arguments: arguments of ffmpeg.
        stderr: file descriptor for its standard error.

    Raises:
        AudioError: ffmpeg is missing or cannot be started, or the program is shutting down.
    """
    command = [ffmpeg_program(name), *arguments]
    try:
        with blocked(), _children_lock:  # no interrupt between start and registration
            if _shutting_down:
                raise AudioError(f"{name}: ffmpeg is not started: the program is shutting down")
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)
            _children.add(child)
            return child
    except OSError as error:
        raise AudioError(f"{name}: ffmpeg cannot be started: {error.strerror}") from None
