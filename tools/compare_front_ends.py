"""Compare front ends: the same student learns from the same sound with fewer frames, fewer bands or less treble.

    python -m tools.compare_front_ends --audio gtzan/ --tracks gtzan/tracks.csv --teacher mn04_as_mAP_432.pt \\
        --unlabelled emotify/ sounds/music --not-music sounds/not-music --out runs/front_ends

All students begin with the weights of the shipped network, get the same views of sound, and learn the outputs of the
same teacher. They are trained without the split `valid`, and compared on it: the share of the variance of the teacher's
logits for music that they explain, and the accuracy of regressions on their float embeddings, fitted to tracks without
degradation. The shape of their input is the same: powers are averaged over longer frames or wider bands, and repeated.
The shipped front end has an advantage, because the first weights were trained with it; the progress shows how fast the
others catch up. An interrupted run resumes.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from genre_edge.errors import GenreEdgeError
from tools.training import data, examples, head, report
from tools.training.architectures import ARCHITECTURES, Architecture
from tools.training.data import Track
from tools.training.distillation import audioset, backbone, efficientat, function_matching, shipped, students, views
from tools.training.distillation.genre_head import GenreHead
from tools.training.distillation.headless import FOLD_SEEDS
from tools.training.distillation.start import ShippedStart
from tools.training.distillation.student import Student
from tools.training.distillation.students import Reduction
from tools.training.distillation.targets import explained_variance
from tools.training.head import LinearLayer
from tools.training.jobs import TrainingJob

FRONT_ENDS = {
    "100 frames a second, 128 bands, 32 kHz": None,
    "43 frames a second": Reduction(frames_per_s=43),
    "25 frames a second": Reduction(frames_per_s=25),
    "12.9 frames a second": Reduction(frames_per_s=12.9),
    "96 bands": Reduction(n_mels=96),
    "22.05 kHz": Reduction(sr=22050),
}
PATCH_S = 5.0, 3.0, 10.0  # all front ends are compared with the first one, the shipped one with the others, too
HEADER = """\
| front end | patch | explained | `valid` | folds of `train` and `valid` |
| --- | --- | --- | --- | --- |"""


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


def train(
    arguments: argparse.Namespace, teacher: efficientat.Teacher, tracks: list[Track], unused: list[Track]
) -> dict[str, Student]:
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
        teacher,
        backbone.load_recordings(job, tracks, unused),
        arguments.out / "checkpoint",
        (function_matching.Phase("matching", arguments.steps, views.Batch(24, 320, 0.5), 8e-4),),
        start=ShippedStart(
            dict.fromkeys(FRONT_ENDS, shipped.network_content(shipped.snapshot(name, arguments.out / "start")))
        ),
    )
    distiller.run()
    return distiller.students


class Comparison:
    """Measurements of students that have patches of one length.

    Args:
        teacher: the teacher.
        architecture: of the students.
        train_tracks, valid: labelled tracks.
    """

    def __init__(
        self, teacher: efficientat.Teacher, architecture: Architecture, train_tracks: list[Track], valid: list[Track]
    ) -> None:
        self._tracks, self._n_train = [*train_tracks, *valid], len(train_tracks)
        self._labels = sorted({track.genre for track in self._tracks})
        self._classes = np.array([self._labels.index(track.genre) for track in self._tracks])
        patches = [examples.track_patches(track.frames, architecture) for track in self._tracks]
        self._ends = np.cumsum([len(part) for part in patches])
        self._first_valid = self._ends[self._n_train - 1]  # patch
        self._patches = np.concatenate(patches)
        self._logits = examples.predict_in_batches(lambda x: teacher.outputs(x)[1], self._patches[self._first_valid :])

    def cells(self, student: Student) -> list[str]:
        """Return a student's explained share of the variance, accuracy on `valid`, and accuracies on folds."""
        rows = examples.predict_in_batches(lambda x: student.stage_outputs(x)[-1], self._patches).astype(np.float64)
        music = audioset.is_music()
        own = student.logits_of(np.flatnonzero(music))(rows[self._first_valid :])
        explained = explained_variance(own, self._logits[:, music])
        embeddings, n, classes = np.split(rows, self._ends[:-1]), self._n_train, self._classes
        model = GenreHead.of(student.logits_of(np.array(list(audioset.STYLES))), self._labels)
        copies = [[rows] for rows in embeddings]

        def fit(train: np.ndarray) -> LinearLayer:
            return model.fit([copies[i] for i in train], classes[train])

        layer = fit(np.arange(n))
        valid = report.track_accuracy([layer(rows) for rows in embeddings[n:]], classes[n:])
        fold = [head.folds(self._tracks, seed) for seed in range(FOLD_SEEDS)]
        folds = [report.track_accuracy(head.cross_validated_logits(copies, f, fit), classes) for f in fold]
        return [f"{explained:.3f}", f"{100 * valid:.1f} %", f"{', '.join(f'{100 * f:.1f}' for f in folds)} %"]


def with_patches(architecture: Architecture, seconds: float) -> Architecture:
    """Return an architecture with patches of another length, half of which the next one overlaps."""
    frames = round(seconds * students.MEL.sr / students.MEL.hop_length)
    return replace(architecture, patch_frames=frames, hop_frames=frames // 2)


def main() -> None:
    arguments = parse_arguments()
    tracks = data.load_audio_table(arguments.audio, arguments.tracks, students.MEL)
    train_tracks, valid = data.named_split(tracks, "train", "valid")
    teacher = efficientat.Teacher(efficientat.load_weights(arguments.teacher))
    trained = train(arguments, teacher, train_tracks, valid)
    print(HEADER)
    for patch_s in PATCH_S:
        architecture = with_patches(ARCHITECTURES[arguments.architecture], patch_s)
        comparison = Comparison(teacher, architecture, train_tracks, valid)
        for front_end, student in trained.items():
            if patch_s == PATCH_S[0] or FRONT_ENDS[front_end] is None:
                print(f"| {' | '.join([front_end, f'{patch_s:g} s', *comparison.cells(student)])} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command resumes from the last checkpoint")
