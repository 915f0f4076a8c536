"""Recipe of the distilled networks: students of the AudioSet teacher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genre_edge.model.bundle import Bundle
from tools.training.data import Track
from tools.training.distillation import audioset, backbone, efficientat, recordings, shipped, students, teacher_heads
from tools.training.distillation.exchange import files
from tools.training.distillation.function_matching import AFTER_GPU_PHASES, PHASES, WARM_PHASES, Distiller, Phase
from tools.training.distillation.headless import HeadlessStudent
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.pseudo_labels import Labeller, PseudoLabels
from tools.training.distillation.start import ShippedStart, Start, TrainedStart
from tools.training.jobs import TrainingJob


class Distillation:
    """Students of one teacher, trained together on unlabelled sound.

    Attributes:
        waits_for_gpu: whether the job's folder for a GPU has no trained networks yet.

    Args:
        jobs: one for each student, with the same data.
        tracks: labelled tracks, whose audio is used.
        unused: labelled tracks whose audio is not used, not even from another folder.
        run: name of the checkpoint's directory in the job's `out`; a finished run is restored.

    Raises:
        SystemExit: there are too few recordings, or the job's folder for a GPU is damaged.
    """

    def __init__(self, jobs: Sequence[TrainingJob], tracks: list[Track], unused: list[Track], run: str) -> None:
        job = jobs[0]
        assert job.teacher
        self._job, self._recordings = job, backbone.load_recordings(job, tracks, unused)
        self._teacher = efficientat.Teacher(efficientat.load_weights(job.teacher))
        self._labeller = Labeller(self._teacher, job.architecture)
        self._gpu_views = 0  # that a GPU has trained on
        self.waits_for_gpu = False
        self._shipped = {
            job.student: shipped.snapshot(job.student, job.out / "start") for job in jobs if job.warm_start
        }
        start, phases = self._start_and_phases()
        designs = {job.student: students.DESIGNS[job.student] for job in jobs}
        self._distiller = Distiller(designs, self._teacher, self._recordings, job.out / run, phases, job.seed, start)
        self._explained: dict[str, dict[str, float]] = {}

    def _start_and_phases(self) -> tuple[Start | None, tuple[Phase, ...]]:
        if not self._shipped:
            return None, PHASES
        start = ShippedStart({name: shipped.network_content(bundle) for name, bundle in self._shipped.items()})
        if not self._job.gpu_folder:
            return start, WARM_PHASES
        self._identity = f"{start.digest} {recordings.recordings_digest(self._recordings)} {self._job.seed}"
        path = self._job.gpu_folder / files.TRAINED
        if not path.exists():
            self.waits_for_gpu = True
            return start, WARM_PHASES
        networks, constants = files.load_networks(path, ("views", "identity"))
        if str(constants["identity"]) != self._identity:
            raise SystemExit(f"{path}: was trained from other networks or recordings; remove it, or use another folder")
        self._gpu_views = int(constants["views"])
        return TrainedStart(networks), AFTER_GPU_PHASES

    def write_gpu_folder(self) -> None:
        """Write the folder for `tools.distil_on_gpu`."""
        assert self._job.gpu_folder
        self._distiller.write_gpu_folder(self._job.gpu_folder, self._identity)
        print(f"{self._job.gpu_folder} is ready for tools.distil_on_gpu; after that, repeat this command")

    def train(self) -> None:
        """Train the students, or restore them.

        Raises:
            ModelError: a network to start from has another architecture.
            SystemExit: the checkpoint belongs to another run.
        """
        self._explained = self._distiller.run()

    def student(self, job: TrainingJob) -> HeadlessStudent:
        """Return the student of a job, quantised, with styles and sounds as the teacher predicts them."""
        assert job.architecture.student
        student = self._distiller.students[job.student]
        network = backbone.quantised(student.stages, job.architecture.student, self._recordings, job.seed)
        logits = network.scale.on_features(student.logits_of(np.arange(audioset.N_CLASSES)))
        features = Int8Features(network.tflite)
        views = teacher_heads.predict(
            logits,
            self._teacher,
            features,
            self._recordings,
            backbone.from_folders(job.not_music, self._recordings),
            job.seed,
        )
        hours = recordings.hours(self._recordings, students.MEL)
        metrics: dict[str, object] = {
            "hours": {source: round(value, 2) for source, value in hours.items()},
            "explained": {name: round(value, 4) for name, value in self._explained[job.student].items()},
        }
        if job.warm_start:
            bundle = Bundle.load(self._shipped[job.student])
            metrics["warm_start"] = f"{bundle.name} {bundle.version}"
        if self._gpu_views:
            metrics["gpu_views"] = self._gpu_views
        styles = teacher_heads.style_layer(logits, views)
        sounds = teacher_heads.sound_layer(views, job.architecture.student.network.last)
        pseudo_labels = PseudoLabels.of(self._labeller, features, job, self._recordings)
        return HeadlessStudent(job, network, styles, sounds, views.features, views.n_not_music, metrics, pseudo_labels)
