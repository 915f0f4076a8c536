"""The load test of a cluster, with few files: the commands of docs/cluster.md start the cluster."""

from pathlib import Path

import pytest

from tools.library import cluster_load


@pytest.mark.slow
def test_cluster_load(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file has one row, and the memory of both processes is measured."""
    monkeypatch.setattr("sys.argv", ["cluster_load", "--files", "90", "--workers", "1"])
    cluster_load.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "90 classified, 0 unchanged, 0 failed"
    assert " 90 rows; peak: scheduler " in lines[-1]


def test_scheduler_that_ends(tmp_path: Path) -> None:
    """A scheduler that does not start ends the test."""
    with (
        cluster_load.dask("scheduler", "--no-such-option") as process,
        pytest.raises(SystemExit, match="the scheduler has ended with exit code 2"),
    ):
        cluster_load.scheduler_address(process, tmp_path / "scheduler.json")
