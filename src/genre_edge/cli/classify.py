"""`genre-edge classify`: the genre of files."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from genre_edge.cli.messages import print_message
from genre_edge.cli.options import (
    DEFAULT_STYLES,
    ModelOption,
    RawOption,
    StylesOption,
    ThresholdOption,
    TopOption,
    VocabularyName,
    VocabularyOption,
)
from genre_edge.errors import AudioError, ParameterError
from genre_edge.system import signals

if TYPE_CHECKING:
    from concurrent.futures import Future

    from genre_edge.classify.classifier import Classifier
    from genre_edge.classify.verdict import Verdict

_PENDING_PER_JOB = 4  # limits the number of results that wait for an earlier, slower file


class OutputFormat(str, Enum):
    """Output formats of verdicts."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def classify(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, directories, glob patterns, or - for standard input."),
    ],
    format: Annotated[OutputFormat, typer.Option(help="Output format.")] = OutputFormat.table,
    top: TopOption = None,
    segments: Annotated[bool, typer.Option("--segments", help="Also list the genre of every few seconds.")] = False,
    model: ModelOption = "edge",
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Number of files to process in parallel.")] = 1,
    threshold: ThresholdOption = None,
    styles: StylesOption = DEFAULT_STYLES,
    vocabulary: VocabularyOption = VocabularyName.genres,
    raw: RawOption = None,
) -> None:
    """Classify the genre of music files. Exit code 1 if a file fails; the other files are still classified.

    A file with several names is classified once.
    """
    from genre_edge.audio.paths import STDIN, expand_all
    from genre_edge.classify.classifier import Classifier
    from genre_edge.output.formats import FORMATS

    _check_standard_input(paths.count(STDIN), raw)
    items = list(expand_all(paths))
    jobs = min(jobs, len(items))
    # A bad --model fails before any work.
    classifiers = [Classifier(model, threshold, vocabulary.value, styles) for _ in range(jobs)]
    thread_local = threading.local()

    def process(item: str | AudioError) -> "Verdict | AudioError":
        if isinstance(item, AudioError):
            return item
        if not hasattr(thread_local, "classifier"):
            thread_local.classifier = classifiers.pop()
        return _classify_item(thread_local.classifier, item, segments, raw)

    n_failed = 0
    signals.raise_interrupt()
    try:
        with FORMATS[format.value](sys.stdout, top) as renderer:
            for result in _with_progress_bar(_ordered_map(process, items, jobs), len(items)):
                if isinstance(result, AudioError):
                    n_failed += 1
                    print_message(result)
                else:
                    renderer.write(result)
                    sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.flush()
        os._exit(130)  # do not wait for worker threads: their results are discarded
    raise typer.Exit(1 if n_failed else 0)


def _check_standard_input(n_mentions: int, raw: str | None) -> None:
    from genre_edge.audio.pipe import parse_raw

    if n_mentions > 1:
        raise ParameterError("standard input (-) can be given only once")
    if raw is not None:
        parse_raw(raw)
        if not n_mentions:
            raise ParameterError("--raw describes standard input: give - as the path")


def _classify_item(classifier: "Classifier", item: str, segments: bool, raw: str | None) -> "Verdict | AudioError":
    from genre_edge.audio.paths import STDIN

    try:
        if item != STDIN:
            return classifier.classify(item, segments)
        from genre_edge.audio.opening import open_standard_input  # files need none of the live sources

        return classifier.classify(open_standard_input(raw), segments)
    except AudioError as error:
        return error


def _ordered_map(
    process: Callable[[str | AudioError], "Verdict | AudioError"], items: list[str | AudioError], jobs: int
) -> Iterator["Verdict | AudioError"]:
    """Yield the results in the order of the items, processing up to `jobs` items in parallel."""
    if jobs == 1:
        yield from map(process, items)
        return
    from concurrent.futures import ThreadPoolExecutor  # imports logging and more; one job needs none of it

    pool = ThreadPoolExecutor(jobs)  # threads suffice: the C core, the decoders and the network release the GIL
    pending: deque[Future[Verdict | AudioError]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(process, item))
            if len(pending) >= _PENDING_PER_JOB * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _with_progress_bar(results: Iterable["Verdict | AudioError"], total: int) -> Iterable["Verdict | AudioError"]:
    """Show a progress bar on stderr for several files, if stderr is a terminal and stdout is not."""
    if total < 2 or not sys.stderr.isatty() or sys.stdout.isatty():
        return results
    from rich.console import Console
    from rich.progress import track

    return track(results, total=total, description="classifying", console=Console(stderr=True))
