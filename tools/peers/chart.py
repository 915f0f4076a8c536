"""Bar chart of the figures of tools.bench_mel."""

import io
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

OURS, PEER, FFT = "#1a7f37", "#57606a", "#bf8700"
HOP_ALPHA = 0.45


def draw(report: dict[str, Any]) -> bytes:
    """Return an SVG: one panel per setup, two bars (frame and hop) per implementation."""
    settings: dict[Any, Any] = {
        "svg.hashsalt": "genre-edge",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    with plt.rc_context(settings):
        setups = list(report["setups"].values())
        n_rows = max(len(setup["contestants"]) for setup in setups)
        figure, panels = plt.subplots(
            1, len(setups), figsize=(5.4 * len(setups), 1.2 + 0.42 * n_rows), layout="constrained", squeeze=False
        )
        for panel, setup in zip(panels[0], setups, strict=True):
            _panel(panel, setup, report["labels"])
        lanes = report["machine"]["lanes"]
        figure.suptitle(f"Log-mel spectrogram, one thread, {report['machine']['processor']}, {lanes} lanes")
        figure.supxlabel("µs per frame of a batch (dark) and per hop of a stream (pale), logarithmic scale", fontsize=9)
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
        plt.close(figure)
    return svg.getvalue()


def _panel(panel: Axes, setup: dict[str, Any], labels: dict[str, str]) -> None:
    fastest_first = sorted(setup["contestants"].items(), key=lambda item: item[1]["us_per_frame"]["best"])
    for y, (name, figures) in enumerate(fastest_first):
        color = {"ours": OURS, "r2c": FFT}.get(name, PEER)
        bars = [(kind, figures[f"us_per_{kind}"]["best"]) for kind in ("frame", "hop") if f"us_per_{kind}" in figures]
        for (kind, us), offset in zip(bars, (-0.2, 0.2) if len(bars) > 1 else (0,), strict=True):
            panel.barh(y + offset, us, 0.38, color=color, alpha=1 if kind == "frame" else HOP_ALPHA)
            panel.annotate(
                f"{us:.3g} µs" if us < 1000 else f"{us:.0f} µs", (us, y + offset), (3, 0),
                textcoords="offset points", va="center", fontsize=7,
            )  # fmt: skip
    panel.set_yticks(range(len(fastest_first)), [labels[name] for name, _ in fastest_first])
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.margins(x=0.2)
    panel.set_xlim(left=0.1)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(setup["title"], fontsize=9)
