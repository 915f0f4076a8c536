"""`Source`: the base class of all audio sources."""

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from genre_edge.audio.block import MAX_RATE, MIN_RATE, Block
from genre_edge.errors import AudioError

MAX_CHANNELS = 1024


class Source(Protocol):
    """Source of audio blocks. Use as a context manager; iterate `blocks()` once. Subclasses inherit the defaults.

    Attributes:
        name: name of the source in messages and verdicts.
        rate: sampling rate in Hz at the source.
        channels: number of channels at the source.
        failures: consecutive failures of a live source (see `ReconnectingSource`); 0 for other sources.
        outages: number of times that a live source was lost; 0 for other sources.
        decoded_s: length of the blocks so far in seconds, of a source that compares it with `expected_s`; else None.
        expected_s: length of the audio in seconds, known after the last block; None if it is unknown. It exceeds the
            length of the blocks if audio is missing.
    """

    name: str
    rate: int
    channels: int
    failures: int = 0
    outages: int = 0
    decoded_s: float | None = None
    expected_s: float | None = None

    def open(self) -> None:
        """Connect a live source that was created unopened; other sources are open already.

        Raises:
            SourceLostError: all attempts of the retry policy failed.
        """
        return None

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of about a tenth of a second to a second.

        Raises:
            AudioError: the source fails.
        """
        raise NotImplementedError

    def suspend(self) -> None:
        """Let a live source release its device or connection until `resume`; other sources ignore it. Thread-safe.

        The thread that iterates `blocks` releases it, and waits.
        """
        return None

    def resume(self) -> None:
        """End `suspend`: a live source is opened again. Thread-safe; without `suspend` it does nothing."""
        return None

    def close(self) -> None:
        """Release the source's resources; a second call does nothing."""
        return None

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def check_format(self) -> None:
        """Check that rate and channel count are within the supported ranges.

        Raises:
            AudioError: the rate or the channel count is out of range.
        """
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise AudioError(f"{self.name}: the sampling rate {self.rate} Hz is outside {MIN_RATE} to {MAX_RATE} Hz")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(f"{self.name}: {self.channels} channels are outside 1 to {MAX_CHANNELS}")
