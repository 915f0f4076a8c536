"""Opening a radio while descriptors, threads, processes or memory run out: a failed attempt, nothing stays open."""

import errno
import gc
import os
import subprocess
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from genre_edge.audio.ffmpeg import process
from genre_edge.audio.live.reconnect import RetryPolicy
from genre_edge.audio.opening import open_live
from genre_edge.audio.stderr_tail import StderrTail
from genre_edge.errors import SourceLostError
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.live import child_pids
from tests.helpers.station import eventually
from tests.helpers.wav import endless_header

URL = "http://127.0.0.1:9/live"
FAILURES: dict[str, tuple[Any, str, Exception]] = {
    "descriptors": (os, "pipe", OSError(errno.EMFILE, os.strerror(errno.EMFILE))),
    "threads": (threading.Thread, "start", RuntimeError("can't start new thread")),
    "processes": (subprocess, "Popen", OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))),
    "memory for a process": (subprocess, "Popen", MemoryError()),
    "memory": (StderrTail, "drain", MemoryError()),
}


@pytest.fixture
def endless_radio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake ffmpeg that receives endless silence."""
    (tmp_path / "header").write_bytes(endless_header(8000))
    install_fake_ffmpeg(tmp_path, monkeypatch, f"exec /bin/cat {tmp_path}/header /dev/zero")


def count_open() -> tuple[int, int, int]:
    """Return the numbers of open descriptors, threads and children."""
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count(), len(child_pids())  # noqa: PTH208


def fail_at(n: int, function: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """Return `function` with a failure at its `n`-th call, and at all others if `n` is 0."""
    calls = count(1)

    def run(*arguments: Any, **options: Any) -> Any:
        if n in (0, next(calls)):
            raise error
        return function(*arguments, **options)

    return run


@pytest.mark.usefixtures("endless_radio")
@pytest.mark.parametrize("what", FAILURES)
def test_exhaustion_at_each_call(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call fails, the radio is heard after another attempt, and all is closed afterwards."""
    owner, name, error = FAILURES[what]
    function = getattr(owner, name)
    open_live(URL, RetryPolicy()).close()  # starts the thread that starts ffmpeg, which lasts
    before = count_open()
    for n in range(1, 20):
        monkeypatch.setattr(owner, name, fail_at(n, function, error))
        with open_live(URL, RetryPolicy(initial_delay_s=0.0, tries=5)) as source:
            assert len(next(source.blocks()).samples) > 0
            failures = source.failures
        monkeypatch.setattr(owner, name, function)
        eventually(lambda: all(now <= then for now, then in zip(count_open(), before, strict=True)))
        if not failures:
            break
    assert n > 1


@pytest.mark.usefixtures("endless_radio")
@pytest.mark.parametrize("what", ["descriptors", "threads", "processes", "memory for a process"])
def test_lasting_exhaustion(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be opened, the attempts fail until they are used up."""
    owner, name, error = FAILURES[what]
    monkeypatch.setattr(process, "_starter", None)
    monkeypatch.setattr(owner, name, fail_at(0, getattr(owner, name), error))
    with pytest.raises(SourceLostError, match="giving up after 3 failed attempts"):
        open_live(URL, RetryPolicy(initial_delay_s=0.0, tries=3))
