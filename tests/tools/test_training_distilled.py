"""The recipe of `edge` and `nano` from end to end, with small networks and a teacher with random weights."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.prediction import Model
from tests.helpers.training import (
    GENRES,
    Finished,
    UntrainedTeacher,
    run_main,
    small_design,
    write_corpus,
    write_tone,
)
from tools import evaluate, train_and_export
from tools.training import bundle_export, recipes, tflite_head, tflite_weights
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track
from tools.training.distillation import (
    audioset,
    backbone,
    distilled,
    efficientat,
    function_matching,
    headless,
    pseudo_labels,
    recordings,
    shipped,
    student_network,
    students,
    teacher_heads,
    track_copies,
    views,
)
from tools.training.distillation.exchange import files
from tools.training.distillation.function_matching import Phase
from tools.training.distillation.recordings import Recording
from tools.training.distillation.start import ShippedStart, view_seed
from tools.training.embedding import Embedder
from tools.training.jobs import TrainingJob


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data"))


def train(data: Path, *arguments: str, shipped_bundles: Path | None = None) -> Finished:
    """Run the training with small networks; `shipped_bundles` has a folder for each student."""
    tiny = replace(ARCHITECTURES["edge"], student=small_design())
    tiny = replace(tiny, build=lambda _, n: student_network.network(small_design(), n))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("edge", "nano"):
            patch.setitem(ARCHITECTURES, name, tiny)
            patch.setitem(students.DESIGNS, name, small_design())
        patch.setattr(efficientat, "load_weights", lambda path: None)
        patch.setattr(efficientat, "Teacher", UntrainedTeacher)
        patch.setattr(function_matching, "VALIDATION_RECORDINGS", 2)
        patch.setattr(function_matching, "VALIDATION_BATCHES", 1)
        patch.setattr(function_matching, "STATISTICS_BATCHES", 1)
        phases = (
            Phase("hints", 2, views.Batch(2, 64, 0.0), 1e-2, hints=True),
            Phase("matching", 2, views.Batch(2, 64, 0.5), 1e-3),
        )
        patch.setattr(distilled, "PHASES", phases)
        patch.setattr(distilled, "WARM_PHASES", phases[1:])
        patch.setattr(distilled, "AFTER_GPU_PHASES", phases[1:])
        patch.setattr(function_matching, "START_BATCHES", 2)
        patch.setattr(backbone, "CALIBRATION_BATCHES", 1)
        patch.setattr(teacher_heads, "BATCHES", 4)
        patch.setattr(teacher_heads, "NOT_MUSIC_BATCHES", 2)
        patch.setattr(pseudo_labels, "BATCHES", 2)
        if shipped_bundles:
            patch.setattr(shipped, "bundle_path", lambda name: shipped_bundles / name / "bundle")
        patch.setattr(bundle_export, "_check_loss", lambda *figures: None)
        return run_main(train_and_export, *arguments)


@pytest.fixture(scope="module")
def out(data: Path) -> Path:
    """The output of a run for both students."""
    arguments = (
        f"--audio {data} --tracks {data}/tracks.csv --architecture edge nano --teacher {data}/teacher.pt "
        f"--unlabelled {data}/music --not-music {data}/noise --then-use-all --out {data}/out"
    )
    done = train(data, *arguments.split())
    assert done.code == 0, done.stderr
    return data / "out"


@pytest.mark.train
@pytest.mark.parametrize("name", ["edge", "nano"])
def test_bundles(out: Path, name: str) -> None:
    """Both bundles have genres, styles and sounds; the holdout is measured before the last layer is fitted to it."""
    measured, final = (Model(out / name / kind).bundle for kind in ("measured", "bundle"))
    for bundle in (measured, final):
        assert bundle.labels == sorted(GENRES) and bundle.mel == students.MEL and bundle.name == name
        assert [style.name for style in bundle.styles] == [style.name for style in audioset.STYLES.values()]
        assert bundle.sounds == teacher_heads.SOUNDS and bundle.not_music == headless.NOT_MUSIC_THRESHOLD
    assert measured.metrics["holdout"] == final.metrics["holdout"] and final.metrics["holdout"]["n"] == 6
    assert final.metrics["refitted"]["tracks"] == 24 and "refitted" not in measured.metrics
    assert len(final.metrics["folds"]) == headless.FOLD_SEEDS
    assert final.metrics["refitted"]["folds_style_error"] < 0.05  # the two genres differ clearly
    assert len(final.metrics["refitted"]["style_calibration"]["slope"]) == len(audioset.STYLES)
    hours = measured.metrics["hours"]
    assert hours["labelled"] == pytest.approx(18 * 6 / 3600, abs=0.006)
    assert hours == final.metrics["refitted"]["hours"]
    assert set(hours) == {"labelled", "music", "noise"}


@pytest.mark.train
def test_copies_of_held_out_tracks_are_not_used(data: Path, out: Path) -> None:
    """A file with the content of a held-out track is not used, whatever its name."""
    tracks = [Track(f"t{i}", "jazz", "", np.empty((0, 0)), "", data / "audio" / f"{i}.wav") for i in (0, 20)]
    job = TrainingJob(ARCHITECTURES["edge"], ["jazz"], 0, 0, out, unlabelled=(data / "music",))
    found = backbone.load_recordings(job, tracks[:1], tracks[1:])
    assert sorted(r.name for r in found) == ["0", "0", "1", "2", "3"]
    found = backbone.load_recordings(job, tracks, tracks[1:])
    assert sorted(r.name for r in found) == ["0", "0", "1", "2", "3"]


@pytest.mark.train
def test_card(data: Path, out: Path) -> None:
    """The card has hash, refit, sources and command, with no local paths."""
    card = (out / "nano" / "bundle" / "MODEL_CARD.md").read_text()
    bundle = Model(out / "nano" / "bundle").bundle
    options = "--unlabelled music --not-music noise"
    recall = "recall on folds of all 24 tracks, 3 divisions"
    views = "fitted to 32 random views of the unlabelled music"
    for text in (bundle.sha256, "fitted again, to all 24 tracks", options, "| labelled |", recall, views):
        assert text in card
    assert str(data) not in card


@pytest.mark.train
def test_same_command_resumes(data: Path, out: Path) -> None:
    """A finished run is not trained again; a run with other students is refused."""
    words = f"--audio {data} --tracks {data}/tracks.csv --teacher t.pt"
    sound = f"--unlabelled {data}/music --not-music {data}/noise"
    done = train(data, *words.split(), *sound.split(), "--architecture", "edge", "--out", str(out))
    assert done.code != 0 and "belongs to a run with other parameters" in done.stderr


@pytest.fixture(scope="module")
def archive(data: Path) -> list[object]:
    """Options for an archive of all tracks, and for a table in which five tracks have no audio."""
    table = (data / "tracks.csv").read_text().splitlines()
    lines = [line.rpartition(",")[0] + "," if i in (3, 4, 5, 22, 23) else line for i, line in enumerate(table)]
    (data / "few.csv").write_text("\n".join(lines) + "\n")
    np.savez(data / "m.npz", mel=np.random.default_rng(0).integers(0, 256, (24, 128, 100), dtype=np.uint8))
    return ["--mels", data / "m.npz", "--tracks", data / "few.csv"]


@pytest.mark.train
def test_heads_only_with_archive(data: Path, out: Path, archive: list[object]) -> None:
    """The student keeps its layers without a teacher; tracks without audio count in the regression only."""
    words = f"--audio {data} --architecture edge --heads-only --unlabelled {data}/music --not-music {data}/noise"
    options = [*words.split(), *map(str, archive), "--then-use-all", "--out", str(data / "heads")]
    done = train(data, *options, shipped_bundles=out)
    assert done.code == 0, done.stderr
    measured, final = (Model(data / "heads" / "edge" / kind) for kind in ("measured", "bundle"))
    assert measured.bundle.metrics["holdout"]["n"] == 4 and measured.bundle.metrics["tracks_without_audio"] == 3
    assert final.bundle.metrics["refitted"]["tracks_without_audio"] == 5
    before = Model(out / "edge" / "bundle")
    for key in ("explained", "hours"):
        assert final.bundle.metrics[key] == before.bundle.metrics[key]
    card = (data / "heads" / "edge" / "bundle" / "MODEL_CARD.md").read_text()
    for text in (
        "to all 19 tracks including these, and to 5 tracks without audio",
        "are those of edge 1:",
        "of all 19",
    ):
        assert text in card
    assert "random views" not in card


@pytest.mark.train
def test_warm_start(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distillation goes on from the shipped layers with views of their own seed; the card says so."""
    batches, seeds = views.batches, []

    def recorded(recordings: list[Recording], batch: views.Batch, seed: int, phase: int, steps: range) -> Iterator[Any]:
        seeds.append(seed)
        return batches(recordings, batch, seed, phase, steps)

    monkeypatch.setattr(views, "batches", recorded)
    words = f"--audio {data} --tracks {data}/tracks.csv --architecture edge --warm-start --teacher {data}/t.pt"
    sound = f"--unlabelled {data}/music --not-music {data}/noise --seed 1 --out {data}/warm"
    done = train(data, *words.split(), *sound.split(), shipped_bundles=out)
    assert done.code == 0 and "start: edge: embedding, clean" in done.stdout, done.stderr
    bundle = Model(data / "warm" / "edge" / "bundle").bundle
    assert bundle.metrics["warm_start"] == "edge 1"
    assert "began with the int8 weights of edge 1" in (data / "warm" / "edge" / "bundle" / "MODEL_CARD.md").read_text()
    before, after = ((path / "edge" / "bundle" / "model.tflite").read_bytes() for path in (out, data / "warm"))
    content = (out / "edge" / "bundle" / "model.tflite").read_bytes()
    assert seeds == [view_seed(1, ShippedStart({"edge": content}))] != [1]
    (first, _), (second, _) = (tflite_weights.weights(content)[1] for content in (before, after))
    assert 0 < np.abs(first - second).max() < 0.1 * np.abs(first).max()
    again = train(data, *words.split(), *sound.split(), shipped_bundles=data / "other")  # the run keeps its start
    assert again.code == 0 and "start:" not in again.stdout, again.stderr
    other = train(data, *words.replace("--warm-start ", "").split(), *sound.split())
    assert other.code != 0 and "belongs to a run with other parameters" in other.stderr


