"""Draw docs/model.svg: accuracy of the shipped models against size and cost, and a reliability diagram.

python -m tools.chart_models --write docs/model.svg
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from genre_edge.model.bundle import MODELS, Bundle
from tools.training.architectures import ARCHITECTURES, multiply_accumulates


def reliability(panel: Axes, bundle: Bundle) -> None:
    """Plot accuracy against confidence; the area of a dot is proportional to its number of tracks."""
    bins = bundle.metrics["reliability"]
    x, y = ([100 * b[key] for b in bins] for key in ("confidence", "accuracy"))
    panel.plot([0, 100], [0, 100], color="0.6", linewidth=1)
    panel.scatter(x, y, s=[4 * b["tracks"] for b in bins], color="#0072B2", alpha=0.8)
    panel.set_xlabel("confidence of edge, %")
    panel.set_ylabel("accuracy, %")
    panel.grid(alpha=0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, required=True)
    write = parser.parse_args().write
    plt.rcParams.update({"svg.hashsalt": "genre-edge", "svg.fonttype": "none", "font.size": 10})
    figure, (*panels, diagram) = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    for name, marker, colour in (("paper", "s", "#D55E00"), ("nano", "^", "#009E73"), ("edge", "o", "#0072B2")):
        bundle = Bundle.load(MODELS / name)
        holdout = bundle.metrics["holdout"]
        low, high = holdout["ci95"]
        error = [[100 * (holdout["accuracy"] - low)], [100 * (high - holdout["accuracy"])]]
        architecture = ARCHITECTURES[name]
        network = architecture.build(architecture.shape, bundle.n_outputs)
        hop_s = architecture.hop_frames * architecture.mel.hop_length / architecture.mel.sr
        costs = ((MODELS / name / "model.tflite").stat().st_size / 1000, multiply_accumulates(network) / 1e6 / hop_s)
        for panel, cost in zip(panels, costs, strict=True):
            panel.errorbar(
                cost, 100 * holdout["accuracy"], error, marker=marker, color=colour, capsize=3, label=name, linestyle=""
            )
    scales = (
        ("size, kB", (100, 300, 1000, 3000)),
        ("million multiply-accumulates per second of audio", (1, 3, 10, 30)),
    )
    for panel, (label, ticks) in zip(panels, scales, strict=True):
        panel.set_xscale("log")
        panel.set_xticks(ticks, map(str, ticks))
        panel.set_xticks([], minor=True)
        panel.set_xlim(ticks[0], ticks[-1])
        panel.set_ylim(30, 90)
        panel.set_xlabel(label)
        panel.grid(alpha=0.3)
    reliability(diagram, Bundle.load(MODELS / "edge"))
    panels[0].set_ylabel("accuracy on valid, %\n(95 % interval)")
    panels[0].legend()
    figure.savefig(write, metadata={"Date": None})


if __name__ == "__main__":
    main()
