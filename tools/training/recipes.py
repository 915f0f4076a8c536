"""Training recipes: on labels, as the paper does, or by distillation with heads for genres, styles and sounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tools.training import examples, fit
from tools.training.architectures import size
from tools.training.data import Track
from tools.training.jobs import TrainedNetwork, TrainingJob

if TYPE_CHECKING:
    import keras


def trainer(
    job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str
) -> Callable[[list[Track]], TrainedNetwork]:
    """Return the function that trains a network on labelled tracks, with checkpoints in `job.out / run`.

    A student is distilled here, without audio of the holdout; the function then fits its last layer.

    Raises:
        SystemExit: the data does not suffice, or the checkpoint belongs to another run.
    """
    if job.architecture.student:
        from tools.training.distillation import distilled  # imports TensorFlow, which takes seconds

        return distilled.DistilledStudent(job, tracks, holdout, run).fit
    return lambda labelled: train_on_labels(job, labelled, holdout, run)


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
