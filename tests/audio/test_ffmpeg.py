"""Files for ffmpeg: with the real one where it is installed, and with stand-ins that behave badly everywhere."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.helpers.audio import (
    PCM,
    UNKNOWN_SIZE,
    chunk,
    encode,
    fmt,
    run_python,
    read_samples,
    music,
    naive_mono,
    noise,
    riff,
)

real_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


def written_by_ffmpeg(directory: Path, name: str, *codec: str) -> tuple[Path, np.ndarray]:
    """A stereo song encoded by ffmpeg, and its samples before."""
    samples = np.stack([music(4, 44100, seed) for seed in (0, 1)], axis=1)
    (directory / "before.wav").write_bytes(encode(samples, 44100))
    command = ["ffmpeg", "-v", "error", "-i", "before.wav", *codec, f"file:{name}"]
    subprocess.run(command, cwd=directory, check=True, stdin=subprocess.DEVNULL)
    return directory / name, read_samples(open_file(directory / "before.wav"))


def best_correlation(heard: np.ndarray, before: np.ndarray, max_lag: int = 4096) -> float:
    """Correlation where the two fit best: an encoder may add some silence at the start."""
    part = before[2 * max_lag : 8 * max_lag]
    lags = range(-max_lag, max_lag + 1)
    starts = [2 * max_lag + lag for lag in lags if lag % 16 == 0 or abs(lag) < 4]
    coarse = max(starts, key=lambda at: float(heard[at : at + len(part)] @ part))
    fine = range(coarse - 16, coarse + 17)
    return max(float(np.corrcoef(heard[at : at + len(part)], part)[0, 1]) for at in fine)


@real_ffmpeg
@pytest.mark.parametrize("name", ["x.m4a", "x.aac", "x.mp4", "with space.M4A", "-x.m4a", os.fsdecode(b"\xe9.m4a")])
def test_aac_sounds_like_the_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path, before = written_by_ffmpeg(tmp_path, name, "-c:a", "aac", "-b:a", "192k")
    monkeypatch.chdir(tmp_path)
    with open_file(name) as source:
        assert (source.rate, source.channels, source.name) == (44100, 2, name)
    heard = read_samples(open_file(path))
    assert len(heard) == pytest.approx(len(before), abs=4096)
    assert best_correlation(heard, before) > 0.98


@real_ffmpeg
def test_a_lossless_m4a_is_exactly_the_wav(tmp_path: Path) -> None:
    path, before = written_by_ffmpeg(tmp_path, "x.m4a", "-c:a", "alac")
    assert np.array_equal(read_samples(open_file(path)), before)


@real_ffmpeg
@pytest.mark.parametrize("content", [b"no audio at all", bytes(3000), b"#EXTM3U\nhttp://127.0.0.1:9/x.aac\n"])
def test_ffmpeg_finds_no_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.m4a"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value).startswith(f"{path}: ffmpeg") and "\n" not in str(caught.value)


def stand_in(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """An m4a file, and a program named ffmpeg that does what `script` says, alone in PATH."""
    program = directory / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    path = directory / "x.m4a"
    path.write_bytes(b"for the stand-in")
    return path


def test_without_ffmpeg_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "x.M4A"
    path.write_bytes(b"not looked at")
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value) == f"{path}: needs ffmpeg, which is not installed (apt install ffmpeg)"


def test_what_ffmpeg_writes_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(30000).reshape(-1, 2)
    (tmp_path / "out.wav").write_bytes(encode(samples, 32000, subtype="FLOAT"))
    path = stand_in(tmp_path, monkeypatch, f"exec /bin/cat {tmp_path}/out.wav")
    with open_file(path) as source:
        assert (source.rate, source.channels, source.name) == (32000, 2, str(path))
    np.testing.assert_allclose(read_samples(open_file(path)), naive_mono(samples), atol=1e-7)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo first >&2; echo 'moov atom not found' >&2; exit 1", "ffmpeg: moov atom not found"),
        ("exit 1", "no data"),
        ("printf RIFF", "the WAV header ends early"),
        ("printf '\\377\\n' >&2; exit 1", "ffmpeg: \ufffd"),
    ],
)
def test_what_ffmpeg_complains_of_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    path = stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(AudioError) as caught:
        read_samples(open_file(path))
    assert str(caught.value) == f"{path}: {reason}"


def test_an_ffmpeg_that_cannot_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stand_in(tmp_path, monkeypatch, "")
    (tmp_path / "bin" / "ffmpeg").write_bytes(b"\x7fELF for another machine")
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_an_output_that_is_refused_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as DSD at 11 MHz, which ffmpeg decodes to a rate beyond ours and goes on writing."""
    header = riff(fmt(PCM, 1, 1_411_200, 16), chunk(b"data", b"", UNKNOWN_SIZE), size=UNKNOWN_SIZE)
    (tmp_path / "header").write_bytes(header)
    script = f"/bin/cat {tmp_path}/header /dev/zero || echo 'Error closing file: Broken pipe' >&2; exit 1"
    path = stand_in(tmp_path, monkeypatch, script)
    program = "import sys; from genre_edge.audio.files import open_file; open_file(sys.argv[1])"
    done = run_python(program, path, timeout_s=20)
    reason = "a rate of 1411200 Hz is outside 1000 to 1000000"
    assert done.stderr.splitlines()[-1] == f"genre_edge.errors.AudioError: {path}: {reason}"


def test_a_decoder_that_fails_half_way_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    header = riff(fmt(PCM, 1, 8000, 16), chunk(b"data", bytes(16000), UNKNOWN_SIZE), size=UNKNOWN_SIZE)
    (tmp_path / "half").write_bytes(header)
    path = stand_in(tmp_path, monkeypatch, f"/bin/cat {tmp_path}/half; echo 'damaged packet' >&2; exit 1")
    assert len(read_samples(open_file(path))) == 8000
    assert str(path) in caplog.text and "damaged packet" in caplog.text


def test_the_process_ends_with_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = riff(fmt(PCM, 1, 8000, 16), chunk(b"data", b"", UNKNOWN_SIZE), size=UNKNOWN_SIZE)
    (tmp_path / "header").write_bytes(header)
    path = stand_in(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec /bin/cat {tmp_path}/header /dev/zero")
    with open_file(path) as source:
        assert not next(iter(source.blocks())).samples.any()
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    source.close()  # twice is allowed
