"""`genre-edge serve -` as the process under test: fed through its pipe, its status polled as the web page does."""

import re
import subprocess
import threading
import urllib.request

from tools.endurance.piped_process import PipedProcess
from tools.endurance.verdict_checker import TIMEOUT_S, ProcessError

POLL_S = 2.0  # the web page's update interval


class ServeProcess(PipedProcess):
    """Run `genre-edge serve -` on a free port, with its history in memory; see `PipedProcess`."""

    def __init__(self, raw: str, interval_s: float, model: str) -> None:
        super().__init__("serve", raw, interval_s, model, "--port", "0", stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        line = self._process.stderr.readline().decode()
        if not line.startswith("genre-edge: http"):
            raise ProcessError(f"printed {line.strip()!r} instead of its URL")
        self._url = line.split()[1]
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, daemon=True)
        self._poller.start()

    def _poll(self) -> None:
        while not self._stopping.wait(POLL_S):
            self._get("api/v1/status")

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self._url + path, timeout=TIMEOUT_S) as response:
                return str(response.read().decode())
        except OSError as error:
            raise ProcessError(f"does not respond: {error}") from None

    def finish(self) -> tuple[int, int]:
        """Read the metrics, then close the pipe: the server ends with its input."""
        self._stopping.set()
        self._poller.join(TIMEOUT_S)
        metrics = self._get("metrics")
        self._close_and_wait()
        return _sum_metric(metrics, r"verdicts_total\{.*\}"), _sum_metric(metrics, "dropped_samples_total")

    def __enter__(self) -> "ServeProcess":
        return self


def _sum_metric(metrics: str, name: str) -> int:
    return round(sum(map(float, re.findall(rf"^genre_edge_{name} (\S+)$", metrics, re.MULTILINE))))
