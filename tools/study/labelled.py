"""Independently labelled music: the genres of a bundle, and its styles by family beside the teacher's."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from genre_edge.classify.verdict import Segment
from genre_edge.model.styles import Style
from tools.study.confidence import met
from tools.study.tables import table
from tools.training.report import percent

MAX_AUC_LOSS = 0.05  # target, relative to the teacher

Predictions = dict[str, list[str | None]]  # folder -> predicted genre of each song
Scores = dict[str, np.ndarray]  # folder -> mean probabilities of the families, (songs, families)


def other_labels_table(predictions: Predictions, labels: list[str]) -> str:
    """Return the table of each folder's share that is classified as the folder's genre, and the top predictions."""
    rows = []
    for genre, guesses in predictions.items():
        counts = Counter(guesses)
        own = percent(counts[genre] / len(guesses)) if genre in labels else "(not a genre of this model)"
        rows.append([genre, len(guesses), own, ", ".join(f"{name} {n}" for name, n in counts.most_common(4))])
    return table(["folder", "songs", "predicted as the folder's genre", "top predictions"], rows)


def best_styles_table(verdicts: Mapping[str, Sequence[Segment]], styles: Sequence[Style]) -> str:
    """Return the table of the best styles of each folder.

    Args:
        verdicts: those of each folder's songs with the vocabulary "styles".
        styles: all styles.
    """
    with_parent = {style.name for style in styles if style.parent}
    rows = []
    for folder, answers in verdicts.items():
        reasons = Counter(answer.reason for answer in answers if answer.genre is None)
        counts = Counter(answer.genre for answer in answers if answer.genre is not None)
        n_specific = sum(n for name, n in counts.items() if name in with_parent)
        refused, others = reasons.pop("not_music", 0), reasons.total()
        top = ", ".join(f"{name} {n}" for name, n in counts.most_common(6))
        rows.append([folder, len(answers), refused, others, n_specific, top])
    return table(["folder", "songs", "not_music", "no style", "a style with a parent", "most frequent styles"], rows)


def _points(loss: float) -> str:
    return f"{round(100 * loss, 1) + 0.0:.1f}"  # never "-0.0"


def family_auc(scores: Scores, families: list[str]) -> dict[str, float]:
    """Return for each family the area under the ROC curve of its probability, for its folder against the others."""
    p = np.concatenate(list(scores.values()))
    folder = np.repeat(list(scores), [len(rows) for rows in scores.values()])
    return {name: float(roc_auc_score(folder == name, p[:, i])) for i, name in enumerate(families)}


def families_table(bundle: dict[str, float], teacher: dict[str, float] | None, counts: dict[str, int]) -> str:
    """Return the table of the families' AUC, and with a teacher whether the bundle comes close enough.

    Args:
        bundle, teacher: results of `family_auc`.
        counts: number of songs by folder.
    """
    rows = []
    for name, auc in bundle.items():
        others = sum(counts.values()) - counts[name]
        of_teacher = [] if teacher is None else [f"{teacher[name]:.3f}", _points(teacher[name] - auc)]
        rows.append([name, counts[name], others, f"{auc:.3f}", *of_teacher])
    header = ["family", "its songs", "other songs", "AUC"]
    if teacher is None:
        return table(header, rows)
    missed = [name for name, auc in bundle.items() if teacher[name] - auc > MAX_AUC_LOSS]
    names = f" by {', '.join(missed)}" if missed else ""
    target = f"At most {100 * MAX_AUC_LOSS:g} points below the teacher: {met(not missed)}{names}."
    return f"{table([*header, 'AUC of the teacher', 'loss, points'], rows)}\n\n{target}"
