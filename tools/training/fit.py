"""Fits a network, an epoch at a time: seeded, checkpointed after each epoch, resumed where it stopped."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

Epoch = Callable[[int], tuple[np.ndarray, np.ndarray]]  # number of the epoch -> inputs, targets


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. `cosine`: the rate falls along half a cosine; otherwise it stays."""

    epochs: int
    batch_size: int
    learning_rate: float
    cosine: bool = True
    weight_decay: float = 0.0

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch. A cosine's first epoch is slower, to warm up."""
        if not self.cosine:
            return self.learning_rate
        warm_up = 0.3 if epoch == 0 else 1.0
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) + 1e-6


def fit(
    build: Callable[[], Any],
    loss: str | Any,
    epoch_data: Epoch,
    schedule: Schedule,
    checkpoint: Path,
    identity: dict[str, Any],
    seed: int,
    watch: Callable[[Any], dict[str, float]] | None = None,
) -> tuple[Any, list[dict[str, float]]]:
    """(network, history): trained to the schedule's end, from `checkpoint`'s state if there is one.

    `epoch_data` must depend on the epoch's number alone, so that a resumed run sees the same; `identity` says what the
    run is, and a checkpoint of another is refused; `watch` gives figures after each epoch.
    """
    import keras

    state_file, weights_file = checkpoint / "state.json", checkpoint / "network.keras"
    identity = {"seed": seed, "schedule": asdict(schedule), **identity}
    state = json.loads(state_file.read_text()) if state_file.exists() else {"identity": identity, "history": []}
    if state["identity"] != identity:
        differing = [key for key in identity if state["identity"].get(key) != identity[key]]
        raise SystemExit(
            f"{checkpoint} belongs to another run ({', '.join(differing)} differ); remove it to start anew"
        )
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
        figures = {key: float(values[-1]) for key, values in log.history.items()} | (watch(network) if watch else {})
        state["history"].append(figures)
        told = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        print(f"{checkpoint.name}: epoch {epoch + 1} of {schedule.epochs}: {told}", flush=True)
        # The network first: a state that names an epoch has its weights.
        network.save(checkpoint / "next.keras")
        (checkpoint / "next.keras").replace(weights_file)
        (checkpoint / "next.json").write_text(json.dumps(state))
        (checkpoint / "next.json").replace(state_file)
    return network, state["history"]


def _seed_dropout(network: Any, seed: int, epoch: int) -> None:
    """Dropout, too, depends on seed and epoch alone: Keras does not save its generators' state."""
    for layer in network.layers:
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([seed, epoch])