@pytest.mark.train
def test_gpu_folder(data: Path, out: Path) -> None:
    """The first run writes the folder; after a training on a GPU, the next one goes on with its networks."""
    words = f"--audio {data} --tracks {data}/tracks.csv --architecture edge --warm-start --teacher {data}/t.pt"
    sound = f"--unlabelled {data}/music --not-music {data}/noise --out {data}/after-gpu --gpu-folder {data}/gpu"
    arguments = [*words.split(), *sound.split()]
    first = train(data, *arguments, shipped_bundles=out)
    assert first.code == 0 and "gpu is ready for tools.distil_on_gpu" in first.stdout, first.stderr
    assert not (data / "after-gpu" / "edge").exists()
    networks, constants = files.load_networks(data / "gpu" / files.START)
    weights = networks["edge"].weights
    trained = {"edge": replace(networks["edge"], weights={**weights, "stem.bias": weights["stem.bias"] + 1})}
    files.save_networks(data / "gpu" / files.TRAINED, trained, {**constants, "views": np.array(2_500_000)})
    second = train(data, *arguments, shipped_bundles=out)
    assert second.code == 0 and "start: edge: embedding, clean" in second.stdout, second.stderr
    bundle = Model(data / "after-gpu" / "edge" / "bundle").bundle
    assert bundle.metrics["gpu_views"] == 2_500_000
    card = (data / "after-gpu" / "edge" / "bundle" / "MODEL_CARD.md").read_text()
    assert "A GPU trained the network with 2.5 million views" in card
    (_, before), (_, after) = (
        tflite_weights.weights((path / "edge" / "bundle" / "model.tflite").read_bytes())[0]
        for path in (out, data / "after-gpu")
    )
    assert after - before == pytest.approx(1, abs=0.1)
    other = train(data, *arguments, "--seed", "2", shipped_bundles=out)
    assert other.code == 1 and "was trained from other networks or recordings" in other.stderr


