"""docs/reproduction.md: every figure in it comes from a run; what is written here is what figures cannot say."""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from training.report import percent

from reproduction import analysis
from reproduction.methods import Method
from reproduction.protocols import PROTOCOLS
from reproduction.results import Result, Summary, summary

PAPER_TRAIN, PAPER_TEST = 0.84, 0.68


@dataclass(frozen=True)
class Study:
    """All that the document tells. `results[method][protocol]`; `cnn` names the paper's network among the methods."""

    command: str
    counts: dict[str, int]  # tracks of each split
    labels: list[str]
    methods: list[Method]
    results: dict[str, dict[str, list[Result]]]
    cnn: str
    curves: dict[str, dict[str, list[float]]]
    published_epochs: int
    correlation: np.ndarray
    faults: dict[str, int]  # tracks with known faults, by genre
    leaks: dict[str, tuple[int, float]]  # what a test track has in the training half -> tracks, accuracy
    resolution: dict[str, Any] | None  # 387 against 660 frames, from audio
    imitations: list[dict[str, Any]]

    def summary(self, method: str, protocol: str) -> Summary:
        return summary(self.results[method][protocol])


def text(study: Study) -> str:
    """The whole page. Paragraphs are filled to the width of our pages."""
    parts = (_head, _table, _cnn, _leaks, _figures, _discussion, _resolution, _imitations)
    paragraphs = "\n\n".join(part(study).strip() for part in parts).strip().split("\n\n")
    return "\n\n".join(text if text[0] in "|-#!`" else textwrap.fill(text, 118) for text in paragraphs) + "\n"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"


def _rows(header: str, rows: list[list[str]]) -> str:
    lines = [header, "| --- " * (header.count("|") - 1) + "|", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines)


def _head(study: Study) -> str:
    numbers = ", ".join(f"{n} `{split}`" for split, n in study.counts.items())
    return f"""# The paper, reproduced

"Musical Genre Classification with Convolutional Neural Networks" trains a small CNN on mel spectrograms of GTZAN and
reports {percent(PAPER_TRAIN)} on its training tracks and {percent(PAPER_TEST)} on a random fifth. Here is the study
again, with its rivals, on the same tracks and splits, and what such a split hides. This page and its figures are
written by one program, which goes on where it was interrupted:

```sh
{study.command}
```

Tracks: {sum(study.counts.values())} of GTZAN's 1000 ({numbers}, of the fault-filtered split by Kereliuk et al. 2015),
as log-mel spectrograms of 128 bands and 387 frames in 30 s. MFCC are the DCT of the same spectrograms, so every method
sees the same."""


def _table(study: Study) -> str:
    def cell(s: Summary) -> str:
        interval = "" if np.isnan(s.low) else f" ({100 * s.low:.0f} to {100 * s.high:.0f})"
        return f"{100 * s.mean:.1f} ± {100 * s.spread:.1f}{interval}"

    rows = [
        [
            method.name,
            *(cell(study.summary(method.name, protocol)) for protocol in PROTOCOLS),
            f"{100 * study.summary(method.name, 'random').train_mean:.1f}",
        ]
        for method in study.methods
    ]
    protocols = "\n".join(f"- {name}: {about}" for name, about in PROTOCOLS.items())
    methods = "\n".join(f"- **{method.name}** ({method.source}): {method.about}." for method in study.methods)
    return f"""## All methods

{protocols}

Mean accuracy on tracks not trained on, its standard deviation from split to split, and a 95 % interval. (At random:
Student's t over the splits, which share tracks, so it is rather too narrow. Otherwise: Wilson's, over the test
tracks.) Under `filtered` only the seed differs from run to run.

{_rows("| method | " + " | ".join(PROTOCOLS) + " | train, at random |", rows)}

![Accuracy of all methods, a bar a protocol](reproduction/methods.svg)

{methods}"""


def _cnn(study: Study) -> str:
    s = study.summary(study.cnn, "random")
    at = study.published_epochs
    running = study.curves["random"]["accuracy"][at - 1]
    return f"""## The paper's CNN

At random it reaches {percent(s.mean)} on test tracks, {_points(s.mean - PAPER_TEST)} from the paper's
{percent(PAPER_TEST)}{_where(s)}. On its training tracks, after {at} epochs and without dropout, it has
{percent(s.train_mean)}, the paper {percent(PAPER_TRAIN)}. What is not published must be guessed: batch size (16 here),
the optimiser's rate (Adam, 0.001), the share of dropout (0.25) and where it stands, and whether the training figure is
Keras' running mean over an epoch, with dropout ({percent(running)} here after {at}). More dropout, larger batches or
fewer steps all bring the training figure down. The paper has 1000 tracks of 660 frames, this study
{sum(study.counts.values())} of 387.

![Accuracy and loss by epoch](reproduction/curves.svg)

{_overfitting(study.curves["random"], at)}"""


def _where(s: Summary) -> str:
    if np.isnan(s.low):
        return ""
    where = "inside" if s.low <= PAPER_TEST <= s.high else "above" if s.high < PAPER_TEST else "below"
    return f", which lies {where} the interval of {percent(s.low)} to {percent(s.high)}"


def _overfitting(curve: dict[str, list[float]], at: int) -> str:
    losses, accuracies = curve["val_loss"], curve["val_accuracy"]
    lowest, best = int(np.argmin(losses)), int(np.argmax(accuracies))
    verdict = "it overfits, as the paper says" if losses[-1] > 1.1 * losses[lowest] else "it does not overfit yet"
    return f"""Beyond the paper's end, to {len(losses)} epochs: the loss falls to {curve["loss"][-1]:.2f} on the
training tracks; on the test tracks it is lowest after {lowest + 1} ({losses[lowest]:.2f}) and ends at
{losses[-1]:.2f}, so {verdict}. Accuracy on the test tracks is highest after {best + 1} epochs
({percent(accuracies[best])}); it is {percent(accuracies[at - 1])} at the paper's end and {percent(accuracies[-1])} at
ours. The epoch at which one stops is worth points, and to choose it by the test tracks would be to train on them."""


