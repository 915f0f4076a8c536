"""Audio files: decoded exactly and in constant memory; errors are one line with the file's name."""

import gc
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.files import open_file
from genre_edge.audio.suffixes import SOUNDFILE_SUFFIXES
from genre_edge.errors import AudioError
from tests.helpers.audio import encode, music, naive_mono, noise, read_samples, run_python
from tests.helpers.bundles import tiny
from tests.helpers.wav import PCM, chunk, fmt, riff

INTEGERS = [
    ("WAV", "PCM_U8", 8),
    ("WAV", "PCM_16", 16),
    ("WAV", "PCM_24", 24),
    ("WAV", "PCM_32", 32),
    ("FLAC", "PCM_S8", 8),
    ("FLAC", "PCM_16", 16),
    ("FLAC", "PCM_24", 24),
    ("AIFF", "PCM_S8", 8),
    ("AIFF", "PCM_16", 16),
    ("AIFF", "PCM_24", 24),
    ("AU", "PCM_16", 16),
    ("CAF", "PCM_24", 24),
    ("W64", "PCM_16", 16),
    ("RF64", "PCM_16", 16),
]
LOSSY = [("MP3", "MPEG_LAYER_III", 44100), ("MP3", "MPEG_LAYER_III", 22050), ("OGG", "VORBIS", 44100)]
OPUS = [("OGG", "OPUS", 48000), ("OGG", "OPUS", 16000)]


def error_of(path: Path) -> str:
    """Return the reason why a file cannot be read; check that the message is one line with its name."""
    with pytest.raises(AudioError) as caught:
        read_samples(open_file(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("format", "subtype", "bits"), INTEGERS)
def test_integer_samples_are_exact(tmp_path: Path, format: str, subtype: str, bits: int, channels: int) -> None:
    """Integer formats decode to exactly the samples that were written."""
    rng = np.random.default_rng(bits)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high, (5000, channels), endpoint=True)
    values[:2] = [[low] * channels, [high] * channels]
    path = tmp_path / f"x.{format.lower()}"
    # libsndfile takes integers left-aligned in 32 bits.
    path.write_bytes(encode((values << (32 - bits)).astype(np.int32), 44100, format, subtype))
    with open_file(path) as source:
        assert (source.rate, source.channels, source.name) == (44100, channels, str(path))
    expected = naive_mono((values / (1 << (bits - 1))).astype(np.float32))
    decoded = read_samples(open_file(path))
    if bits <= 16 or channels == 1:
        assert np.array_equal(decoded, expected.astype(np.float32))
    else:
        np.testing.assert_allclose(decoded, expected, atol=2**-23)


@pytest.mark.parametrize(("subtype", "kind"), [("FLOAT", np.float32), ("DOUBLE", np.float64)])
@pytest.mark.parametrize("format", ["WAV", "AIFF"])
def test_float_samples_are_exact(tmp_path: Path, format: str, subtype: str, kind: type) -> None:
    """Float formats decode exactly, beyond full scale too."""
    values: np.ndarray = np.random.default_rng(1).normal(0, 2, 5000).astype(kind)
    path = tmp_path / f"x.{format.lower()}"
    path.write_bytes(encode(values, 48000, format, subtype))
    assert np.array_equal(read_samples(open_file(path)), values.astype(np.float32))


@pytest.mark.parametrize(("format", "subtype", "rate"), [*LOSSY, *OPUS])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_formats_correlate(tmp_path: Path, format: str, subtype: str, rate: int, channels: int) -> None:
    """Lossy formats keep the length and correlate with the original."""
    written = np.stack([music(3, rate, seed) for seed in range(channels)], axis=1)
    path = tmp_path / {"MP3": "x.mp3", "VORBIS": "x.ogg", "OPUS": "x.opus"}.get(subtype, "x.mp3")
    path.write_bytes(encode(written, rate, format, subtype))
    with open_file(path) as source:
        assert (source.rate, source.channels) == (rate, channels)
    decoded = read_samples(open_file(path))
    assert len(decoded) == len(written)
    assert np.corrcoef(decoded, naive_mono(written))[0, 1] > 0.95


@pytest.mark.parametrize("channels", [2, 3, 6, 8, 64])
def test_mono_is_channel_mean(tmp_path: Path, channels: int) -> None:
    """Channels are averaged."""
    samples = noise(3000 * channels, channels, 1.0).reshape(-1, channels)
    path = tmp_path / "x.wav"
    path.write_bytes(encode(samples, 48000, subtype="FLOAT"))
    np.testing.assert_allclose(read_samples(open_file(path)), naive_mono(samples), rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 8, 64, 1000])
