"""The process under watch, `genre-edge stream -`: fed through its pipe, its verdicts read to the last."""

import json
import subprocess
import threading
from types import TracebackType

from genre_edge.model.bundle import Bundle, bundle_path
from tools.endurance.fed import Fed
from tools.endurance.ledger import PATIENCE_S, Ledger


class StreamProcess(Fed):
    """As `Fed`.

    Attributes:
        ledger: its verdicts.
    """

    def __init__(self, raw: str, interval_s: float, model: str) -> None:
        super().__init__("stream", raw, interval_s, model, stdout=subprocess.PIPE)
        self.ledger = Ledger(Bundle.load(bundle_path(model)), interval_s)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.ledger.add(json.loads(line))
        self.ledger.end(self.fed_s)

    def end(self) -> tuple[int, int]:
        self._end()
        self._reader.join(PATIENCE_S)
        return self.ledger.count, self.ledger.misplaced + self.ledger.dropped

    def __enter__(self) -> "StreamProcess":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self._reader.join()
