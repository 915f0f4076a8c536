"""Length of an ASF file (WMA, WMV) that is truncated: ffmpeg does not trust the header of such a file."""

import os
import struct

from genre_edge.audio.containers.layout import Layout

_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_PROPERTIES_SIZE = 92  # bytes of the object up to its flags
_BROADCAST = 1  # flag: size and length are not valid
_MAX_HEADER = 1 << 16


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the length of a truncated ASF file; None for other files and complete ones.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    head = os.pread(descriptor, _MAX_HEADER, 0)
    at = head.find(_FILE_PROPERTIES)
    if not head.startswith(_HEADER) or at < 0 or at + _PROPERTIES_SIZE > len(head):
        return None
    declared_size, play_100ns, preroll_ms, flags = struct.unpack_from("<40xQ16xQ8xQI", head, at)
    expected_s = play_100ns / 1e7 - preroll_ms / 1e3
    if flags & _BROADCAST or size >= declared_size or expected_s <= 0:
        return None
    return Layout(available_s=expected_s * size / declared_size, expected_s=expected_s)