def _leaks(study: Study) -> str:
    own = {p: study.summary(study.cnn, p).mean for p in PROTOCOLS}
    every = {p: float(np.mean([study.summary(m.name, p).mean for m in study.methods])) for p in PROTOCOLS}
    steps = (("random", "clean"), ("clean", "artists"), ("random", "filtered"))
    gaps = [[a, b, _points(own[b] - own[a]), _points(every[b] - every[a])] for a, b in steps]
    kinds = [[what, str(n), percent(right)] for what, (n, right) in study.leaks.items()]
    return f"""## What random splits leak

GTZAN holds exact replicas, several excerpts of one recording, and many songs of one artist (Sturm 2013). A random split
puts them into both halves, so that a method is paid for knowing a recording, a voice or a studio.

{_rows("| from | to | the CNN | mean of all methods |", gaps)}

From `clean` to `artists` tracks and number of training tracks are the same; only the artists are kept apart. `filtered`
also learns from fewer tracks. Within the random splits, by what a test track has in the training half (the CNN, all
splits together):

{_rows("| the test track | tracks | right |", kinds)}"""


def _figures(study: Study) -> str:
    r = study.correlation
    apart = ~np.eye(len(r), dtype=bool)
    i, j = np.unravel_index(np.where(apart, r, -np.inf).argmax(), r.shape)
    k, m = np.unravel_index(np.where(apart, r, np.inf).argmin(), r.shape)
    return f"""## Signals and data

The song of the first three figures is the one shipped with this project.

![A waveform](reproduction/waveform.svg)

![Its Fourier transform and spectrum](reproduction/spectrum.svg)

![Log-mel spectrogram and MFCC](reproduction/mfcc.svg)

The genres' mel spectrograms: how often (brightness) a band has a level; the line is the mean. A distribution, and no
recording, because the recordings are not ours to print.

![Mel spectrograms of the genres](reproduction/genres.svg)

Correlation of the genres' mean mel spectra, over the bands, after the mean of all genres is taken away (the paper does
not say what its heat map correlates). Most alike are {study.labels[i]} and {study.labels[j]} ({r[i, j]:.2f}), most
unlike {study.labels[k]} and {study.labels[m]} ({r[k, m]:.2f}).

![Correlation of the genres](reproduction/correlation.svg)"""


def _discussion(study: Study) -> str:
    tables = {p: analysis.confusion(study.results[study.cnn][p], study.labels) for p in ("random", "filtered")}
    confused = []
    for protocol, table in tables.items():
        pairs = analysis.most_confused(table, study.labels)
        told = ", ".join(f"{a} as {b} ({percent(share)})" for a, b, share in pairs)
        confused.append(f"Most confused by the CNN, `{protocol}`: {told}.")
    share, chance = analysis.within_families(tables["filtered"], study.labels)
    families = "; ".join(", ".join(family) for family in analysis.FAMILIES)
    lowest = ", ".join(f"{g} ({percent(r)})" for g, r in analysis.lowest_recall(tables["filtered"], study.labels))
    faults = ", ".join(f"{genre} {n}" for genre, n in sorted(study.faults.items(), key=lambda item: -item[1]))
    return f"""## Are the confusions a person's?

![Confusion matrices](reproduction/confusion.svg)

{confused[0]}

{confused[1]}

A person confuses relatives. With the families {families} (chosen before any result was seen), {percent(share)} of the
errors under `filtered` stay within the family; {percent(chance)} would if errors fell evenly on the other genres. So
relatives are confused {"more" if share > chance else "no more"} than chance would have it. The lowest recall there:
{lowest}.

Of GTZAN's known faults (Sturm 2013) the fault-filtered split leaves out, of our tracks: {faults}. Among them are
replicas and repeated recordings (22 excerpts are of one recording, 35 of reggae's hundred of one artist), which a
random split rewards; a label that is wrong costs every method alike."""


def _resolution(study: Study) -> str:
    if study.resolution is None:
        return ""
    r = study.resolution
    rows = [[name, f"{100 * mean:.1f} ± {100 * spread:.1f} %"] for name, (mean, spread) in r["rows"].items()]
    return f"""## 387 frames or 660

On the {r["tracks"]} tracks of which 29 s of audio or more were at hand (unevenly many a genre, so the figures are not
those above), over the same random splits, {r["splits"]} in number:

{_rows("| network | test accuracy |", rows)}"""


def _imitations(study: Study) -> str:
    if not study.imitations:
        return ""
    kept = sum(row["genre"] is not None and row["genre"] == row["song_genre"] for row in study.imitations)
    rows = [
        [row["folder"], row["song_genre"] or "-", row["genre"] or "-"]
        + [f"{row[key]:.3f}" for key in ("first", "last", "sound")]
        for row in study.imitations
    ]
    return f"""## The generative remark

The paper's introduction says that a playable file close to the original can be had from the style that the network has
learnt. `tools/imitate.py song.wav -o imitation.wav` does it, with this project's network: from noise, a mel spectrogram
is changed until the statistics of what the network hears in it are the song's (Gatys et al. 2015), and becomes sound by
the algorithm of Griffin and Lim (1984). The distance is the mean over statistics of their relative squared distance;
`sound` is measured again on the finished file. What the classifier would not name (low confidence) is a dash.

{_rows("| song of | heard as | its imitation | distance of noise | after the last step | sound |", rows)}

The classifier gives {kept} of {len(study.imitations)} imitations the genre that it gives their song."""
