"""Length of ASF files (WMA, WMV): ffmpeg ignores it if the file is truncated.

Source: Advanced Systems Format specification, revision 01.20, sections 3.1 and 3.2.
"""

import os
import uuid

from genre_edge.audio.containers.layout import Layout

_HEADER = uuid.UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_FILE_PROPERTIES = uuid.UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
_MAX_OBJECTS = 1000


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of an ASF file; None for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    if os.pread(descriptor, 16, 0) != _HEADER:
        return None
    offset = 30
    for _ in range(_MAX_OBJECTS):
        content = os.pread(descriptor, 88, offset)
        length = int.from_bytes(content[16:24], "little")
        if len(content) < 88 or length < 24:
            break
        if content[:16] == _FILE_PROPERTIES:
            return _layout(content, size)
        offset += length
    return Layout()


def _layout(properties: bytes, size: int) -> Layout:
    """Return the layout according to the file properties."""
    declared_size = int.from_bytes(properties[40:48], "little")
    duration_s = int.from_bytes(properties[64:72], "little") / 1e7
    preroll_s = int.from_bytes(properties[80:88], "little") / 1e3
    return Layout(expected_s=max(0.0, duration_s - preroll_s)) if size < declared_size else Layout()
