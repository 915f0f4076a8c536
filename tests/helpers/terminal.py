"""`genre-edge stream` on a pseudo-terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from tests.conftest import TIMEOUT_S
from tests.helpers.view import RATE

# `python -m genre_edge` with a longer grace period: a loaded machine needs more than 5 s to restore the terminal.
PROGRAM = (
    "from genre_edge.system import signals; "
    f"signals.GRACE_S = {TIMEOUT_S:.0f}; "
    "from genre_edge.__main__ import main; main()"
)
ALT_ON, ALT_OFF, HIDE, SHOW, HOME = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h", b"\x1b[H"


class Terminal:
    """A process `genre-edge stream` with its output on a pseudo-terminal and its audio from a pipe."""

    def __init__(self, *arguments: str, columns: int = 40, rows: int = 15, **environment: str) -> None:
        self._main, self._other = pty.openpty()
        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self._other)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "stream", "-", "--raw", "f32le:22050:1", *arguments],
            stdin=subprocess.PIPE,
            stdout=self._other,
            stderr=self._other,
            env={k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
            | {"TERM": "xterm-256color"}
            | environment,
        )
        self.output = b""

    def write(self, samples: np.ndarray) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<f4").tobytes())
        self.process.stdin.flush()

    def write_last(self, samples: np.ndarray) -> None:
        """Write the samples and close the input; the process may end before it has read them all."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.write(samples)
        with suppress(BrokenPipeError):  # close() writes what is left in the buffer
            self.process.stdin.close()

    def read_until(self, condition: Callable[[], bool]) -> None:
        """Read the output until the condition is true."""
        end_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end_s, self.output
            if select.select([self._main], [], [], 0.2)[0]:
                self.output += os.read(self._main, 65536)
            elif self.process.poll() is not None and not select.select([self._main], [], [], 0)[0]:
                assert condition(), self.output
                return

    def play(self, samples: np.ndarray) -> None:
        """Write the samples in real time, in a thread."""

        def feed() -> None:
            with suppress(OSError, ValueError):  # the process has ended
                for i in range(0, len(samples), RATE // 10):
                    self.write(samples[i : i + RATE // 10])
                    time.sleep(0.1)

        threading.Thread(target=feed, daemon=True).start()

    def screen(self) -> list[str]:
        """Return the lines of the last complete frame; each frame begins with HOME and fills the screen."""
        frames = self.output.split(HOME)[1:-1] or [b"\n" * 14]
        return without_escapes(frames[-1]).splitlines()

    def end(self, n_screens: int = 1) -> int:
        """Wait for the exit code, and check that the terminal is restored after `n_screens` alternate screens."""
        self.read_until(lambda: self.process.poll() is not None and not select.select([self._main], [], [], 0.1)[0])
        assert termios.tcgetattr(self._other) == self.before
        assert self.output.count(ALT_ON) == self.output.count(ALT_OFF) == n_screens
        assert self.output.rindex(ALT_OFF) > self.output.rindex(ALT_ON)
        assert self.output.rindex(SHOW) > self.output.rindex(HIDE)
        assert b"Traceback" not in self.output
        return self.process.wait(TIMEOUT_S)

    def after_screen(self) -> str:
        """Return what the process prints after the alternate screen."""
        return without_escapes(self.output.split(ALT_OFF)[1]).replace("\r", "")

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._main)
        os.close(self._other)


def without_escapes(output: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output.decode())


def is_suspended(pid: int) -> bool:
    """Return True if a process is stopped, as by Ctrl-Z."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
