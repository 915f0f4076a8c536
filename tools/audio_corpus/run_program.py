"""Run a program with a time limit; measure its memory and that of its children; find children that outlive it."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02
_GRACE_S = 1.0  # for children to end after the program


@dataclass(frozen=True)
class Run:
    """A program that has ended.

    Attributes:
        code: exit code, negative for a signal; None if it was killed after the time limit.
        out, err: what it wrote to standard output and standard error.
        seconds: how long it ran.
        memory_mb: peak resident memory of the program in MB.
        children_mb: peak resident memory of its largest child process in MB, 0 without children.
        left_children: whether a child process was running a second after the end.
    """

    code: int | None
    out: bytes
    err: bytes
    seconds: float
    memory_mb: float
    children_mb: float
    left_children: bool


def run(command: list[str], limit_s: float, environment: dict[str, str]) -> Run:
    """Run a program in a session of its own; kill it after `limit_s` seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start_s = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
        )
        memory_mb = children_mb = 0.0
        while process.poll() is None and time.monotonic() - start_s < limit_s:
            memory_mb = max(memory_mb, _peak_mb(process.pid))
            children_mb = max([children_mb, *map(_peak_mb, _descendants(process.pid))])
            time.sleep(_POLL_S)
        seconds, code = time.monotonic() - start_s, process.poll()
        left = _kill_session(process.pid, 0.0 if code is None else _GRACE_S)
        process.wait()
        out.seek(0)
        err.seek(0)
        return Run(code, out.read(), err.read(), seconds, memory_mb, children_mb, left and code is not None)


def _kill_session(leader: int, grace_s: float) -> bool:
    """Wait for the processes of a session, then kill them; return True if any was left."""
    end_s = time.monotonic() + grace_s
    while left := session_processes(leader):
        if time.monotonic() >= end_s:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(_POLL_S)
    return False


def session_processes(leader: int) -> list[int]:
    """Return the processes of a session that have not ended; a process group may hold only some of them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, _, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(session) == leader and state not in "ZX":
                    found.append(int(entry.name))
    return found


def _peak_mb(pid: int) -> float:
    """Return the peak resident memory of a process in MB (10^6 bytes), 0 if it has ended."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def _descendants(pid: int) -> Iterator[int]:
    """Yield the children that a process's threads have started, and theirs."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return
    for child in (int(child) for children in lists for child in children.split()):
        yield child
        yield from _descendants(child)
