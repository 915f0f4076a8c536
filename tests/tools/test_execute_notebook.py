"""tools/execute_notebook.py: outputs written in place, the same bytes each time; a failing cell changes nothing."""

from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="the tutorial needs the extra 'docs'")
pytest.importorskip("ipykernel", reason="the tutorial needs the extra 'docs'")
pytest.importorskip("matplotlib", reason="the tutorial needs the extra 'docs'")
import nbformat

from tests.helpers.training import run_main
from tools import execute_notebook

pytestmark = pytest.mark.slow
CELLS = [
    "import sys\nprint('first', end=' ')\nprint('second')\nprint('a message', file=sys.stderr)",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "open('note.txt').read()",
]


def write_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook without outputs."""
    cells = [nbformat.v4.new_code_cell(source, id=f"c{i}", metadata={"x": 1}) for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"author": "x"}), path)
    return path


def test_execute_notebook_in_place(tmp_path: Path) -> None:
    """The notebook is executed in its folder, without standard error and metadata; a second run changes nothing."""
    (tmp_path / "note.txt").write_text("from the folder")
    path = write_notebook(tmp_path / "a.ipynb", *CELLS)
    assert run_main(execute_notebook, path).code == 0
    first = path.read_bytes()
    assert run_main(execute_notebook, path).code == 0 and path.read_bytes() == first
    notebook = nbformat.read(path, as_version=4)
    printed, drawn, read = notebook.cells
    assert [output.text for output in printed.outputs] == ["first second\n"]
    assert set(drawn.outputs[0].data) == {"image/png", "text/plain"}
    assert read.outputs[0].data["text/plain"] == "'from the folder'"
    assert notebook.metadata == execute_notebook.METADATA and not any(cell.metadata for cell in notebook.cells)


def test_execute_notebook_failing_cell(tmp_path: Path) -> None:
    """A cell that fails ends the program with its error, and the file stays as it is."""
    path = write_notebook(tmp_path / "a.ipynb", "print('done')", "1 / 0")
    before = path.read_bytes()
    done = run_main(execute_notebook, path)
    assert done.code == 1 and "ZeroDivisionError" in done.stderr and str(path) in done.stderr
    assert path.read_bytes() == before
