"""tools.bench_mel: its report, tables and chart are complete and consistent. No test asserts a speed."""

import contextlib
import io
import json
import math
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tools import bench_mel
from tools.docs.pages import split_page
from tools.peers.benchmark import Effort

pytestmark = pytest.mark.slow
PAGE = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a quick benchmark once; the folder holds its report, chart, page and stdout."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "page.md").write_text(PAGE)
    outputs = ["--json", "report.json", "--chart", "chart.svg", "--write", "page.md"]
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ):
        patch.chdir(folder)
        patch.setattr(bench_mel, "QUICK", Effort(rounds=2, burst_seconds=1e-3, starts=1))
        patch.setattr(sys, "argv", ["bench_mel.py", "--quick", "--only", "ours,r2c,numpy", *outputs])
        with contextlib.redirect_stdout(io.StringIO()) as stdout:
            bench_mel.main()
    (folder / "stdout").write_text(stdout.getvalue())
    yield folder


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return content


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for part in value.values():
            yield from numbers(part)
    else:
        yield value


def test_report_figures_are_positive_and_finite(report: dict[str, Any]) -> None:
    """All implementations are measured with both setups."""
    assert report["absent"] == {}
    assert list(report["setups"]) == ["A", "B"]
    for setup in report["setups"].values():
        assert set(setup["contestants"]) == {"ours", "r2c", "numpy"}
        for figures in setup["contestants"].values():
            assert all(math.isfinite(number) and number > 0 for number in numbers(figures))


def test_report_ratios_compare_best_times(report: dict[str, Any]) -> None:
    """Ratios are quotients of best times; a hop is compared with one FFT."""
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


def test_report_decibels_match_librosa(report: dict[str, Any]) -> None:
    """Batch and stream are within 5e-4 dB of librosa's decibels in float64."""
    for setup in report["setups"].values():
        assert setup["contestants"]["ours"]["max_db_difference"] < 5e-4
        assert setup["contestants"]["numpy"]["max_db_difference"] < 5e-4


def test_report_names_machine_and_versions(report: dict[str, Any]) -> None:
    """The report has processor, system, library versions and number of rounds."""
    assert all(report["machine"][key] for key in ("processor", "os", "python", "lanes", "fftw"))
    assert {"genre-edge", "librosa", "numpy"} <= set(report["versions"])
    assert report["rounds"] > 0


def test_page_tables_match_report(folder: Path, report: dict[str, Any]) -> None:
    """The page and stdout have the same tables, whose parsed figures are those of the report."""
    before, tables, after = split_page(folder / "page.md", "bench")
    assert (before + after).replace("\n", " ") == PAGE.replace("old\n", "").replace("\n", " ")
    assert tables == (folder / "stdout").read_text() == bench_mel.tables(report)
    assert report["machine"]["processor"] in tables
    parsed = bench_mel.parse(tables)
    assert list(parsed) == [setup["title"] for setup in report["setups"].values()]
    for setup in report["setups"].values():
        rows = parsed[setup["title"]]
        assert set(rows) == {report["labels"][name] for name in setup["contestants"]}
        us, to_r2c, to_ours, *_ = rows[report["labels"]["numpy"]]
        figures = setup["contestants"]["numpy"]
        for written, exact in ((us, figures["us_per_frame"]["best"]), (to_r2c, figures["frame_to_r2c"])):
            assert written == pytest.approx(exact, rel=0.05, abs=0.01)
        assert to_ours == pytest.approx(figures["frame_to_ours"], rel=0.05, abs=0.01)
        assert rows[report["labels"]["r2c"]][3:6] == (None, None, None)


def test_chart_names_all_implementations(folder: Path, report: dict[str, Any]) -> None:
    """The chart has the label of every implementation."""
    text = "".join(ET.parse(folder / "chart.svg").getroot().itertext())
    assert all(label in text for label in report["labels"].values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--only", "ours,theirs"], "unknown: theirs"), (["--write", "page.md"], "has no lines")],
)
def test_bench_bad_arguments_fail_before_measuring(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Unknown implementations and pages without markers end the program before the measurement."""
    (tmp_path / "page.md").write_text("no markers\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_mel, "measure", None)
    monkeypatch.setattr(sys, "argv", ["bench_mel.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        bench_mel.main()
    assert ended.value.code not in (None, 0)
    assert message in f"{ended.value.code}{capsys.readouterr().err}"
