"""Distillation with PyTorch: the same networks, effects and losses as with TensorFlow and numpy."""

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
from tools.training.distillation import audioset, folded, students
from tools.training.distillation.effects import Effects, to_db, to_power
from tools.training.distillation.gpu import effects, handover, keras_networks, network, prepare, training, views
from tools.training.distillation.recordings import Recording
from tools.training.distillation.student import Student
from tools.training.distillation.targets import Targets

pytestmark = pytest.mark.train
BANDS, FRAMES = 128, 120


def built(data: handover.NetworkData) -> network.Network:
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
        assert np.abs(difference).mean() < (0.01 if rounded else 1e-5) * float(a.std())
    np.testing.assert_allclose(own[-1].detach(), reference[-1], atol=0.1 if rounded else 1e-4)


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
    front_end = views.FrontEnd.of(prepare.constants())
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
    added = effects.to_power(effects.add_noise(torch.from_numpy(x), noise, snr_db)) - to_power(x)
    ratio = to_power(x).mean(axis=(1, 2)) / added.mean(dim=(1, 2)).numpy()
    np.testing.assert_allclose(10 * np.log10(ratio), snr_db, atol=0.05)


def test_codec_keeps_what_is_loud(x: np.ndarray) -> None:
    coded = effects.code(torch.from_numpy(x), torch.tensor([30.0, 30.0, 30.0]), torch.tensor([7.0, 7.0, 7.0])).numpy()
    faint = x < x.max(axis=1, keepdims=True) - 30
    assert 0 < faint.mean() < 1
    np.testing.assert_allclose(coded, np.where(faint, x - 7, x), atol=1e-4)


def sounds(lengths: tuple[int, ...]) -> views.Sounds:
    """Return spectrograms whose values count the frames, from 1000 times the number of the recording."""
    found = [np.tile(1000 * i + np.arange(n), (BANDS, 1)).astype(np.float32) for i, n in enumerate(lengths)]
    return views.Sounds(found, np.ones(len(lengths)), "cpu")


def test_crops_stay_in_their_recording() -> None:
    """Also those at another speed, backwards, and of recordings that are shorter than the crop."""
    made = sounds((500, 40, 200))
    made.frames = made.frames.float()  # half precision does not count to 2000
    crops = made.crop(300, 150, torch.Generator().manual_seed(0)).numpy()
    assert crops.shape == (300, BANDS, 150)
    number, frame = np.divmod(crops[:, BANDS // 2], 1000)
    assert (number == number[:, :1]).all() and set(np.unique(number)) == {0, 1, 2}
    assert (frame < np.array([500, 40, 200])[number[:, 0].astype(int)][:, None]).all()


def test_views_are_reproducible() -> None:
    """The same seed gives the same views; without degraded ones, student and teacher get the same."""
    front_end, found = views.FrontEnd.of(prepare.constants()), sounds((500, 300))
    found.frames = -found.frames % 60
    torch.manual_seed(0)
    first = views.ViewMaker(found, front_end, 3)
    torch.manual_seed(0)
    second = views.ViewMaker(found, front_end, 3)
    (x, y), (again, _) = first.batch(6, 100, 0.0), second.batch(6, 100, 0.0)
    assert torch.equal(x, again) and torch.equal(x, y) and x.shape == (6, 1, BANDS, 100)
    degraded, clean = first.batch(16, 100, 1.0)
    assert torch.isfinite(degraded).all() and not torch.isclose(degraded, clean).flatten(1).all(dim=1).any()


@pytest.fixture
def folder(tmp_path: Path, student: Student) -> Path:
    """Return a folder of a small distillation."""
    found, rng = [], np.random.default_rng(0)
    for i in range(4):
        cached = tmp_path / f"{i}.npy"
        np.save(cached, rng.normal(-30, 15, (BANDS, 300)).astype(np.float16))
        found.append(Recording(str(i), "music", cached, 300))
    prepare.write(tmp_path / "gpu", {"edge": student}, UntrainedTeacher(), found[:3], found[3:])
    return tmp_path / "gpu"


def test_training_adds_up(folder: Path) -> None:
    """A run writes trained networks, and the next one goes on with them."""
    words = (folder, "--minutes", 0.02, "--batch", 4, "--frames", 100, "--device", "cpu", "--full-precision")
    numbers, kernels = [], [handover.load_networks(folder / handover.START)[0]["edge"].weights["stem.kernel"]]
    for _ in range(2):
        done = run_main(distil_on_gpu, *words)
        assert done.code == 0 and "edge: explained: clean" in done.stdout, done.stderr
        networks, constants = handover.load_networks(folder / handover.TRAINED)
        assert list(networks) == ["edge"]
        numbers.append(int(constants["views"]))
        kernels.append(networks["edge"].weights["stem.kernel"])
    assert 0 < numbers[0] < numbers[1] and numbers[0] % 4 == 0
    assert not np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[1], kernels[2])


def test_loss_weights_equal_targets(folder: Path) -> None:
    """The losses weigh as in the training with TensorFlow, for the same outputs of the teacher."""
    networks, constants = handover.load_networks(folder / handover.START)
    front_end, kept = views.FrontEnd.of(constants), handover.load_sounds(folder)
    maker = views.ViewMaker(views.Sounds.load(folder, kept, "cpu"), front_end, 0)
    batches: list[np.ndarray] = []
    batch = maker.batch

    def recorded(*arguments: object) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = batch(*arguments)
        batches.append(y.permute(0, 2, 3, 1).numpy())
        return x, y

    maker.batch = recorded
    teacher = training.Teacher(built(networks[handover.TEACHER]))
    is_music = torch.from_numpy(constants["is_music"])
    trainer = training.Trainer(
        teacher, {"edge": built(networks["edge"])}, is_music, maker, training.Settings(1, 4, 100, half=False)
    )
    targets = Targets(UntrainedTeacher(), batches)
    for own, expected in zip(trainer.stage_weights, targets.stage_weights(), strict=True):
        np.testing.assert_allclose(own.flatten(), expected, rtol=0.02)
    np.testing.assert_allclose(trainer.logit_weights, targets.logit_weights(audioset.is_music()), rtol=0.02)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--minutes", "0"), "--minutes must be positive"),
        (("--minutes", "1", "--batch", "0"), "--batch at least 1"),
        (("--minutes", "1", "--device", "cpu"), "missing/start: no networks of a distillation: "),
    ],
)
def test_refused_arguments(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = run_main(distil_on_gpu, tmp_path / "missing", *words)
    assert done.code != 0 and message in done.stderr
