"""What a local scan takes for missing, and what it does while folders are watched."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from genre_edge.cli.local_scan import LocalScanner
from genre_edge.library.database import LibraryDatabase
from genre_edge.library.discovery import Filter
from genre_edge.library.scan import Scan
from genre_edge.library.watching import SteadyChanges
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits
from genre_edge.model.prediction import Model
from tests.helpers.audio import music


class Watched:
    """A watched folder with two songs, and the changes that are reported of it."""

    def __init__(self, scanner: LocalScanner, database: LibraryDatabase, folder: Path) -> None:
        self._scanner, self._database, self.folder = scanner, database, folder

    def scan(self) -> None:
        """Scan the folder once."""
        self._scanner.scan(dry_run=False)

    def report(self, *paths: Path, pending: tuple[Path, ...] = ()) -> None:
        """Report changes of paths; of all if there are none."""
        self._scanner._scan_changed(SteadyChanges(frozenset(map(str, paths)), frozenset(map(str, pending))))

    def gone(self) -> dict[str, bool]:
        """Return the paths of all rows below the folder, and whether they are missing."""
        return {str(Path(row.path).relative_to(self.folder)): row.gone_at is not None for row in self._database.rows()}


@pytest.fixture
def watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Watched]:
    folder = tmp_path / "music"
    folder.mkdir()
    for i, name in enumerate(("a.wav", "b.wav")):
        soundfile.write(folder / name, music(4.0, 22050, seed=i), 22050)
    settings = ScanSettings("nano", "nano", Model("nano").bundle.sha256)
    with LibraryDatabase(tmp_path / "a.db") as database:
        scanner = LocalScanner(Scan(database, [folder], settings), Filter(), 1, Limits(300, 1 << 30))
        result = Watched(scanner, database, folder)
        result.scan()
        assert capsys.readouterr().out == "2 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
        yield result


def test_comparison_with_a_broken_link(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken link hides neither a missing nor a moved file, and is named once."""
    (watched.folder / "link.ogg").symlink_to("nowhere")
    (watched.folder / "a.wav").unlink()
    watched.report()
    (watched.folder / "b.wav").rename(watched.folder / "c.wav")
    watched.report()
    assert watched.gone() == {"a.wav": True, "c.wav": False}
    out, err = capsys.readouterr()
    assert out == (
        "0 classified, 0 moved, 1 gone, 1 unchanged, 1 failed\n0 classified, 1 moved, 0 gone, 0 unchanged, 0 failed\n"
    )
    assert err == f"genre-edge: {watched.folder}/link.ogg: broken link\n"


def test_changes_with_an_empty_folder(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """A new folder without audio hides no missing or moved file, and is no error."""
    new, a, b, c = (watched.folder / name for name in ("new", "a.wav", "b.wav", "c.wav"))
    new.mkdir()
    a.unlink()
    b.rename(c)
    watched.report(new, a, b, c)
    assert watched.gone() == {"a.wav": True, "c.wav": False}
    assert capsys.readouterr() == ("0 classified, 1 moved, 1 gone, 0 unchanged, 0 failed\n", "")


def test_pending_files(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """A comparison leaves out files that are being written, and does not take them for missing."""
    a, new = watched.folder / "a.wav", watched.folder / "new.wav"
    soundfile.write(a, music(5.0, 22050, seed=7), 22050)
    soundfile.write(new, music(5.0, 22050, seed=8), 22050)
    watched.report(pending=(a, new))
    assert watched.gone() == {"a.wav": False, "b.wav": False} and capsys.readouterr().out == ""
    watched.report(a, new)
    assert capsys.readouterr().out == "2 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"


def test_missing_root(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is missing or empty, as if a disk is not mounted, has lost no file."""
    away = watched.folder.with_name("away")
    watched.folder.rename(away)
    watched.scan()
    watched.report()
    watched.report(watched.folder / "a.wav")
    watched.folder.mkdir()
    watched.report()
    assert watched.gone() == {"a.wav": False, "b.wav": False}
    assert capsys.readouterr().err == (
        f"genre-edge: {watched.folder}: No such file or directory\n"
        f"genre-edge: {watched.folder}: no audio files in this directory\n"
    )
    watched.folder.rmdir()
    away.rename(watched.folder)
    (watched.folder / "a.wav").unlink()
    watched.report(watched.folder / "a.wav")
    assert watched.gone() == {"a.wav": True, "b.wav": False}
