"""Distillation with PyTorch: the same networks, effects and losses as with TensorFlow and numpy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="distillation on a GPU needs PyTorch (pip install torch)")
pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
import torch
from scipy.signal import lfilter

from genre_edge.model.preprocessing import normalise
from tests.helpers.training import UntrainedTeacher, run_main, small_design
from tools import distil_on_gpu
from tools.training.distillation import audioset, folded, parameters, students
from tools.training.distillation.effects import Effects, to_db, to_power
from tools.training.distillation.exchange import files, folder, keras_networks
from tools.training.distillation.gpu import effects, network, training, views
from tools.training.distillation.recordings import Recording
from tools.training.distillation.student import Student
from tools.training.distillation.targets import Targets

pytestmark = pytest.mark.train
BANDS, FRAMES = 128, 120


def built(data: files.NetworkData) -> network.Network:
    return network.Network(data.design, data.stage_ends, data.weights, data.heads)


@pytest.fixture(scope="module")
def student() -> Student:
    student, rng = Student(small_design()), np.random.default_rng(0)
    for part in student.parts:
        part.set_weights([w + 0.1 * rng.random(w.shape) for w in part.get_weights()])
    return student


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, BANDS, FRAMES, 1)).astype(np.float32)


@pytest.fixture
def x() -> np.ndarray:
    """Three spectrograms in dB."""
    return np.random.default_rng(1).normal(-30, 15, (3, BANDS, FRAMES)).astype(np.float32)


def channels_first(values: object) -> torch.Tensor:
    return torch.from_numpy(np.array(values)).permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("rounded", [False, True])
def test_network_equals_keras(student: Student, patches: np.ndarray, rounded: bool) -> None:
    """All stages; rounded, values may fall into another step."""
    own = built(keras_networks.student_data(student))(channels_first(patches), rounded)
    reference = student.stage_outputs(patches, rounded)
    for a, b in zip(own[:-1], reference[:-1], strict=True):
        difference = (a - channels_first(b)).detach().numpy()
        assert np.abs(difference).mean() < (0.01 if rounded else 1e-5) * float(a.detach().std())
    difference = own[-1].detach().numpy() - reference[-1].numpy()
    assert np.abs(difference).max() < (0.2 if rounded else 1e-3) * float(own[-1].detach().std())


def test_teacher_equals_keras(patches: np.ndarray) -> None:
    reference = UntrainedTeacher()
    stages, logits = training.Teacher(built(keras_networks.teacher_data(reference)))(channels_first(patches))
    expected_stages, expected_logits = reference.outputs(patches)
    np.testing.assert_allclose(stages[-1].detach(), expected_stages[-1], atol=1e-4)
    np.testing.assert_allclose(logits.detach(), expected_logits, atol=1e-4)


def test_weights_are_returned_unchanged(student: Student) -> None:
    data = keras_networks.student_data(student)
    weights = built(data).weights()
    assert set(weights) == set(data.weights)
    assert all(np.array_equal(weights[name], value) for name, value in data.weights.items())


def test_rounding_equals_tensorflow() -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(4, 8, 9, 5)).astype(np.float32), rng.normal(size=(3, 3, 4, 6)).astype(np.float32)
    own, reference = network.round_activations(torch.from_numpy(x)).numpy(), folded.round_activations(x).numpy()
    step = (x.max() - x.min()) / 255
    assert np.abs(own - reference).max() <= 1.01 * step and np.abs(own - reference).mean() < 0.01 * step
    rounded = network.round_kernel(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())).numpy()
    expected = folded.round_kernel(kernel).numpy()
    assert (np.abs(rounded.transpose(2, 3, 1, 0) - expected) < 1e-5).mean() > 0.99


def test_reverberation_equals_recursive_filter(x: np.ndarray) -> None:
    decay, wet = np.array([0.9, 0.7, 0.97], np.float32), np.array([0.1, 0.5, 0.02], np.float32)
    own = effects.reverberate(torch.from_numpy(x), torch.from_numpy(decay), torch.from_numpy(wet))
    for i in range(3):
        power = to_power(x[i])
        expected = to_db(power + lfilter([wet[i]], [1, -decay[i]], power, axis=1))
        np.testing.assert_allclose(own[i], expected, atol=1e-3)


def test_effects_equal_numpy(x: np.ndarray) -> None:
    """Mixture, band limit and codec with given parameters, and the networks' input."""
    numpy_effects, mel = Effects(students.MEL), students.MEL
    own, other = torch.from_numpy(x), torch.from_numpy(x[::-1].copy())
    gain_db = torch.tensor([-6.0, 0.0, 12.0])
    low, high, slope = torch.tensor([10.0, 0.0, 30.0]), torch.tensor([90.0, 127.0, 60.0]), torch.tensor([3.0, 9.0, 0.5])
    front_end = views.FrontEnd.of(folder.constants())
    own_input = effects.normalise(
        own, torch.from_numpy(front_end.gain), front_end.top_db, front_end.offset, front_end.divisor
    )
    mixed, limited = effects.mix(own, other, gain_db), effects.bandpass(own, low, high, slope)
    hz = numpy_effects.band_hz
    for i in range(3):
        np.testing.assert_allclose(mixed[i], numpy_effects.mix(x[i], x[2 - i], float(gain_db[i])), atol=1e-3)
        low_hz = np.interp(float(low[i]), np.arange(BANDS), hz) if low[i] else 0.0
        high_hz = np.interp(float(high[i]), np.arange(BANDS), hz)
        expected = numpy_effects.bandpass(x[i], low_hz, high_hz, float(slope[i]))
        np.testing.assert_allclose(limited[i], expected, atol=1e-2)
        expected = normalise(x[i], students.NORMALISATION, students.TOP_DB, mel)
        np.testing.assert_allclose(own_input[i], expected, atol=1e-4)