def test_memory_is_constant(tmp_path: Path, channels: int) -> None:
    """Peak memory depends neither on the length nor on the number of channels."""
    path = tmp_path / "x.wav"
    path.write_bytes(encode(np.zeros((4_000_000 // channels, channels), dtype=np.int16), 48000))
    sizes = []
    with open_file(path) as source:
        tracemalloc.start()
        try:
            for block in source.blocks():
                sizes.append(len(block.samples))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert sum(sizes) == 4_000_000 // channels and len(sizes) > 10
    assert peak < 2 << 20  # the whole file as float32 is 16 MB


def test_content_decides_format(tmp_path: Path) -> None:
    """The content decides the format, not the suffix."""
    content = encode(noise(1000), 8000)
    for name in ("X.WAV", "x", "x.unknown", "x.flac", "x.raw"):  # all are WAV
        (tmp_path / name).write_bytes(content)
        assert len(read_samples(open_file(tmp_path / name))) == 1000
    assert {".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff"} <= SOUNDFILE_SUFFIXES


@pytest.mark.parametrize(
    "name",
    [
        "with space.wav",
        "größe 音楽 🎵.wav",
        "-rf.wav",
        "--help.wav",
        "a'b\"c.wav",
        "50%s.wav",
        os.fsdecode(b"caf\xe9.wav"),
    ],
)
def test_unusual_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Spaces, Unicode, leading dashes and invalid UTF-8 in a name work, as absolute or relative path."""
    samples = noise(1000)
    (tmp_path / name).write_bytes(encode(samples, 8000, subtype="FLOAT"))
    assert np.array_equal(read_samples(open_file(tmp_path / name)), samples)
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(read_samples(open_file(name)), samples)
    (tmp_path / name).write_bytes(b"no audio")
    assert error_of(Path(name)) == "not an audio file that can be read"


def test_unreadable_paths(tmp_path: Path) -> None:
    """Each kind of path that is not an audio file has its own message."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "link.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    (tmp_path / "directory.wav").mkdir()
    (tmp_path / "text.wav").write_text("this is not audio\n" * 100)
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    expected = {
        "empty.wav": "the file is empty",
        "missing.wav": "No such file or directory",
        "link.wav": "broken link",
        "loop.wav": "Too many levels of symbolic links",
        "directory.wav": "not a regular file",
        "text.wav": "not an audio file that can be read",
        "empty.wav/x.wav": "Not a directory",
    }
    assert {name: error_of(tmp_path / name) for name in expected} == expected
    error_of(tmp_path / "noise.mp3")


def test_descriptors_are_closed(tmp_path: Path) -> None:
    """No file descriptor stays open, after an error either."""
    bad_rate = riff(fmt(PCM, 1, 999, 16), chunk(b"data", bytes(2000)))
    contents = {"good.wav": encode(noise(1000), 8000), "bad.wav": b"no audio", "rate.wav": bad_rate, "empty.wav": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    gc.collect()  # descriptors of other tests
    before = len(list(Path("/proc/self/fd").iterdir()))
    with open_file(tmp_path / "good.wav") as source:
        read_samples(source)
        source.close()  # the second call, at the end of `with`, does nothing
    for name in ("bad.wav", "rate.wav", "empty.wav", "."):
        error_of(tmp_path / name)
    gc.collect()  # pytest keeps the frames of errors
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "nul\0byte.wav"])
def test_impossible_file_name(tmp_path: Path, name: str) -> None:
    """A name that the file system rejects is one AudioError."""
    error_of(tmp_path / name)


def test_headerless_file(tmp_path: Path) -> None:
    """A raw file without a header is one AudioError."""
    (tmp_path / "take.raw").write_bytes(noise(1000).tobytes())
    error_of(tmp_path / "take.raw")


@pytest.mark.parametrize("name", ["x.wav", "x.m4a"])
def test_fifo_is_rejected(tmp_path: Path, name: str) -> None:
    """A FIFO is rejected without waiting for a writer."""
    os.mkfifo(tmp_path / name)
    program = "import sys; from genre_edge.audio.files import open_file; open_file(sys.argv[1])"
    done = run_python(program, tmp_path / name)
    reason = "not a regular file but a pipe; pass its data as standard input (WAV, or --raw): genre-edge classify - < "
    expected = f"genre_edge.errors.AudioError: {tmp_path / name}: {reason}{tmp_path / name}"
    assert done.stderr.splitlines()[-1] == expected


@contextmanager
def unprivileged() -> Iterator[None]:
    """Switch to the user `nobody` if the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


def test_permission_denied() -> None:
    """A file or folder without read permission is one AudioError."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # other users cannot read pytest's own directories
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "closed").mkdir()
        for path in (directory / "open.wav", directory / "x.wav", directory / "x.m4a", directory / "closed" / "x.wav"):
            path.write_bytes(encode(noise(1000), 8000))
        (directory / "x.wav").chmod(0)
        (directory / "x.m4a").chmod(0)
        (directory / "closed").chmod(0)
        try:
            with unprivileged():
                assert len(read_samples(open_file(directory / "open.wav"))) == 1000
                for file_name in ("x.wav", "x.m4a", "closed/x.wav"):
                    assert error_of(directory / file_name) == "Permission denied"
        finally:
            (directory / "closed").chmod(0o755)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "OGG"])
def test_file_without_samples(tmp_path: Path, format: str) -> None:
    """A valid file without samples is an error of `classify`."""
    path = tmp_path / f"x.{format.lower()}"
    path.write_bytes(encode(np.zeros(0, dtype=np.float32), 22050, format))
    with pytest.raises(AudioError) as caught:
        tiny().classify(path)
    assert str(caught.value) == f"{path}: holds no audio"


@pytest.mark.slow
def test_close_while_reading(tmp_path: Path) -> None:
    """Closing while another thread reads does not crash; in a separate process, which a crash would end."""
    (tmp_path / "long.flac").write_bytes(encode(noise(1 << 20), 44100, "FLAC"))
    program = """
import sys, threading
from genre_edge.audio.files import open_file

for delay in range(100):
    source = open_file(sys.argv[1])
    closing = threading.Timer(delay * 1e-4, source.close)
    closing.start()
    try:
        for _ in source.blocks():
            pass
    except Exception:
        pass
    closing.join()
print("done")
"""
    done = run_python(program, tmp_path / "long.flac")
    assert (done.returncode, done.stdout) == (0, "done\n")
