"""The folder that passes a distillation to a GPU and back, without PyTorch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.errors import ModelError
from tests.helpers.training import UntrainedTeacher, small_design
from tools.training.distillation import audioset, students
from tools.training.distillation.effects import Effects
from tools.training.distillation.exchange import files, folder, keras_networks
from tools.training.distillation.exchange.files import NetworkData, SpectrogramFile
from tools.training.distillation.recordings import Recording, Sampler
from tools.training.distillation.start import TrainedStart
from tools.training.distillation.student import Student

pytestmark = pytest.mark.train


def randomised(seed: int) -> Student:
    """Return a small student whose weights, statistics of the normalisations included, are random."""
    student, rng = Student(small_design()), np.random.default_rng(seed)
    for part in student.parts:
        part.set_weights([w + 0.1 * rng.random(w.shape) for w in part.get_weights()])
    return student


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 128, 100, 1)).astype(np.float32)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    found = []
    for i, n in enumerate((300, 500, 200, 900)):
        cached = tmp_path / "cache" / f"{i}.npy"
        cached.parent.mkdir(exist_ok=True)
        np.save(cached, np.full((128, n), i, dtype=np.float16))
        found.append(Recording(f"r{i}", "music" if i else "speech", cached, n))
    return found


def test_student_from_its_data(patches: np.ndarray) -> None:
    """A student with the weights of another gives its outputs, whatever its normalisations' statistics are."""
    first, second = randomised(0), randomised(1)
    keras_networks.assign(second, keras_networks.student_data(first))
    for a, b in zip(first.outputs(patches), second.outputs(patches), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_student_from_other_data() -> None:
    data = keras_networks.student_data(randomised(0))
    other = replace(data, design=replace(data.design, activation="hard_swish"))
    smaller = replace(data, weights=dict(data.weights) | {"stem.bias": data.weights["stem.bias"][:-1]})
    for wrong in (other, smaller):
        with pytest.raises(ModelError, match="another architecture"):
            keras_networks.assign(randomised(1), wrong)


def test_networks_are_read_as_written(tmp_path: Path) -> None:
    networks = {"edge": keras_networks.student_data(randomised(0))}
    files.save_networks(tmp_path / "x.npz", networks, {"views": np.array(7)})
    read, constants = files.load_networks(tmp_path / "x.npz")
    assert int(constants["views"]) == 7 and list(read) == ["edge"]
    assert replace(read["edge"], weights={}) == replace(networks["edge"], weights={})
    assert set(read["edge"].weights) == set(networks["edge"].weights)
    assert all(np.array_equal(read["edge"].weights[k], v) for k, v in networks["edge"].weights.items())


@pytest.mark.parametrize("share", [None, 0, 0.5, 0.99])
def test_damaged_networks(tmp_path: Path, share: float | None) -> None:
    """A missing, empty or truncated file ends the program with its name and the reason."""
    path = tmp_path / "x.npz"
    if share is not None:
        files.save_networks(path, {"edge": keras_networks.student_data(randomised(0))}, {})
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(SystemExit, match=r"x\.npz: cannot be read as networks of a distillation: "):
        files.load_networks(path)


@pytest.mark.parametrize("name", ["stem.gain", "block_2_se_excite.bias", "block_4_expand.kernel", "to_logits.bias"])
def test_missing_weights(tmp_path: Path, name: str) -> None:
    data = keras_networks.student_data(randomised(0))
    weights = {key: value for key, value in data.weights.items() if key != name}
    files.save_networks(tmp_path / "x.npz", {"edge": replace(data, weights=weights)}, {})
    with pytest.raises(SystemExit, match=rf"{name} is missing"):
        files.load_networks(tmp_path / "x.npz")


def test_missing_constants(tmp_path: Path) -> None:
    files.save_networks(tmp_path / "x.npz", {}, {"views": np.array(1)})
    assert files.load_networks(tmp_path / "x.npz", ("views",)) == ({}, {"views": np.array(1)})
    with pytest.raises(SystemExit, match=r"x\.npz: cannot be read as networks of a distillation: identity is missing"):
        files.load_networks(tmp_path / "x.npz", ("views", "identity"))


def test_damaged_list_of_spectrograms(tmp_path: Path) -> None:
    listed = [SpectrogramFile("spectrograms/a.npy", 0.5, False)]
    files.save_list(tmp_path, listed)
    assert files.load_list(tmp_path) == listed
    (tmp_path / "spectrograms.json").write_text('[{"file": "a.npy"}]')
    with pytest.raises(SystemExit, match=r"spectrograms\.json: cannot be read as a list of spectrograms: "):
        files.load_list(tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_damaged_spectrogram(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(SystemExit, match=r"a\.npy: cannot be read as a spectrogram: "):
        files.load_spectrogram(tmp_path, SpectrogramFile("a.npy", 1.0, False))


def test_folder_is_complete(tmp_path: Path, recordings: list[Recording]) -> None:
    """Networks, constants and spectrograms are in the folder; recordings are chosen as often as by `Sampler`."""
    student, to = randomised(0), tmp_path / "gpu"
    for _ in range(2):  # the second call finds the spectrograms of the first
        folder.write(to, "identity", {"edge": student}, UntrainedTeacher(), recordings[:3], recordings[3:])
    networks, constants = files.load_networks(to / files.START)
    assert set(networks) == {"edge", "teacher"} and networks["edge"].heads == ("to_embedding", "to_logits")
    assert np.array_equal(constants["is_music"], audioset.is_music())
    assert np.allclose(constants["band_hz"], Effects(students.MEL).band_hz)
    listed = files.load_list(to)
    assert [file.is_validation for file in listed] == [False, False, False, True]
    by_name = {Path(file.file).name: file for file in listed}
    for recording, share in Sampler(recordings[:3]).probabilities():
        file = by_name[recording.cached.name]
        assert file.weight == share
        assert np.array_equal(files.load_spectrogram(to, file), recording.frames())


def test_spectrograms_on_another_file_system(
    tmp_path: Path, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are copied where hard links are not possible."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    folder.write(
        tmp_path / "gpu", "identity", {"edge": randomised(0)}, UntrainedTeacher(), recordings[:3], recordings[3:]
    )
    names = sorted(path.name for path in (tmp_path / "gpu" / "spectrograms").iterdir())
    assert names == ["0.npy", "1.npy", "2.npy", "3.npy"]


def test_start_without_a_student() -> None:
    """A network that the GPU did not train is named."""
    start = TrainedStart({"nano": keras_networks.student_data(randomised(0))})
    with pytest.raises(ModelError, match="the GPU has trained nano, but not edge"):
        start.assign({"edge": randomised(1)}, lambda: ([], np.empty(0), np.empty(0)))


def test_probabilities_of_recordings(recordings: list[Recording]) -> None:
    """They sum to 1, and are how often `choose` returns a recording."""
    sampler, rng = Sampler(recordings), np.random.default_rng(0)
    shares = {recording.n_frames: share for recording, share in sampler.probabilities()}
    assert sum(shares.values()) == pytest.approx(1)
    chosen = [sampler.choose(rng).shape[1] for _ in range(4000)]
    for n_frames, share in shares.items():
        assert chosen.count(n_frames) / 4000 == pytest.approx(share, abs=0.03)


def test_teacher_data() -> None:
    data: NetworkData = keras_networks.teacher_data(UntrainedTeacher())
    assert data.stage_ends == students.HINTED_BLOCKS and data.weights["stem.kernel"].shape == (3, 3, 1, 8)