def test_noise_has_the_ratio(x: np.ndarray) -> None:
    noise = torch.rand((3, BANDS, FRAMES)) + 0.1
    snr_db = torch.tensor([0.0, 10.0, -3.0])
    added = to_power(effects.add_noise(torch.from_numpy(x), noise, snr_db).numpy()) - to_power(x)
    ratio = to_power(x).mean(axis=(1, 2)) / added.mean(axis=(1, 2))
    np.testing.assert_allclose(10 * np.log10(ratio), snr_db, atol=0.05)


def test_codec_keeps_what_is_loud(x: np.ndarray) -> None:
    coded = effects.code(torch.from_numpy(x), torch.tensor([30.0, 30.0, 30.0]), torch.tensor([7.0, 7.0, 7.0])).numpy()
    faint = x < x.max(axis=1, keepdims=True) - 30
    assert 0 < faint.mean() < 1
    np.testing.assert_allclose(coded, np.where(faint, x - 7, x), atol=1e-4)


def counting(lengths: tuple[int, ...], weights: tuple[float, ...]) -> views.Spectrograms:
    """Return spectrograms whose values count the frames, from 1000 times the number of the recording."""
    found = [np.tile(1000 * i + np.arange(n), (BANDS, 1)).astype(np.float32) for i, n in enumerate(lengths)]
    made = views.Spectrograms(found, np.array(weights), "cpu")
    made.frames = torch.from_numpy(np.concatenate(found, axis=1).T.copy())  # half precision does not count to 2000
    return made


