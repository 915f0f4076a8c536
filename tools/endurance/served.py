"""The process under watch, `genre-edge serve -`: fed through its pipe, and asked for its status as by a page."""

import re
import subprocess
import threading
import urllib.request

from tools.endurance.fed import Fed
from tools.endurance.ledger import PATIENCE_S, ListenerError

ASK_S = 2.0  # as often as the page hears of it


class Served(Fed):
    """As `Fed`; its history is in memory."""

    def __init__(self, raw: str, interval_s: float, model: str) -> None:
        super().__init__("serve", raw, interval_s, model, "--port", "0", stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        line = self._process.stderr.readline().decode()
        if not line.startswith("genre-edge: http"):
            raise ListenerError(f"says {line.strip()!r}")
        self._url = line.split()[1]
        self._ending = threading.Event()
        self._asker = threading.Thread(target=self._ask_now_and_then, daemon=True)
        self._asker.start()

    def _ask_now_and_then(self) -> None:
        while not self._ending.wait(ASK_S):
            self._ask("api/v1/status")

    def _ask(self, what: str) -> str:
        try:
            with urllib.request.urlopen(self._url + what, timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())
        except OSError as error:
            raise ListenerError(f"does not answer: {error}") from None

    def end(self) -> tuple[int, int]:
        """As it ends with its sound, it is asked before."""
        self._ending.set()
        self._asker.join(PATIENCE_S)
        metrics = self._ask("metrics")
        self._end()
        return _sum(metrics, r"verdicts_total\{.*\}"), _sum(metrics, "dropped_samples_total")

    def __enter__(self) -> "Served":
        return self


def _sum(metrics: str, name: str) -> int:
    return round(sum(map(float, re.findall(rf"^genre_edge_{name} (\S+)$", metrics, re.MULTILINE))))
