"""Compare what genre-edge hears of every format with other decoders: intact, cut, damaged, joined and odd files.

    python -m tools.formats                                # all formats, about ten minutes
    python -m tools.formats --only "ogg opus,flac" --places 5
    python -m tools.formats --write docs/formats.md        # write the table between the page's formats markers

The files are made from demo/song.ogg in a temporary folder. A case passes if all that another decoder (ffmpeg,
libsndfile) gets out is heard to within half a second, or if a warning tells how much was not; for a complete file
there must be no warning. A cut must be noticed where the format declares its length. Exit code 1 if a case fails.
Cases that fail are listed, and saved with --keep.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from genre_edge.system.atomic_write import write_atomically
from tools.audio_corpus import judge, reference
from tools.audio_corpus.cases import KINDS, Case, CaseMaker
from tools.audio_corpus.encode import EncodingError
from tools.audio_corpus.formats import FORMATS, Format
from tools.audio_corpus.listen import Outcome, listen
from tools.docs.pages import split_page

MARKER = "formats"
HEAD = {
    "intact": "intact",
    "cut": "cut",
    "flipped": "one flipped bit",
    "joined": "joined",
    "stale": "stale sizes",
    "tagged": "tags",
    "renamed": "wrong name",
    "mid-frame": "begins in mid-frame",
}


@dataclass(frozen=True)
class Result:
    """What was found for one case.

    Attributes:
        kind: kind of the case.
        detail: what was changed.
        truth_s: seconds of audio in the file.
        heard_s: seconds that genre-edge heard.
        warned: whether there was a warning or an error.
        fault: what is wrong; None if the case passes.
    """

    kind: str
    detail: str
    truth_s: float
    heard_s: float
    warned: bool
    fault: str | None


@dataclass(frozen=True)
class FormatResult:
    """The results of one format; `decoder` is the decoder of its intact file, or why there are no results."""

    format: str
    decoder: str
    results: list[Result]


def examine_case(case: Case, intact_s: float, folder: Path) -> tuple[Result, Path]:
    """Write a case to a file in a folder, read it, and judge what was heard."""
    path = folder / f"{case.format.id}{case.suffix}"
    path.write_bytes(case.content)
    truth = judge.truth_s(case, 0.0 if case.built_s is not None else reference.decoded_s(path))
    outcome = listen(path)
    fault = judge.fault(case, truth, intact_s, outcome)
    warned = bool(outcome.messages or outcome.error)
    return Result(case.kind, case.detail, truth, outcome.heard_s, warned, fault), path


def examine_format(format: Format, seconds: float, n_places: int, seed: int, keep: Path | None) -> FormatResult:
    """Examine all cases of a format; save the files of those that fail in the folder `keep`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            maker = CaseMaker(format, folder, seconds, seed)
            cases = list(maker.all(n_places))
        except EncodingError as error:
            return FormatResult(format.name, f"not tested: {error}", [])
        results = []
        for index, case in enumerate(cases):
            result, path = examine_case(case, seconds, folder)
            results.append(result)
            if result.fault and keep:
                path.rename(keep / f"{format.id}-{case.kind}-{index}{case.suffix}")
        decoder, fault = _without_ffmpeg(maker.intact(), folder)
        if fault:
            results[0] = replace(results[0], fault=results[0].fault or fault)
        return FormatResult(format.name, decoder, results)


def _without_ffmpeg(case: Case, folder: Path) -> tuple[str, str | None]:
    """Return the decoder of an intact file, and what is wrong where ffmpeg is not installed."""
    path = folder / f"{case.format.id}{case.suffix}"
    path.write_bytes(case.content)
    with mock.patch.dict(os.environ, PATH=""):
        outcome = listen(path)
    return decoder_of(outcome, case)


def decoder_of(outcome: Outcome, case: Case) -> tuple[str, str | None]:
    """Return the decoder and the fault, from the outcome of an intact file without ffmpeg."""
    if outcome.error and "needs ffmpeg" in outcome.error:
        return "ffmpeg", None
    assert case.built_s is not None
    return "libsndfile", judge.fault(case, case.built_s, case.built_s, outcome)


def row(found: FormatResult) -> str:
    """Return the table's row of a format: cases that pass and all cases, per kind; warnings for cut and flipped."""
    if not found.results:
        return f"| {found.format} | {found.decoder} |" + " |" * len(KINDS)
    cells = [_cell([result for result in found.results if result.kind == kind]) for kind in KINDS]
    return f"| {found.format} | {found.decoder} | {' | '.join(cells)} |"


def _cell(results: list[Result]) -> str:
    if not results:
        return ""
    n_passed = sum(result.fault is None for result in results)
    return f"{n_passed} of {len(results)}"


def table(found: Iterable[FormatResult]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| format | decoder | {' | '.join(HEAD[kind] for kind in KINDS)} |"
    yield "|" + " --- |" * (2 + len(KINDS))
    for result in found:
        yield row(result)


def faults(found: FormatResult) -> Iterator[str]:
    """Yield a line for each case that fails."""
    for result in found.results:
        if result.fault:
            yield f"{found.format}, {result.kind} {result.detail}: {result.fault}"
    if not found.results:
        yield f"{found.format}: {found.decoder}"


def examine(formats: list[Format], arguments: argparse.Namespace) -> list[FormatResult]:
    """Examine formats in parallel processes, printing the failed cases of each as it is done."""
    found = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        futures = [
            pool.submit(examine_format, format, arguments.seconds, arguments.places, arguments.seed, arguments.keep)
            for format in formats
        ]
        for future in futures:
            found.append(future.result())
            print(row(found[-1]), *faults(found[-1]), sep="\n", flush=True)
    return found


def _chosen(names: str | None) -> list[Format]:
    """Return the formats with these names, separated by commas; all if None."""
    if names is None:
        return FORMATS
    wanted = [name.strip() for name in names.split(",")]
    unknown = set(wanted) - {format.name for format in FORMATS}
    if unknown:
        sys.exit(f"formats: unknown: {', '.join(sorted(unknown))}; known: {'; '.join(f.name for f in FORMATS)}")
    return [format for format in FORMATS if format.name in wanted]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of formats, separated by commas")
    parser.add_argument("--places", type=int, default=20, help="number of cuts and of flipped bits per format")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of the intact files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the places")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--keep", type=Path, help="folder for the files of cases that fail")
    parser.add_argument("--write", type=Path, help="page to write the table to")
    return parser.parse_args()


def main() -> None:
    """Examine the formats, print the failed cases and write the table. Exit code 1 if a case fails."""
    arguments = _arguments()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    found = examine(_chosen(arguments.only), arguments)
    if arguments.write:
        before, _, after = split_page(arguments.write, MARKER)
        write_atomically(arguments.write, f"{before}{chr(10).join(table(found))}\n{after}".encode())
    n_failed = sum(1 for result in found for _ in faults(result))
    n = sum(len(result.results) for result in found)
    print(f"{n_failed} of {n} cases fail")
    sys.exit(1 if n_failed else 0)


if __name__ == "__main__":
    main()
