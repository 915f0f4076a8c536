"""`genre-edge serve` in a process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import numpy as np

from tests.conftest import TIMEOUT_S
from tests.helpers.bundles import TINY

RAW = ("--raw", "f32le:8000:1")


class ServeProcess:
    """A process `genre-edge serve` with the tiny model, which classifies what `feed` writes to standard input.

    Attributes:
        lines: its messages before the URL.
        url: where it serves.
    """

    def __init__(self, *arguments: object, source: str = "-", **environment: str) -> None:
        command = [sys.executable, "-m", "genre_edge", "serve", source, "--port", "0", "--model", TINY]
        command += ["--interval", "0.5", *(RAW if source == "-" else ()), *arguments]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment
        )
        assert self.process.stderr is not None
        self.lines = []
        while not (line := self.process.stderr.readline().decode()).startswith("genre-edge: http"):
            assert line, "".join(self.lines)
            self.lines.append(line)
        self.url = line.split()[1]

    def feed(self, samples: np.ndarray) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<f4").tobytes())
        self.process.stdin.flush()

    def get(self, path: str, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return json.load(response)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and the messages since the URL."""
        self.process.send_signal(number)
        assert self.process.stdin is not None and self.process.stderr is not None
        code = self.process.wait(TIMEOUT_S)
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        messages = self.process.stderr.read().decode()
        self.process.stderr.close()
        assert "Traceback" not in messages, messages
        return code, messages
