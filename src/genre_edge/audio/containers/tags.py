"""Tags before and after the audio of a file, which are neither audio nor a fault."""

import os


def after_id3v2(descriptor: int, offset: int) -> int:
    """Return the offset after the ID3v2 tags that start at `offset`; `offset` if there are none."""
    while (header := os.pread(descriptor, 10, offset))[:3] == b"ID3" and len(header) == 10 and max(header[6:]) < 0x80:
        length = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
        offset += 10 + length + (10 if header[5] & 0x10 else 0)
    return offset


def before_trailing_tags(descriptor: int, size: int) -> int:
    """Return the offset at which the tags (ID3v1, APE, Lyrics3) at the end of a file start; `size` without tags."""
    while True:
        tail = os.pread(descriptor, 128, max(0, size - 128))[:size]
        if len(tail) == 128 and tail[:3] == b"TAG":
            length = 128
        elif tail[-32:-24] == b"APETAGEX":
            has_header = tail[-9] & 0x80  # the highest bit of the flags
            length = int.from_bytes(tail[-20:-16], "little") + (32 if has_header else 0)
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            length = int(tail[-15:-9]) + 15
        else:
            return size
        if not 0 < length <= size:
            return size
        size -= length
