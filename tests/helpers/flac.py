"""FLAC streams (RFC 9639) written frame by frame: tiny ones, damaged ones, and bytes that only look like frames."""

import struct

RATE, BLOCK_SIZE = 16000, 16  # of the streams here: mono, 16 bit


def crc(data: bytes, polynomial: int, n_bits: int) -> int:
    """Return the CRC of some bytes, bit by bit."""
    value, top = 0, 1 << n_bits
    for byte in data:
        for bit in range(7, -1, -1):
            value = value << 1 ^ (byte >> bit & 1) << n_bits
            value = (value ^ polynomial if value & top else value) & (top - 1)
    return value


def frame_header(number: int, *, block_size: int = BLOCK_SIZE, rate_code: int = 5, sync: int = 0xF8) -> bytes:
    """Return the header of a mono frame of 16 bits; rate code 5 is 16 kHz, 6 is 22.05 kHz."""
    header = bytes([0xFF, sync, 0x70 | rate_code, 0x08]) + chr(number).encode() + struct.pack(">H", block_size - 1)
    return header + bytes([crc(header, 0x107, 8)])


def constant_frame(number: int, value: int) -> bytes:
    """Return a frame of equal samples."""
    frame = frame_header(number) + b"\0" + struct.pack(">h", value)
    return frame + struct.pack(">H", crc(frame, 0x18005, 16))


def stream_header(n_samples: int = 0) -> bytes:
    """Return the marker and the STREAMINFO block."""
    fields = RATE << 44 | 15 << 36 | n_samples  # rate, channels less 1, bits less 1, samples
    return (
        b"fLaC\x80\0\0\x22"
        + struct.pack(">HH", BLOCK_SIZE, BLOCK_SIZE)
        + bytes(6)
        + struct.pack(">Q", fields)
        + bytes(16)
    )
