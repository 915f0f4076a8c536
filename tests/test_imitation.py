"""tools/imitate.py: the network in floats, statistics that forget time, sound, and the program."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT

pytest.importorskip("tensorflow", reason="imitations need the extra 'train'")
from imitation import sound
from imitation.style import FINE, Style
from training import unquantised

from genre_edge.mel import MelSpectrogram
from genre_edge.mel_config import MelConfig
from genre_edge.model import NORMALISATIONS, Model, normalise

MEL = MelConfig(sr=22050, n_fft=2048, hop_length=427, n_mels=128)


@pytest.fixture(scope="module")
def style() -> Style:
    return Style(unquantised.network("edge"), Model("edge").bundle)


def some_picture(columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 10, (128, columns)).astype(np.float32)


@pytest.mark.parametrize("bundle", ["edge", "paper"])
def test_a_network_in_floats_says_what_int8_says(bundle: str, song_samples: np.ndarray) -> None:
    model = Model(bundle)
    network = unquantised.network(bundle)
    patch = MelSpectrogram(model.bundle.mel).db(np.resize(song_samples, 31 * 22050))[:, : model.bundle.patch_frames]
    x = normalise(patch, model.bundle.normalisation, model.bundle.top_db)[None, ..., None]
    exact, rounded = np.asarray(network(x, training=False))[0], model.logits(patch)
    exact = np.clip(exact, rounded.min(), rounded.max())  # int8 has an end
    np.testing.assert_allclose(exact, rounded, atol=0.05 * np.abs(rounded).max())


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("silent_bands", [0, 20, 128])
def test_patches_are_the_models_own(style: Style, kind: str, silent_bands: int) -> None:
    picture = some_picture(200)
    picture[128 - silent_bands :] = -300
    own = Style(unquantised.network("edge"), replace(Model("edge").bundle, normalisation=kind))
    found = own.patches(picture, 3).numpy()
    columns = 3 + FINE * np.arange(39)
    np.testing.assert_allclose(found[0, ..., 0], normalise(picture[:, columns], kind, 80.0), atol=1e-4)
    np.testing.assert_allclose(found[1, ..., 0], normalise(picture[:, columns + 40], kind, 80.0), atol=1e-4)


def test_distance_is_zero_to_itself_and_falls_on_the_way(style: Style) -> None:
    frames = some_picture(300, 1)
    frames[30:50] += 20 * np.sin(np.arange(300) / 9)
    frames = np.maximum(frames - frames.max(), -80)
    wanted = style.of_song(frames)
    assert float(style.distance(wanted, wanted)) == 0
    told: list[tuple[int, float]] = []
    picture, distances = style.imitate(wanted, 240, 25, 0, lambda *step: told.append(step))
    assert picture.shape == (128, 240) and picture.min() >= -80 and picture.max() <= 0
    assert distances[-1] < 0.5 * distances[0]
    assert told == list(enumerate(distances, 1))
    assert np.array_equal(picture, style.imitate(wanted, 240, 25, 0, lambda *step: None)[0])
    assert not np.array_equal(picture, style.imitate(wanted, 240, 25, 1, lambda *step: None)[0])


def test_sound_has_the_picture_that_it_was_made_of(song_samples: np.ndarray, tmp_path: Path) -> None:
    frames = MelSpectrogram(MEL).db(np.ascontiguousarray(song_samples[: 5 * 22050]))
    picture = np.maximum(frames - frames.max(), -80)
    y = sound.of_picture(picture, MEL, 0)
    assert np.abs(y).max() == pytest.approx(0.9) and y.dtype == np.float32
    again = MelSpectrogram(MEL).db(y)
    n = min(again.shape[1], picture.shape[1])
    again = np.maximum(again - again.max(), -80)
    assert np.corrcoef(again[:, :n].ravel(), picture[:, :n].ravel())[0, 1] > 0.9
    sound.write(tmp_path / "a.wav", y, 22050)
    read, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 22050 and np.abs(read - y).max() < 1e-4


def run(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "tools" / "imitate.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_writes_a_sound_and_tells_how_near_it_came(song: Path, tmp_path: Path) -> None:
    done = run(song, "-o", tmp_path / "i.wav", "--steps", 10, "--seconds", 6)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{song}: ") and "distance" in done.stdout
    y, _ = soundfile.read(tmp_path / "i.wav")
    assert len(y) / 22050 == pytest.approx(6, abs=0.2) and np.std(y) > 0.01


@pytest.mark.parametrize(
    ("y", "reason"),
    [(np.zeros(30 * 22050), "silence has no style"), (np.ones(22050), "too short to imitate"), (None, "No such file")],
)
def test_bad_songs_are_refused_in_a_line(y: np.ndarray | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    if y is not None:
        soundfile.write(path, y, 22050)
    done = run(path, "-o", tmp_path / "i.wav")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"{path}" in done.stderr.splitlines()[-1] and reason in done.stderr.splitlines()[-1]
    assert not (tmp_path / "i.wav").exists()
