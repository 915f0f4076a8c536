"""Frames of MPEG audio, layers I to III (ISO 11172-3, 13818-3, and the unofficial version 2.5).

The number of frames is the only certain length of a file without an index. A run of frames ends where the sampling rate
or the number of channels changes, at the index ("Xing", "Info", "VBRI") of an appended file, and at other bytes.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from genre_edge.audio.containers.layout import Layout, Part
from genre_edge.audio.containers.tags import after_id3v2, before_trailing_tags

_WINDOW_BYTES = 1 << 20
_MAX_FRAME_BYTES = 1 << 12
_MIN_FRAMES = 4  # shorter runs are bytes that look like frames by chance
_MAX_JUNK_BYTES = 1000  # between frames of one run; libmpg123 looks for the next frame in 1024 bytes
_SEARCH_BYTES = 1 << 18  # after which no first frame is searched
_MIN_SHARE = 0.5  # of the bytes in frames, in a file that does not start with a frame
_MAX_RUNS = 10_000  # a file with more was made to cost time and memory
_MAX_REJECTED = 1_000_000  # headers that no frame follows; a file with more was made to cost time
_TAGS = b"ID3", b"TAG", b"APETAGEX", b"LYRICS"  # between the files that are joined
_INDEX_TAGS = b"Xing", b"Info", b"VBRI"
_INDEX_TOLERANCE = 4  # frames; some encoders count the frame of the index
_FIELD_SIZES = 4, 4, 100, 4  # of the fields in a "Xing" index: frames, bytes, table of contents, quality
_LAME_DELAY = 21  # offset of the encoder's delay and padding from the end of these fields
_DECODER_DELAY = 529  # samples that libmpg123 drops with the encoder's delay
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


def _header_pattern() -> re.Pattern[bytes]:
    """Return the pattern of the first three bytes of a frame."""
    second = b"".join(re.escape(bytes([i])) for i in range(256) if _parse(bytes([0xFF, i, 0x90])))
    third = b"".join(re.escape(bytes([i])) for i in range(256) if _parse(bytes([0xFF, 0xFB, i])))
    return re.compile(b"\xff[%b][%b]" % (second, third))


_HEADER = _header_pattern()


@dataclass(frozen=True)
class _Index:
    """Content of an index, the first frame of many files.

    Attributes:
        n_frames: number of the other frames; 0 if the index does not say.
        delay, padding: samples that the encoder added before and after the audio.
        is_xing: the index is a "Xing" or "Info" header, which libmpg123 reads.
    """

    n_frames: int
    delay: int = 0
    padding: int = 0
    is_xing: bool = True


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
        index: content of the index, which is the first frame; None without an index.
        bitrates: indices of the bit rates of the audio.
    """

    start: int
    head: bytes
    header: _Header
    end: int
    index: _Index | None
    n_frames: int = 0
    bitrates: set[int] = field(default_factory=set)

    def add(self, offset: int, head: bytes, header: _Header) -> None:
        """Add the next frame."""
        self.end = offset + header.length
        self.n_frames += 1
        if self.n_audio_frames:
            self.bitrates.add(head[2] >> 4)

    @property
    def n_audio_frames(self) -> int:
        return self.n_frames - (self.index is not None)

    @property
    def n_expected(self) -> int:
        """Number of audio frames that the run should have."""
        n_indexed = self.index.n_frames if self.index else 0
        return n_indexed if n_indexed > self.n_audio_frames + _INDEX_TOLERANCE else self.n_audio_frames

    def seconds(self, n_frames: int) -> float:
        """Return the length of `n_frames` audio frames as libmpg123 decodes them: without delay and padding."""
        n_samples = n_frames * self.header.n_samples
        if self.needs_index:
            n_samples -= _DECODER_DELAY
        elif self.index is not None and self.index.is_xing:
            end = self.index.n_frames * self.header.n_samples - max(0, self.index.padding - _DECODER_DELAY)
            n_samples = min(n_samples, end) - self.index.delay - _DECODER_DELAY
        return max(0, n_samples) / self.header.rate

    @property
    def needs_index(self) -> bool:
        """True if libmpg123 would stop too early: at an estimated length, or at the length in a wrong index."""
        if self.header.layer != 3:
            return False
        if self.index is None or not self.index.is_xing:
            return len(self.bitrates) > 1
        return self.index.n_frames + _INDEX_TOLERANCE < self.n_audio_frames

    def part(self) -> Part:
        """Return the run as a file of its own, with a correct index if it needs one."""
        if not self.needs_index:
            return Part(((self.start, self.end),))
        start = self.start
        if self.index is not None:
            start += self.header.length
        return Part((self._xing(self.end - start), (start, self.end)))

    def _xing(self, n_bytes: int) -> bytes:
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
    if not _long_runs(descriptor, start, min(end, start + _SEARCH_BYTES))[0]:
        return None
    runs, problem = _long_runs(descriptor, start, end)
    if runs[0].start != start and sum(run.end - run.start for run in runs) < _MIN_SHARE * (end - start):
        return None
    available_s = sum(run.seconds(run.n_audio_frames) for run in runs)
    expected_s = sum(run.seconds(run.n_expected) for run in runs)
    if problem is None and _is_damaged(descriptor, runs):
        problem = "the file has damaged frames"
    # libmpg123 reports other bytes after the last frame as an error, with which libsndfile loses the last samples.
    is_plain = (
        len(runs) == 1 and runs[0].start == start and end - runs[0].end <= _MAX_JUNK_BYTES and not runs[0].needs_index
    )
    return Layout(() if is_plain else tuple(run.part() for run in runs), available_s, expected_s, problem)


