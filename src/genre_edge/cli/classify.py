"""`genre-edge classify`: the genre of files."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from genre_edge.cli.options import ModelOption, RawOption, ThresholdOption, TopOption
from genre_edge.errors import AudioError, ParameterError
from genre_edge.system import signals

if TYPE_CHECKING:
    from genre_edge.classify.classifier import Classifier
    from genre_edge.classify.verdict import Verdict


class Format(str, Enum):
    """How results are written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def classify(
    paths: Annotated[list[str], typer.Argument(help="Files, directories, patterns, or - for standard input.")],
    format: Annotated[Format, typer.Option(help="How results are written.")] = Format.table,
    top: TopOption = None,
    segments: Annotated[bool, typer.Option("--segments", help="Also the genre of every few seconds.")] = False,
    model: ModelOption = "edge",
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Files at a time.")] = 1,
    threshold: ThresholdOption = None,
    raw: RawOption = None,
) -> None:
    """Tell the genre of music files. Exit code 1 if a file failed; the others are still done."""
    from genre_edge.audio.paths import STDIN, expand
    from genre_edge.classify.classifier import Classifier
    from genre_edge.output.formats import FORMATS

    _check_stdin(paths.count(STDIN), raw)
    items = list(dict.fromkeys(item for path in paths for item in expand(path)))  # each file once
    jobs = min(jobs, len(items))
    spare = [Classifier(model, threshold) for _ in range(jobs)]  # now: a bad --model is told before any work
    local = threading.local()

    def work(item: str | AudioError) -> "Verdict | AudioError":
        if isinstance(item, AudioError):
            return item
        if not hasattr(local, "classifier"):
            local.classifier = spare.pop()
        return _one(local.classifier, item, segments, raw)

    failed = 0
    signals.raise_interrupt()
    try:
        with FORMATS[format.value](sys.stdout, top) as renderer:
            for outcome in _progress(_in_order(work, items, jobs), len(items)):
                if isinstance(outcome, AudioError):
                    failed += 1
                    _complain(outcome)
                else:
                    renderer.write(outcome)
                    sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.flush()
        os._exit(130)  # at once: what other threads still decode is wanted by nobody
    raise typer.Exit(1 if failed else 0)


def _check_stdin(mentions: int, raw: str | None) -> None:
    from genre_edge.audio.pipe import parse_raw

    if mentions > 1:
        raise ParameterError("standard input (-) can be given once")
    if raw is not None:
        parse_raw(raw)
        if not mentions:
            raise ParameterError("--raw describes standard input: give - as the path")


def _one(classifier: "Classifier", item: str, segments: bool, raw: str | None) -> "Verdict | AudioError":
    from genre_edge.audio.opening import open_standard_input
    from genre_edge.audio.paths import STDIN

    try:
        return classifier.classify(open_standard_input(raw) if item == STDIN else item, segments)
    except AudioError as error:
        return error


def _in_order(
    work: Callable[[str | AudioError], "Verdict | AudioError"], items: list[str | AudioError], jobs: int
) -> Iterator["Verdict | AudioError"]:
    """Outcomes in the order of items, at most `jobs` at work and a few waiting."""
    if jobs == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(jobs)  # the C core, the decoders and the network all release the GIL
    pending: deque[Future[Verdict | AudioError]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= 4 * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _complain(error: AudioError) -> None:
    from genre_edge.output.text import one_line

    print(f"genre-edge: {one_line(str(error))}", file=sys.stderr)


def _progress(outcomes: Iterable["Verdict | AudioError"], total: int) -> Iterable["Verdict | AudioError"]:
    """A bar on stderr for more than one file, if somebody is looking and results go elsewhere."""
    if total < 2 or not sys.stderr.isatty() or sys.stdout.isatty():
        return outcomes
    from rich.console import Console
    from rich.progress import track

    return track(outcomes, total=total, description="classifying", console=Console(stderr=True))
