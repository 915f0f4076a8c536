"""tools/fetch_sounds.py and the sounds that it makes, without the packages that it fetches."""

import shutil
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from tools import fetch_sounds
from tools.training import made_sounds

RATE = fetch_sounds.RATE


@pytest.mark.parametrize("kind", ["noises", "tones", "chirps"])
def test_made_sounds_are_seeded_loud_and_different(kind: str) -> None:
    def first(seed: int, for_test: bool = True) -> list[np.ndarray]:
        return list(islice(made_sounds.KINDS[kind](np.random.default_rng(seed), 8000, for_test), 6))

    sounds = first(1)
    assert all(np.array_equal(a, b) for a, b in zip(sounds, first(1), strict=True))
    assert not np.array_equal(sounds[0], first(2)[0])
    for y in sounds:
        assert len(y) == made_sounds.LENGTH_S * 8000 and np.isfinite(y).all() and np.std(y) > 1e-3


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_speech_is_spoken() -> None:
    speech = next(made_sounds.speech(np.random.default_rng(0), RATE, True))
    assert 2 * RATE < len(speech) <= 20 * RATE and np.std(speech) > 1e-3


def test_short_recordings_are_joined_with_pauses(tmp_path: Path) -> None:
    for i in range(20):
        soundfile.write(tmp_path / f"{i:02d}.wav", np.full((RATE // 2 * 2, 2), 0.25), 2 * RATE)  # half a second
    soundfile.write(tmp_path / "99.wav", np.zeros(100), RATE)  # a click: left out
    found = list(fetch_sounds.rows(sorted(tmp_path.iterdir()), np.random.default_rng(0)))
    assert len(found) == 1 and fetch_sounds.ROW_S * RATE <= len(found[0]) <= 2 * fetch_sounds.ROW_S * RATE
    assert 0.1 < np.mean(np.abs(found[0]) < 0.01) < 0.6


def test_a_package_gives_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        "Package: songs\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: songs\n"
    )
    (package / "usr" / "music").mkdir(parents=True)
    (package / "usr" / "music" / "a.wav").write_text("sound")
    real = fetch_sounds.subprocess.run

    def run(words: list[Any], **options: Any) -> Any:
        if words[0] == "apt-get":
            words = ["dpkg-deb", "--build", str(package), f"{options.pop('cwd')}/songs_1_all.deb"]
        return real(words, **options)

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_package("songs", "usr/music", tmp_path / "got")
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["a.wav"]
    with pytest.raises(SystemExit, match="songs has no usr/noise"):
        fetch_sounds.fetch_package("songs", "usr/noise", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_source_archive_gives_its_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = tmp_path / "birds-1" / "samples"
    content.mkdir(parents=True)
    (content / "bird.wav").write_text("song")
    (content / "setup.py").write_text("never run")

    def run(words: list[str], **options: Any) -> None:
        assert options == {"check": True}
        with tarfile.open(Path(words[words.index("-d") + 1]) / "birds-1.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "birds-1", "birds-1")

    monkeypatch.setattr(fetch_sounds.subprocess, "run", run)
    fetch_sounds.fetch_source("birds", "1", "samples/", tmp_path / "got")
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["bird.wav"]


def made_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages of beeps, a city and a bird; three made sounds a kind. Nothing is downloaded."""

    def fetch_package(package: str, folder: str, into: Path) -> None:
        into.mkdir()
        for i in range(8):
            y = np.sin(np.arange(4 * RATE) * 0.05 * (i + 1))
            soundfile.write(into / f"{i}.wav", y, RATE)
        (into / "readme.txt").write_text("no sound")

    def fetch_source(name: str, version: str, folder: str, into: Path) -> None:
        into.mkdir()
        for i in range(4):
            (into / f"{i}.wav").write_text(name)

    def three(rng: np.random.Generator, rate: int, for_test: bool) -> Iterator[np.ndarray]:
        return (rng.standard_normal(100) for _ in range(3))

    monkeypatch.setattr(fetch_sounds, "fetch_package", fetch_package)
    monkeypatch.setattr(fetch_sounds, "fetch_source", fetch_source)
    monkeypatch.setattr(fetch_sounds, "MUSIC", {"songs": "usr/music"})
    monkeypatch.setattr(fetch_sounds, "SONG_S", 1.0)
    monkeypatch.setattr(made_sounds, "KINDS", {"noises": three, "tones": three})
    monkeypatch.setattr(fetch_sounds.shutil, "which", lambda tool: tool)


def fetched(out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.setattr(fetch_sounds.sys, "argv", ["fetch_sounds.py", str(out)])
    fetch_sounds.main()
    return made_of(out)


def test_what_is_fetched_again_is_the_same(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever folders are there already."""
    first = fetched(tmp_path / "a", monkeypatch)
    shutil.rmtree(tmp_path / "a" / "not-music" / "tones")
    shutil.rmtree(tmp_path / "a" / "not-music-test" / "effects")
    shutil.rmtree(tmp_path / "a" / "not-music-test" / "city")
    assert fetched(tmp_path / "a", monkeypatch) == first
    assert first["not-music/tones/000.wav"] != first["not-music-test/tones/000.wav"]
    assert first["not-music/tones/000.wav"] != first["not-music/noises/000.wav"]
    names = {name.rpartition("/")[0]: name for name in first}
    assert len([name for name in first if name.startswith("music/songs/")]) == 8
    assert {"not-music-test/words", "not-music-test/birds"} < set(names)
    assert [f"{part}/city/{i}.wav" in first for part in ("not-music", "not-music-test") for i in range(4)] == [
        *(True, False, True, False),
        *(False, True, False, True),
    ]


@pytest.mark.parametrize("stop", ["rows", "readable_audio", "fetch_source", "fetch_package"])
def test_what_was_interrupted_is_no_folder(
    stop: str, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fetched(tmp_path / "a", monkeypatch)
    real, calls = getattr(fetch_sounds, stop), iter(range(100))

    def fails(*arguments: Any) -> Any:
        done = real(*arguments)
        if next(calls) == 1:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetch_sounds, stop, fails)
        fetched(tmp_path / "b", patch)
    assert made_of(tmp_path / "b").items() < whole.items()
    assert fetched(tmp_path / "b", monkeypatch) == whole


def test_spoken_texts_and_remarks_stand_still() -> None:
    assert made_sounds.TEXT.name == "LICENSE"  # no page that is edited
    kinds = {kind for part, kind in fetch_sounds.NOT_MUSIC if part == "not-music-test"}
    assert set(fetch_sounds.DIFFERS) == {*kinds, *made_sounds.KINDS, "city", "birds"}
