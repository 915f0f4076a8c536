"""tools/fetch_sounds.py and its synthetic audio; nothing is downloaded."""

import shutil
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools import fetch_sounds
from tools.training import synthetic_sounds

RATE = fetch_sounds.RATE


@pytest.mark.parametrize("kind", ["noises", "tones", "chirps"])
def test_synthetic_sounds_are_reproducible(kind: str) -> None:
    """The same seed gives the same audio, another seed other audio; none of it is silent."""

    def first(seed: int, for_test: bool = True) -> list[np.ndarray]:
        return list(islice(synthetic_sounds.KINDS[kind](np.random.default_rng(seed), 8000, for_test), 6))

    sounds = first(1)
    assert all(np.array_equal(a, b) for a, b in zip(sounds, first(1), strict=True))
    assert not np.array_equal(sounds[0], first(2)[0])
    for y in sounds:
        assert len(y) == synthetic_sounds.LENGTH_S * 8000 and np.isfinite(y).all() and np.std(y) > 1e-3


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_speech_duration() -> None:
    """espeak-ng's speech is cut to 20 s and is not silent."""
    speech = next(synthetic_sounds.speech(np.random.default_rng(0), RATE, True))
    assert 2 * RATE < len(speech) <= 20 * RATE and np.std(speech) > 1e-3


def test_join_recordings(tmp_path: Path) -> None:
    """Short recordings are joined with pauses; clicks are dropped."""
    for i in range(20):
        soundfile.write(tmp_path / f"{i:02d}.wav", np.full((RATE // 2 * 2, 2), 0.25), 2 * RATE)  # half a second
    soundfile.write(tmp_path / "99.wav", np.zeros(100), RATE)  # a click: dropped
    joined = list(fetch_sounds.join_recordings(sorted(tmp_path.iterdir()), np.random.default_rng(0)))
    (y,) = joined
    assert fetch_sounds.JOINED_S * RATE <= len(y) <= 2 * fetch_sounds.JOINED_S * RATE
    assert 0.1 < np.mean(np.abs(y) < 0.01) < 0.6


def test_fetch_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a package is unpacked; a missing folder is named and leaves nothing behind."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        "Package: songs\nVersion: 1\nArchitecture: all\nMaintainer: test\nDescription: songs\n"
    )
    (package / "usr" / "music").mkdir(parents=True)
    (package / "usr" / "music" / "a.wav").write_text("sound")
    real = fetch_sounds.subprocess.run

    def run(command: list[Any], **options: Any) -> Any:
        if command[0] == "apt-get":
            command = ["dpkg-deb", "--build", str(package), f"{options.pop('cwd')}/songs_1_all.deb"]
        return real(command, **options)

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_package("songs", "usr/music", tmp_path / "unpacked")
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["a.wav"]
    with pytest.raises(SystemExit, match="package songs has no folder usr/noise"):
        fetch_sounds.fetch_package("songs", "usr/noise", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_fetch_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the WAV files of a source archive are extracted."""
    content = tmp_path / "birds-1" / "samples"
    content.mkdir(parents=True)
    (content / "bird.wav").write_text("song")
    (content / "setup.py").write_text("never run")

    def run(command: list[str], **options: Any) -> None:
        assert options == {"check": True}
        with tarfile.open(Path(command[command.index("-d") + 1]) / "birds-1.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "birds-1", "birds-1")

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_source("birds", "1", "samples/", tmp_path / "unpacked")
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["bird.wav"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the downloads: packages of beeps, one city, one bird, three synthetic recordings of each kind."""

    def fetch_package(package: str, folder: str, into: Path) -> None:
        into.mkdir()
        for i in range(8):
            y = np.sin(np.arange(RATE // 2) * 0.05 * (i + 1))
            soundfile.write(into / f"{i}.wav", y, RATE)
        (into / "readme.txt").write_text("not audio")

    def fetch_source(name: str, version: str, folder: str, into: Path) -> None:
        into.mkdir()
        for i in range(4):
            (into / f"{i}.wav").write_text(name)

    def three(rng: np.random.Generator, rate: int, for_test: bool) -> Iterator[np.ndarray]:
        return (rng.standard_normal(100) for _ in range(3))

    monkeypatch.setattr(fetch_sounds, "fetch_package", fetch_package)
    monkeypatch.setattr(fetch_sounds, "fetch_source", fetch_source)
    monkeypatch.setattr(fetch_sounds, "MUSIC", {"songs": "usr/music"})
    monkeypatch.setattr(fetch_sounds, "MIN_SONG_S", 0.2)
    monkeypatch.setattr(fetch_sounds, "JOINED_S", 1.0)
    monkeypatch.setattr(synthetic_sounds, "KINDS", {"noises": three, "tones": three})
    monkeypatch.setattr(fetch_sounds.shutil, "which", lambda tool: tool)


def run_fetch(out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Run the program and return the content of `out`."""
    monkeypatch.setattr(fetch_sounds.sys, "argv", ["fetch_sounds", str(out)])
    fetch_sounds.main()
    return contents(out)


def test_fetch_missing_folders_again(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removed folders are restored with the same content, whichever other folders exist."""
    first = run_fetch(tmp_path / "a", monkeypatch)
    shutil.rmtree(tmp_path / "a" / "not-music" / "tones")
    shutil.rmtree(tmp_path / "a" / "not-music-test" / "effects")
    shutil.rmtree(tmp_path / "a" / "not-music-test" / "city")
    assert run_fetch(tmp_path / "a", monkeypatch) == first
    assert first["not-music/tones/000.wav"] != first["not-music-test/tones/000.wav"]
    assert first["not-music/tones/000.wav"] != first["not-music/noises/000.wav"]
    names = {name.rpartition("/")[0]: name for name in first}
    assert len([name for name in first if name.startswith("music/songs/")]) == 8
    assert {"not-music-test/words", "not-music-test/birds"} < set(names)
    assert [f"{part}/city/{i}.wav" in first for part in ("not-music", "not-music-test") for i in range(4)] == [
        *(True, False, True, False),
        *(False, True, False, True),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["join_recordings", "readable_audio", "fetch_source", "fetch_package"])
def test_fetch_interrupted(stop: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted run leaves complete folders only, and the next run completes the rest with the same content."""
    complete = run_fetch(tmp_path / "a", monkeypatch)
    real, calls = getattr(fetch_sounds, stop), iter(range(100))

    def interrupted(*arguments: Any) -> Any:
        result = real(*arguments)
        if next(calls) == 1:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetch_sounds, stop, interrupted)
        run_fetch(tmp_path / "b", patch)
    assert contents(tmp_path / "b").items() < complete.items()
    assert run_fetch(tmp_path / "b", monkeypatch) == complete


def test_differences_cover_all_kinds() -> None:
    """The speech text is a file that is not edited; every kind of test audio has a remark."""
    assert synthetic_sounds.TEXT.name == "LICENSE"
    kinds = {kind for part, kind in fetch_sounds.NOT_MUSIC if part == "not-music-test"}
    assert set(fetch_sounds.TEST_DIFFERENCES) == {*kinds, *synthetic_sounds.KINDS, "city", "birds"}
