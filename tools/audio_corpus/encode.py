"""Encoders: samples to a file, by libsndfile, by ffmpeg, or written here where neither can."""

import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

SONG = Path(__file__).parents[2] / "demo" / "song.ogg"
PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=5"]
ENCODE_TIMEOUT_S = 120
_DSD_BLOCK = 4096  # bytes of a channel's block in a DSF file


@dataclass(frozen=True)
class Audio:
    """Samples to encode: `(n, channels)` float32, full scale +-1, and their rate in Hz."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


Encode = Callable[[Audio, Path], None]


class EncodingError(Exception):
    """An encoder is missing or fails."""


def song(seconds: float, rate: int, channels: int, start_s: float = 0.0) -> Audio:
    """Return a part of the shipped song, resampled; the channels differ in level."""
    samples, song_rate = soundfile.read(SONG, dtype="float32")
    first = round(start_s * song_rate)
    part = soxr.resample(samples[first : first + round(seconds * song_rate)], song_rate, rate)
    gains = np.linspace(1.0, 0.7, channels, dtype=np.float32)
    return Audio(np.ascontiguousarray(part[: round(seconds * rate), None] * gains), rate)


def quiet_start(audio: Audio) -> Audio:
    """Reduce the level of the first quarter by 60 dB: at a variable bit rate its frames are the smallest."""
    samples = audio.samples.copy()
    samples[: len(samples) // 4] *= np.float32(0.001)
    return Audio(samples, audio.rate)


def libsndfile(format: str, subtype: str, endian: str = "FILE") -> Encode:
    """Return an encoder that uses libsndfile."""
    return partial(_with_libsndfile, format, subtype, endian)


def _with_libsndfile(format: str, subtype: str, endian: str, audio: Audio, path: Path) -> None:
    try:
        soundfile.write(path, audio.samples, audio.rate, format=format, subtype=subtype, endian=endian)
    except soundfile.LibsndfileError as error:
        raise EncodingError(f"{path.name}: {error}") from None


def ffmpeg(*output: str, picture: tuple[str, ...] = ()) -> Encode:
    """Return an encoder that uses ffmpeg with these output options, and with these options for a picture."""
    return partial(_with_ffmpeg, output, picture)


def _with_ffmpeg(output: tuple[str, ...], picture: tuple[str, ...], audio: Audio, path: Path) -> None:
    # The serial number of an Ogg stream depends on the samples, so that joined streams differ.
    serial = str(zlib.crc32(audio.samples.tobytes()) & 0x7FFFFFFF)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *(PICTURE if picture else [])]
    command += ["-f", "f32le", "-ar", str(audio.rate), "-ac", str(audio.samples.shape[1]), "-i", "pipe:0"]
    command += ["-t", f"{audio.seconds:.6f}", *(picture or ["-vn"]), "-strict", "-2", "-fflags", "+bitexact"]
    command += ["-flags:a", "+bitexact", *(["-serial_offset", serial] if "ogg" in output else []), *output]
    _run([*command, f"file:{path}"], audio.samples.tobytes())


def _run(command: list[str], content: bytes) -> None:
    """Run ffmpeg. Raises EncodingError."""
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=ENCODE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EncodingError(f"ffmpeg cannot encode: {error}") from None
    if done.returncode:
        raise EncodingError(f"{command[-1]}: {done.stderr.decode(errors='replace').strip()[-300:]}")


def dsf(audio: Audio, path: Path) -> None:
    """Encode DSD64 as a DSF file: a first-order sigma-delta modulator, which is a rounded cumulative sum."""
    n_channels, rate = audio.samples.shape[1], 64 * 44100
    n = round(audio.seconds * rate)
    times = np.arange(n) * (audio.rate / rate)
    channels = []
    for samples in audio.samples.T:
        wave = np.interp(times, np.arange(len(samples)), samples)
        bits = np.diff(np.floor(np.cumsum(0.5 + 0.45 * wave)), prepend=0.0).astype(np.uint8)
        channels.append(np.packbits(bits, bitorder="little"))
    n_blocks = -(-len(channels[0]) // _DSD_BLOCK)
    blocks = np.full((n_blocks, n_channels, _DSD_BLOCK), 0x69, dtype=np.uint8)  # the pattern of silence
    for index, data in enumerate(channels):
        padded = np.concatenate([data, np.full(n_blocks * _DSD_BLOCK - len(data), 0x69, dtype=np.uint8)])
        blocks[:, index] = padded.reshape(n_blocks, _DSD_BLOCK)
    data_size = 12 + blocks.nbytes
    header = b"DSD " + struct.pack("<QQQ", 28, 28 + 52 + data_size, 0)
    header += b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, n_channels, n_channels, rate, 1, n, _DSD_BLOCK, 0)
    path.write_bytes(header + b"data" + struct.pack("<Q", data_size) + blocks.tobytes())
