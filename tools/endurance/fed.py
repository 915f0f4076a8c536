"""A process under watch that hears what is written into its pipe."""

import os
import select
import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType

from genre_edge.audio.pipe import parse_raw
from tools.endurance.ledger import PATIENCE_S, ListenerError
from tools.endurance.usage import Usage


class Fed:
    """`genre-edge COMMAND -`, a context manager; raises ListenerError where the process dies or hangs.

    Attributes:
        fed_s: seconds of sound that it was given.
    """

    def __init__(self, command: str, raw: str, interval_s: float, model: str, *options: str, **streams: int) -> None:
        encoding, self.rate, self.channels = parse_raw(raw)
        if encoding != "s16le":
            raise SystemExit(f"--raw must be s16le:RATE:CHANNELS, got {raw!r}")
        self._bytes_a_second = 2 * self.channels * self.rate
        self._fed_bytes = 0
        words = [sys.executable, "-m", "genre_edge", command, "-", "--raw", raw]
        words += ["--interval", str(interval_s), "--model", model, *options]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, **streams)
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)

    @property
    def fed_s(self) -> float:
        return self._fed_bytes / self._bytes_a_second

    def feed(self, parts: Iterable[memoryview]) -> None:
        """Give it bytes as fast as it takes them."""
        for part in parts:
            while part:
                if not select.select([], [self._pipe], [], PATIENCE_S)[1]:
                    raise ListenerError(f"takes no sound for {PATIENCE_S:g} s")
                try:
                    taken = os.write(self._pipe, part)
                except BrokenPipeError:
                    raise ListenerError(f"ended with code {self._process.wait(PATIENCE_S)}") from None
                self._fed_bytes += taken
                part = part[taken:]

    def usage(self) -> Usage:
        try:
            return Usage.of(self._process.pid)
        except (OSError, KeyError):
            raise ListenerError("has gone") from None

    def end(self) -> tuple[int, int]:
        """The sound's end. Returns how many verdicts came, and how much was lost or misplaced."""
        raise NotImplementedError

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        if code := self._process.wait(PATIENCE_S):
            raise ListenerError(f"ended with code {code}")

    def __enter__(self) -> "Fed":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
