"""Audio that is not music: how much of it gets no genre, and how much music is called no music."""

from collections import Counter
from collections.abc import Sequence

from genre_edge.classify.verdict import Segment
from tools.fetch_sounds import TEST_DIFFERENCES
from tools.study.confidence import met
from tools.study.tables import table
from tools.training.report import percent

MIN_REFUSED, MIN_REFUSED_OF_KIND, MAX_MUSIC_REFUSED = 97, 90, 1  # targets, percent


def refused_share(answers: Sequence[Segment]) -> float:
    """Return the share of answers that say that the audio is not music, or silence."""
    return sum(answer.reason in ("not_music", "silence") for answer in answers) / len(answers)


def refusals_table(kinds: dict[str, Sequence[Segment]], music: Sequence[Segment], split: str, has_sounds: bool) -> str:
    """Return the table of how often each kind of audio, and music of the split, gets no genre and why; and the targets.

    Args:
        kinds: answers for audio that is not music, by kind.
        music: answers for the split's tracks.
        split: its name.
        has_sounds: whether the bundle names sounds.
    """
    everything = [answer for answers in kinds.values() for answer in answers]
    rows = []
    for name, answers in {**kinds, "all of these": everything, f"music of split {split}": music}.items():
        reasons = Counter(answer.reason for answer in answers)
        shares = [reasons[reason] / len(answers) for reason in ("not_music", "silence", "low_confidence", None)]
        cells = [name, len(answers), percent(refused_share(answers)), *map(percent, shares)]
        sounds = Counter(answer.sound for answer in answers if answer.sound)
        named = [", ".join(f"{sound} {n}" for sound, n in sounds.most_common())] if has_sounds else []
        rows.append([*cells, *named, TEST_DIFFERENCES.get(name, "")])
    columns = ["audio", "number", "refused", "not_music", "silence", "low_confidence", "genre"]
    columns += ["sound"] if has_sounds else []
    return f"{table([*columns, 'difference from the training data'], rows)}\n\n{_targets(kinds, everything, music)}"


def _targets(kinds: dict[str, Sequence[Segment]], everything: Sequence[Segment], music: Sequence[Segment]) -> str:
    low = {name: refused_share(answers) for name, answers in kinds.items()}
    low = {name: share for name, share in low.items() if 100 * share < MIN_REFUSED_OF_KIND}
    names = f" by {', '.join(f'{name} ({percent(share)})' for name, share in low.items())}" if low else ""
    overall, of_music = refused_share(everything), refused_share(music)
    return (
        f"- At least {MIN_REFUSED} % refused overall: {met(100 * overall >= MIN_REFUSED)} ({percent(overall)}).\n"
        f"- At least {MIN_REFUSED_OF_KIND} % refused of each kind: {met(not low)}{names}.\n"
        f"- At most {MAX_MUSIC_REFUSED} % of music called no music: {met(100 * of_music <= MAX_MUSIC_REFUSED)} "
        f"({percent(of_music)})."
    )
