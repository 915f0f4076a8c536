"""ffmpeg as a child process: finding the program, starting it, and its end at the end of this program.

A child ends when its parent ends, however that happens (`child.py`): on Linux the kernel kills it, on other systems its
next write fails. The kernel's signal follows the thread that started the child, so one thread, which lasts as long as
the program, starts all children.
"""

import atexit
import os
import shutil
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from queue import SimpleQueue

from genre_edge.errors import AudioError
from genre_edge.system.packages import install_command
from genre_edge.system.signals import blocked

_CHILD = str(Path(__file__).with_name("child.py"))
# The only variables that ffmpeg gets; others may hold tokens and passwords. It reads the last two itself.
_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "no_proxy"
)  # fmt: skip

_children: "weakref.WeakSet[subprocess.Popen[bytes]]" = weakref.WeakSet()
_children_lock = threading.Lock()  # held while a child is started and registered
_shutting_down = False  # checked under the lock; if True, no child is started
_Result = SimpleQueue["subprocess.Popen[bytes] | Exception"]
_commands: "SimpleQueue[tuple[list[str], int, _Result]]" = SimpleQueue()  # command, descriptor of stderr, result
_starter: threading.Thread | None = None


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
        raise AudioError(f"{name}: needs ffmpeg, which is not installed ({install_command('ffmpeg')})")
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


def _dies_with_parent(command: list[str]) -> list[str]:
    """Return a command that runs `command`, and that ends when this process ends; see `child.py`."""
    if not sys.executable:
        return command
    return [sys.executable, "-I", "-S", _CHILD, str(os.getpid()), *command]


def start(name: str, arguments: list[str], stderr: int) -> "subprocess.Popen[bytes]":
    """Start and register an ffmpeg process whose standard output is a pipe.

    Args:
        name: the source, for errors.
        arguments: arguments of ffmpeg. Other users can see them: no passwords.
        stderr: file descriptor for its standard error.

    Raises:
        AudioError: ffmpeg is missing or cannot be started, or the program is shutting down.
    """
    command = _dies_with_parent([ffmpeg_program(name), *arguments])
    try:
        with blocked(), _children_lock:  # no interrupt between start and registration
            if _shutting_down:
                raise AudioError(f"{name}: ffmpeg is not started: the program is shutting down")
            return _start(command, stderr)
    except (OSError, RuntimeError) as error:  # RuntimeError: too many threads
        raise AudioError(f"{name}: ffmpeg cannot be started: {getattr(error, 'strerror', None) or error}") from None


def _start(command: list[str], stderr: int) -> "subprocess.Popen[bytes]":
    """Start and register a process in the thread `_starter`. Raises what `Popen` and the thread's start raise."""
    global _starter
    if _starter is None or not _starter.is_alive():  # a fork of this program has no such thread
        _starter = threading.Thread(target=_run_starter, name="ffmpeg starter", daemon=True)
        _starter.start()
    result: _Result = SimpleQueue()
    _commands.put((command, stderr, result))
    child = result.get()
    if isinstance(child, Exception):
        raise child
    return child


def _run_starter() -> None:
    while True:
        command, stderr, result = _commands.get()
        try:
            environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            if "http_proxy" in environment:  # a proxy must not be asked for this machine's addresses (redirect.py)
                environment["no_proxy"] = ",".join(filter(None, ["127.0.0.1", environment.get("no_proxy")]))
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=environment
            )
            _children.add(child)
            result.put(child)
        except Exception as error:
            result.put(error)
