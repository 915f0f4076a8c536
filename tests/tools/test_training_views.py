"""Unlabelled recordings, random views of them, and distillation on a small scale."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")

from tests.helpers.training import UntrainedTeacher, small_design
from tools.training.distillation import function_matching, recordings, students, views
from tools.training.distillation.function_matching import Distiller, Phase
from tools.training.distillation.start import ShippedStart, view_seed

RATE = 16000


def write(path: Path, seconds: float, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE))
    soundfile.write(path, y, RATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with readable, broken, silent and short files in two sources."""
    for i in range(3):
        write(tmp_path / "music" / "album" / f"{i}.wav", 2 + i, i)
    write(tmp_path / "speech" / "a.flac", 3, 9)
    write(tmp_path / "speech" / "short.wav", 0.5)
    (tmp_path / "speech" / "broken.ogg").write_bytes(b"OggS broken")
    soundfile.write(tmp_path / "speech" / "silent.wav", np.zeros(3 * RATE), RATE)
    return tmp_path


def load(folder: Path) -> list[recordings.Recording]:
    return recordings.load(recordings.find([folder / "music", folder / "speech"]), students.MEL, folder / "cache")


def test_recordings_are_cached(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Spectrograms are computed once; a broken file is named, silent and short ones are left out."""
    first = load(folder)
    assert [(r.name, r.source) for r in first] == [("0", "music"), ("1", "music"), ("2", "music"), ("a", "speech")]
    assert capsys.readouterr().err.startswith(f"skipped: {folder / 'speech' / 'broken.ogg'}: ")
    assert first[0].frames().shape == (128, first[0].n_frames) == (128, 201)
    stamps = {r.cached: r.cached.stat().st_mtime_ns for r in first}
    assert load(folder) == first and all(path.stat().st_mtime_ns == t for path, t in stamps.items())
    hours = recordings.hours(first, students.MEL)
    assert hours == pytest.approx({"music": 9 / 3600, "speech": 3 / 3600}, rel=0.01)


def test_recordings_need_audio(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no audio of 1 s or more"):
        recordings.load(recordings.find([tmp_path]), students.MEL, tmp_path / "cache")


def test_sampler_weights(folder: Path) -> None:
    """A source is chosen by the square root of its hours, a recording by its length to the power of 0.7."""
    sampler, rng = recordings.Sampler(load(folder)), np.random.default_rng(0)
    lengths = [sampler.choose(rng).shape[1] for _ in range(2000)]
    speech = 3**0.5 / (3**0.5 + 9**0.5)
    assert np.mean([n == 301 for n in lengths]) > speech  # the recording of 3 s in music, too
    longest = (1 - speech) * 4**0.7 / (2**0.7 + 3**0.7 + 4**0.7)
    assert np.mean([n == 401 for n in lengths]) == pytest.approx(longest, abs=0.04)


def test_batches_depend_on_step_alone(folder: Path) -> None:
    """A resumed run gets the batches of an uninterrupted one; clean views are the same for student and teacher."""
    found, batch = load(folder), views.Batch(3, 64, 0.0)
    whole = list(views.batches(found, batch, 5, 0, range(3)))
    (last,) = views.batches(found, batch, 5, 0, range(2, 3))
    assert np.array_equal(whole[2][0], last[0]) and not np.array_equal(whole[1][0], last[0])
    for student, teacher in whole:
        assert student.shape == (3, 128, 64, 1) and student.dtype == np.float32
        assert np.array_equal(student, teacher)


def test_degraded_views_differ(folder: Path) -> None:
    """All degraded views differ from the teacher's, which keep the sound."""
    maker = views.ViewMaker(load(folder))
    student, teacher = maker.batch(views.Batch(16, 64, 1.0), np.random.default_rng(0))
    differ = [not np.array_equal(a, b) for a, b in zip(student, teacher, strict=True)]
    assert all(differ)


PHASES = (
    Phase("hints", 3, views.Batch(2, 64, 0.0), 1e-2, hints=True),
    Phase("matching", 3, views.Batch(2, 64, 0.5), 1e-3),
)


def distiller(folder: Path, checkpoint: str, phases: tuple[Phase, ...] = PHASES) -> Distiller:
    return Distiller({"small": small_design()}, UntrainedTeacher(), load(folder), folder / checkpoint, phases)


@pytest.mark.train
def test_distillation_resumes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is interrupted between two phases ends with the weights of an uninterrupted one."""
    monkeypatch.setattr(function_matching, "VALIDATION_RECORDINGS", 1)
    monkeypatch.setattr(function_matching, "VALIDATION_BATCHES", 1)
    whole = distiller(folder, "whole")
    explained = whole.run()
    assert set(explained["small"]) == {"embedding, clean", "music, clean", "embedding, degraded", "music, degraded"}
    interrupted = distiller(folder, "resumed")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupted, "_matching_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    resumed = distiller(folder, "resumed")
    assert resumed.run()["small"] == pytest.approx(explained["small"], abs=0.02)
    for a, b in zip(whole.students["small"].parts, resumed.students["small"].parts, strict=True):
        for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_allclose(x, y, rtol=0.05, atol=5e-3)
    with pytest.raises(SystemExit, match="belongs to a run with other parameters"):
        distiller(folder, "whole", PHASES[:1]).run()


def test_distillation_needs_recordings(folder: Path) -> None:
    with pytest.raises(SystemExit, match="needs more than 25 recordings, got 4"):
        distiller(folder, "x")


def test_view_seed_of_continued_networks() -> None:
    """It changes with each network's content, and is the seed itself without a start."""
    contents = [{"edge": b"a", "nano": b"b"}, {"edge": b"a", "nano": b"c"}, {"edge": b"c", "nano": b"b"}]
    starts = [ShippedStart(content) for content in contents]
    seeds = [view_seed(7, start) for start in (None, *starts)]
    assert seeds[0] == 7 and len(set(seeds)) == 4
    assert view_seed(7, ShippedStart(dict(reversed(contents[0].items())))) == seeds[1]
    assert view_seed(8, starts[0]) == seeds[1] + 1