def test_crops() -> None:
    """They stay in their recording, which is chosen by its weight, and go on by a steady step but for repetitions."""
    lengths, n = (500, 40, 200), 400
    made = counting(lengths, (1.0, 2.0, 1.0))
    crops = made.crop(n, 150, torch.Generator().manual_seed(0)).numpy()
    assert crops.shape == (n, BANDS, 150)
    number, frame = np.divmod(crops[:, BANDS // 2], 1000)
    assert (number == number[:, :1]).all()
    assert (frame < np.array(lengths)[number[:, 0].astype(int)][:, None]).all()
    assert (number[:, 0] == 1).mean() == pytest.approx(0.5, abs=0.1)
    steps = np.diff(frame[number[:, 0] == 0], axis=1)
    assert ((steps >= 0) & (steps <= 2)).mean() > 0.99  # except where a piece is repeated
    assert 0.6 < ((steps >= 0).all(axis=1)).mean() < 1


def test_crops_backwards() -> None:
    made = counting((500,), (1.0,))
    crops = made.crop(200, 150, torch.Generator().manual_seed(0), backwards_share=0.5).numpy()
    steps = np.diff(crops[:, BANDS // 2], axis=1)
    assert (np.median(steps, axis=1) < 0).mean() == pytest.approx(0.5, abs=0.15)


@pytest.fixture
def spectrograms() -> views.Spectrograms:
    rng = np.random.default_rng(0)
    return views.Spectrograms([rng.normal(-30, 15, (BANDS, n)) for n in (500, 300)], np.ones(2), "cpu")


@pytest.mark.parametrize("is_varied", [False, True])
def test_views_are_reproducible(spectrograms: views.Spectrograms, is_varied: bool) -> None:
    """The same seed gives the same views, and so does a restart."""
    front_end = views.FrontEnd.of(folder.constants())
    makers = [views.ViewMaker(spectrograms, front_end, 3, is_varied) for _ in range(2)]
    first, second = ([maker.batch(6, 100, 0.5) for _ in range(2)] for maker in makers)
    makers[0].restart()
    third = [makers[0].batch(6, 100, 0.5) for _ in range(2)]
    for a, b, c in zip(first, second, third, strict=True):
        assert torch.equal(a[0], b[0]) and torch.equal(a[0], c[0]) and torch.equal(a[1], c[1])
    assert not torch.equal(first[0][0], first[1][0]) and first[0][0].shape == (6, 1, BANDS, 100)


def test_degraded_views(spectrograms: views.Spectrograms) -> None:
    """Without degradation, student and teacher get the same; most degraded views differ from the teacher's."""
    maker = views.ViewMaker(spectrograms, views.FrontEnd.of(folder.constants()), 0)
    assert torch.equal(*maker.batch(8, 100, 0.0))
    degraded, clean = maker.batch(64, 100, 1.0)
    assert torch.isfinite(degraded).all() and torch.isfinite(clean).all()
    assert (degraded != clean).flatten(1).any(dim=1).float().mean() > 0.8


@pytest.fixture
def gpu_folder(tmp_path: Path, student: Student) -> Path:
    """Return a folder of a small distillation."""
    found, rng = [], np.random.default_rng(0)
    for i in range(4):
        cached = tmp_path / f"{i}.npy"
        np.save(cached, rng.normal(-30, 15, (BANDS, 300)).astype(np.float16))
        found.append(Recording(str(i), "music", cached, 300))
    folder.write(tmp_path / "gpu", "identity", {"edge": student}, UntrainedTeacher(), found[:3], found[3:])
    return tmp_path / "gpu"


WORDS = ("--minutes", 0.02, "--batch", 4, "--frames", 100, "--device", "cpu", "--learning-rate", 1e-4)


def test_training_adds_up(gpu_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run writes trained networks, also on the way, and the next one goes on with them."""
    monkeypatch.setattr(distil_on_gpu, "REPORT_S", 0.0)
    monkeypatch.setattr(parameters, "AVERAGING", 0.5)
    # The outputs of a teacher with random weights hardly vary, so the inverse of their variance would be too large
    monkeypatch.setattr(training.Trainer, "_loss_weights", lambda self: ([torch.ones(1)] * 6, torch.ones(1)))
    first = run_main(distil_on_gpu, gpu_folder, *WORDS)
    assert first.code == 0 and " s: 1 steps; losses: edge " in first.stdout, first.stderr
    assert "edge: embedding, clean " in first.stdout
    networks, constants = files.load_networks(gpu_folder / files.TRAINED)
    start = files.load_networks(gpu_folder / files.START)[0]["edge"].weights
    weights, n_views = networks["edge"].weights, int(constants["views"])
    assert list(networks) == ["edge"] and n_views > 0 and n_views % 4 == 0
    assert str(constants["identity"]) == "identity"
    assert 0 < np.abs(weights["stem.kernel"] - start["stem.kernel"]).max() < 0.1
    shifted = replace(networks["edge"], weights={**weights, "last.bias": weights["last.bias"] + 1})
    files.save_networks(gpu_folder / files.TRAINED, {"edge": shifted}, constants)
    second = run_main(distil_on_gpu, gpu_folder, *WORDS)
    assert second.code == 0, second.stderr
    networks, constants = files.load_networks(gpu_folder / files.TRAINED)
    assert int(constants["views"]) > n_views
    np.testing.assert_allclose(networks["edge"].weights["last.bias"], weights["last.bias"] + 1, atol=0.1)


def test_diverged_training_keeps_the_networks(gpu_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(distil_on_gpu, gpu_folder, *WORDS).code == 0
    before = (gpu_folder / files.TRAINED).read_bytes()
    step = training.Trainer.step

    def diverging(self: training.Trainer, learning_rate: float, rounded: bool) -> torch.Tensor:
        return step(self, float("nan"), rounded)

    monkeypatch.setattr(training.Trainer, "step", diverging)
    done = run_main(distil_on_gpu, gpu_folder, *WORDS)
    assert done.code == 1 and "the training diverged" in done.stderr
    assert (gpu_folder / files.TRAINED).read_bytes() == before


def test_loss_weights_equal_targets(gpu_folder: Path) -> None:
    """The losses weigh as in the training with TensorFlow, for the same outputs of the teacher."""
    networks, constants = files.load_networks(gpu_folder / files.START)
    listed, front_end = files.load_list(gpu_folder), views.FrontEnd.of(constants)
    maker = views.ViewMaker(views.Spectrograms.load(gpu_folder, listed, "cpu"), front_end, 0)
    teacher = training.Teacher(built(networks[files.TEACHER]))
    is_music, settings = torch.from_numpy(constants["is_music"]), training.Settings(1, 4, 100, False, 1e-3)
    trainer = training.Trainer(teacher, {"edge": built(networks["edge"])}, is_music, maker, settings)
    maker.restart()
    batches = [
        maker.batch(training.SMALL_BATCH, 100, training.DEGRADED_SHARE)[1].permute(0, 2, 3, 1).numpy()
        for _ in range(training.STATISTICS_BATCHES)
    ]
    targets = Targets(UntrainedTeacher(), batches)
    for own, expected in zip(trainer.stage_weights, targets.stage_weights(), strict=True):
        np.testing.assert_allclose(own.flatten(), expected, rtol=0.01)
    np.testing.assert_allclose(trainer.logit_weights, targets.logit_weights(audioset.is_music()), rtol=0.01)


def test_trained_networks_of_another_folder(gpu_folder: Path) -> None:
    """They are refused, and stay as they are."""
    networks, _ = files.load_networks(gpu_folder / files.START)
    trained, constants = {"edge": networks["edge"]}, {"views": np.array(4), "identity": np.array("other")}
    files.save_networks(gpu_folder / files.TRAINED, trained, constants)
    before = (gpu_folder / files.TRAINED).read_bytes()
    done = run_main(distil_on_gpu, gpu_folder, *WORDS)
    assert done.code == 1 and "trained.npz: does not belong to start.npz" in done.stderr
    assert (gpu_folder / files.TRAINED).read_bytes() == before


@pytest.mark.parametrize("name", ["spectrograms.json", "spectrograms/0.npy", "start.npz"])
def test_incomplete_folder(gpu_folder: Path, name: str) -> None:
    (gpu_folder / name).unlink()
    done = run_main(distil_on_gpu, gpu_folder, *WORDS)
    assert done.code == 1 and f"{gpu_folder / name}: cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--minutes", "0"), "--minutes, --learning-rate and --batch must be positive"),
        (("--minutes", "1", "--learning-rate", "nan"), "--minutes, --learning-rate and --batch must be positive"),
        (("--minutes", "1", "--frames", "60000"), "--frames must be from 100 to 10000"),
        (("--minutes", "1", "--device", "nowhere"), "PyTorch cannot use the device 'nowhere'"),
    ],
)
def test_refused_arguments(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = run_main(distil_on_gpu, tmp_path / "missing", *words)
    assert done.code != 0 and message in done.stderr
