"""Training loop: seeded, with a checkpoint after every epoch from which an interrupted run resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

if TYPE_CHECKING:
    import keras

EpochData = Callable[[int], tuple[np.ndarray, np.ndarray]]  # index of the epoch -> (inputs, targets)
History = list[dict[str, float]]  # metrics of each epoch


class _State(TypedDict):
    """Content of a checkpoint's state.json."""

    identity: dict[str, Any]
    history: History


@dataclass(frozen=True)
class Schedule:
    """Epochs, batch size and learning rate. With `cosine`, the rate decays along half a cosine; else it is constant."""

    epochs: int
    batch_size: int
    learning_rate: float
    cosine: bool = True
    weight_decay: float = 0.0

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch; with `cosine`, the first epoch is a warm-up at 30 %."""
        if not self.cosine:
            return self.learning_rate
        warm_up = 0.3 if epoch == 0 else 1.0
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) + 1e-6


def fit(
    build: Callable[[], keras.Model],
    loss: str | keras.losses.Loss,
    epoch_data: EpochData,
    schedule: Schedule,
    checkpoint: Path,
    identity: dict[str, Any],
    seed: int,
    validate: Callable[[keras.Model], dict[str, float]] | None = None,
) -> tuple[keras.Model, History]:
    """Train a network to the end of its schedule, resuming from `checkpoint` if it exists.

    Args:
        build: returns the untrained network.
        epoch_data: inputs and targets of an epoch; must depend on the epoch's index alone, so that a resumed run
            sees the same data.
        checkpoint: directory for the weights and state.json.
        identity: JSON values that identify the run; a checkpoint with other values is refused.
        validate: returns further metrics of the network after each epoch.

    Returns:
        (network, history).

    Raises:
        SystemExit: the checkpoint belongs to another run.
    """
    import keras

    state_file, weights_file = checkpoint / "state.json", checkpoint / "network.keras"
    state = _load_state(state_file, {"seed": seed, "schedule": asdict(schedule), **identity})
    if state["history"]:
        network = keras.models.load_model(weights_file)
    else:
        keras.utils.set_random_seed(seed)
        network = build()
        optimizer = keras.optimizers.AdamW(schedule.learning_rate, weight_decay=schedule.weight_decay)
        network.compile(optimizer, loss, jit_compile=False)  # XLA on a CPU makes convolutions several times slower
    checkpoint.mkdir(parents=True, exist_ok=True)
    for epoch in range(len(state["history"]), schedule.epochs):
        network.optimizer.learning_rate = schedule.rate(epoch)
        _seed_dropout(network, seed, epoch)
        x, y = epoch_data(epoch)
        log = network.fit(x, y, batch_size=schedule.batch_size, shuffle=False, verbose=0)
        metrics = {key: float(values[-1]) for key, values in log.history.items()}
        metrics |= validate(network) if validate else {}
        state["history"].append(metrics)
        text = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        print(f"{checkpoint.name}: epoch {epoch + 1} of {schedule.epochs}: {text}", flush=True)
        # Weights before state: the weights are never older than the epoch that the state names.
        network.save(checkpoint / "next.keras")
        (checkpoint / "next.keras").replace(weights_file)
        (checkpoint / "next.json").write_text(json.dumps(state))
        (checkpoint / "next.json").replace(state_file)
    return network, state["history"]


def _load_state(state_file: Path, identity: dict[str, Any]) -> _State:
    if not state_file.exists():
        return {"identity": identity, "history": []}
    state: _State = json.loads(state_file.read_text())
    if state["identity"] != identity:
        differing = [key for key in identity if state["identity"].get(key) != identity[key]]
        raise SystemExit(
            f"{state_file.parent} belongs to another run (different: {', '.join(differing)}); "
            "remove the directory to start again"
        )
    return state


def _seed_dropout(network: keras.Model, seed: int, epoch: int) -> None:
    """Seed dropout by seed and epoch: Keras does not save the state of its generators in checkpoints."""
    for layer in network.layers:
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([seed, epoch])
