"""Compare front ends: the same student learns from the same sound with fewer frames, fewer bands or less treble.

    python -m tools.compare_front_ends --audio gtzan/ --tracks gtzan/tracks.csv --teacher mn04_as_mAP_432.pt \\
        --unlabelled emotify/ sounds/music --not-music sounds/not-music --out runs/front_ends

All students begin with the weights of the shipped network, get the same views of sound, and learn the outputs of the
same teacher. They are trained without the split `valid`, and compared on it: the share of the variance of the teacher's
logits for music that they explain, and the accuracy of regressions on their float embeddings, fitted to unchanged
tracks. The shape of their input is the same: powers are averaged over longer frames or wider bands, and repeated. An
interrupted run resumes.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from genre_edge.errors import GenreEdgeError
from genre_edge.model.bundle import bundle_path
from tools.training import data, examples, head
from tools.training.architectures import ARCHITECTURES, Architecture
from tools.training.data import Track
from tools.training.distillation import audioset, backbone, efficientat, function_matching, shipped, students, views
from tools.training.distillation.genre_head import GenreHead
from tools.training.distillation.headless import FOLD_SEEDS
from tools.training.distillation.student import Student
from tools.training.distillation.students import Reduction
from tools.training.jobs import TrainingJob
from tools.training.report import track_means

FRONT_ENDS = {
    "as shipped: 100 frames a second, 128 bands, 32 kHz": None,
    "43 frames a second": Reduction(frames_per_s=43),
    "25 frames a second": Reduction(frames_per_s=25),
    "12.9 frames a second": Reduction(frames_per_s=12.9),
    "96 bands": Reduction(n_mels=96),
    "22.05 kHz": Reduction(sr=22050),
}
PATCH_S = 3.0, 5.0, 10.0  # compared with the first front end; the others have the shipped patches


@dataclass(frozen=True)
class Row:
    """A row of the table: explained share of the variance, accuracy on `valid`, and accuracies on folds."""

    front_end: str
    patch_s: float
    explained: float
    valid: float
    folds: list[float]

    def __str__(self) -> str:
        folds = ", ".join(f"{100 * accuracy:.1f}" for accuracy in self.folds)
        cells = (
            self.front_end,
            f"{self.patch_s:g} s",
            f"{self.explained:.3f}",
            f"{100 * self.valid:.1f} %",
            f"{folds} %",
        )
        return f"| {' | '.join(cells)} |"


HEADER = "| front end | patch | explained | `valid` | folds of both |\n| --- | --- | --- | --- | --- |"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=students.DESIGNS, default="nano", help="the student (nano)")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of the table's audio")
    parser.add_argument("--tracks", type=Path, required=True, help="table of the labelled tracks (.csv)")
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's weights (.pt)")
    parser.add_argument("--unlabelled", type=Path, nargs="+", default=[], help="folders of unlabelled music")
    parser.add_argument("--not-music", type=Path, nargs="+", default=[], help="folders of audio that is not music")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of 24 views (1500)")
    parser.add_argument("--out", type=Path, required=True, help="directory of checkpoint and spectrograms")
    return parser.parse_args()


def train(arguments: argparse.Namespace, tracks: list[Track], unused: list[Track]) -> dict[str, Student]:
    """Return the trained student of each front end."""
    name = arguments.architecture
    job = TrainingJob(
        ARCHITECTURES[name],
        sorted({track.genre for track in tracks}),
        epochs=0,
        seed=0,
        out=arguments.out,
        unlabelled=tuple(arguments.unlabelled),
        not_music=tuple(arguments.not_music),
    )
    distiller = function_matching.Distiller(
        {front_end: replace(students.DESIGNS[name], reduction=value) for front_end, value in FRONT_ENDS.items()},
        efficientat.Teacher(efficientat.load_weights(arguments.teacher)),
        backbone.load_recordings(job, tracks, unused),
        arguments.out / "checkpoint",
        (function_matching.Phase("matching", arguments.steps, views.Batch(24, 320, 0.5), 8e-4),),
        start=dict.fromkeys(FRONT_ENDS, shipped.network_content(bundle_path(name))),
    )
    distiller.run()
    return distiller.students


def compare(
    trained: dict[str, Student], teacher: efficientat.Teacher, train: list[Track], valid: list[Track], name: str
) -> Iterator[Row]:
    """Yield the measurements of each student; those of the first with patches of each length."""
    tracks = [*train, *valid]
    for patch_s in PATCH_S:
        architecture = with_patches(ARCHITECTURES[name], patch_s)
        patches = [examples.track_patches(track.frames, architecture) for track in tracks]
        logits = examples.predict_in_batches(lambda x: teacher.outputs(x)[1], np.concatenate(patches[len(train) :]))
        is_shipped = architecture.patch_frames == students.PATCH_FRAMES
        for front_end, student in list(trained.items())[: None if is_shipped else 1]:
            yield measure(front_end, patch_s, student, patches, logits, tracks, len(train))


def with_patches(architecture: Architecture, seconds: float) -> Architecture:
    """Return an architecture with patches of another length, half of which the next one overlaps."""
    frames = round(seconds * students.MEL.sr / students.MEL.hop_length)
    return replace(architecture, patch_frames=frames, hop_frames=frames // 2)


def measure(
    front_end: str,
    patch_s: float,
    student: Student,
    patches: Sequence[np.ndarray],
    logits: np.ndarray,
    tracks: list[Track],
    n_train: int,
) -> Row:
    """Return a student's measurements.

    Args:
        front_end, patch_s: for the row.
        student: the student.
        patches: normalised patches of each track.
        logits: the teacher's, of the tracks behind the first `n_train`.
        tracks: those to train on, and then those to test on.
        n_train: number of the first ones.
    """
    labels = sorted({track.genre for track in tracks})
    classes = np.array([labels.index(track.genre) for track in tracks])
    outputs = examples.predict_in_batches(lambda x: student.stage_outputs(x)[-1], np.concatenate(patches))
    embeddings = np.split(outputs.astype(np.float64), np.cumsum([len(part) for part in patches])[:-1])
    own = student.logits_of(np.flatnonzero(audioset.is_music()))(np.concatenate(embeddings[n_train:]))
    explained = function_matching.explained_variance(own, logits[:, audioset.is_music()])
    model = GenreHead.of(student.logits_of(np.array(list(audioset.STYLES))), labels)
    copies = [[rows] for rows in embeddings]
    layer = model.fit(copies[:n_train], classes[:n_train])
    valid = _accuracy([layer(rows) for rows in embeddings[n_train:]], classes[n_train:])
    by_seed = [model.cross_validated_logits(copies, classes, head.folds(tracks, seed)) for seed in range(FOLD_SEEDS)]
    return Row(front_end, patch_s, explained, valid, [_accuracy(log_odds, classes) for log_odds in by_seed])


def _accuracy(log_odds: list[np.ndarray], classes: np.ndarray) -> float:
    return float((track_means(log_odds, 1.0).argmax(axis=1) == classes).mean())


def main() -> None:
    arguments = parse_arguments()
    tracks = data.load_audio_table(arguments.audio, arguments.tracks, students.MEL)
    train_tracks, valid = data.named_split(tracks, "train", "valid")
    trained = train(arguments, train_tracks, valid)
    teacher = efficientat.Teacher(efficientat.load_weights(arguments.teacher))
    print(HEADER)
    for row in compare(trained, teacher, train_tracks, valid, arguments.architecture):
        print(row, flush=True)


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command resumes from the last checkpoint")
