"""docs/reproduction.md: every figure in it comes from a run; what is written here is what figures cannot say."""

import textwrap

import numpy as np

from tools.paper import discussion
from tools.paper.intervals import Summary
from tools.paper.networks import BATCH, PAPER, RATE
from tools.paper.protocols import PROTOCOLS
from tools.paper.study import Study, cell, points, rows
from tools.training.report import percent

PAPER_TRAIN, PAPER_TEST = 0.84, 0.68


def text(study: Study) -> str:
    """The whole page. Paragraphs are filled to the width of our pages."""
    parts = (_head, _table, _cnn, discussion.leaks, _figures, discussion.confusions, discussion.resolution,
             discussion.imitations)  # fmt: skip
    paragraphs = "\n\n".join(part(study).strip() for part in parts).strip().split("\n\n")
    return "\n\n".join(text if text[0] in "|-#!`" else textwrap.fill(text, 118) for text in paragraphs) + "\n"


def _head(study: Study) -> str:
    numbers = ", ".join(f"{n} `{split}`" for split, n in study.counts.items())
    bands, frames = study.shape
    rehearsal = "This is a rehearsal: few splits and epochs. Its figures mean nothing.\n\n" if study.rehearsal else ""
    return f"""# The paper, reproduced

{rehearsal}"Musical Genre Classification with Convolutional Neural Networks" trains a small CNN on mel spectrograms of
GTZAN and reports {percent(PAPER_TRAIN)} on its training tracks and {percent(PAPER_TEST)} on a random fifth. Here is the
study again, with its rivals, on the same tracks and splits, and what such a split hides. This page and its figures are
written by one program, which goes on where it was interrupted:

```sh
{study.command}
```

Tracks: {sum(study.counts.values())} of GTZAN's 1000 ({numbers}, of the fault-filtered split by Kereliuk et al. 2015),
as log-mel spectrograms of {bands} bands and {frames} frames. MFCC are the DCT of the same spectrograms, so every method
sees the same."""


def _table(study: Study) -> str:
    cells = [
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

Mean accuracy on tracks not trained on, its standard deviation from split to split, and a 95 % interval. The interval
holds what could have been other artists and other splits: tracks of one artist are told right or wrong together, and
tracks of one split by the same network, so neither counts as independent (clusters in two ways: Cameron, Gelbach and
Miller 2011). It does not hold what another collection of tracks would do. Under `filtered` the tracks to learn from are
always the same, only the seed differs from run to run, so its ± is of seeds alone.

{rows("| method | " + " | ".join(PROTOCOLS) + " | train, at random |", cells)}

![Accuracy of all methods, a bar a protocol](reproduction/methods.svg)

{methods}

The rivals' settings were set once; nothing in this repository tunes them on these splits. The networks in Keras
learn by Adam with a rate of {RATE:g}, the two rivals among them in batches of {BATCH}."""


def _cnn(study: Study) -> str:
    s = study.summary(study.cnn, "random")
    at = study.published_epochs
    running = study.curves["random"]["accuracy"][at - 1]
    return f"""## The paper's CNN

At random it reaches {percent(s.mean)} on test tracks, {points(s.mean - PAPER_TEST)} from the paper's
{percent(PAPER_TEST)}, which lies {_where(s)} the interval of {percent(s.low)} to {percent(s.high)}. On its training
tracks, after {at} epochs and without dropout, it has {percent(s.train_mean)}, the paper {percent(PAPER_TRAIN)}. What is
not published must be guessed: batch size ({PAPER.schedule.batch_size} here), the optimiser's rate (Adam, {RATE:g}), the
share of dropout ({study.dropout:g}) and where it stands, and whether the training figure is Keras' running mean over an
epoch, with dropout ({percent(running)} here after {at}, on one split). The paper has 1000 tracks of 660 frames, this
study {sum(study.counts.values())} of {study.shape[1]}.

![Accuracy and loss by epoch](reproduction/curves.svg)

{_overfitting(study.curves["random"], at)}"""


def _where(s: Summary) -> str:
    return "inside" if s.low <= PAPER_TEST <= s.high else "above" if s.high < PAPER_TEST else "below"


def _overfitting(curve: dict[str, list[float]], at: int) -> str:
    losses, accuracies = curve["val_loss"], curve["val_accuracy"]
    lowest, best = int(np.argmin(losses)), int(np.argmax(accuracies))
    verdict = "it overfits, as the paper says" if losses[-1] > 1.1 * losses[lowest] else "it does not overfit yet"
    return f"""Beyond the paper's end, to {len(losses)} epochs: the loss falls to {curve["loss"][-1]:.2f} on the
training tracks; on the test tracks it is lowest after {lowest + 1} ({losses[lowest]:.2f}) and ends at
{losses[-1]:.2f}, so {verdict}. Accuracy on the test tracks is highest after {best + 1} epochs
({percent(accuracies[best])}); it is {percent(accuracies[at - 1])} at the paper's end and {percent(accuracies[-1])} at
ours. The epoch at which one stops is worth points, and to choose it by the test tracks would be to train on them."""


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

In the figure of the MFCC, coefficients 0 and 1 (level and tilt) are left out, because they would fill the scale.

The paper shows a mel spectrogram of each genre. Those recordings are not ours to print, so here is how often each mel
band has which level in a genre, without time; the line is the mean.

![How often the mel bands of each genre have which level](reproduction/genres.svg)

Correlation of the genres' mean mel spectra, over the bands, after the mean of all genres is taken away (the paper does
not say what its heat map correlates). Most alike are {study.labels[i]} and {study.labels[j]} ({r[i, j]:.2f}), most
unlike {study.labels[k]} and {study.labels[m]} ({r[k, m]:.2f}).

![Correlation of the genres](reproduction/correlation.svg)"""
