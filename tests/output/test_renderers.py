"""The output formats: they can be parsed for any file name, and are valid after an interrupt."""

import copy
import csv
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.classify.verdict import GenreProbability, InputInfo, ModelInfo, Segment, StyleProbability, Verdict
from genre_edge.output.formats import FORMATS
from genre_edge.output.json_format import JsonRenderer, json_line
from genre_edge.output.text import from_portable, portable, printable
from tests.conftest import DATA
from tests.helpers.audio import ArraySource, Samples, music, tone
from tests.helpers.bundles import RATE, tiny

SCHEMA = json.loads((DATA / "verdict.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

NAMES = {
    "plain": "song.wav",
    "comma": "a, b,c.wav",
    "quotes": "\"so\" it's 'called'.wav",
    "newlines": "one\ntwo\r\nthree\rfour.wav",
    "spaces": "  leading and trailing  ",
    "unicode": "größe 音楽 🎵 \u202egnp.wav",
    "not utf-8": os.fsdecode(b"caf\xe9 \xff.wav"),
    "terminal": "\x1b[31mred\x1b]0;title\x07\x9b2J\x00\x7f\t.wav",
    "formula": "=1+1.wav",
    "backslash": "C:\\new\\x.wav",
    "looks escaped": "caf\\xe9 \\xff \\x5cxe9.wav",
    "long": "a" * 4000 + ".wav",
}
CHANGED = {"not utf-8": "caf\\xe9 \\xff.wav", "looks escaped": "caf\\x5cxe9 \\x5cxff \\x5cx5cxe9.wav"}


def original(source: str) -> str:
    """Return the path that JSON and CSV wrote as `source`: the expression of docs/cli.md."""
    return os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), source.encode()))


def segment(start_s: float, *genres: tuple[str, float]) -> Segment:
    ranked = [GenreProbability(*genre) for genre in genres]
    answer = (ranked[0].genre, ranked[0].probability, None) if ranked else SILENCE
    return Segment(start_s, start_s + 1, *answer, ranked, sound=None if ranked else "silence")


SILENCE = (None, None, "silence")
RANKED = (("jazz", 0.61), ("blues", 0.25), ("rock", 0.09), ("pop", 0.05))
VERDICT = Verdict(
    **vars(segment(0.0, *RANKED)),
    source="song.wav",
    input=InputInfo(44100, 2, 22050),
    model=ModelInfo("edge", "1", "0" * 64),
    segments=[segment(0.0, *RANKED), segment(1.0), segment(2.0, *RANKED[::-1])],
)
STYLES = [
    StyleProbability("swing", "jazz", 0.4217),
    StyleProbability("blues", None, 0.3),
    StyleProbability("jazz", None, 0.3),
]
STYLED = replace(VERDICT, styles=STYLES, segments=[replace(VERDICT.segments[0], styles=STYLES[:1])])
SPEECH = replace(VERDICT, genre=None, reason="not_music", sound="speech", segments=[])
SILENT = replace(VERDICT, **vars(segment(0.0)), segments=[])


def rendered(format: str, *verdicts: Verdict, top: int | None = None) -> str:
    out = io.StringIO(newline="")
    with FORMATS[format](out, top) as renderer:
        for verdict in verdicts:
            renderer.write(verdict)
    return out.getvalue()


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda verdict: verdict.pop(key)


