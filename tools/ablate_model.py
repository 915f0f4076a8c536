"""What each step of the edge recipe buys, from a finished run of train_and_export.py: the table in docs/model.md.

    python -m tools.ablate_model --run runs/edge --mels mel.npz --tracks tracks.csv --write docs/model.md

Each row is trained on split train and measured on valid, and on artist-disjoint folds of both (five seeds). Float.
"""

import argparse
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from tools.docs.pages import split_page
from tools.training import augment, data, examples, fit, head, recipes, report, teacher, unquantised
from tools.training.architectures import ARCHITECTURES, Architecture

SEEDS = 5
NOISE_DB = 10.0  # below the music, made in the mel spectrogram
SAID = teacher.N_EMBEDDING + teacher.N_TAGS
EDGE = ARCHITECTURES["edge"]
FROM_LABELS = fit.Schedule(epochs=30, batch_size=64, learning_rate=1e-3)


Said = Sequence[list[np.ndarray]]  # of some copies of the tracks: what a network says of each track's patches


class Table:
    """Rows of accuracy on valid, there also in noise and by telephone, and on the folds."""

    def __init__(self, tracks: list[data.Track]) -> None:
        self.tracks = tracks
        self.labels = sorted({track.genre for track in tracks})
        self.classes = np.array([self.labels.index(track.genre) for track in tracks])
        self.valid = np.array([track.split == "valid" for track in tracks])
        self.rows = ["| step | valid | in noise | by telephone | folds (mean, s.d. of seeds) |"]
        self.rows.append("| --- | --- | --- | --- | --- |")

    def add(self, name: str, copies: Said, rough: Said = (), known: np.ndarray | None = None) -> None:
        """A regression on what a network says of each track; `known` tracks only, if it cannot hear all.

        It learns from `copies` and is judged by the first one; on valid also by each of `rough`.
        """
        known = np.ones(len(self.tracks), dtype=bool) if known is None else known
        keep = np.flatnonzero(known)
        copies = [[said[i] for i in keep] for said in copies]
        classes, valid = self.classes[keep], self.valid[keep]
        train = np.flatnonzero(~valid)
        layer = head.genre_layer([[said[i] for i in train] for said in copies], classes[train])
        judged = [copies[0], *([said[i] for i in keep] for said in rough)]
        accuracies = [
            float(np.mean([rows_are(layer(said[i]), classes[i]) for i in np.flatnonzero(valid)])) for said in judged
        ]
        folds = []
        for seed in range(SEEDS):
            rows = head.held_out(copies, classes, head.folds([self.tracks[i] for i in keep], seed))
            folds.append(float(np.mean([rows_are(row, c) for row, c in zip(rows, classes, strict=True)])))
        self.write(name, accuracies, folds)

    def write(self, name: str, accuracies: list[float], folds: list[float]) -> None:
        spread = f"{report.percent(float(np.mean(folds)))}, {report.percent(float(np.std(folds)))}" if folds else "-"
        cells = [*map(report.percent, accuracies), "-", "-"][:3]
        self.rows.append(f"| {name} | {' | '.join(cells)} | {spread} |")
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
    table.write("the same network from the labels alone, no teacher", [examples.accuracy(p, valid, table.labels)], [])


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
    table.add(name, [said], known=known)


def students(table: Table, trunks: dict[str, Path]) -> None:
    """The student: untrained, then after each step of its training that the run has kept."""
    import keras

    frames = [track.frames for track in table.tracks]
    rng = np.random.default_rng(0)
    rough = [
        [augment.noisy(track[None], rng, NOISE_DB, NOISE_DB)[0] for track in frames],
        [augment.between(track[None], *augment.TELEPHONE, 60)[0] for track in frames],
    ]
    copies = recipes.copies(table.tracks, seed=0)[1:]

    def add(name: str, network: Any, architecture: Architecture = EDGE, with_copies: bool = False) -> None:
        said, noisy, narrow = (examples.outputs(network, some, architecture) for some in (frames, *rough))
        table.add(name, [said], [noisy, narrow])
        if with_copies:
            learnt = [said, *(examples.outputs(network, some, architecture) for some in copies)]
            table.add(f"{name}, and on noisy and narrow copies of the tracks", learnt, [noisy, narrow])

    keras.utils.set_random_seed(0)
    add("a regression on the untrained student", EDGE.build(EDGE.shape, SAID))
    for step, path in trunks.items():
        trunk = keras.models.load_model(path)
        add(f"a regression on the {step} student", trunk, with_copies=True)
    for hop in (39, 13):
        add(
            f"the {step} one, a patch every {hop} frames instead of {EDGE.hop_frames}",
            trunk,
            replace(EDGE, hop_frames=hop),
        )
    add(f"the {step} one's last hidden layer instead of its outputs", unquantised.trunk(trunk))


def trunks_of(run: Path) -> dict[str, Path]:
    """Step of the recipe -> its network; a run that began from a bundle has not distilled."""
    checkpoint = run / "checkpoint"
    steps = {"distilled": checkpoint / "network.keras", "toughened": checkpoint / "tough" / "network.keras"}
    found = {step: path for step, path in steps.items() if path.is_file()}
    if "toughened" not in found:
        raise SystemExit(f"{run}: no finished run of train_and_export.py --architecture edge")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--mels", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    trunks = trunks_of(arguments.run)
    if arguments.write:
        split_page(arguments.write, "ablation")  # complains before minutes are spent
    tracks = data.load_archive(arguments.mels, arguments.tracks)
    data.named_split(tracks, "train", "valid")  # complains if there is none
    table = Table([track for track in tracks if track.split in ("train", "valid")])
    teachers_own(table, arguments.tracks, arguments.run)
    students(table, trunks)
    from_labels(table, arguments.run / "from-labels")
    text = "\n".join(table.rows) + "\n"
    if arguments.write:
        before, _, after = split_page(arguments.write, "ablation")
        arguments.write.write_text(before + text + after)
    else:
        print(text)


if __name__ == "__main__":
    main()
