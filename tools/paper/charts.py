"""The paper's figures of results (8 to 10) and a comparison of all methods, as SVG."""

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from tools.paper.figures import BLUE, GREEN, GREY, ORANGE, SKY, axes, save
from tools.paper.intervals import Summary
from tools.paper.networks import Curves
from tools.paper.protocols import PROTOCOLS

COLOURS = dict(zip(PROTOCOLS, (ORANGE, SKY, GREEN, BLUE), strict=True))
# Distinguishable in greyscale.
HATCHES = dict(zip(PROTOCOLS, ("", "///", "...", "xxx"), strict=True))
MARKERS = dict(zip(PROTOCOLS, ("o", "s", "^", "x"), strict=True))


def curves(by_protocol: dict[str, Curves], published: int, path: Path) -> None:
    """Draw accuracy and loss by epoch, and a line at the paper's last epoch, `published`."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for panel, key, label in ((panels[0], "accuracy", "accuracy, %"), (panels[1], "loss", "cross-entropy, nats")):
        scale = 100 if key == "accuracy" else 1
        for protocol, history in by_protocol.items():
            epochs = np.arange(1, len(history[key]) + 1)
            for name, style, part in ((key, ":", "train"), (f"val_{key}", "-", "test")):
                values = scale * np.array(history[name])
                panel.plot(
                    epochs,
                    values,
                    style,
                    color=COLOURS[protocol],
                    marker=MARKERS[protocol],
                    markevery=max(1, len(epochs) // 12),
                    ms=4,
                    lw=1.4,
                    label=f"{protocol}, {part}",
                )
        panel.axvline(published, color=GREY, lw=0.8, ls="--")
        # At this height no curve crosses the text.
        panel.text(published + 0.5, 0.2, "the paper's last epoch", transform=panel.get_xaxis_transform(), fontsize=7)
        panel.grid(alpha=0.3)
        panel.xaxis.get_major_locator().set_params(integer=True)
        axes(panel, "epoch", label)
    panels[0].legend(fontsize=7)
    save(figure, path)


def confusion(tables: dict[str, np.ndarray], labels: list[str], path: Path) -> None:
    """Draw one confusion matrix per protocol, rows as percentages of the true genre."""
    figure, panels = plt.subplots(1, len(tables), figsize=(4.7 * len(tables), 4.2), layout="constrained", squeeze=False)
    for panel, (protocol, table) in zip(panels[0], tables.items(), strict=True):
        share = 100 * table / np.maximum(1, table.sum(axis=1, keepdims=True))
        image = panel.imshow(share, cmap="cividis", vmin=0, vmax=100)
        for i, row in enumerate(share):
            for j, value in enumerate(row):
                if value >= 0.5:
                    panel.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7,
                               color="black" if value > 55 else "white")  # fmt: skip
        panel.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        panel.set_yticks(range(len(labels)), labels)
        panel.set_xlabel("predicted genre")
        panel.set_ylabel("true genre")
        panel.set_title(PROTOCOLS[protocol].replace("`", ""), fontsize=9)
    figure.colorbar(image, ax=panels[0], label="% of the genre's tracks", shrink=0.8)
    save(figure, path)


def methods(rows: dict[str, dict[str, Summary]], path: Path) -> None:
    """Draw bars with 95 % intervals, one group per method, one colour and hatch per protocol."""
    height = 0.8 / len(PROTOCOLS)
    figure, panel = plt.subplots(figsize=(9, 0.75 * len(rows) + 1.2), layout="constrained")
    for k, protocol in enumerate(PROTOCOLS):
        summaries = [row[protocol] for row in rows.values()]
        mean = 100 * np.array([s.mean for s in summaries])
        error = [mean - 100 * np.array([s.low for s in summaries]), 100 * np.array([s.high for s in summaries]) - mean]
        positions = np.arange(len(rows)) + (k - (len(PROTOCOLS) - 1) / 2) * height
        label = PROTOCOLS[protocol].replace("`", "").replace("->", "→")
        panel.barh(
            positions,
            mean,
            0.9 * height,
            color=COLOURS[protocol],
            hatch=HATCHES[protocol],
            edgecolor="white",
            lw=0,
            label=label,
        )
        panel.errorbar(mean, positions, xerr=np.abs(error), fmt="none", ecolor="black", capsize=2, lw=0.8)
    panel.set_yticks(range(len(rows)), list(rows))
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    panel.grid(axis="x", alpha=0.3)
    axes(panel, "accuracy on test tracks, % (95 % interval)", "")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    save(figure, path)
