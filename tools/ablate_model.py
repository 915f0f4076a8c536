"""What each step of the edge recipe buys, from a finished run of train_and_export.py: the table in docs/model.md.

    python tools/ablate_model.py --run runs/edge --mels mel.npz --tracks tracks.csv --write docs/model.md

Each row is trained on split train and measured on valid, and on artist-disjoint folds of both (five seeds). Float.
"""

import argparse
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from pages import marked
from training import data, examples, fit, head, report, teacher
from training.architectures import ARCHITECTURES, Architecture

SEEDS = 5
SAID = teacher.N_EMBEDDING + teacher.N_TAGS
EDGE = ARCHITECTURES["edge"]
FROM_LABELS = fit.Schedule(epochs=30, batch_size=64, learning_rate=1e-3)


class Table:
    """Rows of accuracy on valid and on the folds."""

    def __init__(self, tracks: list[data.Track]) -> None:
        self.tracks = tracks
        self.labels = sorted({track.genre for track in tracks})
        self.classes = np.array([self.labels.index(track.genre) for track in tracks])
        self.valid = np.array([track.split == "valid" for track in tracks])
        self.rows = ["| step | valid | folds (mean, s.d. of seeds) |", "| --- | --- | --- |"]

    def add(self, name: str, said: list[np.ndarray], known: np.ndarray | None = None) -> None:
        """A regression on what a network says of each track; `known` tracks only, if it cannot hear all."""
        known = np.ones(len(self.tracks), dtype=bool) if known is None else known
        tracks = [track for track, is_known in zip(self.tracks, known, strict=True) if is_known]
        said = [rows for rows, is_known in zip(said, known, strict=True) if is_known]
        classes, valid = self.classes[known], self.valid[known]
        on_valid = head.held_out([said], classes, valid.astype(int))  # fold 1 is judged by the layer of fold 0
        right = [rows_are(rows, c) for rows, c, v in zip(on_valid, classes, valid, strict=True) if v]
        folds = []
        for seed in range(SEEDS):
            judged = head.held_out([said], classes, head.folds(tracks, seed))
            folds.append(np.mean([rows_are(rows, c) for rows, c in zip(judged, classes, strict=True)]))
        self.write(name, float(np.mean(right)), folds)

    def write(self, name: str, on_valid: float, folds: list[float]) -> None:
        spread = f"{report.percent(float(np.mean(folds)))}, {report.percent(float(np.std(folds)))}" if folds else "-"
        self.rows.append(f"| {name} | {report.percent(on_valid)} | {spread} |")
        print(self.rows[-1], flush=True)


def rows_are(rows: np.ndarray, c: int) -> bool:
    """Whether the mean softmax of a track's patches has its largest value at the right class."""
    return bool(report.track_means([rows], 1.0)[0].argmax() == c)


def from_labels(table: Table, out: Path) -> None:
    """The student with labels alone: no teacher, nothing to listen to."""
    train = [track for track in table.tracks if track.split == "train"]
    valid = [track for track in table.tracks if track.split == "valid"]
    once = examples.labelled(train, table.labels, EDGE, 0)

    def eight_times(number: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = zip(*(once(8 * number + k) for k in range(8)), strict=True)
        return np.concatenate(x), np.concatenate(y)

    import keras

    network, _ = fit.fit(
        build=lambda: EDGE.build(EDGE.shape, len(table.labels)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        epoch_data=eight_times,
        schedule=FROM_LABELS,
        checkpoint=out,
        identity={"ablation": "from labels"},
        seed=0,
    )
    p = examples.track_probabilities(network, valid, EDGE, len(table.labels))
    table.write("the same network from the labels alone, no teacher", examples.accuracy(p, valid, table.labels), [])


def teachers_own(table: Table, tracks_csv: Path, run: Path) -> None:
    """The teacher itself, on the tracks with audio that the run has heard."""
    audio = {row["track"]: tracks_csv.parent / row["audio"] for row in data.read_csv(tracks_csv) if row["audio"]}
    said = []
    for track in table.tracks:
        path = audio.get(track.name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else ""
        kept = run / "heard" / f"{digest[:24]}.npz"
        said.append(np.load(kept)["targets"] if kept.is_file() else np.empty((0, SAID)))
    known = np.array([len(rows) > 0 for rows in said])
    if not ((known & table.valid).any() and (known & ~table.valid).any()):
        return
    name = f"the teacher itself, on the {known.sum()} tracks with audio ({(known & table.valid).sum()} of valid)"
    table.add(name, said, known)


def students(table: Table, run: Path) -> None:
    """The distilled student: untrained, trained, and with fewer or more patches."""
    import keras

    def said_of(network: Any, architecture: Architecture) -> list[np.ndarray]:
        return examples.outputs(network, [track.frames for track in table.tracks], architecture)

    keras.utils.set_random_seed(0)
    untrained = EDGE.build(EDGE.shape, 250)
    table.add("a regression on the untrained student", said_of(untrained, EDGE))
    trunk = keras.models.load_model(run / "checkpoint" / "network.keras")
    for hop in (39, 20, 13):
        architecture = replace(EDGE, hop_frames=hop)
        table.add(f"a regression on the distilled student, a patch every {hop} frames", said_of(trunk, architecture))
    emb = keras.Model(trunk.input, trunk.layers[-1].input)
    table.add("the same on its last hidden layer instead of its outputs", said_of(emb, EDGE))


def history_of(run: Path) -> list[dict[str, float]]:
    """What distilling wrote down, epoch by epoch."""
    try:
        history: list[dict[str, float]] = json.loads((run / "checkpoint" / "state.json").read_text())["history"]
        if not (run / "checkpoint" / "network.keras").is_file() or "explained" not in history[0]:
            raise ValueError
    except (OSError, ValueError, LookupError, TypeError):
        raise SystemExit(f"{run}: no run of train_and_export.py that has distilled --architecture edge") from None
    return history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--mels", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    history = history_of(arguments.run)
    if arguments.write:
        marked(arguments.write, "ablation")  # complains before minutes are spent
    tracks = data.load_archive(arguments.mels, arguments.tracks)
    data.named_split(tracks, "train", "valid")  # complains if there is none
    table = Table([track for track in tracks if track.split in ("train", "valid")])
    teachers_own(table, arguments.tracks, arguments.run)
    students(table, arguments.run)
    from_labels(table, arguments.run / "from-labels")
    learnt = ", ".join(f"{history[i]['explained']:.2f} after {i + 1}" for i in range(5, len(history), 6))
    text = (
        "\n".join(table.rows)
        + f"\n\nOf the teacher's variance on 25 songs kept aside the student explains {learnt} epochs.\n"
    )
    if arguments.write:
        before, _, after = marked(arguments.write, "ablation")
        arguments.write.write_text(before + text + after)
    else:
        print(text)


if __name__ == "__main__":
    main()
