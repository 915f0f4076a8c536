"""Cases of one format: the intact file and its changes, with the seconds of audio in them."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.audio_corpus import damage
from tools.audio_corpus.formats import Format

KINDS = ("intact", "cut", "flipped", "joined", "joined and damaged", "stale", "tagged", "renamed", "mid-frame")
WHOLE_KINDS = frozenset(["intact", "joined", "tagged", "renamed", "mid-frame"])  # all of the audio is there and valid
RATES = {44100: 22050, 48000: 24000, 22050: 24000, 16000: 8000}  # another rate for a link


@dataclass(frozen=True)
class Case:
    """A file and what is in it.

    Attributes:
        format: the format.
        kind: one of KINDS.
        detail: what was changed, and where.
        content: the file's bytes.
        suffix: of the file's name.
        built_s: seconds of audio in it, by construction; None if only a decoder can say.
    """

    format: Format
    kind: str
    detail: str
    content: bytes
    suffix: str
    built_s: float | None


class CaseMaker:
    """Makes the cases of one format.

    Args:
        format: the format.
        folder: folder for temporary files.
        seconds: length of the intact file.
        seed: seed of the places that are damaged.
    """

    def __init__(self, format: Format, folder: Path, seconds: float, seed: int) -> None:
        self.format, self.seconds = format, seconds
        self._folder = folder
        self._rng = np.random.default_rng([seed, zlib.crc32(format.name.encode())])
        self.content = self._encode(seconds)

    def _encode(
        self, seconds: float, start_s: float = 0.0, rate: int | None = None, channels: int | None = None
    ) -> bytes:
        path = self._folder / f"{self.format.id}{self.format.suffix}"
        audio = self.format.audio(seconds, start_s, rate, channels)
        self.format.encode(audio, path)
        content = path.read_bytes()
        path.unlink()
        return content

    def _case(self, kind: str, detail: str, content: bytes, built_s: float | None, suffix: str = "") -> Case:
        return Case(self.format, kind, detail, content, suffix or self.format.suffix, built_s)

    def intact(self) -> Case:
        """Return the file itself."""
        return self._case("intact", "", self.content, self.seconds)

    def all(self, n_places: int) -> Iterator[Case]:
        """Yield the intact file, `n_places` cuts, as many flipped bits, and the other changes that suit the format."""
        yield self.intact()
        for at in damage.places(len(self.content), n_places, self._rng):
            yield self._case("cut", f"at byte {at}", damage.cut(self.content, at), None)
        for at in damage.flip_places(len(self.content), n_places, self._rng):
            bit = int(self._rng.integers(8))
            yield self._case("flipped", f"bit {bit} of byte {at}", damage.flip(self.content, at, bit), None)
        if self.format.is_float:
            yield from self._huge_samples()
        if self.format.joins:
            yield from self._joined()
            yield from self._joined_and_damaged()
        for detail, content in damage.stale_headers(self.content):
            yield self._case("stale", detail, content, self.seconds)
        for tag in self.format.tags:
            yield self._case("tagged", tag, damage.add_tag(self.content, tag), self.seconds)
        for suffix in sorted({".mp3", ".wav", ".m4a"} - {self.format.suffix}):
            yield self._case("renamed", f"named {suffix}", self.content, self.seconds, suffix)
        if self.format.suffix == ".mp3":
            yield self._mid_frame()

    def _huge_samples(self) -> Iterator[Case]:
        """Yield cases of one flipped bit; in at least one it is the highest bit of an exponent."""
        middle = len(self.content) // 2
        for at in range(middle, middle + 8):
            yield self._case("flipped", f"bit 6 of byte {at}", damage.flip(self.content, at, 6), None)

    def _joined(self) -> Iterator[Case]:
        third = self.seconds / 3
        same = [self._encode(third, start_s) for start_s in (0.0, third, 2 * third)]
        yield self._case("joined", "three alike", b"".join(same), 3 * third)
        rate, channels = RATES[self.format.rate], 3 - self.format.channels
        other = self._encode(third, third, rate, channels)
        mixed = b"".join([same[0], other, same[2]])
        yield self._case("joined", f"the second at {rate} Hz, channels: {channels}", mixed, 3 * third)

    def _joined_and_damaged(self) -> Iterator[Case]:
        """Yield three joined parts of which the second is damaged: in its header, or in its middle."""
        third = self.seconds / 3
        parts = [self._encode(third, start_s) for start_s in (0.0, third, 2 * third)]
        start, middle = len(parts[0]), len(parts[0]) + len(parts[1]) // 2
        content = b"".join(parts)
        for what, at in (("marker", start), ("header", start + 20), ("middle", middle)):
            yield self._case("joined and damaged", f"bit 4 of the {what}", damage.flip(content, at, 4), None)
        for what, at in (("header", start), ("middle", middle)):
            overwritten = content[:at] + bytes(100) + content[at + 100 :]
            yield self._case("joined and damaged", f"zeros in the {what}", overwritten, None)

    def _mid_frame(self) -> Case:
        """Return a clip from the middle of a stream behind a tag: it begins within a frame."""
        at = len(self.content) // 4 + 101
        clip = damage.add_tag(b"", "id3v2") + self.content[at:]
        return self._case("mid-frame", f"from byte {at}", clip, None)
