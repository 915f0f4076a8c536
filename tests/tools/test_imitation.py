"""tools/imitate.py: the network in floats, statistics that forget time, sound, and the program."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT

pytest.importorskip("tensorflow", reason="imitations need the extra 'train'")
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import NORMALISATIONS, normalise
from tools import imitate
from tools.paper.imitation import song as songs
from tools.paper.imitation import sound
from tools.paper.imitation.song import FINE
from tools.paper.imitation.style import OFFSETS, Style
from tools.training import float_network

MEL = MelConfig(sr=22050, n_fft=2048, hop_length=427, n_mels=128)


@pytest.fixture(scope="module")
def style() -> Style:
    return Style(float_network.load("edge"), Model("edge").bundle)


def some_picture(columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 10, (128, columns)).astype(np.float32)


@pytest.mark.parametrize("bundle", ["edge", "paper"])
def test_a_network_in_floats_says_what_int8_says(bundle: str, song_samples: np.ndarray) -> None:
    model = Model(bundle)
    network = float_network.load(bundle)
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
    own = Style(float_network.load("edge"), replace(Model("edge").bundle, normalisation=kind))
    found = own.patches(picture, 3).numpy()
    columns = 3 + FINE * np.arange(39)
    np.testing.assert_allclose(found[0, ..., 0], normalise(picture[:, columns], kind, 80.0), atol=1e-4)
    np.testing.assert_allclose(found[1, ..., 0], normalise(picture[:, columns + 40], kind, 80.0), atol=1e-4)


def test_distance_is_zero_to_itself_and_falls_on_the_way(style: Style) -> None:
    frames = some_picture(300, 1)
    frames[30:50] += 20 * np.sin(np.arange(300) / 9)
    frames = np.maximum(frames - frames.max(), -80)
    wanted = style.of_song(frames)
    assert style.away(frames, wanted) == 0
    told: list[tuple[int, float]] = []
    noise, picture = style.imitate(wanted, 240, 25, 0, lambda *step: told.append(step))
    assert noise.shape == picture.shape == (128, 240) and picture.min() >= -80 and picture.max() <= 0
    assert style.away(picture, wanted) < 0.6 * style.away(noise, wanted)
    assert [step for step, _ in told] == list(range(1, 26)) and told[-1][1] < 0.6 * told[0][1]
    assert np.array_equal(picture, style.imitate(wanted, 240, 25, 0, lambda *step: None)[1])
    assert not np.array_equal(picture, style.imitate(wanted, 240, 25, 1, lambda *step: None)[1])


def test_the_distance_after_the_last_step_is_that_of_the_picture_after_it(style: Style) -> None:
    wanted = style.of_song(some_picture(300, 1))
    noise, picture = style.imitate(wanted, 240, 1, 0, lambda *step: None)
    assert style.away(picture, wanted) < style.away(noise, wanted)


@pytest.mark.parametrize("bundle", ["edge", "paper"])
def test_what_the_network_says_is_no_part_of_the_distance(bundle: str) -> None:
    network = float_network.load(bundle)
    own = Style(network, Model(bundle).bundle)
    frames = some_picture(own.shortest, 2)
    before = own.of_song(frames)
    network.layers[-1].set_weights([0 * w for w in network.layers[-1].get_weights()])
    assert own.away(frames, before) == 0
    first = next(layer for layer in network.layers if layer.get_weights())
    first.set_weights([0 * w for w in first.get_weights()])  # but what it hears is
    assert own.away(frames, before) > 0


@pytest.mark.parametrize("bundle", ["edge", "paper"])
def test_the_shortest_picture_has_a_patch_at_every_offset(bundle: str, style: Style) -> None:
    own = style if bundle == "edge" else Style(float_network.load(bundle), Model(bundle).bundle)
    assert [len(own.patches(some_picture(own.shortest), first)) > 0 for first in OFFSETS] == [True] * len(OFFSETS)
    assert len(own.patches(some_picture(own.shortest - 1), OFFSETS[-1])) == 0


def test_a_song_of_30_s_is_long_enough_for_every_bundle(tmp_path: Path) -> None:
    y = 0.1 * np.random.default_rng(0).standard_normal(30 * 22050)
    soundfile.write(tmp_path / "a.wav", y, 22050)
    soundfile.write(tmp_path / "b.wav", y[: 29 * 22050], 22050)
    bundle = Model("paper").bundle
    assert songs.read(tmp_path / "a.wav", bundle).shape[1] == 1 + len(y) // 427
    with pytest.raises(GenreEdgeError, match=r"too short to imitate, 30\.0 s are needed"):
        songs.read(tmp_path / "b.wav", bundle)


def test_an_imitation_is_never_longer_than_asked_for(song: Path, tmp_path: Path) -> None:
    with pytest.raises(GenreEdgeError, match=r"--seconds 10: model 'paper' needs 30\.6 or more"):
        imitate.Imitator("paper").imitate(song, tmp_path / "i.wav", 10.0, 1, 0, quiet=True)
    assert not list(tmp_path.iterdir())


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
    """With the other model; the default one is heard by the README's command."""
    done = run(song, "-o", tmp_path / "i.wav", "--steps", 2, "--model", "paper")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{song}: ") and "distance" in done.stdout
    y, _ = soundfile.read(tmp_path / "i.wav")
    assert len(y) / 22050 == pytest.approx(30.6, abs=0.1) and np.std(y) > 0.01


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-o", "nowhere/i.wav"], "nowhere/i.wav: there is no folder 'nowhere'"),
        (["-o", "i.mp3"], "i.mp3: the output is a WAV, its name must end in .wav"),
        (["-o", "song.wav"], "song.wav: is the song itself"),
        (["-o", "link.wav"], "link.wav: is the song itself"),
        (["-o", "folder.wav"], "folder.wav: is a folder"),
        (["-o", "i.wav", "--seed", "-1"], "--seed must be from 0 to 4294967295"),
        (["-o", "i.wav", "--seconds", "nan"], "--seconds must be from 5 to 120"),
        (["-o", "i.wav", "--steps", "0"], "--steps must be at least 1"),
    ],
)
def test_bad_arguments_are_refused_in_a_line_before_the_network_loads(
    options: list[str], reason: str, song_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(imitate, "Imitator", None)
    Path("song.wav").write_bytes(song_wav.read_bytes())
    Path("link.wav").symlink_to("song.wav")
    Path("folder.wav").mkdir()
    monkeypatch.setattr(sys, "argv", ["imitate.py", "song.wav", *options])
    with pytest.raises(SystemExit) as ended:
        imitate.main()
    assert ended.value.code == 2 and capsys.readouterr().err == f"error: {reason}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.wav", "link.wav", "song.wav"]
    assert Path("song.wav").read_bytes() == song_wav.read_bytes()


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
    assert len(done.stderr.splitlines()) == 1 and str(path) in done.stderr and reason in done.stderr
    assert not (tmp_path / "i.wav").exists()
