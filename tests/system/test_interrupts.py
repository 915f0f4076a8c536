"""Ctrl-C at the lines of what the main thread does with a source: it gets through, and nothing hangs."""

import _thread
import _weakrefset
import gc
import io
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rich.live
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.audio.ffmpeg import kill_children
from genre_edge.audio.files import open_file
from genre_edge.audio.live import reconnect
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.live.threaded import ThreadedSource
from genre_edge.audio.source import Source
from genre_edge.cli.terminal import screen
from genre_edge.cli.terminal.screen import _start, _stop
from genre_edge.errors import AudioError
from tests.helpers.audio import encode, music
from tests.helpers.live import RATE, ffmpegs
from tests.helpers.station import eventually

HANGS_S = 10
OPENED: list["Live"] = []
LENT, GIVEN_BACK = ("\x1b[?1049h", "\x1b[?25l"), ("\x1b[?1049l", "\x1b[?25h")  # the second screen, the cursor

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, and what hangs is ended."""

    def hangs(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it hangs, in {frame}")

    gc.collect()
    gc.disable()  # what it runs is others', and swallowed as in `_frees`
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGALRM: signal.signal(signal.SIGALRM, hangs),
    }
    yield
    signal.alarm(0)
    gc.enable()
    for number, handler in before.items():
        signal.signal(number, handler)


class _Number(int):
    """`.arrives`: the signal is there, and its handler runs where Python next looks for it, as after a real one.

    What is called, `signal.raise_signal` as well, is where Python looks: it would be handled in the tracing function.
    """

    arrives = property(_thread.interrupt_main)


def _frees(frame: FrameType | None) -> bool:
    """Whether it frees something: of what is raised there, Python swallows all, whoever wrote it."""
    while frame and frame.f_code.co_name != "__del__" and frame.f_code.co_filename != _weakrefset.__file__:
        frame = frame.f_back
    return frame is not None


def interrupted(line: int, listen: Callable[[], None]) -> bool:
    """Whether a Ctrl-C, that came when the main thread was at this line of all that it runs, got through."""
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        left -= event == "line" and not (left == 1 and _frees(frame))
        if left == 0:
            sys.settrace(None)
            if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []):
                signal.raise_signal(signal.SIGINT)  # the system keeps it back
            else:
                _ = _Number(signal.SIGINT).arrives
        return trace

    before = sys.gettrace()
    signal.alarm(HANGS_S)
    sys.settrace(trace)
    try:
        listen()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        signal.alarm(0)
    assert left > 0, f"the interrupt at line {line} was swallowed"
    return False


class Live(Source):
    """A live source's few blocks, then an outage."""

    name, rate, channels = "live", 1000, 1

    def __init__(self) -> None:
        self._closed = threading.Event()
        OPENED.append(self)

    def blocks(self) -> Iterator[Block]:
        for position in range(0, 60, 20):
            if self._closed.wait(0.0005):
                break
            yield Block(np.zeros(20, dtype=np.float32), self.rate, position)
        raise AudioError("live: gone")

    def close(self) -> None:
        self._closed.set()


def listen_to_what_comes_and_goes() -> None:
    with ReconnectingSource(
        "live", lambda: ThreadedSource(Live), RetryPolicy(first_s=0.001, longest_s=0.001)
    ) as source:
        for block in islice(source.blocks(), 5):
            assert len(block.samples) == 20


def test_a_live_source(monkeypatch: pytest.MonkeyPatch) -> None:
    # An interrupt can leave logging's lock held, which is pytest's here. Of `stream`, the main thread alone logs.
    monkeypatch.setattr(reconnect, "log", SimpleNamespace(warning=lambda *words: None))
    threads = set(threading.enumerate())
    for line in count(1):
        went_on = not interrupted(line, listen_to_what_comes_and_goes)
        assert all(thread.daemon for thread in set(threading.enumerate()) - threads)  # the program need not wait
        while OPENED:  # one may have been interrupted before it was entered; a program would end now
            OPENED.pop().close()
        eventually(lambda: set(threading.enumerate()) <= threads)
        if went_on:
            break
    assert line > 500


def is_whole(terminal: io.StringIO, codes: tuple[str, ...]) -> bool:
    """Whether all of them were written, or none."""
    return len({terminal.getvalue().count(code) for code in codes}) == 1


@pytest.mark.parametrize("lends_or_takes", [_start, _stop])
def test_a_terminal_is_lent_and_given_back_whole(lends_or_takes: Callable[[rich.live.Live], None]) -> None:
    for line in count(1, 7):
        terminal = io.StringIO()
        live = rich.live.Live("a picture", console=Console(file=terminal, force_terminal=True), screen=True)
        if lends_or_takes is _stop:
            _start(live)
        went_on = not interrupted(line, lambda live=live: lends_or_takes(live))
        assert is_whole(terminal, LENT) and is_whole(terminal, GIVEN_BACK)
        _stop(live)
        assert [terminal.getvalue().count(code) for code in LENT + GIVEN_BACK] in ([0, 0, 0, 0], [1, 1, 1, 1])
        if went_on:
            break
    assert line > 200


def test_a_ctrl_c_before_a_terminal_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes after the end of the picture, but before signals are held."""
    terminal, tries = io.StringIO(), iter([True])

    def interrupted_once(live: rich.live.Live) -> None:
        if next(tries, False):
            raise KeyboardInterrupt
        _stop(live)

    monkeypatch.setattr(screen, "_stop", interrupted_once)
    console = Console(file=terminal, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), screen.alternate_screen("a picture", console, screen.RecentLogHandler()):
        pass
    assert [terminal.getvalue().count(code) for code in LENT + GIVEN_BACK] == [1, 1, 1, 1]


@pytest.mark.usefixtures("not_the_end")
@pytest.mark.parametrize(("name", "step"), [("x.wav", 1), pytest.param("x.m4a", 17, marks=needs_ffmpeg)])
def test_a_file(name: str, step: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(encode(music(3.0, RATE)[:, None], RATE))  # a wav by any name

    def listen() -> None:
        with open_file(path) as source:
            assert len(list(source.blocks())) > 1

    for line in count(1, step):
        went_on = not interrupted(line, listen)
        kill_children()
        eventually(lambda: not ffmpegs())
        if went_on:
            break
    assert line > 500
