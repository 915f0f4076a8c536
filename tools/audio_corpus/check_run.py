"""Check what `genre-edge classify --format jsonl` wrote about the files of a batch."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jsonschema

from tools.audio_corpus.run_program import Run

SCHEMA = Path(__file__).parents[2] / "tests" / "data" / "verdict.schema.json"
PREFIX = b"genre-edge: "
# The canary lies beside the files that are classified; see `tools.audio_corpus.traps`.
_SKIPPED = b"skipping 1 file without a known audio suffix (.m4s); give their names to classify them"
_INDEX = re.compile(r"/(\d{6})")  # each file's name begins with its number


def index_of(text: str) -> int:
    """Return the number of the file that a path or a message names, -1 for none."""
    found = _INDEX.search(text)
    return int(found[1]) if found else -1


def faults(run: Run, indices: list[int], limit_s: float, memory_mb: float) -> list[str]:
    """Return what is wrong with a run over the files with these numbers, [] if nothing."""
    if run.code is None:
        return [f"no end after {limit_s:.0f} s"]
    if run.code < 0:
        return [f"killed by signal {-run.code}", *_last_line(run.err)]
    return [*_process_faults(run, memory_mb), *_output_faults(run, set(indices))]


def _process_faults(run: Run, memory_mb: float) -> Iterator[str]:
    if run.code not in (0, 1):
        yield f"exit code {run.code}"
    if run.left_children:
        yield "a child process is left"
    for name, used_mb in (("memory", run.memory_mb), ("memory of a child process", run.children_mb)):
        if used_mb > memory_mb:
            yield f"{name}: {used_mb:.0f} MB"


def _output_faults(run: Run, indices: set[int]) -> Iterator[str]:
    """Yield faults of the result lines and message lines: each file has one result, or one error and exit code 1.

    A warning, such as "the file is truncated", may precede the error.
    """
    results: Counter[int] = Counter()
    messages: Counter[int] = Counter()
    yield from _count_results(run.out, results)
    yield from _count_messages(run.err, messages)
    for index in sorted(indices | set(results)):
        if index not in indices:
            yield f"file {index:06d}: a result, although it was not given"
        elif results[index] > 1 or (not results[index] and messages[index] not in (1, 2)):
            yield f"file {index:06d}: {results[index]} results, {messages[index]} messages"
    if run.code == 0 and any(not results[index] for index in indices):
        yield "exit code 0, although a file has no result"


def _count_results(out: bytes, results: Counter[int]) -> Iterator[str]:
    """Count the results of each file; yield lines that are no verdict."""
    schema = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for line in out.splitlines():
        try:
            verdict = json.loads(line, parse_constant=_reject)
        except ValueError:
            yield f"no JSON: {_shown(line)}"
            continue
        yield from (f"not in the schema: {error.message[:200]}" for error in schema.iter_errors(verdict))
        source = verdict.get("source") if isinstance(verdict, dict) else None
        results[index_of(str(source))] += 1


def _count_messages(err: bytes, messages: Counter[int]) -> Iterator[str]:
    """Count the messages about each file; yield lines that are no message."""
    for line in err.splitlines():
        index = index_of(line.decode(errors="replace"))
        if line.startswith(PREFIX) and line.endswith(_SKIPPED):
            continue
        if not line.startswith(PREFIX) or index < 0:
            yield f"not a message about a file: {_shown(line)}"
        else:
            messages[index] += 1


def _reject(constant: str) -> None:
    """Refuse NaN and Infinity, which Python's parser accepts and JSON does not have."""
    raise ValueError(constant)


def _last_line(text: bytes) -> list[str]:
    return [_shown(line) for line in text.splitlines()[-1:]]


def _shown(line: bytes) -> str:
    return line.decode(errors="backslashreplace")[:300]
