"""The sections of the model card that tools.study_model writes."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from genre_edge import Classifier
from genre_edge.classify.verdict import Segment
from genre_edge.model.prediction import Model
from tools.study import confidence, labelled, paired, refusals, robustness, styles
from tools.study.answers import genre_probabilities, patch_probabilities, top_genre
from tools.study.inputs import StudyData
from tools.study.teacher import TeacherStyles, style_scores
from tools.training import data
from tools.training.distillation import audioset, style_calibration
from tools.training.distillation.efficientat import Teacher


@dataclass(frozen=True)
class Study:
    """The bundle, its data, and what to compare it with.

    Attributes:
        classifier, model: the bundle.
        split: name of the split.
        data: the audio.
        teacher: None for a study without it.
        against: another bundle, or None.
        by_style: the bundle with the vocabulary "styles"; None without styles.
    """

    classifier: Classifier
    model: Model
    split: str
    data: StudyData
    teacher: Teacher | None = None
    against: Classifier | None = None
    by_style: Classifier | None = None

    def text(self) -> str:
        """Run all measurements, report progress on stderr, and return the card's sections."""
        verdicts = [self.classifier.classify(song.path) for song in self.data.songs]
        sections: tuple[Callable[[], str], ...] = (
            self._robustness,
            lambda: self._clips(verdicts),
            lambda: self._calibration(verdicts),
            lambda: self._paired(verdicts),
            self._archive,
            lambda: self._not_music(verdicts),
            self._other,
            self._style_labels,
            self._styles,
        )
        parts = []
        for section in sections:
            if part := section():
                parts.append(part)
                print(f"measured: {part.splitlines()[0].removeprefix('## ')}", file=sys.stderr)
        return "\n\n".join(parts) + "\n\n"

    @property
    def _true(self) -> list[str]:
        return [song.track.genre for song in self.data.songs]

    def _robustness(self) -> str:
        short = sum(song.seconds < robustness.FULL_LENGTH_S for song in self.data.songs)
        predictions = robustness.predict_conditions(self.classifier, self.data.songs)
        return f"""## Robustness

Measured by `python -m tools.study_model` with the network that was trained without split `{self.split}`. Of its \
{len(self.data.songs)} tracks
with audio, {short} have less than {robustness.FULL_LENGTH_S:g} s of it, which makes them harder to classify.
{artists([song.track for song in self.data.songs], self.split)}
{robustness.conditions_table(predictions, self._true)}"""

    def _clips(self, verdicts: Sequence[Segment]) -> str:
        right = robustness.classify_clips(self.classifier, self.data.songs, list(map(top_genre, verdicts)))
        return f"## Short clips\n\n{robustness.clips_table(right)}"

    def _calibration(self, verdicts: Sequence[Segment]) -> str:
        labels = self.classifier.bundle.labels
        true = np.array([labels.index(genre) for genre in self._true])
        by_song = [patch_probabilities(self.model, song.path) for song in self.data.songs]
        patches = np.concatenate(by_song)[:, self.model.bundle.layout.labels]
        text = confidence.genre_confidence(
            genre_probabilities(verdicts, labels), true, patches, np.repeat(true, list(map(len, by_song)))
        )
        return f"## Confidence\n\n{text}"

    def _paired(self, verdicts: Sequence[Segment]) -> str:
        if self.against is None:
            return ""
        this, other = (f"{c.bundle.name} {c.bundle.version}" for c in (self.classifier, self.against))
        of_other = [self.against.classify(song.path) for song in self.data.songs]
        right = [np.array([top_genre(v) for v in answers]) == self._true for answers in (verdicts, of_other)]
        known = data.trained_on(self.against.bundle, self.split)
        note = f"\n\n{other} was trained on these tracks, which is to its advantage." if known else ""
        table = paired.paired_table(paired.Pairs.count(*right), this, other)
        return f"## Comparison with {other}\n\n{table}{note}"

    def _archive(self) -> str:
        if not self.data.archive:
            return ""
        return f"## Archive and audio\n\n{robustness.archive_and_audio(self.classifier, self.data)}"

    def _not_music(self, verdicts: Sequence[Segment]) -> str:
        bundle = self.classifier.bundle
        refused = f"`not_music` from a probability of {bundle.not_music} on, " if bundle.not_music is not None else ""
        kinds: dict[str, Sequence[Segment]] = {
            kind: [self.classifier.classify(path) for path in paths] for kind, paths in self.data.not_music.items()
        }
        return f"""## Audio that is not music

An answer is {refused}`low_confidence` below a confidence of {bundle.threshold}. Refused
are `not_music` and `silence`. The last column compares the test audio of `python -m tools.fetch_sounds` with its
training audio.

{refusals.refusals_table(kinds, verdicts, self.split, bool(bundle.sounds))}"""

    def _other(self) -> str:
        bundle, other = self.classifier.bundle, self.data.other
        predictions = {g: [top_genre(self.classifier.classify(path)) for path in paths] for g, paths in other.items()}
        distilled = (
            " If *Data* lists these songs as unlabelled music, the network was distilled on them."
            if "hours" in bundle.metrics
            else ""
        )
        return f"""## Independently labelled music

These labels were not used for training.{distilled}

{labelled.other_labels_table(predictions, bundle.labels)}{self._best_styles()}{self._families()}"""

    def _best_styles(self) -> str:
        """Return the table of the styles that are named as genres, "" for a bundle without styles."""
        classifier = self.by_style
        if classifier is None:
            return ""
        verdicts = {g: [classifier.classify(path) for path in paths] for g, paths in self.data.other.items()}
        table = labelled.best_styles_table(verdicts, classifier.bundle.styles)
        return f"""

With `--vocabulary styles`, the best style is the genre, if it reaches the threshold \
{classifier.bundle.style_threshold}:

{table}"""

    def _families(self) -> str:
        """Return the table of the folders that are styles, "" if there are none."""
        other = self.data.other
        names = {style.name for style in self.classifier.bundle.styles}
        if self.teacher is not None:
            names = {name for name in names if audioset.family_classes(name)}
        families = [name for name in other if name in names]
        if not families or len(other) < 2:
            return ""
        scores = {folder: style_scores(self.model, paths, families) for folder, paths in other.items()}
        of_teacher = None
        if self.teacher is not None:
            teacher = TeacherStyles(self.teacher, families, self.model.bundle.silence_db)
            by_folder = {folder: teacher.scores(paths) for folder, paths in other.items()}
            of_teacher = labelled.family_auc(by_folder, families)
        table = labelled.families_table(
            labelled.family_auc(scores, families), of_teacher, {folder: len(paths) for folder, paths in other.items()}
        )
        return f"""

Styles by family: the area under the ROC curve (AUC) of a style's mean probability over the patches of a song, which
includes that of its children (rock: metal, punk and others), for its folder against the other folders.

{table}"""

    def _style_labels(self) -> str:
        names = {style.name for style in self.model.bundle.styles}
        known = {genre: audioset.STYLES[c].name for genre, c in audioset.GENRES.items() if genre in self._true}
        known = {genre: style for genre, style in known.items() if style in names}
        if len(known) < 2:
            return ""
        scores = style_scores(self.model, [song.path for song in self.data.songs], list(known.values()))
        true = style_calibration.has_style(self._true, list(known.values()))
        return f"## Styles beside labels\n\n{styles.against_labels(scores, true, list(known.values()))}"

    def _styles(self) -> str:
        if self.teacher is None or not self.data.unseen:
            return ""
        names = [style.name for style in self.model.bundle.styles if audioset.family_classes(style.name)]
        bundle = style_scores(self.model, self.data.unseen, names)
        teacher = TeacherStyles(self.teacher, names, self.model.bundle.silence_db).scores(self.data.unseen)
        return f"## Styles beside the teacher's\n\n{styles.agreement(bundle, teacher, names)}"


def artists(tracks: list[data.Track], split: str) -> str:
    """Return a sentence with the number of known artists per genre, "" if none are known."""
    if not any(track.group for track in tracks):
        return ""
    counts = []
    for genre in sorted({track.genre for track in tracks}):
        groups = [track.group for track in tracks if track.genre == genre]
        counts.append(f"{genre} {len({group for group in groups if group})} ({len(groups)})")
    return (
        f"\nKnown artists in split `{split}` (and tracks): {', '.join(counts)}. The recall of a genre with few artists "
        "does not generalise.\n"
    )
