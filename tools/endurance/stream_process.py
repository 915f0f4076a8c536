"""`genre-edge stream -` as the process under test: fed through its pipe, every verdict checked."""

import json
import subprocess
import threading
from types import TracebackType

from genre_edge.model.bundle import Bundle, bundle_path
from tools.endurance.piped_process import PipedProcess
from tools.endurance.verdict_checker import TIMEOUT_S, VerdictChecker


class StreamProcess(PipedProcess):
    """Run `genre-edge stream -`; see `PipedProcess`.

    Attributes:
        checker: checks the verdicts.
    """

    def __init__(self, raw: str, interval_s: float, model: str) -> None:
        super().__init__("stream", raw, interval_s, model, stdout=subprocess.PIPE)
        self.checker = VerdictChecker(Bundle.load(bundle_path(model)), interval_s)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.checker.add(json.loads(line))
        self.checker.end(self.fed_s)

    def finish(self) -> tuple[int, int]:
        self._close_and_wait()
        self._reader.join(TIMEOUT_S)
        return self.checker.count, self.checker.misplaced + self.checker.dropped

    def __enter__(self) -> "StreamProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._reader.join()
