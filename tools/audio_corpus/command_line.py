"""Classify one file by the command line, and compare with what was heard of it."""

import json
import os
import sys
from pathlib import Path

from tools.audio_corpus import check_run
from tools.audio_corpus.judge import TOLERANCE_S
from tools.audio_corpus.listen import LIMIT_S, Outcome
from tools.audio_corpus.run_program import run

CLASSIFY = [sys.executable, "-m", "genre_edge", "classify", "--format", "jsonl", "--jobs", "1"]
LIMIT_MB = 250.0


def program_environment(has_ffmpeg: bool) -> dict[str, str]:
    """Return the environment of a child process that finds ffmpeg, or does not."""
    return dict(os.environ) if has_ffmpeg else dict(os.environ, PATH="")


def command_line_fault(path: Path, outcome: Outcome, has_ffmpeg: bool = True) -> str | None:
    """Return what is wrong with the command line's result for a file, None if nothing.

    Args:
        path: the file; its name begins with six digits.
        outcome: what was heard when its source was read.
        has_ffmpeg: whether the program finds ffmpeg.
    """
    done = run([*CLASSIFY, str(path)], LIMIT_S, program_environment(has_ffmpeg))
    found = check_run.faults(done, [int(path.name[:6])], LIMIT_S, LIMIT_MB)
    if found:
        return f"command line: {found[0]}"
    heard_s = json.loads(done.out)["end_s"] if done.out else 0.0
    if bool(done.out) == bool(outcome.error) or abs(heard_s - outcome.heard_s) > TOLERANCE_S:
        said = done.err.decode(errors="replace").strip().replace(f"genre-edge: {path}: ", "")
        return f"command line: {heard_s:.1f} s of {outcome.heard_s:.1f} s classified: {said or 'no message'}"
    if bool(done.err) != bool(outcome.messages or outcome.error):
        return f"command line: {len(done.err.splitlines())} messages, {len(outcome.messages)} in the log"
    return None
