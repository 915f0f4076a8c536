"""The process under watch, `genre-edge stream -`: fed through its pipe, its verdicts read to the last."""

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable
from types import TracebackType

from endurance.ledger import PATIENCE_S, Ledger, ListenerError
from endurance.usage import Usage
from genre_edge.audio.pipe import parse_raw
from genre_edge.model import Bundle, bundle_path


class Listener:
    """A context manager; raises ListenerError where the process dies or hangs.

    Attributes:
        ledger: its verdicts.
        fed_s: seconds of sound that it was given.
    """

    def __init__(self, raw: str, interval_s: float, model: str) -> None:
        encoding, self.rate, self.channels = parse_raw(raw)
        if encoding != "s16le":
            raise SystemExit(f"--raw must be s16le:RATE:CHANNELS, got {raw!r}")
        self._bytes_a_second = 2 * self.channels * self.rate
        self._fed_bytes = 0
        self.ledger = Ledger(Bundle.load(bundle_path(model)), interval_s)
        options = ["--raw", raw, "--interval", str(interval_s), "--model", model]
        command = [sys.executable, "-m", "genre_edge", "stream", "-", *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def fed_s(self) -> float:
        return self._fed_bytes / self._bytes_a_second

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.ledger.add(json.loads(line))
        self.ledger.end(self.fed_s)

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

    def end(self) -> None:
        """The sound's end, and the verdict of the rest."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join(PATIENCE_S)
        if code := self._process.wait(PATIENCE_S):
            raise ListenerError(f"ended with code {code}")

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
