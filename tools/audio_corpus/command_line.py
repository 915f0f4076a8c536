"""Classify files by the command line, and compare with what was heard of them."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

from tools.audio_corpus import check_run
from tools.audio_corpus.judge import TOLERANCE_S
from tools.audio_corpus.listen import LIMIT_S, Outcome
from tools.audio_corpus.run_program import Run, run

CLASSIFY = [sys.executable, "-m", "genre_edge", "classify", "--format", "jsonl", "--jobs", "1"]
LIMIT_MB = 250.0


def program_environment(has_ffmpeg: bool) -> dict[str, str]:
    """Return the environment of a child process that finds ffmpeg, or does not."""
    return dict(os.environ) if has_ffmpeg else dict(os.environ, PATH="")


def command_line_faults(heard: dict[Path, Outcome], has_ffmpeg: bool = True) -> dict[Path, str]:
    """Return what is wrong with the command line's results for files, by file; a fault of the run counts for the first.

    Args:
        heard: the files, whose names begin with six digits, and what was heard when their source was read.
        has_ffmpeg: whether the program finds ffmpeg.
    """
    limit_s = LIMIT_S * len(heard)
    done = run([*CLASSIFY, *map(str, heard)], limit_s, program_environment(has_ffmpeg))
    if found := check_run.faults(done, [check_run.index_of(str(path)) for path in heard], limit_s, LIMIT_MB):
        return {next(iter(heard)): f"command line: {found[0]}"}
    faults = {path: _difference(path, outcome, done) for path, outcome in heard.items()}
    return {path: f"command line: {fault}" for path, fault in faults.items() if fault}


def _difference(path: Path, outcome: Outcome, done: Run) -> str | None:
    """Return how the result and the messages for a file differ from its outcome; None if they agree."""
    verdicts = {verdict["source"]: verdict for verdict in map(json.loads, done.out.splitlines())}
    messages = defaultdict(list)
    for line in done.err.decode(errors="replace").splitlines():
        messages[check_run.index_of(line)].append(line.split(": ", 2)[-1])
    said = messages[check_run.index_of(str(path))]
    verdict = verdicts.get(str(path))
    heard_s = verdict["end_s"] if verdict else 0.0
    if (verdict is None) != (outcome.error is not None) or abs(heard_s - outcome.heard_s) > TOLERANCE_S:
        return f"{heard_s:.1f} s of {outcome.heard_s:.1f} s classified: {'; '.join(said) or 'no message'}"
    said_later = [text for text in said if "invalid" in text]  # samples that the source passed on
    if len(said) - len(said_later) != len(outcome.messages) + (outcome.error is not None):
        return f"{len(said)} messages, {len(outcome.messages)} in the log"
    return None
