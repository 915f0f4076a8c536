"""The AudioSet teacher against its check values."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from tools.training.distillation import efficientat

FOLDER = Path(os.environ.get("GENRE_EDGE_TEACHERS", "teachers"))
WEIGHTS, CHECK = FOLDER / "mn04_as_mAP_432.pt", FOLDER / "mn04_check.npz"
TOLERANCE = 1e-3


def signals() -> dict[str, np.ndarray]:
    """Return the signals that the check values are for, 10 s at 32 kHz."""
    t = np.arange(320_000) / efficientat.SR
    chirp = 0.3 * np.sin(2 * np.pi * (100 * t + 200 * t**2))
    noise = np.random.default_rng(1).standard_normal(320_000) * 0.1
    return {name: y.astype(np.float32) for name, y in (("chirp", chirp), ("noise", noise), ("zeros", 0 * t))}


@pytest.mark.train
@pytest.mark.skipif(not CHECK.exists(), reason="the teacher's files are no part of the project: see CONTRIBUTING.md")
def test_teacher_equals_check_values() -> None:
    """Front end, embedding and logits equal those of the reference implementation."""
    teacher = efficientat.Teacher(efficientat.load_weights(WEIGHTS))
    with np.load(CHECK) as check:
        for name, y in signals().items():
            mel = efficientat.log_mel(y)
            assert mel.shape == (128, 1000)
            frames = mel[:, [0, 1, 500, 998, 999]]
            np.testing.assert_allclose(frames, check[f"{name}_mel_frames"], atol=TOLERANCE)
            outputs, logits = teacher.outputs(mel[None, :, :, None])
            np.testing.assert_allclose(outputs[-1][0], check[f"{name}_embedding"], atol=TOLERANCE)
            np.testing.assert_allclose(logits[0], check[f"{name}_logits"], atol=TOLERANCE)


def test_load_weights_checks_hash(tmp_path: Path) -> None:
    """A missing file, or another one, is refused before it is unpickled."""
    with pytest.raises(SystemExit, match="No such file"):
        efficientat.load_weights(tmp_path / "missing.pt")
    (tmp_path / "other.pt").write_bytes(b"x")
    with pytest.raises(SystemExit, match=f"mn04_as_mAP_432.pt has {efficientat.SHA256}"):
        efficientat.load_weights(tmp_path / "other.pt")


class _Harmful:
    def __reduce__(self) -> tuple:
        return print, ("executed",)


def test_unpickler_refuses_other_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only tensors are unpickled; a function that the file names is not called."""
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": _Harmful()}))
    with zipfile.ZipFile(tmp_path / "x.pt") as archive, pytest.raises(pickle.UnpicklingError, match="unexpected"):
        efficientat._TensorUnpickler(archive).load()
    assert capsys.readouterr().out == ""


def test_mel_filterbank_equals_naive_twin() -> None:
    """Each weight is that of a triangle on the mel axis."""

    def mel(hz: float) -> float:
        return 1127 * float(np.log(1 + hz / 700))

    bank = efficientat.mel_filterbank()
    step = mel(15000) / 129
    for band in (0, 1, 40, 127):
        for number in range(512):
            distance = abs(mel(number * 32000 / 1024) - (band + 1) * step) / step
            assert bank[band, number] == pytest.approx(max(0, 1 - distance), abs=1e-5)
    assert not bank[:, 512].any()