@pytest.mark.train
def test_heads_only_with_teacher(data: Path, out: Path) -> None:
    """The student keeps its layers; its genres differ from those without pseudo-labels, styles and sounds do not."""
    words = f"--audio {data} --tracks {data}/tracks.csv --architecture edge --heads-only"
    sound = f"--unlabelled {data}/music --not-music {data}/noise"
    layers = []
    for name, teacher in (("without", ()), ("with", ("--teacher", "t.pt"))):
        options = [*words.split(), *sound.split(), *teacher, "--out", str(data / name)]
        done = train(data, *options, shipped_bundles=out)
        assert done.code == 0, done.stderr
        layers.append(tflite_head.last_layer((data / name / "edge" / "bundle" / "model.tflite").read_bytes()))
    changes = [np.abs(getattr(layers[0], part) - getattr(layers[1], part)) for part in ("weights", "bias")]
    change = np.maximum(changes[0].max(axis=0), changes[1])
    assert change[: len(GENRES)].min() > 3 * change[len(GENRES) :].max()  # int8 steps may differ


@pytest.mark.train
def test_own_genres_on_scaled_features(data: Path, out: Path) -> None:
    """A bundle whose last layer gets scaled features is a base for own genres."""
    base = Embedder(out / "edge" / "bundle")
    embedding = base.embed(data / "audio" / "0.wav")
    n = student_network.n_features(small_design())
    assert embedding.features.ndim == 2 and embedding.features.shape[1] == n
    content = tflite_head.replace_outputs(base.tflite, slice(0, len(GENRES)), np.eye(n, 2), np.zeros(2))
    assert tflite_head.last_layer(content).weights.shape == (n, base.bundle.n_outputs - len(GENRES) + 2)


