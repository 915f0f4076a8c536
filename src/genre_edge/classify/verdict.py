"""Result types of classification (schema version 2). Times are seconds of the source's own sample count."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 2

Reason = Literal["silence", "not_music", "low_confidence", "too_short"]


@dataclass(frozen=True)
class GenreProbability:
    """Genre and its probability, 0 to 1."""

    genre: str
    probability: float


@dataclass(frozen=True)
class StyleProbability:
    """Style, the more general style that includes it (None if there is none), and its probability, 0 to 1."""

    style: str
    parent: str | None
    probability: float


@dataclass(frozen=True)
class Segment:
    """The result for one section of the source.

    Attributes:
        start_s, end_s: the section, in seconds.
        genre: the most probable genre; None if there is a `reason` to name none.
        confidence: probability of the genre, or of what it would be without the `reason`; None if `genres` is empty.
        reason: "silence", "not_music", "low_confidence" or "too_short"; None if there is a `genre`. "not_music" also
            if little of the section is music; "low_confidence" also if few patches are, or if no patch has the genre.
        genres: all genres, most probable first; empty for "silence" and "too_short". The probabilities are
            conditional on the audio being music, also for "not_music".
        styles: the likely styles, most probable first; empty for "silence", "too_short" and "not_music", or if the
            model has none. Their probabilities do not exclude each other, and a parent has at least its child's.
        sound: what the section is instead of music: "silence", or for "not_music" the most probable of the model's
            other sounds; None for music and "too_short", or if the model has no sounds.
    """

    start_s: float
    end_s: float
    genre: str | None
    confidence: float | None
    reason: Reason | None
    genres: list[GenreProbability]
    styles: list[StyleProbability] = field(default_factory=list, kw_only=True)
    sound: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class InputInfo:
    """Format of the audio.

    Attributes:
        rate: sampling rate of the source in Hz.
        channels: number of channels of the source.
        resampled_to: sampling rate of the model in Hz.
    """

    rate: int
    channels: int
    resampled_to: float


@dataclass(frozen=True)
class ModelInfo:
    """Name, version and hash of the model that made the prediction."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Verdict(Segment):
    """The result for a file, or for one interval of a stream.

    Attributes:
        source: name of the source.
        input: format of the audio.
        model: the model that made the prediction.
        dropped_samples: samples that the source has dropped since the stream started.
        segments: a result for each patch, if requested.
        lag_ms: time from the arrival of the last block to this verdict, in ms; None for a file.
        decoded_s: length of the audio that was decoded, in seconds; None before the end of the stream.
        expected_s: length that the file should have, in seconds: more than `decoded_s` if audio is missing; None if it
            is unknown.
        music_share, not_music_share, silence_share: shares of the time, 0 to 1, with the sum 1. Music: the patches that
            the model accepts. Not music: speech, noise and other sounds together. Silence: below
            the model's limit, or 45 dB below the loudest music. None for audio that is too short, and the first two
            for a model without an output for audio that is not music.
    """

    source: str
    input: InputInfo
    model: ModelInfo
    dropped_samples: int = 0
    segments: list[Segment] = field(default_factory=list)
    lag_ms: float | None = None
    music_share: float | None = None
    not_music_share: float | None = None
    silence_share: float | None = None
    decoded_s: float | None = None
    expected_s: float | None = None

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return the verdict as JSON types (tests/data/verdict.schema.json).

        Args:
            top: maximum number of genres in each list; None for all.
        """
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "source": self.source} | asdict(self)
        for part in (content, *content["segments"]):
            part["genres"] = part["genres"][:top]
        if self.lag_ms is None:
            del content["lag_ms"]
        if self.decoded_s is None:
            del content["decoded_s"], content["expected_s"]
        return content
