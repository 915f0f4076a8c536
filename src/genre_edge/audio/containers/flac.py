"""FLAC files (RFC 9639): streams that are joined end to end, their true lengths, and the next frame after damage."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from genre_edge.audio.containers.flac_frames import (
    MAX_HEADER_BYTES,
    Frame,
    StreamInfo,
    find_frames,
    find_streams,
    frame_ends,
    has_all_frames,
    parse_header,
)
from genre_edge.audio.containers.layout import Layout, Part
from genre_edge.audio.containers.tags import after_id3v2, before_trailing_tags

_MARKER = b"fLaC"
_WINDOW_BYTES = 1 << 20  # more than a frame, except for extreme block sizes
_MAX_METADATA_BLOCKS = 1000
_MAX_SEARCH_BYTES = 1 << 24  # for the next frame after damage
_READ_AHEAD = 1 << 16  # bytes that libFLAC may have read behind the frame that it decodes
_MAX_MARKERS = 1000  # of streams; more are no audio, but a file made to cost time
_MAX_FRAME_BYTES = 1 << 16  # in the check of a marker
_MAX_FALSE_STREAMS = 100  # before a stream without a header; more are a file made to cost time
_MAX_LOST_FRAMES = 100  # before a frame that no other confirms, in a stream of unknown length
_CONSTANT_BITS, _MAX_WRONG_BITS = 0xFFFF0FFF, 8  # of the first four bytes of each header; wrong in a damaged one
_MAX_ZEROS = 64  # at the end of a frame; more are damage
_PART_HEADER = b"fLaC\x80\x00\x00\x22"  # the marker, and the header of a STREAMINFO block that no other follows


@dataclass(frozen=True)
class _Stream:
    """One FLAC stream: its STREAMINFO block, the offset of its first frame, and the offset after its last."""

    info: StreamInfo
    first: int
    end: int

    def part(self, n_samples: int, first: int | None = None) -> Part:
        """Return the frames from offset `first` on, with this number of samples (0 if unknown), as a file."""
        header = _PART_HEADER + self.info.with_n_samples(n_samples)
        return Part((header, (self.first if first is None else first, self.end)))

    def frames(self, descriptor: int, start: int, end: int | None = None) -> Iterator[Frame]:
        """Yield what look like frame headers from offset `start` on."""
        return find_frames(descriptor, self.info, start, self.end if end is None else end, self.first)


@dataclass(frozen=True)
class Rest:
    """What follows the damage of a stream.

    Attributes:
        part: its frames as a file.
        first_sample: number of its first sample in the stream.
        offset: its offset in the file.
        block_size: samples of a frame; reading as many at a time decodes each frame before the next one can fail.
    """

    part: Part
    first_sample: int
    offset: int
    block_size: int


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of a FLAC file; None for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    parts, available_s, expected_s, needs_parts = [], 0.0, 0.0, False
    streams = list(_streams(descriptor, size))
    for stream in streams:
        n_available, n_expected = _lengths(descriptor, stream)
        if stream is not streams[-1]:
            n_available = n_expected  # what is missing there is damage
        parts.append(stream.part(n_expected))
        available_s += n_available / stream.info.rate
        expected_s += n_expected / stream.info.rate
        # libFLAC reports other bytes behind the last sample as an error, if it does not know that it is the last.
        needs_parts = needs_parts or stream.end < size or n_expected != stream.info.n_samples
    if not parts:
        return None
    return Layout(tuple(parts) if needs_parts else (), available_s or None, expected_s or None)


def lacks_frames(descriptor: int, size: int) -> bool:
    """Return True if frames are missing in a file of one FLAC stream; False for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    stream = _stream(descriptor, size, None)
    return stream is not None and not has_all_frames(descriptor, stream.info, stream.first, stream.end)


def resume(descriptor: int, size: int, part: Part | None, sample: int, offset: int = 0) -> Rest | None:
    """Return the rest of a damaged FLAC stream; None if no frame follows.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
        part: the part of the layout that is damaged; None for the whole file.
        sample: number of the first sample that is not decoded yet; the rest starts with its frame or a later one.
        offset: offset in the file from which the rest is searched.
    """
    stream = _stream(descriptor, size, part)
    if stream is None:
        return None
    start, n_samples = max(offset, stream.first), stream.info.n_samples
    while True:
        last_good = start
        for frame in stream.frames(descriptor, start, min(stream.end, start + _MAX_SEARCH_BYTES)):
            if frame.end_sample > sample and not 0 < n_samples <= frame.first_sample:
                rest = stream.part(max(0, n_samples - frame.first_sample), frame.offset)
                return Rest(rest, frame.first_sample, frame.offset, stream.info.block_size)
            last_good = frame.offset
        if last_good == start:
            return None
        start = last_good


def next_part(descriptor: int, size: int, part: Part | None, n_samples: int, offset: int) -> Part | None:
    """Return the stream behind the end of another one, if its marker is damaged; None if there is none.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
        part: the part of the layout that is decoded; None for the whole file.
        n_samples: number of samples in it.
        offset: offset in the file up to which libFLAC has read it.
    """
    stream = _stream(descriptor, size, part)
    if stream is None or offset >= stream.end:
        return None
    start = max(stream.first, offset - stream.info.max_frame_bytes - _READ_AHEAD)
    ends = (frame.offset for frame in stream.frames(descriptor, start) if frame.end_sample == n_samples)
    if (last := next(ends, None)) is None:
        return None
    for first, info in islice(find_streams(descriptor, stream.info, last + 1, stream.end), _MAX_FALSE_STREAMS):
        following = _Stream(info, first, stream.end)
        frames = islice(following.frames(descriptor, first, first + 2 * info.max_frame_bytes), _MAX_LOST_FRAMES)
        frame = next(frames, None)
        if frame and any(later.first_sample == frame.end_sample for later in frames):
            return following.part(_lengths(descriptor, following)[1] - frame.first_sample)
    return None