def test_schema_is_strict() -> None:
    """verdict.schema.json is a valid schema, and rejects wrong verdicts."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    valid = json.loads(json_line(VERDICT, None))
    assert VALIDATOR.is_valid(valid)
    edits: list[Callable[[dict[str, Any]], Any]] = [without(key) for key in valid]
    edits += [
        lambda v: v.update(extra=1),
        lambda v: v["segments"][0].update(extra=1),
        lambda v: v["input"].update(extra=1),
        lambda v: v["model"].pop("sha256"),
        lambda v: v.update(schema_version=1),
        lambda v: v.update(reason="unknown", genre=None),
        lambda v: v.update(reason="silence"),
        lambda v: v.update(genre=None),
        lambda v: v.update(confidence=1.5),
        lambda v: v.update(dropped_samples=0.5),
        lambda v: v["genres"][0].pop("probability"),
        lambda v: v.update(styles=[{"style": "swing", "probability": 0.5}]),
        lambda v: v.update(sound="speech"),  # of music
        lambda v: v["segments"][1].update(sound=None),  # of silence
    ]
    for edit in edits:
        invalid = copy.deepcopy(valid)
        edit(invalid)
        assert not VALIDATOR.is_valid(invalid), invalid


@pytest.mark.parametrize("format", ["json", "jsonl"])
@pytest.mark.parametrize("name", NAMES)
def test_json_conforms_to_schema(format: str, name: str) -> None:
    """JSON conforms to the schema and keeps the source's name."""
    verdicts = [replace(VERDICT, source=NAMES[name]), replace(SILENT, source=NAMES[name], lag_ms=12.5)]
    text = rendered(format, *verdicts)
    verdict_dicts = json.loads(text) if format == "json" else [json.loads(line) for line in text.splitlines()]
    for verdict in verdict_dicts:
        VALIDATOR.validate(verdict)
    shown = CHANGED.get(name, NAMES[name])  # strict JSON readers reject lone surrogates
    assert original(shown) == NAMES[name]
    assert verdict_dicts == [verdict.to_dict() | {"source": shown} for verdict in verdicts]
    assert ("lag_ms" in verdict_dicts[0], verdict_dicts[1]["lag_ms"]) == (False, 12.5)
    assert text.isascii() and (format == "json" or text.count("\n") == 2)


SIGNALS: list[Callable[[], Samples]] = [
    lambda: music(3, RATE),
    lambda: tone(3000, 2, RATE),
    lambda: np.zeros(3 * RATE, dtype=np.float32),
    lambda: tone(440, 0.05, RATE),
    lambda: np.concatenate([tone(150, 1, RATE), np.zeros(RATE, dtype=np.float32)]),
]


@pytest.mark.parametrize("signal", SIGNALS)
def test_json_of_classifier_conforms(signal: Callable[[], Samples]) -> None:
    """JSON of a classifier's own verdicts conforms to the schema."""
    verdicts = [tiny().classify(ArraySource(signal(), RATE), segments=True)]
    verdicts += tiny().stream(ArraySource(signal(), RATE), 0.5)
    for line in rendered("jsonl", *verdicts).splitlines():
        VALIDATOR.validate(json.loads(line))
    assert "lag_ms" not in verdicts[0].to_dict() and "lag_ms" in verdicts[1].to_dict()


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_json_any_length(n: int) -> None:
    """JSON is valid for any number of verdicts, including none."""
    assert json.loads(rendered("json", *[VERDICT] * n)) == [VERDICT.to_dict()] * n
    assert len(rendered("jsonl", *[VERDICT] * n).splitlines()) == n


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_json_valid_after_interrupt(n: int, stop: type[BaseException]) -> None:
    """JSON is valid after an exception between verdicts."""
    out = io.StringIO()
    with pytest.raises(stop), JsonRenderer(out, None) as renderer:
        for _ in range(n):
            renderer.write(VERDICT)
        raise stop
    assert json.loads(out.getvalue()) == [VERDICT.to_dict()] * n


@pytest.mark.parametrize("n", [0, 2])
def test_json_valid_after_unwritable_verdict(n: int) -> None:
    """A verdict that cannot be written leaves the JSON of the others valid."""
    out = io.StringIO()
    with pytest.raises(ValueError), JsonRenderer(out, None) as renderer:
        for _ in range(n):
            renderer.write(VERDICT)
        renderer.write(replace(VERDICT, confidence=float("nan")))
    assert json.loads(out.getvalue()) == [VERDICT.to_dict()] * n


