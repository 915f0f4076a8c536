"""The commands of docs/cluster.md that read results."""

import os
import subprocess
import sys
from pathlib import Path

from genre_edge.library.database import FileRow
from genre_edge.library.exporting import write_parquet
from tests.conftest import ROOT, TIMEOUT_S


def row(name: str, genre: str | None, error: str | None) -> FileRow:
    return FileRow(name, 1, 1, None, "2026-01-01T00:00:00+00:00", "edge 6", "ab", 1.0, error=error, genre=genre)


def test_docs_commands(tmp_path: Path) -> None:
    """One counts genres; one removes the partitions that have an error, and no other."""
    folder = tmp_path / "genres"
    folder.mkdir()
    for name, rows in {
        "part-1.parquet": [row("a.mp3", "jazz", None), row("b.mp3", "jazz", None)],
        "part-2.parquet": [row("c.mp3", "rock", None), row("d.mp3", None, "the file is empty")],
    }.items():
        with (folder / name).open("wb") as out:
            write_parquet(rows, out)
    lines = (ROOT / "docs" / "cluster.md").read_text().splitlines()
    count, remove = (line for line in lines if line.startswith("python -c"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = [
        subprocess.check_output(
            ["bash", "-c", command], cwd=tmp_path, env=os.environ | {"PATH": path}, text=True, timeout=TIMEOUT_S
        )
        for command in (count, remove)
    ]
    assert '["jazz","rock",null]' in printed[0].replace("\n", "").replace(" ", "")
    assert [path.name for path in folder.iterdir()] == ["part-1.parquet"]