def _stream(descriptor: int, size: int, part: Part | None) -> _Stream | None:
    """Return the stream from which a part was made, the file's if it is None; None for parts of other formats."""
    if part is None:
        return _read_stream(descriptor, after_id3v2(descriptor, 0), size)
    header, frames = part.pieces[0], part.pieces[-1]
    if not isinstance(header, bytes) or isinstance(frames, bytes) or not header.startswith(_PART_HEADER):
        return None
    return _Stream(StreamInfo(header[len(_PART_HEADER) :]), *frames)


def _streams(descriptor: int, size: int) -> Iterator[_Stream]:
    """Yield the streams of a file, which follow each other end to end."""
    stream = _read_stream(descriptor, after_id3v2(descriptor, 0), size)
    n_markers = 0
    while stream is not None and stream.info.rate:
        following, marker = None, stream.first - 1
        while following is None and n_markers < _MAX_MARKERS:
            marker, n_markers = _find_marker(descriptor, marker + 1, size), n_markers + 1
            if marker == size:
                break
            following = _read_next_stream(descriptor, stream, marker, size)
        end = marker if following else size
        yield _Stream(stream.info, stream.first, max(stream.first, before_trailing_tags(descriptor, end)))
        stream = following


def _read_stream(descriptor: int, offset: int, size: int) -> _Stream | None:
    """Read the metadata blocks of a stream whose marker lies at an offset; None if there is none."""
    if os.pread(descriptor, 4, offset) != _MARKER:
        return None
    offset += 4
    content = b""
    for _ in range(_MAX_METADATA_BLOCKS):
        header = os.pread(descriptor, 4, offset)
        length = int.from_bytes(header[1:], "big")
        if len(header) < 4 or offset + 4 + length > size:
            return None
        if header[0] & 0x7F == 0:
            content = os.pread(descriptor, 34, offset + 4)
        offset += 4 + length
        if header[0] & 0x80:
            break
    return _Stream(StreamInfo(content), offset, size) if len(content) == 34 else None


def _read_next_stream(descriptor: int, stream: _Stream, marker: int, size: int) -> _Stream | None:
    """Read the stream that another one precedes; None if the marker is a part of the other one's audio."""
    following = _read_stream(descriptor, marker, size)
    if following is None or not following.info.is_valid:
        return None
    header = os.pread(descriptor, MAX_HEADER_BYTES, following.first)
    if parse_header(header, following.info) is None and _is_within_audio(descriptor, stream, marker):
        return None
    return following


def _find_marker(descriptor: int, start: int, size: int) -> int:
    """Return the offset of the next stream marker; `size` if there is none."""
    while start < size:
        window = os.pread(descriptor, _WINDOW_BYTES + len(_MARKER) - 1, start)
        if not window:
            break
        at = window.find(_MARKER)
        if at >= 0:
            return start + at
        start += _WINDOW_BYTES
    return size


def _is_within_audio(descriptor: int, stream: _Stream, marker: int) -> bool:
    """Return True if a frame begins before a marker and the next one behind it."""
    n_bytes = min(stream.info.max_frame_bytes, _MAX_FRAME_BYTES)
    before = deque(stream.frames(descriptor, max(stream.first, marker - n_bytes), marker), 1)
    after = next(stream.frames(descriptor, marker, marker + n_bytes), None)
    return bool(before and after and before[0].end_sample == after.first_sample)


def _lengths(descriptor: int, stream: _Stream) -> tuple[int, int]:
    """Return the number of samples that a stream holds, and the number that it should hold."""
    last = _last_frame(descriptor, stream)
    n_available = last.end_sample if last else 0
    n_expected = max(n_available, stream.info.n_samples)
    is_cut = stream.first >= stream.end if last is None else _is_cut_behind(descriptor, stream, last)
    return n_available if is_cut else n_expected, n_expected


def _last_frame(descriptor: int, stream: _Stream) -> Frame | None:
    """Return the last frame, with a number that the frames next to it or the declared length confirm."""
    stop = stream.end
    while stop > stream.first:
        start = max(stream.first, stop - _WINDOW_BYTES)
        frames = list(stream.frames(descriptor, start, stop))
        starts, ends = {frame.first_sample for frame in frames}, {frame.end_sample for frame in frames}
        chained = [frame for frame in frames if frame.end_sample in starts or frame.first_sample in ends]
        limit = stream.info.n_samples
        if not limit and chained:
            limit = max(frame.end_sample for frame in chained) + _MAX_LOST_FRAMES * stream.info.block_size
        chained += [frame for frame in frames if frame.first_sample < limit or frame.offset == stream.first]
        if chained:
            return max(chained, key=lambda frame: frame.end_sample)
        stop = start
    return None


def _is_cut_behind(descriptor: int, stream: _Stream, last: Frame) -> bool:
    """Return True if a stream ends in its last frame or directly behind it; False if damaged frames follow."""
    n_bytes = stream.end - last.offset
    if n_bytes > 2 * stream.info.max_frame_bytes:
        return False
    content = os.pread(descriptor, n_bytes, last.offset)
    first = int.from_bytes(content[:4], "big") & _CONSTANT_BITS
    for end in frame_ends(content):
        following = int.from_bytes(content[end : end + 4], "big") & _CONSTANT_BITS
        if n_bytes - end >= MAX_HEADER_BYTES and (first ^ following).bit_count() <= _MAX_WRONG_BITS:
            return False
    return any(content[-_MAX_ZEROS:])