def test_renderers_write_immediately() -> None:
    """Each verdict is written at once."""
    for renderer_class in FORMATS.values():
        out = io.StringIO()
        with renderer_class(out, None) as renderer:
            renderer.write(replace(VERDICT, source="first"))
            assert "first" in out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_csv_round_trip(name: str) -> None:
    """CSV can be parsed for any file name, and has all values."""
    verdict = replace(VERDICT, source=NAMES[name])
    rows = list(csv.DictReader(io.StringIO(rendered("csv", verdict, SILENT), newline="")))
    assert [row["kind"] for row in rows] == ["file", "segment", "segment", "segment", "file"]
    assert None not in rows[0] and all(None not in row.values() for row in rows)  # every row has the header's columns
    assert {row["source"] for row in rows[:4]} == {CHANGED.get(name, NAMES[name])}
    assert original(rows[0]["source"]) == NAMES[name]
    file, _, silent, last, _ = rows
    assert (file["genre"], float(file["confidence"]), file["reason"]) == ("jazz", 0.61, "")
    assert (file["genre_2"], float(file["probability_2"])) == ("blues", 0.25)
    assert (silent["genre"], silent["confidence"], silent["reason"], silent["genre_1"]) == ("", "", "silence", "")
    assert (float(last["start_s"]), float(last["end_s"]), last["genre"]) == (2.0, 3.0, "pop")


@pytest.mark.parametrize("verdict", [STYLED, SPEECH, SILENT, replace(SPEECH, sound=None)], ids=range(4))
def test_json_styles_and_sound(verdict: Verdict) -> None:
    """JSON has the styles and the sound of verdicts and segments."""
    content = json.loads(rendered("jsonl", verdict))
    VALIDATOR.validate(content)
    assert content["sound"] == verdict.sound
    assert [tuple(entry.values()) for entry in content["styles"]] == [
        (entry.style, entry.parent, entry.probability) for entry in verdict.styles
    ]
    assert [len(part["styles"]) for part in content["segments"]] == [len(part.styles) for part in verdict.segments]


def test_csv_styles_and_sound() -> None:
    """The last columns of CSV are the styles and the sound."""
    header, *rows = csv.reader(io.StringIO(rendered("csv", STYLED, SPEECH, SILENT), newline=""))
    assert header[-2:] == ["styles", "sound"]
    assert [row[-2:] for row in rows] == [
        ["swing 0.42; blues 0.30; jazz 0.30", ""],
        ["swing 0.42", ""],
        ["", "speech"],
        ["", "silence"],
    ]


def test_table_styles() -> None:
    """The table lists the likely styles after the genres, without the genre itself."""
    _, line, segment_line = rendered("table", STYLED, top=1).splitlines()
    assert "  jazz 61% · swing, blues  song.wav" in line
    assert "  jazz 61% · swing  " in segment_line
    low = replace(STYLED, genre=None, reason="low_confidence", music_share=0.5)
    assert "low_confidence: jazz 61%, 50% music · swing, blues, jazz  " in rendered("table", low, top=1)


def test_table_sound() -> None:
    """The table names the sound that is no music, instead of genres."""
    line = rendered("table", replace(SPEECH, music_share=0.04)).splitlines()[1]
    assert re.fullmatch(r"- +-  not music: speech, 4% music +  song.wav", line)
    assert "not music: speech" in rendered("table", SPEECH) and "jazz" not in rendered("table", SPEECH)


