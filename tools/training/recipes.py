"""Training recipes: on labels, as the paper does, or by distillation with heads for genres, styles and sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tools.training import examples, fit, head
from tools.training.architectures import size
from tools.training.data import Track
from tools.training.jobs import TrainedNetwork, TrainingJob

if TYPE_CHECKING:
    import keras


Trainer = Callable[[list[Track]], TrainedNetwork]


def trainers(
    jobs: Sequence[TrainingJob], tracks: list[Track], holdout: list[Track], unused: list[Track], run: str
) -> Iterator[tuple[TrainingJob, Trainer]]:
    """Yield each job with the function that trains its network on labelled tracks, with checkpoints in `out / run`.

    Students are distilled together before the first is yielded; the function then fits their last layer. With
    `heads_only`, they keep the layers of the shipped networks. With a `gpu_folder` that has no trained networks yet,
    the folder is written, and nothing is yielded.

    Args:
        jobs: students with the same data, or one network to train on labels.
        tracks, holdout: labelled tracks.
        unused: tracks whose audio is not used for the distillation, the holdout among them.
        run: name of the checkpoint's directory.

    Raises:
        SystemExit: the data does not suffice, or the checkpoint belongs to another run.
    """
    if jobs[0].architecture.student:
        head.check_groups([track for track in tracks if track.path])
    if jobs[0].architecture.student and not jobs[0].heads_only:
        from tools.training.distillation import distilled  # imports TensorFlow, which takes seconds

        distillation = distilled.Distillation(jobs, tracks, unused, run)
        if distillation.waits_for_gpu:
            distillation.write_gpu_folder()
            return
        distillation.train()
        for job in jobs:
            yield job, distillation.student(job).fit
    elif jobs[0].architecture.student:
        from tools.training.distillation import backbone, pseudo_labels, shipped

        found, labeller = backbone.load_recordings(jobs[0], tracks, unused), pseudo_labels.Labeller.of(jobs[0])
        for job in jobs:
            yield job, shipped.student(job, found, labeller).fit
    else:
        (job,) = jobs
        yield job, lambda labelled: train_on_labels(job, labelled, holdout, run)


def train_on_labels(job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str) -> TrainedNetwork:
    """Train a network on `tracks`; the holdout is used for the progress only."""

    def validate(network: keras.Model) -> dict[str, float]:
        p = examples.track_probabilities(network, holdout, job.architecture, len(job.labels))
        return {"holdout_accuracy": examples.accuracy(p, holdout, job.labels)}

    import keras

    assert job.architecture.schedule is not None
    network, history = fit.fit(
        build=lambda: job.architecture.build(job.architecture.shape, len(job.labels)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        epoch_data=examples.labelled_epochs(tracks, job.labels, job.architecture, job.seed),
        schedule=replace(job.architecture.schedule, epochs=job.epochs),
        checkpoint=job.out / run,
        identity={
            "network": job.architecture.build.__name__,
            "frames": job.architecture.patch_frames,
            "tracks": [[f"{track.genre}/{track.name}" for track in part] for part in (tracks, holdout)],
        },
        seed=job.seed,
        validate=validate,
    )
    return TrainedNetwork(network, size(network) | {"epochs": len(history)})
