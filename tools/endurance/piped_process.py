"""A genre-edge process under test that reads raw PCM from a pipe."""

import os
import select
import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import IO

from genre_edge.audio.pipe import parse_raw
from tools.endurance.process_usage import ProcessUsage
from tools.endurance.verdict_checker import TIMEOUT_S, ProcessError


class PipedProcess:
    """Run `genre-edge COMMAND -` and write PCM into its stdin. A context manager: leaving it kills the process.

    Methods raise ProcessError if the process dies or hangs.

    Args:
        command: the genre-edge command, "stream" or "serve".
        raw: the pipe's format, s16le:RATE:CHANNELS.
        interval_s: seconds of audio between verdicts.
        model: name or directory of a model bundle.
        options: more command-line options.
        stdout, stderr: as subprocess.Popen takes them.

    Attributes:
        rate: sample rate, Hz.
        channels: number of interleaved channels.

    Raises:
        SystemExit: `raw` names another encoding than s16le.
    """

    def __init__(
        self,
        command: str,
        raw: str,
        interval_s: float,
        model: str,
        *options: str,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        encoding, self.rate, self.channels = parse_raw(raw)
        if encoding != "s16le":
            raise SystemExit(f"--raw must be s16le:RATE:CHANNELS, got {raw!r}")
        self._bytes_per_second = 2 * self.channels * self.rate
        self._fed_bytes = 0
        words = [sys.executable, "-m", "genre_edge", command, "-", "--raw", raw]
        words += ["--interval", str(interval_s), "--model", model, *options]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr)
        self._pipe = self._stdin.fileno()
        os.set_blocking(self._pipe, False)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def fed_s(self) -> float:
        """Seconds of audio written so far."""
        return self._fed_bytes / self._bytes_per_second

    def feed(self, parts: Iterable[memoryview]) -> None:
        """Write PCM bytes as fast as the process reads them."""
        for part in parts:
            while part:
                if not select.select([], [self._pipe], [], TIMEOUT_S)[1]:
                    raise ProcessError(f"has read no audio for {TIMEOUT_S:g} s")
                try:
                    n_written = os.write(self._pipe, part)
                except BrokenPipeError:
                    raise ProcessError(f"ended with exit code {self._process.wait(TIMEOUT_S)}") from None
                self._fed_bytes += n_written
                part = part[n_written:]

    def usage(self) -> ProcessUsage:
        """Read what the process uses now."""
        try:
            return ProcessUsage.read(self._process.pid)
        except (OSError, KeyError):
            raise ProcessError("has ended") from None

    def finish(self) -> tuple[int, int]:
        """Close the pipe and wait for the process to end.

        Returns:
            The number of verdicts, and the number of lost samples and misplaced verdicts.
        """
        raise NotImplementedError

    def _close_and_wait(self) -> None:
        self._stdin.close()
        if code := self._process.wait(TIMEOUT_S):
            raise ProcessError(f"ended with exit code {code}")

    def __enter__(self) -> "PipedProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
