"""Chart of a soak test: memory, descriptors and threads, speed and lag over days of audio."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from tools.endurance.soak_csv import Row, runs, speeds

BLUE, ORANGE = "#0072B2", "#D55E00"
DAY_S = 86400


def draw(rows: list[Row], path: Path) -> None:
    """Write the chart; the suffix of `path` selects the format."""
    plt.rcParams.update({"svg.hashsalt": "genre-edge", "svg.fonttype": "none", "font.size": 10})
    figure, panels = plt.subplots(2, 2, figsize=(9, 5), sharex=True, layout="constrained")
    memory, counts, speed, lag = panels.flat
    for number, run in enumerate(runs(rows)):
        days = [row.audio_s / DAY_S for row in run]
        labels = [None] * 4 if number else ["resident", "anonymous", "descriptors", "threads"]
        memory.plot(days, [row.resident_bytes / 1e6 for row in run], color=BLUE, label=labels[0])
        memory.plot(days, [row.own_bytes / 1e6 for row in run], color=ORANGE, label=labels[1])
        counts.plot(days, [row.descriptors for row in run], color=BLUE, label=labels[2])
        counts.plot(days, [row.threads for row in run], color=ORANGE, label=labels[3])
        speed.plot(days, speeds(run), color=BLUE)
        lag.plot(days, [row.lag_ms for row in run], color=BLUE)
    titles = ("memory, MB", "open at a time", "multiple of real time", "maximum lag per hour, ms")
    for panel, title in zip(panels.flat, titles, strict=True):
        panel.set_ylabel(title)
        panel.set_ylim(0, 1.2 * panel.get_ylim()[1])
        panel.grid(alpha=0.3)
    for panel in (memory, counts):
        panel.legend(loc="lower right")
    for panel in panels[1]:
        panel.set_xlabel("days of audio")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
