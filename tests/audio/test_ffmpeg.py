"""FfmpegSource with files: the real ffmpeg where it is installed, and fake programs named ffmpeg."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.helpers.audio import encode, music, naive_mono, noise, read_samples, run_python
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.wav import PCM, UNKNOWN_SIZE, chunk, endless_header, fmt, riff

OTHER_NAMES = ["x.aac", "x.mp4", "with space.M4A", "-x.m4a", os.fsdecode(b"\xe9.m4a")]
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


def encode_with_ffmpeg(directory: Path, name: str, *codec: str) -> tuple[Path, np.ndarray]:
    """Encode stereo music with ffmpeg; return the path and the mono samples before encoding."""
    samples = np.stack([music(4, 44100, seed) for seed in (0, 1)], axis=1)
    (directory / "before.wav").write_bytes(encode(samples, 44100))
    command = ["ffmpeg", "-v", "error", "-i", "before.wav", *codec, f"file:{name}"]
    subprocess.run(command, cwd=directory, check=True, stdin=subprocess.DEVNULL)
    return directory / name, read_samples(open_file(directory / "before.wav"))


def best_correlation(decoded: np.ndarray, before: np.ndarray, max_lag: int = 4096) -> float:
    """Return the correlation at the best lag: an encoder may add silence at the start."""
    part = before[2 * max_lag : 8 * max_lag]
    lags = range(-max_lag, max_lag + 1)
    starts = [2 * max_lag + lag for lag in lags if lag % 16 == 0 or abs(lag) < 4]
    best_start = max(starts, key=lambda at: float(decoded[at : at + len(part)] @ part))
    all_starts = range(best_start - 16, best_start + 17)
    return max(float(np.corrcoef(decoded[at : at + len(part)], part)[0, 1]) for at in all_starts)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["x.m4a", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_NAMES)])
def test_aac_correlates_with_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Decoded AAC correlates with the samples before encoding, under any file name."""
    path, before = encode_with_ffmpeg(tmp_path, name, "-c:a", "aac", "-b:a", "192k")
    monkeypatch.chdir(tmp_path)
    with open_file(name) as source:
        assert (source.rate, source.channels, source.name) == (44100, 2, name)
    decoded = read_samples(open_file(path))
    assert len(decoded) == pytest.approx(len(before), abs=4096)
    assert best_correlation(decoded, before) > 0.98


@needs_ffmpeg
def test_lossless_m4a_equals_wav(tmp_path: Path) -> None:
    """A lossless m4a decodes to exactly the samples of the WAV."""
    path, before = encode_with_ffmpeg(tmp_path, "x.m4a", "-c:a", "alac")
    assert np.array_equal(read_samples(open_file(path)), before)


@needs_ffmpeg
@pytest.mark.parametrize("content", [b"no audio at all", bytes(3000), b"#EXTM3U\nhttp://127.0.0.1:9/x.aac\n"])
def test_file_without_audio(tmp_path: Path, content: bytes) -> None:
    """A file without audio is one AudioError, and a playlist in it opens no network connection."""
    path = tmp_path / "x.m4a"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value) == f"{path}: not an audio file that can be read"


def test_missing_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ffmpeg the error says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "x.M4A"
    path.write_bytes(b"not read")
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value) == f"{path}: needs ffmpeg, which is not installed (apt install ffmpeg)"


def test_ffmpeg_output_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The WAV that ffmpeg writes is decoded, with its rate and channels."""
    samples = noise(30000).reshape(-1, 2)
    (tmp_path / "out.wav").write_bytes(encode(samples, 32000, subtype="FLOAT"))
    path = install_fake_ffmpeg(tmp_path, monkeypatch, f"exec /bin/cat {tmp_path}/out.wav")
    with open_file(path) as source:
        assert (source.rate, source.channels, source.name) == (32000, 2, str(path))
    np.testing.assert_allclose(read_samples(open_file(path)), naive_mono(samples), atol=1e-7)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo '[mov @ 0x0] [error] moov atom not found' >&2; echo '[error] Invalid data found' >&2; exit 1",
            "the file is incomplete or damaged: its index (moov) is missing",
        ),
        ("echo \"[fatal] Stream map '0:a:0' matches no streams.\" >&2; echo 'a hint' >&2; exit 1", "holds no audio"),
        ("echo '[error] Invalid data found' >&2; exit 1", "not an audio file that can be read"),
        ("exit 1", "no data"),
        ("printf RIFF", "the WAV header is truncated"),
        ("printf '[error] \\377\\n' >&2; exit 1", "not an audio file that can be read"),
    ],
)
def test_ffmpeg_error_names_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    """The error says what is wrong with the file, not what ffmpeg printed last."""
    path = install_fake_ffmpeg(tmp_path, monkeypatch, script)
    path.write_bytes(b"\0\0\0\x20ftyp")
    with pytest.raises(AudioError) as caught:
        read_samples(open_file(path))
    assert str(caught.value) == f"{path}: {reason}"


def test_ffmpeg_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ffmpeg that is no valid program is one AudioError."""
    path = install_fake_ffmpeg(tmp_path, monkeypatch, "")
    (tmp_path / "bin" / "ffmpeg").write_bytes(b"\x7fELF for another machine")
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value) == f"{path}: ffmpeg: cannot be started: Exec format error"


def test_ffmpeg_rejected_output_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output with an unsupported rate, such as 11 MHz DSD, is an error although ffmpeg goes on writing."""
    (tmp_path / "header").write_bytes(endless_header(1_411_200))
    script = f"/bin/cat {tmp_path}/header /dev/zero || echo 'Error closing file: Broken pipe' >&2; exit 1"
    path = install_fake_ffmpeg(tmp_path, monkeypatch, script)
    program = "import sys; from genre_edge.audio.files import open_file; open_file(sys.argv[1])"
    done = run_python(program, path)
    reason = "the sampling rate 1411200 Hz is outside 1000 to 1000000 Hz"
    assert done.stderr.splitlines()[-1] == f"genre_edge.errors.AudioError: {path}: {reason}"


def test_ffmpeg_failure_after_samples_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The samples before a failure count, and the failure is logged."""
    wav = riff(fmt(PCM, 1, 8000, 16), chunk(b"data", bytes(16000), UNKNOWN_SIZE), size=UNKNOWN_SIZE)
    (tmp_path / "half").write_bytes(wav)
    path = install_fake_ffmpeg(tmp_path, monkeypatch, f"/bin/cat {tmp_path}/half; echo 'damaged packet' >&2; exit 1")
    assert len(read_samples(open_file(path))) == 8000
    assert f"{path}: the file is damaged; decoded 1.0 s" in caplog.text


def test_close_kills_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing the source kills the ffmpeg process; a second `close` does nothing."""
    (tmp_path / "header").write_bytes(endless_header(8000))
    path = install_fake_ffmpeg(
        tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec /bin/cat {tmp_path}/header /dev/zero"
    )
    with open_file(path) as source:
        assert not next(iter(source.blocks())).samples.any()
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    source.close()
