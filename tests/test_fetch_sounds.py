"""tools/fetch_sounds.py and the sounds that it makes, without the packages that it fetches."""

import shutil
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
import fetch_sounds
from training import made_sounds

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
