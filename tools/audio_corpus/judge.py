"""The verdict on a case: was all of the audio heard, or was it said how much was not?"""

import re

from tools.audio_corpus.cases import WHOLE_KINDS, Case
from tools.audio_corpus.listen import Outcome

TOLERANCE_S = 0.5
_FIGURE = re.compile(r"(\d+(?:\.\d+)?)(?: of \d+(?:\.\d+)?)? s\b")  # "4.0 s", "4.0 of 12.0 s"


def truth_s(case: Case, decoded_s: float) -> float:
    """Return the seconds of audio in a file: by construction, else what another decoder gets out."""
    return decoded_s if case.built_s is None else case.built_s


def fault(case: Case, truth: float, intact_s: float, outcome: Outcome, has_ffmpeg: bool = True) -> str | None:
    """Return what is wrong with an outcome, None if nothing.

    Args:
        case: the case.
        truth: seconds of audio in the file, as of `truth_s`.
        intact_s: seconds of audio in the intact file.
        outcome: what genre-edge made of it.
        has_ffmpeg: whether genre-edge had ffmpeg; without it, an error that says so is right.
    """
    if outcome.failure:
        return outcome.failure.strip().splitlines()[-1]
    if outcome.error and not has_ffmpeg and "needs ffmpeg" in outcome.error:
        return None
    missing = truth - outcome.heard_s
    if case.kind in WHOLE_KINDS and (has_ffmpeg or case.kind in ("intact", "tagged")):
        return _whole_fault(missing, truth, outcome)
    if outcome.error and truth > TOLERANCE_S:
        return f"no verdict, of {truth:.1f} s: {_reason(outcome.error)}"
    if missing > TOLERANCE_S and not _names_figure(outcome, missing):
        return _heard(truth, outcome)
    lost = intact_s - outcome.heard_s
    if case.kind == "cut" and case.format.marks_end and lost > TOLERANCE_S and not (outcome.messages or outcome.error):
        return f"heard {outcome.heard_s:.1f} of {intact_s:.1f} s, cut without a warning"
    return None


def _heard(truth: float, outcome: Outcome) -> str:
    said = _reason(outcome.messages[0]) if outcome.messages else "no warning"
    return f"heard {outcome.heard_s:.1f} of {truth:.1f} s: {said}"


def _whole_fault(missing: float, truth: float, outcome: Outcome) -> str | None:
    """Return what is wrong with the outcome of a file that is complete and valid."""
    if outcome.error:
        return f"refused: {_reason(outcome.error)}"
    if abs(missing) > TOLERANCE_S:
        return _heard(truth, outcome)
    return f"false warning: {_reason(outcome.messages[0])}" if outcome.messages else None


def _names_figure(outcome: Outcome, missing: float) -> bool:
    """Return True if a warning tells the seconds that were heard, or those that are missing."""
    figures = [float(figure) for message in outcome.messages for figure in _FIGURE.findall(message)]
    return any(
        abs(figure - outcome.heard_s) <= TOLERANCE_S or abs(figure - missing) <= TOLERANCE_S for figure in figures
    )


def _reason(message: str) -> str:
    """Return a message without the file's name."""
    return message.split(": ", 1)[-1]
