"""tools/bench_mel.py: that it runs and that its figures make sense; never how fast anything is."""

import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = [sys.executable, "-m", "tools.bench_mel"]
PAGE = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a quick run left its report, its chart and its tables."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "page.md").write_text(PAGE)
    outputs = ["--json", "report.json", "--chart", "chart.svg", "--write", "page.md"]
    command = [*BENCH, "--quick", "--only", "ours,r2c,numpy", *outputs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for part in value.values():
            yield from numbers(part)
    else:
        yield value


def test_every_contestant_has_positive_finite_figures(report: dict[str, Any]) -> None:
    assert report["absent"] == {}
    assert list(report["setups"]) == ["A", "B"]
    for setup in report["setups"].values():
        assert set(setup["contestants"]) == {"ours", "r2c", "numpy"}
        for figures in setup["contestants"].values():
            assert all(math.isfinite(number) and number > 0 for number in numbers(figures))


def test_a_ratio_is_of_the_best(report: dict[str, Any]) -> None:
    for setup in report["setups"].values():
        ours, r2c, numpy = (setup["contestants"][name] for name in ("ours", "r2c", "numpy"))
        assert ours["frame_to_ours"] == ours["hop_to_ours"] == r2c["frame_to_r2c"] == 1
        assert numpy["hop_to_ours"] == numpy["us_per_hop"]["best"] / ours["us_per_hop"]["best"]
        assert ours["hop_to_r2c"] == ours["us_per_hop"]["best"] / r2c["us_per_frame"]["best"]
        assert "us_per_hop" not in r2c
        for figures in (ours, numpy):
            assert all(
                figures[f"us_per_{kind}"]["best"] <= figures[f"us_per_{kind}"]["median"] for kind in ("frame", "hop")
            )


def test_batch_and_stream_give_librosa_s_decibels(report: dict[str, Any]) -> None:
    for setup in report["setups"].values():
        assert setup["contestants"]["ours"]["max_db_difference"] < 5e-4
        assert setup["contestants"]["numpy"]["max_db_difference"] < 5e-4


def test_the_report_says_where_it_was_measured(report: dict[str, Any]) -> None:
    assert all(report["machine"][key] for key in ("processor", "os", "python", "lanes", "fftw"))
    assert {"genre-edge", "librosa", "numpy"} <= set(report["versions"])
    assert report["rounds"] > 0


def test_the_page_s_tables_are_the_report_s(folder: Path, report: dict[str, Any]) -> None:
    from tools.bench_mel import parse
    from tools.docs.pages import split_page

    before, tables, after = split_page(folder / "page.md", "bench")
    assert (before + after).replace("\n", " ") == PAGE.replace("old\n", "").replace("\n", " ")
    assert tables == (folder / "stdout").read_text()
    assert report["machine"]["processor"] in tables
    found = parse(tables)
    assert list(found) == [setup["title"] for setup in report["setups"].values()]
    for setup in report["setups"].values():
        rows = found[setup["title"]]
        assert set(rows) == {report["labels"][name] for name in setup["contestants"]}
        us, to_r2c, to_ours, *_ = rows[report["labels"]["numpy"]]
        figures = setup["contestants"]["numpy"]
        for written, exact in ((us, figures["us_per_frame"]["best"]), (to_r2c, figures["frame_to_r2c"])):
            assert written == pytest.approx(exact, rel=0.05, abs=0.01)
        assert to_ours == pytest.approx(figures["frame_to_ours"], rel=0.05, abs=0.01)
        assert rows[report["labels"]["r2c"]][3:6] == (None, None, None)


def test_the_chart_names_everybody(folder: Path, report: dict[str, Any]) -> None:
    text = "".join(ET.parse(folder / "chart.svg").getroot().itertext())
    assert all(label in text for label in report["labels"].values())


def test_what_cannot_be_done_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("no markers\n")
    for arguments, complaint in (
        (["--only", "ours,theirs"], "unknown: theirs"),
        (["--write", "page.md"], "has no lines"),
    ):
        done = subprocess.run([*BENCH, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr
