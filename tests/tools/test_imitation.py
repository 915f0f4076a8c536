"""tools.imitate: the float network, style statistics, audio synthesis and the program."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="imitations need the extra 'train'")
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import normalise
from tools import imitate
from tools.paper.imitation import song as songs
from tools.paper.imitation import synthesis
from tools.paper.imitation.song import HOP_DIVISOR
from tools.paper.imitation.style import OFFSETS, Style
from tools.training import float_network

pytestmark = pytest.mark.train
LENGTH = 1600  # columns, a little more than the shortest song of the paper's network
MEL = MelConfig(sr=22050, n_fft=2048, hop_length=427, n_mels=128)


@pytest.fixture(scope="module")
def style() -> Style:
    return Style(float_network.load("paper"), Model("paper").bundle)


def some_spectrogram(columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 10, (128, columns)).astype(np.float32)


def test_float_network_matches_int8(song_samples: np.ndarray) -> None:
    """The restored float network gives the int8 network's logits within 5 % of the largest."""
    model = Model("paper")
    network = float_network.load("paper")
    patch = MelSpectrogram(model.bundle.mel).db(np.resize(song_samples, 31 * 22050))[:, : model.bundle.patch_frames]
    x = normalise(patch, model.bundle.normalisation, model.bundle.top_db, model.bundle.mel)[None, ..., None]
    exact, rounded = np.asarray(network(x, training=False))[0], model.logits(patch)
    exact = np.clip(exact, rounded.min(), rounded.max())  # int8 saturates
    np.testing.assert_allclose(exact, rounded, atol=0.05 * np.abs(rounded).max())


@pytest.mark.parametrize("silent_bands", [0, 20, 127])
def test_patches_match_model_preprocessing(style: Style, silent_bands: int) -> None:
    """Differentiable patches equal those of the model's preprocessing."""
    bundle = Model("paper").bundle
    spectrogram = some_spectrogram(style.shortest)
    spectrogram[128 - silent_bands :] = -300
    patches = style.patches(spectrogram, 3).numpy()
    columns = 3 + HOP_DIVISOR * np.arange(bundle.patch_frames)
    expected = normalise(spectrogram[:, columns], bundle.normalisation, bundle.top_db, bundle.mel)
    np.testing.assert_allclose(patches[0, ..., 0], expected, atol=1e-4)


def test_imitate_reduces_distance_and_is_reproducible(style: Style) -> None:
    """25 steps reduce the distance by 40 %; the same seed gives the same spectrogram."""
    frames = some_spectrogram(LENGTH, 1)
    frames[30:50] += 20 * np.sin(np.arange(LENGTH) / 9)
    frames = np.maximum(frames - frames.max(), -80)
    target = style.song_statistics(frames)
    assert style.distance_of(frames, target) == 0
    steps: list[tuple[int, float]] = []
    noise, spectrogram = style.imitate(target, LENGTH, 25, 0, lambda *step: steps.append(step))
    assert noise.shape == spectrogram.shape == (128, LENGTH) and spectrogram.min() >= -80 and spectrogram.max() <= 0
    assert style.distance_of(spectrogram, target) < 0.6 * style.distance_of(noise, target)
    assert [step for step, _ in steps] == list(range(1, 26)) and steps[-1][1] < 0.6 * steps[0][1]
    first, again, other = (style.imitate(target, LENGTH, 3, seed, lambda *step: None)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_imitate_returns_spectrogram_after_last_step(style: Style) -> None:
    """The update of the last step is part of the returned spectrogram."""
    target = style.song_statistics(some_spectrogram(LENGTH, 1))
    noise, spectrogram = style.imitate(target, LENGTH, 1, 0, lambda *step: None)
    assert style.distance_of(spectrogram, target) < style.distance_of(noise, target)


def test_distance_ignores_output_layer() -> None:
    """Weights of the output layer do not affect the distance; those of hidden layers do."""
    network = float_network.load("paper")
    own = Style(network, Model("paper").bundle)
    frames = some_spectrogram(own.shortest, 2)
    before = own.song_statistics(frames)
    network.layers[-1].set_weights([0 * w for w in network.layers[-1].get_weights()])
    assert own.distance_of(frames, before) == 0
    first = next(layer for layer in network.layers if layer.get_weights())
    first.set_weights([0 * w for w in first.get_weights()])  # hidden layers matter
    assert own.distance_of(frames, before) > 0


def test_shortest_spectrogram_has_patch_at_every_offset(style: Style) -> None:
    """One column less leaves the last offset without a patch."""
    shortest = some_spectrogram(style.shortest)
    assert [len(style.patches(shortest, first)) > 0 for first in OFFSETS] == [True] * len(OFFSETS)
    assert len(style.patches(shortest[:, 1:], OFFSETS[-1])) == 0


def test_read_song_minimum_length(tmp_path: Path) -> None:
    """A song shorter than one patch is refused with its minimum length."""
    y = 0.1 * np.random.default_rng(0).standard_normal(30 * 22050)
    soundfile.write(tmp_path / "a.wav", y, 22050)
    soundfile.write(tmp_path / "b.wav", y[: 29 * 22050], 22050)
    bundle = Model("paper").bundle
    assert songs.read(tmp_path / "a.wav", bundle).shape[1] == 1 + len(y) // 427
    with pytest.raises(GenreEdgeError, match=r"too short to imitate: at least 30\.0 s are needed"):
        songs.read(tmp_path / "b.wav", bundle)


def test_imitate_rejects_too_short_duration(song: Path, tmp_path: Path) -> None:
    """A duration shorter than one patch is refused and writes no file."""
    with pytest.raises(GenreEdgeError, match=r"--seconds 10: model 'paper' needs at least 30\.6"):
        imitate.Imitator("paper").imitate(song, tmp_path / "i.wav", 10.0, 1, 0, quiet=True)
    assert not list(tmp_path.iterdir())


def test_invert_preserves_spectrogram(song_samples: np.ndarray, tmp_path: Path) -> None:
    """The spectrogram of the synthesised audio correlates with the original by more than 0.9."""
    frames = MelSpectrogram(MEL).db(np.ascontiguousarray(song_samples[: 5 * 22050]))
    spectrogram = np.maximum(frames - frames.max(), -80)
    y = synthesis.invert(spectrogram, MEL, 0)
    assert np.abs(y).max() == pytest.approx(0.9) and y.dtype == np.float32
    again = MelSpectrogram(MEL).db(y)
    n = min(again.shape[1], spectrogram.shape[1])
    again = np.maximum(again - again.max(), -80)
    assert np.corrcoef(again[:, :n].ravel(), spectrogram[:, :n].ravel())[0, 1] > 0.9
    synthesis.write(tmp_path / "a.wav", y, 22050)
    read, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 22050 and np.abs(read - y).max() < 1e-4


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the program in this process."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["imitate.py", *map(str, arguments)])
        imitate.main()

    return run


def test_main_writes_audio_and_prints_distances(
    song: Path, tmp_path: Path, run: Callable[..., None], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Uses the paper's model; the command in the README uses the default one."""
    monkeypatch.setattr(synthesis, "ITERATIONS", 2)
    run(song, "-o", tmp_path / "i.wav", "--steps", 2, "--model", "paper")
    out = capsys.readouterr().out
    assert out.startswith(f"{song}: ") and "distance" in out
    y, _ = soundfile.read(tmp_path / "i.wav")
    assert len(y) / 22050 == pytest.approx(30.6, abs=0.1) and np.std(y) > 0.01


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-o", "nowhere/i.wav"], "nowhere/i.wav: the folder 'nowhere' does not exist"),
        (["-o", "i.mp3"], "i.mp3: the output is a WAV file, its name must end in .wav"),
        (["-o", "song.wav"], "song.wav: is the input song"),
        (["-o", "link.wav"], "link.wav: is the input song"),
        (["-o", "folder.wav"], "folder.wav: is a folder"),
        (["-o", "i.wav", "--seed", "-1"], "--seed must be from 0 to 4294967295"),
        (["-o", "i.wav", "--seconds", "nan"], "--seconds must be from 5 to 120"),
        (["-o", "i.wav", "--steps", "0"], "--steps must be at least 1"),
    ],
)
def test_main_rejects_bad_arguments_before_loading_network(
    options: list[str], reason: str, song_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Bad arguments end the program with exit code 2 before the network is loaded."""
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
    [(np.zeros(30 * 22050), "contains only silence"), (np.ones(22050), "too short to imitate"), (None, "No such file")],
)
def test_main_rejects_bad_songs(
    y: np.ndarray | None, reason: str, tmp_path: Path, run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The program ends with a one-line message (exit code 1) and writes no file."""
    path = tmp_path / "song.wav"
    if y is not None:
        soundfile.write(path, y, 22050)
    with pytest.raises(SystemExit) as ended:
        run(path, "-o", tmp_path / "i.wav")
    message = str(ended.value.code)
    assert len(message.splitlines()) == 1 and str(path) in message and reason in message
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "i.wav").exists()
