"""The paper's figures of signals and data (2 to 7), as SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from tools.paper import features
from tools.paper.analysis import scaled
from tools.training.data import Track

# Okabe and Ito's colour-blind-safe palette. charts.py adds hatches and markers for greyscale.
BLUE, ORANGE, GREEN, GREY, SKY = "#0072B2", "#D55E00", "#009E73", "#555555", "#56B4E9"
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "genre-edge",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.axisbelow": True,
}
plt.rcParams.update(SETTINGS)
FIRST_MFCC = 2  # 0 (level) and 1 (tilt) would dominate the colour scale
LEVELS = np.linspace(0, 1, 41)  # bin edges of scaled levels


def save(figure: Figure, path: Path) -> None:
    """Write an SVG reproducibly and close the figure."""
    figure.savefig(path, metadata={"Date": None}, dpi=150)
    plt.close(figure)


def axes(panel: Axes, x: str, y: str, title: str = "") -> None:
    """Label a panel and hide its top and right spines."""
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.set_title(title, fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)


def waveform(y: np.ndarray, rate: int, path: Path) -> None:
    """Draw the whole waveform and 20 ms of it."""
    figure, (whole, part) = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
    step = max(1, len(y) // 1200)  # draw minimum and maximum per column
    blocks = y[: len(y) // step * step].reshape(-1, step)
    whole.fill_between(np.arange(len(blocks)) * step / rate, blocks.min(axis=1), blocks.max(axis=1), color=BLUE, lw=0)
    axes(whole, "time, s", "amplitude (full scale ±1)", "whole song")
    first, n = len(y) // 2, round(0.02 * rate)
    part.plot(np.arange(n) / rate * 1000, y[first : first + n], color=BLUE, lw=1)
    axes(part, "time, ms", "amplitude", "20 ms from its middle")
    save(figure, path)


def spectrum(y: np.ndarray, rate: int, path: Path) -> None:
    """Draw the Fourier transform of one frame and the power spectral density of the whole signal."""
    from scipy.signal import welch

    figure, (transform, whole) = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
    n, first = 2048, len(y) // 2
    magnitude = np.abs(np.fft.rfft(y[first : first + n] * np.hanning(n)))
    transform.plot(np.fft.rfftfreq(n, 1 / rate) / 1000, magnitude, color=BLUE, lw=0.8)
    axes(transform, "frequency, kHz", "magnitude", "Fourier transform of 2048 samples (Hann window)")
    f, power = welch(y, rate, nperseg=4096)
    whole.semilogx(f[1:], 10 * np.log10(power[1:] + 1e-20), color=BLUE, lw=0.8)
    whole.set_xlim(20, rate / 2)
    axes(whole, "frequency, Hz", "dB of full scale² / Hz", "spectrum of the whole song (Welch)")
    whole.grid(alpha=0.3)
    save(figure, path)


def cepstrum(y: np.ndarray, mel: MelConfig, path: Path) -> None:
    """Draw log-mel spectrogram and MFCC (from FIRST_MFCC on) of ten seconds."""
    frames = MelSpectrogram(mel).db(np.ascontiguousarray(y[: 10 * mel.sr]))
    figure, panels = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for panel, x, first, label, unit in (
        (panels[0], np.maximum(frames - frames.max(), -80), 1, "mel band", "dB relative to maximum"),
        (panels[1], features.mfcc(frames)[FIRST_MFCC:], FIRST_MFCC, "coefficient", "dB"),
    ):
        extent = (0, frames.shape[1] * mel.hop_length / mel.sr, first - 0.5, first + len(x) - 0.5)
        image = panel.imshow(x, origin="lower", aspect="auto", extent=extent, cmap="cividis", interpolation="none")
        figure.colorbar(image, ax=panel, label=unit)
        panel.yaxis.get_major_locator().set_params(integer=True)
        axes(panel, "time, s", label)
    save(figure, path)


def genres(tracks: Sequence[Track], labels: list[str], path: Path) -> None:
    """Draw the distribution of levels in each mel band by genre, without time: the songs are under copyright."""
    rows = -(-len(labels) // 5)
    figure, panels = plt.subplots(
        rows, 5, figsize=(9, 2.2 * rows), layout="constrained", sharex=True, sharey=True, squeeze=False
    )
    for panel, genre in zip(panels.flat, labels, strict=False):
        x = np.concatenate([scaled(t.frames) for t in tracks if t.genre == genre], axis=1)
        share = np.stack([np.histogram(band, LEVELS)[0] / x.shape[1] for band in x])
        image = panel.imshow(
            100 * share,
            origin="lower",
            aspect="auto",
            cmap="cividis",
            extent=(0, 1, 0.5, len(x) + 0.5),
            norm=PowerNorm(0.5, 0, 25),
            interpolation="none",
        )
        panel.plot(x.mean(axis=1), np.arange(1, len(x) + 1), color="white", lw=1)
        panel.set_title(genre, fontsize=9)
    figure.supxlabel("level, scaled from 0 (80 dB below maximum) to 1 (maximum)", fontsize=9)
    figure.supylabel("mel band", fontsize=9)
    figure.suptitle("distribution of levels by mel band; white: mean", fontsize=9)
    figure.colorbar(image, ax=panels, label="% of frames (square-root scale)", shrink=0.8, extend="max")
    save(figure, path)


def correlation(r: np.ndarray, labels: list[str], path: Path) -> None:
    """Draw the heat map of analysis.correlation."""
    figure, panel = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    image = panel.imshow(r, cmap="PuOr", vmin=-1, vmax=1)
    for i, row in enumerate(r):
        for j, value in enumerate(row):
            panel.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=7,
                       color="white" if abs(value) > 0.75 else "black")  # fmt: skip
    panel.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    panel.set_yticks(range(len(labels)), labels)
    figure.colorbar(image, ax=panel, label="correlation over mel bands")
    save(figure, path)