def test_track_copies(tmp_path: Path) -> None:
    """A track with audio has six copies, the first unchanged, and its archived spectrogram; one without has itself."""
    write_tone(tmp_path / "a.wav", 300, 0, 2)
    frames, archived = np.zeros((128, 200), np.float32), np.ones((128, 300), np.float32)
    track = Track("a", "jazz", "", frames, "", tmp_path / "a.wav", archived)
    copies = track_copies.copies(track, 0)
    assert copies[0] is frames and copies[-1] is archived and len(copies) == track_copies.N_FROM_AUDIO + 1
    assert len(track_copies.copies(replace(track, archived=None), 0)) == track_copies.N_FROM_AUDIO
    assert track_copies.copies(replace(track, path=None, archived=None), 0) == [frames]


def test_students_need_two_artists_and_other_sound(tmp_path: Path) -> None:
    """A genre of one artist, and folders without audio that is not music, are refused before the work begins."""
    tracks = [Track(f"{i}", "jazz", "", np.empty((0, 0)), "one", tmp_path / f"{i}.wav") for i in range(3)]
    job = TrainingJob(ARCHITECTURES["edge"], ["jazz"], 0, 0, tmp_path, "edge", not_music=(tmp_path / "noise",))
    with pytest.raises(SystemExit, match="3 tracks of one artist"):
        next(recipes.trainers([job], tracks, [], [], "run"))
    with pytest.raises(SystemExit, match="noise: no audio"):
        backbone.from_folders(job.not_music, [])


@pytest.mark.train
def test_evaluate_with_audio(data: Path, out: Path) -> None:
    """The bundle can be evaluated on audio, not on the archive of another front end."""
    words = f"--bundle {out}/edge/measured --tracks {data}/tracks.csv --split valid"
    done = run_main(evaluate, *words.split(), "--audio", data)
    assert done.code == 0 and done.stdout.startswith("6 tracks, accuracy ")
    done = run_main(evaluate, *words.split(), "--mels", data / "m.npz")
    assert done.code == 1 and "is not the archive's" in done.stderr


def test_recordings_have_the_same_cache_whatever_their_name(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 300, 0)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    a, b = (recordings.cached_path(tmp_path / f"{name}.wav", students.MEL, tmp_path) for name in "ab")
    assert a == b