@pytest.mark.parametrize("format", FORMATS)
def test_renderers_write_valid_unicode(format: str) -> None:
    """All formats can be encoded as UTF-8, for any file name."""
    for name in NAMES.values():
        rendered(format, replace(VERDICT, source=name)).encode("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_table_one_line_per_verdict(name: str) -> None:
    """The table has one printable line for each verdict and segment."""
    text = rendered("table", replace(VERDICT, source=NAMES[name]), SILENT)
    lines = text.split("\n")
    assert len(lines) == 1 + 4 + 1 + 1 and lines[-1] == ""
    assert all(c.isprintable() for line in lines for c in line)
    assert lines[1].split()[:2] == ["jazz", "61%"] and lines[5].split()[:3] == ["-", "-", "silence"]
    assert lines[5].endswith("  song.wav")


PATHS = st.lists(
    st.sampled_from([b"\\", b"x", b"5c", b"e9", b"\xe9", b"\xc3", b"\xa9", b"\n", b"/"]) | st.binary(max_size=3)
)


@settings(max_examples=500, deadline=None)
@given(PATHS.map(b"".join))
def test_portable_is_reversible(path: bytes) -> None:
    """Any path is written as valid Unicode and can be recovered, so that different paths stay different."""
    shown = portable(os.fsdecode(path))
    assert from_portable(shown) == os.fsdecode(path)
    assert os.fsencode(original(shown)) == path
    assert json.loads(json.dumps(shown).encode("ascii")) == shown == shown.encode().decode()
    if b"\\x" not in path and os.fsdecode(path).isprintable():
        assert shown == os.fsdecode(path)


def test_printable_not_utf8() -> None:
    """Different bytes that are not UTF-8 look different on a terminal."""
    assert printable(os.fsdecode(b"caf\xe9\n")) == "caf\\xe9\N{REPLACEMENT CHARACTER}"
    assert printable("\ud800 caf\u202e") == "\\xed\\xa0\\x80 caf\N{REPLACEMENT CHARACTER}"


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=30) | st.binary(max_size=30).map(os.fsdecode))
def test_printable_any_name(name: str) -> None:
    """The result is printable and encodable; printable names are unchanged."""
    try:
        name.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        name = name.encode(errors="replace").decode()  # not a possible file name
    clean = printable(name)
    assert all(c.isprintable() for c in clean)
    assert printable(clean) == clean and (clean == name) == name.isprintable()
    clean.encode()


@pytest.mark.parametrize("format", ["json", "jsonl"])
@pytest.mark.parametrize(("top", "n"), [(1, 1), (3, 3), (4, 4), (99, 4), (None, 4)])
def test_json_top(format: str, top: int | None, n: int) -> None:
    """`top` limits the genres of verdicts and segments in JSON."""
    text = rendered(format, VERDICT, top=top)
    verdict = json.loads(text)[0] if format == "json" else json.loads(text)
    assert [len(part["genres"]) for part in (verdict, *verdict["segments"])] == [n, n, 0, n]
    VALIDATOR.validate(verdict)
    assert len(VERDICT.genres) == 4  # the verdict itself is unchanged


@pytest.mark.parametrize(("top", "n", "columns"), [(1, 1, 1), (2, 2, 2), (99, 4, 99), (None, 3, 3)])
def test_csv_and_table_top(top: int | None, n: int, columns: int) -> None:
    """`top` limits the columns of CSV and the genres of the table."""
    row = next(csv.DictReader(io.StringIO(rendered("csv", VERDICT, top=top))))
    assert len([key for key in row if key.startswith("genre_")]) == columns
    assert len([key for key in row if key.startswith("genre_") and row[key]]) == n
    line = rendered("table", VERDICT, top=top).splitlines()[1]
    assert [genre in line.split(":")[0][24:] for genre, _ in RANKED] == [i < n for i in range(4)]


def test_table_reason_before_genres() -> None:
    """A rejected verdict shows its reason before its genres."""
    low = replace(VERDICT, genre=None, reason="low_confidence")
    line = rendered("table", low).splitlines()[1]
    assert line.split()[:4] == ["-", "61%", "low_confidence:", "jazz"]
    VALIDATOR.validate(json.loads(rendered("jsonl", low)))


def test_table_not_music_has_no_confidence() -> None:
    """A `not_music` verdict shows no confidence of a genre."""
    not_music = replace(VERDICT, genre=None, reason="not_music")
    not_music = replace(not_music, segments=[replace(VERDICT.segments[0], genre=None, reason="not_music")])
    for line in rendered("table", not_music).splitlines()[1:]:
        assert line.split()[:5] == ["-", "-", "not_music:", "jazz", "61%,"]
