"""Generate docs/reproduction.md: the text around figures and tables, all of whose numbers come from a run."""

import textwrap

import numpy as np

from tools.paper import discussion
from tools.paper.intervals import Summary
from tools.paper.networks import BATCH, RATE
from tools.paper.protocols import PROTOCOLS
from tools.paper.study import Study, cell, points, rows
from tools.training.architectures import PAPER_SCHEDULE
from tools.training.report import percent

PAPER_TRAIN, PAPER_TEST = 0.84, 0.68


def text(study: Study) -> str:
    """Return the page in Markdown, with paragraphs wrapped at 118 characters."""
    parts = (_head, _table, _cnn, discussion.leaks, _figures, discussion.confusions, discussion.resolution,
             discussion.imitations)  # fmt: skip
    paragraphs = "\n\n".join(part(study).strip() for part in parts).strip().split("\n\n")
    wrapped = (block if block[0] in "|-#!`" else textwrap.fill(block, 118) for block in paragraphs)
    return "\n\n".join(wrapped) + "\n"


def _head(study: Study) -> str:
    """Return title, data and command."""
    numbers = ", ".join(f"{n} `{split}`" for split, n in study.counts.items())
    bands, frames = study.shape
    rehearsal = "This is a rehearsal with few splits and epochs: ignore its figures.\n\n" if study.rehearsal else ""
    return f"""# Reproducing the paper

{rehearsal}"Musical Genre Classification with Convolutional Neural Networks" trains a small CNN on mel spectrograms of
GTZAN and reports {percent(PAPER_TRAIN)} accuracy on its training tracks and {percent(PAPER_TEST)} on a random fifth of
the tracks. This page repeats the study, compares the CNN with other methods on the same tracks and splits, and measures
how much a random split overstates the accuracy. One program writes the page and its figures; after an interruption it
resumes:

```sh
{study.command}
```

Tracks: {sum(study.counts.values())} of GTZAN's 1000 ({numbers}, of the fault-filtered split by Kereliuk et al. 2015),
as log-mel spectrograms of {bands} bands and {frames} frames. MFCC are the DCT of the same spectrograms, so all methods
have the same input."""


def _table(study: Study) -> str:
    """Return the section on the accuracy of all methods."""
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
    return f"""## How accurate are the methods?

{protocols}

The table shows the mean accuracy on test tracks, its standard deviation over splits, and a 95 % confidence interval.
The interval accounts for the choice of artists and of splits: predictions for tracks of one artist are correlated, and
so are predictions of one trained network, so neither counts as independent (two-way clustering: Cameron, Gelbach and
Miller 2011). It does not account for another collection of tracks. Under `filtered` the training tracks are always the
same and only the seed differs between runs, so its ± is the spread over seeds.

{rows("| method | " + " | ".join(PROTOCOLS) + " | training accuracy, random |", cells)}

![Accuracy of all methods, one bar per protocol](reproduction/methods.svg)

{methods}

The hyperparameters of the other methods were chosen once; nothing in this repository tunes them on these splits. The
Keras networks are trained with Adam at a learning rate of {RATE:g}, the two networks other than the paper's with a
batch size of {BATCH}."""


def _cnn(study: Study) -> str:
    """Return the section on the accuracy and the learning curves of the paper's CNN."""
    s = study.summary(study.cnn, "random")
    at = study.published_epochs
    running = study.curves["random"]["accuracy"][at - 1]
    return f"""## Does the paper's CNN reach its published accuracy?

With random splits it reaches {percent(s.mean)} on test tracks, {points(s.mean - PAPER_TEST)} from the paper's
{percent(PAPER_TEST)}, which lies {_where(s)} the interval of {percent(s.low)} to {percent(s.high)}. On its training
tracks, after {at} epochs and without dropout, it reaches {percent(s.train_mean)}; the paper reports
{percent(PAPER_TRAIN)}. The paper does not publish the batch size ({PAPER_SCHEDULE.batch_size} here), the learning rate
(Adam, {RATE:g}), the dropout rate ({study.dropout:g}) and the position of the dropout layer. It also does not say
whether its training accuracy is Keras' running mean over an epoch, with dropout ({percent(running)} here after {at}
epochs, on one split). The paper uses 1000 tracks of 660 frames, this study {sum(study.counts.values())} of
{study.shape[1]}.

![Accuracy and loss by epoch](reproduction/curves.svg)

{_overfitting(study.curves["random"], at)}"""


def _where(s: Summary) -> str:
    return "inside" if s.low <= PAPER_TEST <= s.high else "above" if s.high < PAPER_TEST else "below"


def _overfitting(curve: dict[str, list[float]], at: int) -> str:
    losses, accuracies = curve["val_loss"], curve["val_accuracy"]
    lowest, best = int(np.argmin(losses)), int(np.argmax(accuracies))
    verdict = (
        "the network overfits, as the paper says"
        if losses[-1] > 1.1 * losses[lowest]
        else "the network does not overfit yet"
    )
    return f"""With {len(losses)} epochs, more than in the paper, the loss falls to {curve["loss"][-1]:.2f} on the
training tracks. On the test tracks it is lowest after {lowest + 1} epochs ({losses[lowest]:.2f}) and ends at
{losses[-1]:.2f}, so {verdict}. Accuracy on the test tracks is highest after {best + 1} epochs
({percent(accuracies[best])}); it is {percent(accuracies[at - 1])} at the paper's last epoch and
{percent(accuracies[-1])} at the last one here. So the number of epochs changes the accuracy, and choosing it by the
test tracks would leak them into training."""


def _figures(study: Study) -> str:
    """Return the section with the figures of signals and data."""
    r = study.correlation
    off_diagonal = ~np.eye(len(r), dtype=bool)
    i, j = np.unravel_index(np.where(off_diagonal, r, -np.inf).argmax(), r.shape)
    k, m = np.unravel_index(np.where(off_diagonal, r, np.inf).argmin(), r.shape)
    return f"""## What do the signals and features look like?

The first three figures show the song that is shipped with this project.

![Waveform](reproduction/waveform.svg)

![Fourier transform and spectrum](reproduction/spectrum.svg)

![Log-mel spectrogram and MFCC](reproduction/mfcc.svg)

The MFCC figure omits coefficients 0 and 1 (level and spectral tilt), which would dominate the colour scale.

The paper shows one mel spectrogram per genre. The recordings are under copyright, so the next figure shows the
distribution of levels in each mel band instead, without time; the line is the mean.

![Distribution of levels in the mel bands of each genre](reproduction/genres.svg)

The heat map shows the correlation over mel bands of the genres' mean spectra, after subtracting the mean of all genres
(the paper does not say what its heat map correlates). The most similar genres are {study.labels[i]} and
{study.labels[j]} ({r[i, j]:.2f}), the least similar {study.labels[k]} and {study.labels[m]} ({r[k, m]:.2f}).

![Correlation of the genres](reproduction/correlation.svg)"""