def frame_length(head: bytes) -> int:
    """Return the length in bytes of the frame that starts with `head`, at least three bytes; 0 if none does."""
    header = _parse(head[:3])
    return header.length if header else 0


def _long_runs(descriptor: int, start: int, end: int) -> tuple[list[_Run], str | None]:
    """Return the runs between two offsets, without accidental ones, and a description of what is left out, if any."""
    frames, runs = _Frames(descriptor, start, end), list[_Run]()
    for run in _runs(frames):
        if run.n_frames < _MIN_FRAMES:
            continue
        if len(runs) == _MAX_RUNS:
            return runs, f"the file has more than {_MAX_RUNS} parts; the rest is not decoded"
        runs.append(run)
    has_given_up = frames.n_rejected > _MAX_REJECTED
    return (
        runs,
        f"the file has more than {_MAX_REJECTED} false frames; the rest is not decoded" if has_given_up else None,
    )


def _is_damaged(descriptor: int, runs: list[_Run]) -> bool:
    """Return True if other bytes than a cut frame and tags lie between two runs."""
    gaps = ((before.end, after.start) for before, after in pairwise(runs))
    heads = (os.pread(descriptor, _MAX_FRAME_BYTES, start) for start, end in gaps if end - start > _MAX_FRAME_BYTES)
    return any(not any(tag in head for tag in _TAGS) for head in heads)


def _runs(frames: "_Frames") -> Iterator[_Run]:
    """Yield the runs of frames."""
    run: _Run | None = None
    for offset, head, header, index in frames:
        if run is None or index is not None or not _continues(run, offset, head):
            if run is not None:
                yield run
            run = _Run(offset, head, header, offset, index)
        run.add(offset, head, header)
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


class _Frames:
    """The whole frames between two offsets of a file: offset, first four bytes, header and index, if any, of each.

    Attributes:
        n_rejected: number of places so far that are no frame; the search ends after `_MAX_REJECTED`.
    """

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor, self._start, self._end = descriptor, start, end
        self.n_rejected = 0

    def __iter__(self) -> Iterator[tuple[int, bytes, _Header, _Index | None]]:
        base, window, may_have_index = self._start, b"", False
        offset, end, is_synchronous = self._start, self._end, False
        while offset + 4 <= end and self.n_rejected <= _MAX_REJECTED:
            at = offset - base
            if at + 2 * _MAX_FRAME_BYTES > len(window) and base + len(window) < end:
                base, at = offset, 0
                window = os.pread(self._descriptor, min(_WINDOW_BYTES, end - base), base)
                may_have_index = any(tag in window for tag in _INDEX_TAGS)
                if len(window) < 4:
                    return
            header = _parse(window[at : at + 3])
            if header is not None and offset + header.length <= end:
                after = window[at + header.length : at + header.length + 3]
                if is_synchronous or _parse(after) or offset + header.length == end:
                    yield offset, window[at : at + 4], header, _index(window, at) if may_have_index else None
                    is_synchronous = True
                    offset += header.length
                    continue
            self.n_rejected += 1
            is_synchronous = False
            found = _HEADER.search(window, at + 1)
            offset = base + (found.start() if found else max(at + 1, len(window) - 2))


def _index(window: bytes, at: int) -> _Index | None:
    """Return the index in the frame at position `at`; None if it holds none."""
    xing = at + _index_offset(window[at : at + 4])
    if window[xing : xing + 4] in (b"Xing", b"Info"):
        flags = int.from_bytes(window[xing + 4 : xing + 8], "big")
        n_frames = int.from_bytes(window[xing + 8 : xing + 12], "big") if flags & 1 else 0
        lame = xing + 8 + sum(size for bit, size in enumerate(_FIELD_SIZES) if flags >> bit & 1)
        if window[lame : lame + 1] in (b"", b"\0"):  # no name of an encoder
            return _Index(n_frames)
        delays = int.from_bytes(window[lame + _LAME_DELAY : lame + _LAME_DELAY + 3], "big")
        return _Index(n_frames, delays >> 12, delays & 0xFFF)
    vbri = at + 36
    if window[vbri : vbri + 4] == b"VBRI":
        return _Index(int.from_bytes(window[vbri + 14 : vbri + 18], "big"), is_xing=False)
    return None
