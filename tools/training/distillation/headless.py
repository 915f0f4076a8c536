"""A student without heads, and the fit of its heads: genres to labelled tracks, styles and sounds scaled to them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tools.training import examples, head, report, tflite_head
from tools.training.architectures import size
from tools.training.data import Track
from tools.training.distillation import audioset, student_network, style_calibration, teacher_heads, track_copies
from tools.training.distillation.backbone import Backbone
from tools.training.distillation.genre_head import FRAMES_ONLY_WEIGHT, GenreHead
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.pseudo_labels import PseudoLabels
from tools.training.distillation.style_calibration import Calibration
from tools.training.distillation.teacher_heads import SOUNDS
from tools.training.head import LinearLayer, Outputs
from tools.training.jobs import TrainedNetwork, TrainingJob

NOT_MUSIC_THRESHOLD = 0.7  # probability from which the answer is "not_music"; docs/experiments.md has its error rates
STYLE_THRESHOLD = 0.5  # probability from which a style is named
FOLD_SEEDS = 3


@dataclass
class HeadlessStudent:
    """A student as int8 network without heads.

    Attributes:
        job: its architecture and labels.
        backbone: the network.
        styles: from its features to the log odds of the styles, not yet calibrated on labels.
        sounds: from its features to those of the sounds, with a scale that is fitted to music and other recordings.
        views: features of random views of sound, `(k, features)`.
        n_not_music: number of them, the last ones, that are no music.
        metrics: of its training.
        pseudo_labels: unlabelled music for the genres' regression; None without a teacher.
    """

    job: TrainingJob
    backbone: Backbone
    styles: LinearLayer
    sounds: LinearLayer
    views: np.ndarray
    n_not_music: int
    metrics: dict[str, Any]
    pseudo_labels: PseudoLabels | None = None
    # By the track's file, or its name if it has none: features of each copy's patches
    _copies: dict[Path | str, Outputs] = field(init=False, default_factory=dict)

    def fit(self, tracks: list[Track]) -> TrainedNetwork:
        """Return the student with heads that are fitted to `tracks`, whether or not they were used before.

        They are fitted to the int8 network's features, so that training and inference see the same values. Tracks
        without audio count for the genres only.
        """
        assert self.job.architecture.student
        layer, limits, temperature, metrics = self._heads(tracks)
        network = student_network.with_head(
            self.backbone.stages, self.job.architecture.student, self.backbone.scale, layer
        )
        return TrainedNetwork(
            network,
            size(network) | self.metrics | metrics,
            temperature,
            tflite_head.replace_layer(self.backbone.tflite, layer.weights, layer.bias, limits),
            NOT_MUSIC_THRESHOLD,
            list(audioset.STYLES.values()),
            STYLE_THRESHOLD,
            SOUNDS,
        )

    def _heads(self, tracks: list[Track]) -> tuple[LinearLayer, tuple[float, float], float, dict[str, Any]]:
        """Return the layer of all heads, the limits of its outputs, the genres' temperature, and metrics on folds."""
        self._embed(tracks)
        from_audio = [self._copies_of(track)[: track_copies.N_FROM_AUDIO] for track in tracks if track.path]
        music = np.concatenate([rows for copies in from_audio for rows in copies])
        sounds = teacher_heads.fit_to_recordings(self.sounds, music, self.views[len(self.views) - self.n_not_music :])
        genres, temperature, metrics = self._genres(tracks)
        calibration = self._style_calibration(tracks, each=True)
        layer = head.concatenate(genres, calibration.applied(self.styles), sounds)
        outputs = layer(np.concatenate([self.views, *(rows for track in tracks for rows in self._copies_of(track))]))
        metrics |= {
            "folds_style_error": self._style_error_on_folds(tracks),
            style_calibration.METRIC: calibration.as_metric(),
        }
        # A style with smaller log odds is improbable anyway
        lowest = min(float(part.min()) for part in (outputs[:, : len(self.job.labels)], outputs[:, -len(SOUNDS) :]))
        return layer, (lowest, float(outputs.max())), temperature, metrics

    def _style_calibration(self, tracks: Sequence[Track], each: bool) -> Calibration:
        """Return the calibration of the styles on those of the tracks that have audio; see `style_calibration.fit`."""
        with_audio = [track for track in tracks if track.path]
        clean = [self._copies_of(track)[0] for track in with_audio]
        return style_calibration.fit(self.styles, clean, [track.genre for track in with_audio], each)

    def _style_error_on_folds(self, tracks: list[Track]) -> float | None:
        with_audio = [i for i, track in enumerate(tracks) if track.path]
        clean = [self._copies_of(tracks[i])[0] for i in with_audio]
        folds = [head.folds(tracks, seed)[with_audio] for seed in range(FOLD_SEEDS)]
        return style_calibration.error_on_folds(self.styles, clean, [tracks[i].genre for i in with_audio], folds)

    def _embed(self, tracks: list[Track]) -> None:
        """Compute the features of all tracks' copies that are not known yet."""
        network = Int8Features(self.backbone.tflite)
        for track in tracks:
            if (track.path or track.name) not in self._copies:
                frames = track_copies.copies(track, self.job.seed)
                self._copies[track.path or track.name] = examples.track_outputs(network, frames, self.job.architecture)

    def _copies_of(self, track: Track) -> Outputs:
        return self._copies[track.path or track.name]

    def _genres(self, tracks: list[Track]) -> tuple[LinearLayer, float, dict[str, Any]]:
        """Return the genres' layer, the temperature, and metrics on folds of the tracks with audio.

        Recall, calibration and temperature are those of all divisions into folds together: each alone varies by chance.
        """
        labels, classes = self.job.labels, self.job.classes(tracks)
        copies = [self._copies_of(track) for track in tracks]
        has_audio = np.array([track.path is not None for track in tracks])
        weight = np.where(has_audio, 1.0, FRAMES_ONLY_WEIGHT)
        with_audio = np.flatnonzero(has_audio)

        def fit(train: np.ndarray) -> LinearLayer:
            chosen = [tracks[i] for i in train]
            others = None
            if self.pseudo_labels:
                others = self.pseudo_labels.examples(chosen, classes[train], weight[train])
            # If each style had its own calibration, the prior would repeat the tracks' labels (docs/experiments.md)
            model = GenreHead.of(self._style_calibration(chosen, each=False).applied(self.styles), labels)
            return model.fit([copies[i] for i in train], classes[train], weight[train], others)

        by_seed = []
        for seed in range(FOLD_SEEDS):
            logits = head.cross_validated_logits(copies, head.folds(tracks, seed), fit)
            by_seed.append([logits[i] for i in with_audio])
        together, true = list(itertools.chain(*by_seed)), np.tile(classes[with_audio], FOLD_SEEDS)
        temperature = report.fit_temperature(together, true)
        p = report.track_means(together, temperature)
        names = [[labels[i] for i in indices] for indices in (true, p.argmax(axis=1))]
        metrics = {
            "folds": [round(report.track_accuracy(logits, classes[with_audio]), 4) for logits in by_seed],
            "folds_by_genre": report.classification_metrics(labels, *names)["per_genre"],
            "folds_calibration_error": report.calibration_error(p, true),
            "tracks_without_audio": len(tracks) - len(with_audio),
            "pseudo_labelled_views": len(self.pseudo_labels.features) if self.pseudo_labels else 0,
        }
        return fit(np.arange(len(tracks))), temperature, metrics
