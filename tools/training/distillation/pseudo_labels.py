"""Pseudo-labels: genres of unlabelled music, predicted by a regression on the teacher's outputs.

The genre head learns them beside the labelled tracks (Lee, "Pseudo-Label", 2013; Xie et al., "Self-training with Noisy
Student improves ImageNet classification", 2020). Teacher and student get the same random view; in half of the views the
student's is degraded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genre_edge.model.preprocessing import softmax
from tools.training import examples, head
from tools.training.architectures import Architecture
from tools.training.data import Track
from tools.training.distillation import audioset, backbone, efficientat, students, views
from tools.training.distillation.recordings import Recording
from tools.training.examples import Network
from tools.training.head import LinearLayer, Outputs, Regression, WeightedExamples
from tools.training.jobs import TrainingJob

BATCH, BATCHES = views.Batch(16, students.PATCH_FRAMES, 0.5), 500
WEIGHT = 0.3  # of all views together, relative to the tracks
LEAST_SHARE = 0.02  # a view is no example of less probable genres, which saves time
SETTINGS = Regression(0.03, balanced=True, dtype=np.float32)


class Labeller:
    """Regression from the teacher's outputs, its embedding and its logits of styles, to genres.

    Args:
        teacher: the teacher.
        architecture: of the students, whose patches the teacher gets.
    """

    def __init__(self, teacher: efficientat.Teacher, architecture: Architecture) -> None:
        self._teacher, self._architecture = teacher, architecture
        self._tracks: dict[Path | str, Outputs] = {}  # by the track's file, or its name if it has none

    @classmethod
    def of(cls, job: TrainingJob) -> Labeller | None:
        """Return the labeller of a job; None if the job has no teacher."""
        if not job.teacher:
            return None
        return cls(efficientat.Teacher(efficientat.load_weights(job.teacher)), job.architecture)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Return the teacher's outputs, `(k, outputs)`, for normalised patches."""
        stages, logits = self._teacher.outputs(x)
        return np.concatenate([stages[-1], np.asarray(logits)[:, list(audioset.STYLES)]], axis=1)

    def fit(self, tracks: Sequence[Track], classes: np.ndarray, weight: np.ndarray) -> LinearLayer:
        """Return the layer from outputs to log odds, fitted to tracks and their archived spectrograms."""
        return head.fit_genre_layer([self._track_outputs(track) for track in tracks], classes, SETTINGS, weight)

    def _track_outputs(self, track: Track) -> Outputs:
        key = track.path or track.name
        if key not in self._tracks:
            frames = [track.frames] if track.archived is None else [track.frames, track.archived]
            self._tracks[key] = examples.track_outputs(self.outputs, frames, self._architecture)
        return self._tracks[key]


@dataclass(frozen=True)
class PseudoLabels:
    """Random views of unlabelled music, and what their genres are predicted from.

    Attributes:
        labeller: predicts the genres.
        features: the student's, `(k, features)`.
        outputs: the teacher's, `(k, outputs)`, see `Labeller.outputs`.
    """

    labeller: Labeller
    features: np.ndarray
    outputs: np.ndarray

    @classmethod
    def of(cls, labeller: Labeller, network: Network, job: TrainingJob, found: list[Recording]) -> PseudoLabels:
        """Return views of the recordings in a job's folders of unlabelled music.

        Args:
            labeller: predicts the genres.
            network: from the student's normalised patches to its features.
            job: with folders and seed.
            found: recordings of these and of other sources.

        Raises:
            SystemExit: none of them is from these folders.
        """
        maker = views.ViewMaker(backbone.from_folders(job.unlabelled, found))
        rng = np.random.default_rng([job.seed, 4])
        features, outputs = [], []
        for _ in range(BATCHES):
            x, y = (part.astype(np.float32) for part in maker.batch(BATCH, rng))
            features.append(network(x))
            outputs.append(labeller.outputs(y))
        return cls(labeller, np.concatenate(features), np.concatenate(outputs))

    def examples(self, tracks: Sequence[Track], classes: np.ndarray, weight: np.ndarray) -> WeightedExamples:
        """Return each view as an example of its likely genres, weighted by their probabilities.

        Args:
            tracks: what the labeller is fitted to.
            classes: index of each track's label.
            weight: of each track.
        """
        p = softmax(self.labeller.fit(tracks, classes, weight)(self.outputs))
        return WeightedExamples.of_shares(self.features, p, LEAST_SHARE).times(WEIGHT * weight.sum() / len(p))
