"""The result schema, version 1. Times are seconds of the source's own sample count."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1

Reason = Literal["silence", "not_music", "low_confidence", "too_short"]


@dataclass(frozen=True)
class GenreProbability:
    """One genre and how probable it is, 0 to 1."""

    genre: str
    probability: float


@dataclass(frozen=True)
class Segment:
    """A stretch of the source and what was heard in it.

    `genre` is None with a `reason` when the honest answer is "I don't know"; `genres` is sorted, most probable
    first, and empty where nothing could be heard; `confidence` is the first one's probability, or None. For "not_music"
    both say what it would be if it were music.
    """

    start_s: float
    end_s: float
    genre: str | None
    confidence: float | None
    reason: Reason | None
    genres: list[GenreProbability]


@dataclass(frozen=True)
class InputInfo:
    """The audio as found, and the rate that the model hears."""

    rate: int
    channels: int
    resampled_to: float


@dataclass(frozen=True)
class ModelInfo:
    """Which model answered."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Verdict(Segment):
    """The answer for a source, or for a stretch of a stream."""

    source: str
    input: InputInfo
    model: ModelInfo
    dropped_samples: int = 0
    segments: list[Segment] = field(default_factory=list)
    lag_ms: float | None = None

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Ready for JSON, with at most `top` genres in each list."""
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "source": self.source} | asdict(self)
        for part in (content, *content["segments"]):
            part["genres"] = part["genres"][:top]
        if self.lag_ms is None:
            del content["lag_ms"]
        return content
