"""Ablation study of the edge recipe from a finished run of tools.train_and_export: the table in docs/model.md.

    python -m tools.ablate_model --run runs/edge --mels mel.npz --tracks tracks.csv --write docs/model.md

Each row is trained on split train and measured on valid, and on artist-disjoint folds of both (five seeds). All
networks are in float.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from tools.docs.pages import split_page
from tools.training import augment, data, examples, fit, float_network, head, recipes, report, teacher
from tools.training.architectures import ARCHITECTURES, Architecture
from tools.training.head import Outputs

if TYPE_CHECKING:
    import keras

SEEDS = 5
NOISE_SNR_DB = 10.0  # noise is added in the mel spectrogram
N_TARGETS = teacher.N_EMBEDDING + teacher.N_TAGS
EDGE = ARCHITECTURES["edge"]
FROM_LABELS = fit.Schedule(epochs=30, batch_size=64, learning_rate=1e-3)


class AblationTable:
    """Table of accuracies: on valid clean, noisy and in the telephone band, and on the folds."""

    def __init__(self, tracks: list[data.Track]) -> None:
        self.tracks = tracks
        self.labels = sorted({track.genre for track in tracks})
        self.classes = np.array([self.labels.index(track.genre) for track in tracks])
        self.valid = np.array([track.split == "valid" for track in tracks])
        self.rows = ["| step | valid | with noise | telephone band | folds (mean, s.d. of seeds) |"]
        self.rows.append("| --- | --- | --- | --- | --- |")

    def add(
        self,
        name: str,
        copies: Sequence[Outputs],
        degraded: Sequence[Outputs] = (),
        known: np.ndarray | None = None,
    ) -> None:
        """Fit a regression to a network's outputs and add a row with its accuracies.

        Args:
            copies: outputs for each track in several conditions, all used for fitting; the first is evaluated.
            degraded: outputs in further conditions to evaluate on valid.
            known: mask of the tracks to use, `(tracks,)`; default: all.
        """
        known = np.ones(len(self.tracks), dtype=bool) if known is None else known
        keep = np.flatnonzero(known)
        copies = [[outputs[i] for i in keep] for outputs in copies]
        classes, valid = self.classes[keep], self.valid[keep]
        train = np.flatnonzero(~valid)
        layer = head.fit_genre_layer([[outputs[i] for i in train] for outputs in copies], classes[train])
        evaluated = [copies[0], *([outputs[i] for i in keep] for outputs in degraded)]
        accuracies = [
            float(np.mean([is_correct(layer(outputs[i]), classes[i]) for i in np.flatnonzero(valid)]))
            for outputs in evaluated
        ]
        folds = []
        for seed in range(SEEDS):
            rows = head.cross_validated_logits(copies, classes, head.folds([self.tracks[i] for i in keep], seed))
            folds.append(float(np.mean([is_correct(row, c) for row, c in zip(rows, classes, strict=True)])))
        self.write(name, accuracies, folds)

    def write(self, name: str, accuracies: list[float], folds: list[float]) -> None:
        """Add a row and print it."""
        spread = f"{report.percent(float(np.mean(folds)))}, {report.percent(float(np.std(folds)))}" if folds else "-"
        cells = [*map(report.percent, accuracies), "-", "-"][:3]
        self.rows.append(f"| {name} | {' | '.join(cells)} | {spread} |")
        print(self.rows[-1], flush=True)


def is_correct(rows: np.ndarray, c: int) -> bool:
    """Return True if the mean softmax of a track's logits, `(patches, classes)`, is largest at class `c`."""
    return bool(report.track_means([rows], 1.0)[0].argmax() == c)


