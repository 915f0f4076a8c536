"""Classification of one file after another in a worker process of a scan."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Verdict
from genre_edge.errors import AudioError
from genre_edge.library.audio_digest import audio_digest
from genre_edge.library.database import FileRow, ModelRow, SegmentRow
from genre_edge.library.discovery import FoundFile

Scanned = tuple[FileRow, list[SegmentRow]]


@dataclass(frozen=True)
class ScanSettings:
    """What a row depends on beside its file.

    Attributes:
        model: name of an installed model, or directory of a bundle.
        model_name, model_sha256: the model's name with its version, and its hash.
        coverage: the largest share of each file to classify, 0 to 1.
        segments: whether the result of each patch is kept.
        threshold, style_threshold: the model's.
    """

    model: str
    model_name: str
    model_sha256: str
    coverage: float = 1.0
    segments: bool = False
    threshold: float = 0.0
    style_threshold: float = 0.3

    @property
    def model_row(self) -> ModelRow:
        """The model's row in the database."""
        return ModelRow(self.model_sha256, self.model_name, self.threshold, self.style_threshold)


class _Messages(logging.Handler):
    """Collector of the warnings about a file."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class FileScanner:
    """Function from a file to its row, as a worker process calls it. Errors of the file become a row, too."""

    def __init__(self, settings: ScanSettings) -> None:
        self._settings, self._classifier = settings, Classifier(settings.model)
        self._messages = _Messages()
        log = logging.getLogger("genre_edge")
        log.addHandler(self._messages)
        log.propagate = False

    def __call__(self, file: FoundFile) -> Scanned:
        """Return the row of a file and its segments.

        A file that is saved meanwhile has no digest, so that the next scan classifies it again.
        """
        self._messages.texts.clear()
        before = _state(file.path)
        try:
            verdict = self._classifier.classify(file.path, self._settings.segments, self._settings.coverage)
        except AudioError as error:
            return failed_row(self._settings, file, without_path(str(error), file.path)), []
        digest = audio_digest(file.path)
        if before is None or _state(file.path) != before:
            digest = None
        return self._row(file, verdict, digest), [
            SegmentRow(s.start_s, s.end_s, s.genre, s.confidence, s.reason) for s in verdict.segments
        ]

    def _row(self, file: FoundFile, verdict: Verdict, digest: str | None) -> FileRow:
        content = asdict(verdict)
        warning = "; ".join(without_path(text, file.path) for text in self._messages.texts)
        return FileRow(
            file.path,
            file.size,
            file.mtime_ns,
            digest,
            now(),
            self._settings.model_name,
            self._settings.model_sha256,
            self._settings.coverage,
            warning=warning or None,
            genre=verdict.genre,
            confidence=verdict.confidence,
            reason=verdict.reason,
            style=next((s.style for s in verdict.styles if s.style not in {t.parent for t in verdict.styles}), None),
            sound=verdict.sound,
            music_share=verdict.music_share,
            duration_s=verdict.expected_s or verdict.decoded_s,
            classified_s=verdict.decoded_s,
            genres=json.dumps(content["genres"]),
            styles=json.dumps(content["styles"]),
            has_segments=int(self._settings.segments),
        )


def _state(path: str) -> tuple[int, int] | None:
    """Return size and time of modification of a file; None if it cannot be found."""
    try:
        info = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns


def failed_row(settings: ScanSettings, file: FoundFile, reason: str) -> FileRow:
    """Return the row of a file without a result."""
    model = settings.model_name, settings.model_sha256
    return FileRow(file.path, file.size, file.mtime_ns, None, now(), *model, settings.coverage, error=reason)


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def without_path(message: str, path: str) -> str:
    """Return a message about a file without the file's name, which its row has."""
    return message.removeprefix(f"{path}: ")
