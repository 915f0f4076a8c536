"""The parts of docs/reproduction.md that say what the results mean."""

import numpy as np

from tools.paper import analysis, intervals
from tools.paper.intervals import Estimate, summary
from tools.paper.study import Study, cell, gap, rows
from tools.training.report import percent

STEPS = (("random", "clean"), ("clean", "artists"), ("random", "filtered"))


def leaks(study: Study) -> str:
    def step(a: str, b: str, *methods: str) -> str:
        return gap(intervals.gap(study.answers(a, *methods), study.answers(b, *methods)))

    gaps = [[a, b, step(a, b, study.cnn), step(a, b)] for a, b in STEPS]
    kinds = [[x.kind, str(x.tracks), percent(x.right), gap(x.gap) if x.gap else "-"] for x in study.leaks]
    return f"""## What random splits leak

GTZAN holds exact replicas, several excerpts of one recording, and many songs of one artist (Sturm 2013). A random split
puts them into both halves, so that a method is paid for knowing a recording, a voice or a studio. The gaps, with 95 %
intervals as above, paired by artist:

{rows("| from | to | the CNN | mean of all methods |", gaps)}

From `clean` to `artists` tracks and number of training tracks are the same; only the artists are kept apart. `filtered`
also learns from fewer tracks. Within the random splits, by what a test track has in the training half (the CNN, all
splits together). Genres differ in both, in how many artists they have and in how easily they are told, so the last
column compares tracks of the same genre only (genres weighted after Mantel and Haenszel 1959):

{rows("| the test track | tracks | right | more than by another artist, within genres |", kinds)}"""


def confusions(study: Study) -> str:
    tables = {p: analysis.confusion(study.results[study.cnn][p], study.labels) for p in ("random", "filtered")}
    confused = []
    for protocol, table in tables.items():
        pairs = analysis.most_confused(table, study.labels)
        told = ", ".join(f"{a} as {b} ({percent(x)}; {analysis.faults((a, b), study.faults)})" for a, b, x in pairs)
        confused.append(f"Most confused by the CNN, `{protocol}`: {told or 'none'}.")
    share, chance = analysis.within_families(tables["filtered"], study.labels)
    families = "; ".join(", ".join(family) for family in analysis.FAMILIES)
    lowest = ", ".join(f"{g} ({percent(r)})" for g, r in analysis.lowest_recall(tables["filtered"], study.labels))
    return f"""## Are the confusions a person's?

![Confusion matrices](reproduction/confusion.svg)

{confused[0]}

{confused[1]}

In brackets is the share of the genre's tracks, and how many of our tracks of either genre have known faults (Sturm
2013), by which the fault-filtered split leaves them out. Under `filtered` none of them is learnt from or judged by, so
its confusions are not theirs. Sturm shows that the faults do not affect all methods in the same way.

{_sinks(study, tables)}

A person confuses relatives. With the families {families} (chosen before any result was seen), {percent(share)} of the
errors under `filtered` stay within the family; {percent(chance)} would if errors fell evenly on the other genres. So
relatives are confused {"more" if share > chance else "no more"} than chance would have it. The lowest recall there:
{lowest}.

Among the faults are exact replicas, 22 excerpts that come from the same recordings as others, and many by one artist
(35 of reggae's hundred; all of this in the whole of GTZAN, Sturm 2012), which a random split rewards."""


def _sinks(study: Study, tables: dict[str, np.ndarray]) -> str:
    """How often each genre is the answer, against how often it should be."""
    shares = {p: (table.sum(axis=1) / table.sum(), table.sum(axis=0) / table.sum()) for p, table in tables.items()}
    cells = [
        [genre, *(percent(x[i]) for pair in shares.values() for x in pair), str(study.faults.get(genre, 0))]
        for i, genre in enumerate(study.labels)
    ]
    tracks, answers = shares["filtered"]
    most = int((answers - tracks).argmax())
    header = "| genre | " + " | ".join(f"tracks, {p} | answers, {p}" for p in tables) + " | known faults |"
    return f"""A genre that is answered more often than it is there is a sink. Under `filtered` the deepest is
{study.labels[most]}, {percent(answers[most])} of the CNN's answers for {percent(tracks[most])} of the tracks:

{rows(header, cells)}"""


def resolution(study: Study) -> str:
    r = study.resolution
    if r is None:
        return ""
    splits = len(next(iter(r.results.values())))
    few, many = (intervals.answers([results]) for results in r.results.values())
    difference = intervals.gap(few, many)
    return f"""## 387 frames or 660

On the {r.tracks} tracks of which {r.least_s:g} s of audio or more were at hand (unevenly many a genre, so the figures
are not those above), over the same random splits, {splits} in number. Lengths and bandwidth of this audio differ by
genre, and a network could learn those: so all are cut to {r.least_s:g} s, and bands that reach above {r.limit_hz:g} Hz
are left out. What else its sources and codecs leave is in both rows alike: compare the two, and take neither for an
accuracy on genres.

{rows("| network | test accuracy, % |", [[name, cell(summary(x))] for name, x in r.results.items()])}

More frames are worth {gap(difference)}, paired by split and artist: {_verdict(difference)}."""


def _verdict(x: Estimate) -> str:
    return "the interval holds zero" if x.low <= 0 <= x.high else "the interval does not hold zero"


def imitations(study: Study) -> str:
    if not study.imitations:
        return ""
    alike = sum(row["genre"] is not None and row["genre"] == row["song_genre"] for row in study.imitations)
    as_folder = sum(row["genre"] == row["folder"] for row in study.imitations)
    known = sum(row["song_genre"] == row["folder"] for row in study.imitations)
    judge = " ".join(study.judge.split())
    cells = [
        [row["folder"], row["split"] or "-", row["song_genre"] or "-", row["genre"] or "-"]
        + [f"{row[key]:.3f}" for key in ("first", "last", "sound")]
        for row in study.imitations
    ]
    return f"""## The generative remark

The paper's introduction says that a playable file close to the original can be had from the style that the network has
learnt. `tools/imitate.py song.wav -o imitation.wav` does it, with this project's network: from noise, a mel spectrogram
is changed until the statistics of what the network's inner layers hear in it are the song's (Gatys et al. 2015), and
becomes sound by the algorithm of Griffin and Lim (1984). The distance is the mean over statistics of their relative
squared distance, measured in the same way on the noise, on the picture after the last step and on the finished sound.
What the classifier would not name (low confidence) is a dash.

{rows("| song of | its split | heard as | its imitation | noise | after the last step | sound |", cells)}

The classifier gives {alike} of {len(study.imitations)} imitations the genre that it gives their song, and {as_folder}
the genre of the song's folder, which it gives {known} of the songs themselves.

The judge is no stranger: it is the network whose statistics were matched, all but its last layer, and so hears what it
was made to hear. Nor are all songs new to it: their splits are told above, and what it learnt from, its bundle says:
{judge}"""
