"""Sections of docs/reproduction.md that interpret the results."""

import numpy as np

from tools.paper import analysis, intervals
from tools.paper.intervals import Estimate, summary
from tools.paper.study import Study, cell, gap, rows
from tools.training.report import percent

STEPS = (("random", "clean"), ("clean", "artists"), ("random", "filtered"))


def leaks(study: Study) -> str:
    """Return the section on leaks of random splits and the accuracy that they overstate."""

    def step(a: str, b: str, *methods: str) -> str:
        return gap(intervals.gap(study.outcomes(a, *methods), study.outcomes(b, *methods)))

    gaps = [[a, b, step(a, b, study.cnn), step(a, b)] for a, b in STEPS]
    kinds = [[x.kind, str(x.tracks), percent(x.correct), gap(x.gap) if x.gap else "-"] for x in study.leaks]
    return f"""## How much do random splits leak?

GTZAN contains exact replicas, several excerpts of one recording, and many songs of one artist (Sturm 2013). A random
split puts them into both the training and the test set, which rewards recognising a recording, a voice or a studio.
The table shows differences in accuracy with 95 % intervals as above, paired by artist:

{rows("| from | to | the CNN | mean of all methods |", gaps)}

From `clean` to `artists`, the tracks and the number of training tracks are the same; only the artists are separated.
`filtered` also has fewer training tracks. The next table groups the test tracks of the random splits by their relation
to the training set (the CNN, all splits pooled). Genres differ in their number of artists and in difficulty, so the
last column compares only tracks of the same genre (genres weighted after Mantel and Haenszel 1959):

{rows("| the test track | tracks | correct | difference from another artist, within genres |", kinds)}"""


def confusions(study: Study) -> str:
    """Return the section on confused genres and their relation."""
    tables = {p: analysis.confusion(study.results[study.cnn][p], study.labels) for p in ("random", "filtered")}
    confused = []
    for protocol, table in tables.items():
        pairs = analysis.most_confused(table, study.labels)
        listed = ", ".join(
            f"{a} as {b} ({percent(x)}; {analysis.describe_faults((a, b), study.faults)})" for a, b, x in pairs
        )
        confused.append(f"Most confused by the CNN, `{protocol}`: {listed or 'none'}.")
    share, chance = analysis.within_families(tables["filtered"], study.labels)
    families = "; ".join(", ".join(family) for family in analysis.FAMILIES)
    lowest = ", ".join(f"{g} ({percent(r)})" for g, r in analysis.lowest_recall(tables["filtered"], study.labels))
    return f"""## Are the confusions plausible?

![Confusion matrices](reproduction/confusion.svg)

{confused[0]}

{confused[1]}

The brackets show the share of the genre's tracks, and how many tracks of both genres have known faults (Sturm 2013).
The fault-filtered split excludes these tracks from training and test, so they do not cause the confusions under
`filtered`. Sturm shows that the faults do not affect all methods in the same way.

{_predicted_too_often(study, tables)}

People confuse related genres. With the families {families} (chosen before any result was known), {percent(share)} of
the errors under `filtered` stay within a family; {percent(chance)} would if errors were distributed evenly over the
other genres. So related genres are confused {"more" if share > chance else "no more"} often than by chance. The
lowest recall under `filtered`: {lowest}.

The faults include exact replicas, 22 excerpts from the same recordings as others, and many tracks by one artist (35 of
the 100 reggae tracks; numbers for all of GTZAN, Sturm 2012), all of which a random split rewards."""


def _predicted_too_often(study: Study, tables: dict[str, np.ndarray]) -> str:
    """Compare how often each genre is predicted with how often it occurs."""
    shares = {p: (table.sum(axis=1) / table.sum(), table.sum(axis=0) / table.sum()) for p, table in tables.items()}
    cells = [
        [genre, *(percent(x[i]) for pair in shares.values() for x in pair), str(study.faults.get(genre, 0))]
        for i, genre in enumerate(study.labels)
    ]
    tracks, predictions = shares["filtered"]
    most = int((predictions - tracks).argmax())
    header = "| genre | " + " | ".join(f"tracks, {p} | predictions, {p}" for p in tables) + " | known faults |"
    return f"""Some genres are predicted more often than they occur. Under `filtered` the largest excess is
{study.labels[most]}, with {percent(predictions[most])} of the CNN's predictions for {percent(tracks[most])} of the
tracks:

{rows(header, cells)}"""


def resolution(study: Study) -> str:
    """Return the comparison of 387 and 660 frames; empty if it was not measured."""
    r = study.resolution
    if r is None:
        return ""
    splits = len(next(iter(r.results.values())))
    few, many = (intervals.outcomes([results]) for results in r.results.values())
    difference = intervals.gap(few, many)
    return f"""## Do 660 frames help more than 387?

The table covers the {r.tracks} tracks with at least {r.min_s:g} s of available audio, over the same {splits} random
splits. Genres are unevenly represented, so the figures differ from those above. Duration and bandwidth of the audio
differ by genre, and a network could learn them: all tracks are cut to {r.min_s:g} s, and bands above {r.limit_hz:g}
Hz are removed. Other traces of sources and codecs affect both rows equally: compare the rows, but do not read either
as an accuracy on genres.

{rows("| network | test accuracy, % |", [[name, cell(summary(x))] for name, x in r.results.items()])}

The gain with more frames is {gap(difference)}, paired by split and artist: {_contains_zero(difference)}."""


def _contains_zero(x: Estimate) -> str:
    return "the interval contains zero" if x.low <= 0 <= x.high else "the interval does not contain zero"


def imitations(study: Study) -> str:
    """Return the section on imitations of songs; empty if there are none."""
    if not study.imitations:
        return ""
    same = sum(row["genre"] is not None and row["genre"] == row["song_genre"] for row in study.imitations)
    as_folder = sum(row["genre"] == row["folder"] for row in study.imitations)
    songs_correct = sum(row["song_genre"] == row["folder"] for row in study.imitations)
    training_data = " ".join(study.training_data.split())
    cells = [
        [row["folder"], row["split"] or "-", row["song_genre"] or "-", row["genre"] or "-"]
        + [f"{row[key]:.3f}" for key in ("first", "last", "audio")]
        for row in study.imitations
    ]
    return f"""## Can the network generate music in the style of a song?

The paper's introduction says that a playable file close to the original can be generated from the style that the
network has learnt. `python -m tools.imitate song.wav -o imitation.wav` does so with the paper's network; the table was
made with version 4 of `edge`. It starts from noise
and optimises a mel spectrogram until the statistics of the network's hidden layers match those of the song
(Gatys et al. 2015); the algorithm of Griffin and Lim (1984) converts it to audio. The distance is the mean over
statistics of their relative squared distance, measured in the same way for the noise, the spectrogram after the last
step and the finished audio. A dash means that the classifier returned no genre (low confidence).

{rows("| song's folder | its split | song's genre | imitation's genre | noise | last step | audio |", cells)}

The classifier assigns {same} of {len(study.imitations)} imitations the same genre as their song, and {as_folder} the
genre of the song's folder, which it assigns to {songs_correct} of the songs themselves.

The classifier is not independent: apart from its last layer it is the network whose statistics were optimised. It was
also trained on some of the songs; the table shows their splits. Its bundle describes the training data:
{training_data}"""
