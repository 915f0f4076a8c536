"""`scan_header`: where the audio lies in a file of a container whose header states its size."""

from collections.abc import Callable

from genre_edge.audio.containers.aiff import scan_aiff
from genre_edge.audio.containers.au import scan_au
from genre_edge.audio.containers.caf import scan_caf
from genre_edge.audio.containers.file_bytes import Peek, file_peek
from genre_edge.audio.containers.layout import Layout
from genre_edge.audio.containers.w64 import MAGIC, scan_w64
from genre_edge.audio.containers.wav import scan_wav


def scan_header(descriptor: int, size: int) -> Layout | None:
    """Find the audio of a WAV (RIFF, RIFX, RF64, BW64), W64, AU, AIFF, AIFC or CAF file.

    Args:
        descriptor: open file descriptor; its position is neither used nor changed.
        size: size of the file in bytes.

    Returns:
        The layout, without parts if libsndfile finds the same audio by itself; None if the file is in none of these
        containers, or too damaged to say anything.
    """
    peek = file_peek(descriptor, size)
    head = peek(0, 16)
    for magics, scan in _SCANNERS:
        if head.startswith(magics):
            return scan(peek, size)
    return None


_SCANNERS: tuple[tuple[tuple[bytes, ...], Callable[[Peek, int], Layout | None]], ...] = (
    ((b"RIFF", b"RIFX", b"RF64", b"BW64"), scan_wav),
    ((MAGIC,), scan_w64),
    ((b".snd", b"dns."), scan_au),
    ((b"FORM",), scan_aiff),
    ((b"caff",), scan_caf),
)
