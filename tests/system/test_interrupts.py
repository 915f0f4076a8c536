"""Ctrl-C at each line that the main thread runs while it reads a source: it ends the reading, and no thread hangs."""

import _thread
import _weakrefset
import gc
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rich.live
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.audio.ffmpeg import process
from genre_edge.audio.ffmpeg.process import kill_child_processes
from genre_edge.audio.files import open_file
from genre_edge.audio.live import reconnect
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.live.threaded import ThreadedSource
from genre_edge.audio.source import Source
from genre_edge.cli.terminal import screen
from genre_edge.cli.terminal.screen import _start, _stop
from genre_edge.errors import AudioError
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import encode, music
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.live import RATE, child_pids
from tests.helpers.station import eventually

OPENED: list["Live"] = []
SWITCHED, RESTORED = ("\x1b[?1049h", "\x1b[?25l"), ("\x1b[?1049l", "\x1b[?25h")  # alternate screen, cursor


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Make Ctrl-C raise KeyboardInterrupt, and SIGALRM end a test that hangs."""

    def timed_out(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the test hangs in {frame}")

    gc.collect()
    gc.disable()  # Python ignores exceptions in finalizers, see `_in_finalizer`
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGALRM: signal.signal(signal.SIGALRM, timed_out),
    }
    yield
    signal.alarm(0)
    gc.enable()
    for number, handler in before.items():
        signal.signal(number, handler)


class _Number(int):
    """Signal number whose attribute `deliver` simulates a real signal.

    Python runs the handler at its next check for signals. A call, such as `signal.raise_signal`, is such a check, so
    the handler would run in the tracing function; an attribute is not.
    """

    deliver = property(_thread.interrupt_main)


def _in_finalizer(frame: FrameType | None) -> bool:
    """Return True if the frame runs in a finalizer, where Python ignores all exceptions."""
    while frame and frame.f_code.co_name != "__del__" and frame.f_code.co_filename != _weakrefset.__file__:
        frame = frame.f_back
    return frame is not None


def interrupted(line: int, function: Callable[[], None]) -> bool:
    """Run a function with a Ctrl-C at its `line`-th executed line; return False if it ends before that line."""
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        left -= event == "line" and not (left == 1 and _in_finalizer(frame))
        if left == 0:
            sys.settrace(None)
            if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []):
                signal.raise_signal(signal.SIGINT)  # pending until it is unblocked
            else:
                _ = _Number(signal.SIGINT).deliver
        return trace

    before = sys.gettrace()
    signal.alarm(TIMEOUT_S)
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        signal.alarm(0)
    assert left > 0, f"the interrupt at line {line} was swallowed"
    return False


class Live(Source):
    """Live source with three blocks, then an outage."""

    name, rate, channels = "live", 1000, 1

    def __init__(self) -> None:
        self._closed = threading.Event()
        OPENED.append(self)

    def blocks(self) -> Iterator[Block]:
        for position in range(0, 60, 20):
            if self._closed.wait(0.0005):
                break
            yield Block(np.zeros(20, dtype=np.float32), self.rate, position)
        raise AudioError("live: unplugged")

    def close(self) -> None:
        self._closed.set()


def read_unstable_source() -> None:
    with ReconnectingSource(
        "live", lambda: ThreadedSource(Live), RetryPolicy(initial_delay_s=0.001, max_delay_s=0.001)
    ) as source:
        for block in islice(source.blocks(), 5):
            assert len(block.samples) == 20


@pytest.mark.slow
def test_interrupt_live_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at any line of reading a live source raises KeyboardInterrupt and leaves no thread."""
    # An interrupt can leave logging's lock held, which pytest uses too; in `stream` only the main thread logs.
    monkeypatch.setattr(reconnect, "log", SimpleNamespace(warning=lambda *arguments: None))
    threads = set(threading.enumerate())
    for line in count(1):
        completed = not interrupted(line, read_unstable_source)
        assert all(
            thread.daemon for thread in set(threading.enumerate()) - threads
        )  # so they do not delay the program's exit
        while OPENED:  # one may have been interrupted before `with`; a program would end now
            OPENED.pop().close()
        eventually(lambda: set(threading.enumerate()) <= threads)
        if completed:
            break
    assert line > 500


def is_complete(terminal: io.StringIO, codes: tuple[str, ...]) -> bool:
    """Return True if all codes were written equally often."""
    return len({terminal.getvalue().count(code) for code in codes}) == 1


@pytest.mark.parametrize("switch", [_start, _stop])
def test_interrupt_terminal_switch(switch: Callable[[rich.live.Live], None]) -> None:
    """Ctrl-C at any line leaves the terminal switched completely, or not at all."""
    for line in count(1, 7):
        terminal = io.StringIO()
        live = rich.live.Live("a view", console=Console(file=terminal, force_terminal=True), screen=True)
        if switch is _stop:
            _start(live)
        completed = not interrupted(line, partial(switch, live))
        assert is_complete(terminal, SWITCHED) and is_complete(terminal, RESTORED)
        _stop(live)
        assert [terminal.getvalue().count(code) for code in SWITCHED + RESTORED] in ([0, 0, 0, 0], [1, 1, 1, 1])
        if completed:
            break
    assert line > 200


def test_interrupt_before_terminal_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the view has ended, but before signals are blocked: the terminal is restored."""
    terminal, attempts = io.StringIO(), iter([True])

    def interrupt_once(live: rich.live.Live) -> None:
        if next(attempts, False):
            raise KeyboardInterrupt
        _stop(live)

    monkeypatch.setattr(screen, "_stop", interrupt_once)
    console = Console(file=terminal, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), screen.alternate_screen("a view", console, screen.RecentLogHandler()):
        pass
    assert [terminal.getvalue().count(code) for code in SWITCHED + RESTORED] == [1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.usefixtures("reset_shutdown")
@pytest.mark.parametrize(("name", "step"), [("x.wav", 1), ("x.m4a", 3)])
def test_interrupt_file(name: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at any line of reading a file raises KeyboardInterrupt and leaves no ffmpeg process."""
    # The fake starts many times faster than the real ffmpeg.
    install_fake_ffmpeg(tmp_path, monkeypatch, f"exec /bin/cat {tmp_path}/x.wav")
    (tmp_path / "x.wav").write_bytes(encode(music(3.0, RATE)[:, None], RATE))
    path = tmp_path / name

    def read() -> None:
        with open_file(path) as source:
            assert len(list(source.blocks())) > 1

    other_pids = set(child_pids())
    for line in count(1, step):
        monkeypatch.setattr(process, "_shutting_down", False)
        completed = not interrupted(line, read)
        kill_child_processes()
        eventually(lambda: set(child_pids()) <= other_pids)
        if completed:
            break
    assert line > 500
