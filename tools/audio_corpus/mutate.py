"""Random changes of a file's bytes. The same generator state gives the same file."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.audio_corpus import damage

Rng = np.random.Generator
EXTREME = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
MAX_SIZE = 1 << 21  # bytes of a mutated file


@dataclass(frozen=True)
class Context:
    """What a mutation may use besides the file: a file of another format, and another suffix."""

    other: bytes


def _range(size: int, rng: Rng, max_size: int = 1 << 14) -> tuple[int, int]:
    """Return a random range of a file, begin and end; small ranges are as likely as large ones."""
    at = int(rng.integers(0, max(1, size)))
    length = int(2 ** rng.uniform(0, np.log2(max_size)))
    return at, min(size, at + length)


def flip_bits(content: bytes, rng: Rng, context: Context) -> bytes:
    """Invert 1 to 64 bits anywhere."""
    changed = bytearray(content)
    for _ in range(int(2 ** rng.uniform(0, 6)) if content else 0):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def flip_header_bits(content: bytes, rng: Rng, context: Context) -> bytes:
    """Invert 1 to 16 bits of the first 4 KiB."""
    size = min(len(content), damage.HEADER_SIZE)
    return flip_bits(content[:size], rng, context) + content[size:]


def cut(content: bytes, rng: Rng, context: Context) -> bytes:
    """Keep the beginning; every third time no more than the header."""
    end = damage.HEADER_SIZE if rng.integers(3) == 0 else len(content)
    return content[: int(rng.integers(0, max(1, min(end, len(content)))))]


def cut_start(content: bytes, rng: Rng, context: Context) -> bytes:
    """Drop the beginning."""
    return content[_range(len(content), rng)[1] :]


def zero_range(content: bytes, rng: Rng, context: Context) -> bytes:
    """Set a range to zero."""
    begin, end = _range(len(content), rng)
    return content[:begin] + bytes(end - begin) + content[end:]


def random_range(content: bytes, rng: Rng, context: Context) -> bytes:
    """Replace a range with noise."""
    begin, end = _range(len(content), rng)
    return content[:begin] + rng.bytes(end - begin) + content[end:]


def duplicate_range(content: bytes, rng: Rng, context: Context) -> bytes:
    """Repeat a range."""
    begin, end = _range(len(content), rng)
    return content[:end] + content[begin:]


def remove_range(content: bytes, rng: Rng, context: Context) -> bytes:
    """Drop a range."""
    begin, end = _range(len(content), rng)
    return content[:begin] + content[end:]


def swap_ranges(content: bytes, rng: Rng, context: Context) -> bytes:
    """Exchange two neighbouring ranges."""
    begin, middle = _range(len(content), rng)
    _, end = _range(len(content) - middle, rng)
    end += middle
    return content[:begin] + content[middle:end] + content[begin:middle] + content[end:]


def extreme_field(content: bytes, rng: Rng, context: Context) -> bytes:
    """Set one to four aligned fields of the first 4 KiB to an extreme value, or to one near the file's size."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        width = int(rng.choice([1, 2, 4, 8]))
        step = 1 if width == 1 else 2
        last = min(len(changed), damage.HEADER_SIZE) - width
        if last < 0:
            break
        at = int(rng.integers(0, last // step + 1)) * step
        near = len(content) + int(rng.integers(-16, 17))
        value = near if rng.integers(4) == 0 else int(rng.choice(EXTREME))
        layout = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
        mask = (1 << 8 * width) - 1
        struct.pack_into(("<" if rng.integers(2) else ">") + layout, changed, at, value & mask)
    return bytes(changed)


def splice(content: bytes, rng: Rng, context: Context) -> bytes:
    """Continue with a file of another format."""
    begin, end = rng.integers(0, len(content) + 1), rng.integers(0, len(context.other) + 1)
    return content[: int(begin)] + context.other[int(end) :]


def join(content: bytes, rng: Rng, context: Context) -> bytes:
    """Append a whole file of another format."""
    return content + context.other


def append_junk(content: bytes, rng: Rng, context: Context) -> bytes:
    """Append noise, zeros or text."""
    return content + _junk(rng)


def prepend_junk(content: bytes, rng: Rng, context: Context) -> bytes:
    """Prepend noise, zeros or text."""
    return _junk(rng) + content


def _junk(rng: Rng) -> bytes:
    size = int(2 ** rng.uniform(0, 15))
    kinds = (rng.bytes(size), bytes(size), b"<!DOCTYPE html>\n" * (size // 16 + 1), b"\xff" * size)
    return kinds[int(rng.integers(len(kinds)))]


def tag(content: bytes, rng: Rng, context: Context) -> bytes:
    """Add a tag, every second time a damaged one."""
    tagged = damage.add_tag(content, damage.TAGS[int(rng.integers(3))])
    return extreme_field(tagged, rng, context) if rng.integers(2) else tagged


Mutation = Callable[[bytes, Rng, Context], bytes]
MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_header_bits,
    cut,
    cut_start,
    zero_range,
    random_range,
    duplicate_range,
    remove_range,
    swap_ranges,
    extreme_field,
    splice,
    join,
    append_junk,
    prepend_junk,
    tag,
)


def mutate(content: bytes, rng: Rng, other: bytes) -> tuple[bytes, list[str]]:
    """Apply one to three random mutations; return the file and the names of the mutations."""
    names = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3]))):
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        content = mutation(content, rng, Context(other))[:MAX_SIZE]
        names.append(mutation.__name__)
    return content, names
