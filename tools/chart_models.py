"""Accuracy of the shipped models against their size and cost: docs/model.svg.

python tools/chart_models.py --write docs/model.svg
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from training.architectures import ARCHITECTURES, multiply_accumulates

from genre_edge.model import MODELS, Bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, required=True)
    write = parser.parse_args().write
    plt.rcParams.update({"svg.hashsalt": "genre-edge", "svg.fonttype": "none", "font.size": 10})
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
    for name, marker, colour in (("paper", "s", "#D55E00"), ("edge", "o", "#0072B2")):
        bundle = Bundle.load(MODELS / name)
        holdout = bundle.metrics["holdout"]
        low, high = holdout["ci95"]
        error = [[100 * (holdout["accuracy"] - low)], [100 * (high - holdout["accuracy"])]]
        architecture = ARCHITECTURES[name]
        network = architecture.build((architecture.mel.n_mels, architecture.patch_frames, 1), bundle.n_outputs)
        hop_s = architecture.hop_frames * architecture.mel.hop_length / architecture.mel.sr
        costs = ((MODELS / name / "model.tflite").stat().st_size / 1000, multiply_accumulates(network) / 1e6 / hop_s)
        for panel, cost in zip(panels, costs, strict=True):
            panel.errorbar(
                cost, 100 * holdout["accuracy"], error, marker=marker, color=colour, capsize=3, label=name, linestyle=""
            )
    for panel, label in zip(panels, ("size, kB", "million multiply-accumulates a second of sound"), strict=True):
        panel.set_xscale("log")
        panel.set_xlabel(label)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy on valid, %\n(95 % interval)")
    panels[1].legend()
    figure.savefig(write, metadata={"Date": None})


if __name__ == "__main__":
    main()