def train_on_labels(table: AblationTable, out: Path) -> None:
    """Add the row of the student trained on the labels alone, without a teacher."""
    train = [track for track in table.tracks if track.split == "train"]
    valid = [track for track in table.tracks if track.split == "valid"]
    one_epoch = examples.labelled_epochs(train, table.labels, EDGE, 0)

    def eight_epochs(number: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = zip(*(one_epoch(8 * number + k) for k in range(8)), strict=True)
        return np.concatenate(x), np.concatenate(y)

    import keras

    network, _ = fit.fit(
        build=lambda: EDGE.build(EDGE.shape, len(table.labels)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        epoch_data=eight_epochs,
        schedule=FROM_LABELS,
        checkpoint=out,
        identity={"ablation": "from labels"},
        seed=0,
    )
    p = examples.track_probabilities(network, valid, EDGE, len(table.labels))
    table.write("the same network from the labels alone, no teacher", [examples.accuracy(p, valid, table.labels)], [])


def evaluate_teacher(table: AblationTable, tracks_csv: Path, run: Path) -> None:
    """Add the row of the teacher itself, on the tracks whose audio the run has analysed; no row if too few are."""
    audio = {row["track"]: tracks_csv.parent / row["audio"] for row in data.read_csv(tracks_csv) if row["audio"]}
    outputs = []
    for track in table.tracks:
        path = audio.get(track.name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else ""
        cached = run / "teacher_targets" / f"{digest[:24]}.npz"
        outputs.append(np.load(cached)["targets"] if cached.is_file() else np.empty((0, N_TARGETS)))
    known = np.array([len(rows) > 0 for rows in outputs])
    if not ((known & table.valid).any() and (known & ~table.valid).any()):
        return
    name = f"the teacher itself, on the {known.sum()} tracks with audio ({(known & table.valid).sum()} of valid)"
    table.add(name, [outputs], known=known)


def evaluate_students(table: AblationTable, checkpoints: dict[str, Path]) -> None:
    """Add the rows of the student: untrained, then after each step of its training."""
    import keras

    frames = [track.frames for track in table.tracks]
    rng = np.random.default_rng(0)
    degraded = [
        [augment.add_noise(track[None], rng, NOISE_SNR_DB, NOISE_SNR_DB)[0] for track in frames],
        [augment.bandpass(track[None], *augment.TELEPHONE_BANDS, 60)[0] for track in frames],
    ]
    copies = recipes.degraded_copies(table.tracks, seed=0)[1:]

    def add(name: str, network: keras.Model, architecture: Architecture = EDGE, with_copies: bool = False) -> None:
        clean, noisy, telephone = (examples.track_outputs(network, x, architecture) for x in (frames, *degraded))
        table.add(name, [clean], [noisy, telephone])
        if with_copies:
            all_copies = [clean, *(examples.track_outputs(network, x, architecture) for x in copies)]
            table.add(f"{name}, and on noisy and band-limited copies of the tracks", all_copies, [noisy, telephone])

    keras.utils.set_random_seed(0)
    add("a regression on the untrained student", EDGE.build(EDGE.shape, N_TARGETS))
    for step, path in checkpoints.items():
        student = keras.models.load_model(path)
        add(f"a regression on the {step} student", student, with_copies=True)
    for hop in (39, 13):
        add(
            f"the {step} student, a patch every {hop} frames instead of {EDGE.hop_frames}",
            student,
            replace(EDGE, hop_frames=hop),
        )
    add(f"the {step} student's last hidden layer instead of its outputs", float_network.backbone(student))


def find_checkpoints(run: Path) -> dict[str, Path]:
    """Return step of the recipe -> file of its network.

    Raises:
        SystemExit: the run is not finished, or is not one of --architecture edge.
    """
    checkpoint = run / "checkpoint"
    steps = {"distilled": checkpoint / "network.keras", "fine-tuned": checkpoint / "robust" / "network.keras"}
    existing = {step: path for step, path in steps.items() if path.is_file()}
    if "fine-tuned" not in existing:
        raise SystemExit(f"{run}: not a finished run of tools.train_and_export --architecture edge")
    return existing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="directory of the run (its --out)")
    parser.add_argument("--mels", type=Path, required=True, help="mel archive (.npz)")
    parser.add_argument("--tracks", type=Path, required=True, help="table of the archive's tracks (.csv)")
    parser.add_argument("--write", type=Path, help="page to update between its ablation markers (default: print)")
    arguments = parser.parse_args()
    checkpoints = find_checkpoints(arguments.run)
    if arguments.write:
        split_page(arguments.write, "ablation")  # exits here, not after minutes, if the page lacks the markers
    tracks = data.load_archive(arguments.mels, arguments.tracks)
    data.named_split(tracks, "train", "valid")  # exits if a split has no tracks
    table = AblationTable([track for track in tracks if track.split in ("train", "valid")])
    evaluate_teacher(table, arguments.tracks, arguments.run)
    evaluate_students(table, checkpoints)
    train_on_labels(table, arguments.run / "from-labels")
    text = "\n".join(table.rows) + "\n"
    if arguments.write:
        before, _, after = split_page(arguments.write, "ablation")
        arguments.write.write_text(before + text + after)
    else:
        print(text)


if __name__ == "__main__":
    main()
