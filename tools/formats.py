"""Compare what genre-edge hears of every format with other decoders: intact, cut, damaged, joined and odd files.

    python -m tools.formats                                # all formats, a quarter of an hour
    python -m tools.formats --only "ogg opus,flac" --places 5
    python -m tools.formats --without-ffmpeg               # as where ffmpeg is not installed
    python -m tools.formats --write docs/formats.md        # write the table between the page's formats markers

The files are made from demo/song.ogg in a temporary folder. A case passes if all that another decoder (ffmpeg,
libsndfile) gets out is heard to within half a second, or if a warning tells how much was not; for a complete file
there must be no warning. A cut must be noticed where the format declares its length or marks its end. A part of the
cases is classified by the command line, too. Exit code 1 if a case fails; --keep saves the files of those.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from genre_edge.system.atomic_write import write_atomically
from tools.audio_corpus import judge, reference
from tools.audio_corpus.cases import KINDS, Case, CaseMaker
from tools.audio_corpus.command_line import command_line_faults
from tools.audio_corpus.encode import EncodingError
from tools.audio_corpus.formats import FORMATS, Format
from tools.audio_corpus.listen import Outcome, discard_output, listen
from tools.docs.pages import split_page

MARKER = "formats"
HEAD = {
    "intact": "intact",
    "cut": "cut",
    "flipped": "one flipped bit",
    "joined": "joined",
    "joined and damaged": "joined and damaged",
    "stale": "stale sizes",
    "tagged": "tags",
    "renamed": "wrong name",
    "mid-frame": "begins in mid-frame",
}


@dataclass(frozen=True)
class Settings:
    """How the formats are examined.

    Attributes:
        seconds: length of the intact files.
        n_places: number of cuts and of flipped bits.
        seed: seed of the places.
        has_ffmpeg: whether genre-edge finds ffmpeg.
        keep: folder for the files of cases that fail.
    """

    seconds: float = 12.0
    n_places: int = 20
    seed: int = 0
    has_ffmpeg: bool = True
    keep: Path | None = None


@dataclass(frozen=True)
class Result:
    """What was found for one case: its kind, what was changed, seconds in the file and heard, and what is wrong."""

    kind: str
    detail: str
    truth_s: float
    heard_s: float
    fault: str | None


@dataclass(frozen=True)
class FormatResult:
    """The results of one format; `decoder` is the decoder of its intact file, or why there are no results."""

    format: str
    decoder: str
    results: list[Result]


def examine_case(case: Case, settings: Settings, path: Path) -> tuple[Result, Outcome]:
    """Write a case to a file, read it, and judge what was heard."""
    path.write_bytes(case.content)
    truth = judge.truth_s(case, 0.0 if case.built_s is not None else reference.decoded_s(path))
    outcome = listen(path, has_ffmpeg=settings.has_ffmpeg)
    fault = judge.fault(case, truth, settings.seconds, outcome, settings.has_ffmpeg)
    return Result(case.kind, case.detail, truth, outcome.heard_s, fault), outcome


def examine_format(format: Format, settings: Settings) -> FormatResult:
    """Examine all cases of a format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            maker = CaseMaker(format, folder, settings.seconds, settings.seed)
            cases = list(maker.all(settings.n_places))
        except EncodingError as error:
            return FormatResult(format.name, f"not tested: {error}", [])
        results: dict[Path, Result] = {}
        samples: dict[Path, Outcome] = {}
        for index, case in enumerate(cases):
            path = folder / f"{index:06d}-{format.id}-{case.kind}{case.suffix}"
            kinds = {result.kind for result in results.values()}
            results[path], outcome = examine_case(case, settings, path)
            if _is_sample(case, kinds) and not results[path].fault:
                samples[path] = outcome
            elif path.exists():
                path.unlink()
        if samples:
            for path, fault in command_line_faults(samples, settings.has_ffmpeg).items():
                results[path] = replace(results[path], fault=fault)
        if settings.keep:
            _save((case for case, result in zip(cases, results.values(), strict=True) if result.fault), settings.keep)
        path = folder / f"x{format.suffix}"
        path.write_bytes(maker.content)
        return FormatResult(format.name, decoder(listen(path, has_ffmpeg=False)), list(results.values()))


