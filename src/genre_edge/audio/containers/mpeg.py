"""Frames of MPEG audio, layers I to III (ISO 11172-3, 13818-3, and the unofficial version 2.5).

The number of frames is the only certain length of a file without an index. A run of frames ends where the sampling rate
or the number of channels changes, at the index ("Xing", "Info", "VBRI") of an appended file, and at other bytes.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from genre_edge.audio.containers.layout import Layout, Part
from genre_edge.audio.containers.tags import after_id3v2, before_trailing_tags

_WINDOW_BYTES = 1 << 20
_MAX_FRAME_BYTES = 1 << 12
_MIN_FRAMES = 4  # shorter runs are bytes that look like frames by chance
_MAX_JUNK_BYTES = 1000  # between frames of one run; libmpg123 looks for the next frame in 1024 bytes
_SEARCH_BYTES = 1 << 18  # after which no first frame is searched
_MIN_SHARE = 0.5  # of the bytes in frames, in a file that does not start with a frame
_INDEX_TAGS = b"Xing", b"Info", b"VBRI"
_INDEX_TOLERANCE = 4  # frames; some encoders count the frame of the index
_PADDING_BIT, _MONO = 0x02, 3

_BITRATES = {  # kbit/s by (is version 1, layer); a header's index 0 is "free", and 15 invalid
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by the version bits


@dataclass(frozen=True)
class _Header:
    """Content of a frame header, except for the channels."""

    length: int  # bytes of the frame, header included
    n_samples: int
    rate: int
    layer: int


@lru_cache(maxsize=1 << 12)
def _parse(head: bytes) -> _Header | None:
    """Parse the first three bytes of a frame; None if they are no header."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    hz, bits_per_s = _RATES[version][rate], 1000 * _BITRATES[version == 3, layer][bitrate - 1]
    if layer == 1:
        return _Header((12 * bits_per_s // hz + padding) * 4, 384, hz, layer)
    n_samples = 576 if layer == 3 and version != 3 else 1152
    return _Header(n_samples // 8 * bits_per_s // hz + padding, n_samples, hz, layer)


def _index_offset(head: bytes) -> int:
    """Return the offset of a "Xing" or "Info" index in a frame that starts with `head`: after the side information."""
    is_version_1, is_mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == _MONO
    return 4 + (17 if is_version_1 == is_mono else 32 if is_version_1 else 9)


@dataclass
class _Run:
    """Consecutive frames that one decoder can decode.

    Attributes:
        start: offset of the first frame.
        head, header: the first four bytes of the first frame, and what they say.
        end: offset after the last frame.
        n_indexed: number of frames according to the index; None without an index.
        bitrates: indices of the bit rates.
    """

    start: int
    head: bytes
    header: _Header
    end: int
    n_indexed: int | None
    n_frames: int = 0
    bitrates: set[int] = field(default_factory=set)

    def seconds(self, n_frames: int) -> float:
        return n_frames * self.header.n_samples / self.header.rate

    @property
    def n_audio_frames(self) -> int:
        return self.n_frames - (self.n_indexed is not None)

    @property
    def n_expected(self) -> int:
        """Number of audio frames that the run should have."""
        n_indexed = self.n_indexed or 0
        return n_indexed if n_indexed > self.n_audio_frames + _INDEX_TOLERANCE else self.n_audio_frames

    @property
    def needs_index(self) -> bool:
        """True if libmpg123 would stop too early: at an estimated length, or at the length in a wrong index."""
        if self.header.layer != 3:
            return False
        if self.n_indexed is None:
            return len(self.bitrates) > 1
        return self.n_indexed + _INDEX_TOLERANCE < self.n_audio_frames

    def part(self) -> Part:
        """Return the run as a file of its own, with a correct index if it needs one."""
        if not self.needs_index:
            return Part(((self.start, self.end),))
        start = self.start
        if self.n_indexed is not None:
            start += self.header.length
        return Part((self._index(self.end - start), (start, self.end)))

    def _index(self, n_bytes: int) -> bytes:
        """Return a frame that holds the number of frames and bytes (the "Xing" header)."""
        head = bytes([0xFF, self.head[1] | 1, 0x90 | self.head[2] & 0x0C, self.head[3]])
        header = _parse(head[:3])
        assert header is not None
        frame = bytearray(header.length)
        frame[:4] = head
        struct.pack_into(">4sIII", frame, _index_offset(head), b"Xing", 3, self.n_audio_frames, n_bytes + len(frame))
        return bytes(frame)


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of a file that consists of MPEG audio frames; None for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    start, end = after_id3v2(descriptor, 0), before_trailing_tags(descriptor, size)
    if not _long_runs(descriptor, start, min(end, start + _SEARCH_BYTES)):
        return None
    runs = _long_runs(descriptor, start, end)
    if runs[0].start != start and sum(run.end - run.start for run in runs) < _MIN_SHARE * (end - start):
        return None
    available_s = sum(run.seconds(run.n_audio_frames) for run in runs)
    expected_s = sum(run.seconds(run.n_expected) for run in runs)
    is_plain = len(runs) == 1 and runs[0].start == start and not runs[0].needs_index
    return Layout(() if is_plain else tuple(run.part() for run in runs), available_s, expected_s)


def _long_runs(descriptor: int, start: int, end: int) -> list[_Run]:
    return [run for run in _runs(descriptor, start, end) if run.n_frames >= _MIN_FRAMES]


def _runs(descriptor: int, start: int, end: int) -> Iterator[_Run]:
    """Yield the runs of frames between two offsets."""
    run: _Run | None = None
    for offset, head, header, n_indexed in _frames(descriptor, start, end):
        if run is None or n_indexed is not None or not _continues(run, offset, head):
            if run is not None:
                yield run
            run = _Run(offset, head, header, offset, n_indexed)
        run.end = offset + header.length
        run.n_frames += 1
        run.bitrates.add(head[2] >> 4)
    if run is not None:
        yield run


def _continues(run: _Run, offset: int, head: bytes) -> bool:
    """Return True if a frame belongs to the run: same version, layer, rate and number of channels, and close enough."""
    return (
        offset - run.end <= _MAX_JUNK_BYTES
        and (head[1] ^ run.head[1]) & 0xFE == 0
        and (head[2] ^ run.head[2]) & 0x0C == 0
        and (head[3] >> 6 == _MONO) == (run.head[3] >> 6 == _MONO)
    )


def _frames(descriptor: int, start: int, end: int) -> Iterator[tuple[int, bytes, _Header, int | None]]:
    """Yield offset, first four bytes, header and the number of frames in the index, if any, of each whole frame."""
    base, window, indices = start, b"", frozenset[int]()
    offset, is_synchronous = start, False
    while offset + 4 <= end:
        at = offset - base
        if at + 2 * _MAX_FRAME_BYTES > len(window) and base + len(window) < end:
            base, at = offset, 0
            window = os.pread(descriptor, min(_WINDOW_BYTES, end - base), base)
            indices = _index_positions(window)
            if len(window) < 4:
                return
        header = _parse(window[at : at + 3])
        if header is not None and offset + header.length <= end:
            after = window[at + header.length : at + header.length + 3]
            if is_synchronous or _parse(after) or offset + header.length == end:
                yield offset, window[at : at + 4], header, _n_indexed(window, at) if at in indices else None
                is_synchronous = True
                offset += header.length
                continue
        is_synchronous = False
        found = window.find(b"\xff", at + 1)
        offset = base + (found if found >= 0 else len(window))


def _index_positions(window: bytes) -> frozenset[int]:
    """Return the positions at which a frame with an index may start."""
    positions = set[int]()
    for tag in _INDEX_TAGS:
        found = window.find(tag)
        while found >= 0:
            positions.update(found - distance for distance in (36, 21, 13))
            found = window.find(tag, found + 1)
    return frozenset(positions)


def _n_indexed(window: bytes, at: int) -> int | None:
    """Return the number of frames in the index of the frame at position `at`; None without an index."""
    xing = at + _index_offset(window[at : at + 4])
    if window[xing : xing + 4] in (b"Xing", b"Info"):
        has_frames = int.from_bytes(window[xing + 4 : xing + 8], "big") & 1
        return int.from_bytes(window[xing + 8 : xing + 12], "big") if has_frames else 0
    vbri = at + 36
    if window[vbri : vbri + 4] == b"VBRI":
        return int.from_bytes(window[vbri + 14 : vbri + 18], "big")
    return None