def _save(cases: Iterable[Case], folder: Path) -> None:
    """Save the files of cases."""
    for case in cases:
        what = re.sub(r"\W+", "-", f"{case.format.name} {case.kind} {case.detail}").strip("-")
        (folder / f"{what}{case.suffix}").write_bytes(case.content)


def _is_sample(case: Case, earlier_kinds: set[str]) -> bool:
    """Return True for the first case of a kind, and all flipped bits of samples that can become invalid numbers."""
    return case.kind not in earlier_kinds or (case.kind == "flipped" and case.format.is_float)


def decoder(outcome: Outcome) -> str:
    """Return the decoder of a format, from what is heard of an intact file without ffmpeg."""
    if outcome.error:
        return "ffmpeg" if "needs ffmpeg" in outcome.error else "none"
    return "libsndfile"


def row(found: FormatResult) -> str:
    """Return the table's row of a format: the cases that pass of all cases, per kind."""
    cells = [_cell([result for result in found.results if result.kind == kind]) for kind in KINDS]
    return f"| {found.format} | {found.decoder} | {' | '.join(cells)} |"


def _cell(results: list[Result]) -> str:
    n_passed = sum(result.fault is None for result in results)
    return f"{n_passed} of {len(results)}" if results else ""


def update_table(old: Iterable[str], found: Iterable[FormatResult]) -> Iterator[str]:
    """Yield the lines of the table: new rows, and the old ones of formats that were not examined."""
    rows = {line.split(" | ")[0]: line for line in [*old, *map(row, found)]}
    yield f"| format | decoder | {' | '.join(HEAD[kind] for kind in KINDS)} |"
    yield "|" + " --- |" * (2 + len(KINDS))
    yield from (rows[f"| {format.name}"] for format in FORMATS if f"| {format.name}" in rows)


def faults(found: FormatResult) -> Iterator[str]:
    """Yield a line for each case that fails."""
    for result in found.results:
        if result.fault:
            yield f"{found.format}, {result.kind} {result.detail}: {result.fault}"
    if not found.results:
        yield f"{found.format}: {found.decoder}"


def examine(formats: list[Format], settings: Settings, jobs: int) -> list[FormatResult]:
    """Examine formats in parallel processes, printing the failed cases of each as it is done."""
    found = []
    with ProcessPoolExecutor(jobs, initializer=discard_output) as pool:
        futures = [pool.submit(examine_format, format, settings) for format in formats]
        for future in futures:
            found.append(future.result())
            print(row(found[-1]), *faults(found[-1]), sep="\n", flush=True)
    return found


def chosen(names: str | None) -> list[Format]:
    """Return the formats with these names, separated by semicolons; all if None."""
    if names is None:
        return FORMATS
    wanted = [name.strip() for name in names.split(";")]
    unknown = set(wanted) - {format.name for format in FORMATS}
    if unknown:
        sys.exit(f"formats: unknown: {'; '.join(sorted(unknown))}. Known: {'; '.join(f.name for f in FORMATS)}")
    return [format for format in FORMATS if format.name in wanted]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of formats, separated by semicolons")
    parser.add_argument("--places", type=int, default=20, help="number of cuts and of flipped bits per format")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of the intact files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the places")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--without-ffmpeg", action="store_true", help="run genre-edge where ffmpeg is not installed")
    parser.add_argument("--keep", type=Path, help="folder for the files of cases that fail")
    parser.add_argument("--write", type=Path, help="page to write the table to")
    return parser.parse_args()


def main() -> None:
    """Examine the formats, print the failed cases and write the table. Exit code 1 if a case fails."""
    arguments = _arguments()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        arguments.seconds, arguments.places, arguments.seed, not arguments.without_ffmpeg, arguments.keep
    )
    found = examine(chosen(arguments.only), settings, arguments.jobs)
    if arguments.write:
        before, old, after = split_page(arguments.write, MARKER)
        lines = update_table(old.splitlines(), found)
        write_atomically(arguments.write, "".join([before, *(f"{line}\n" for line in lines), after]).encode())
    n_failed = sum(1 for result in found for _ in faults(result))
    print(f"{n_failed} of {sum(len(result.results) for result in found)} cases fail")
    sys.exit(1 if n_failed else 0)


if __name__ == "__main__":
    main()
