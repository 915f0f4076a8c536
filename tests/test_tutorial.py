"""docs/tutorial.ipynb: its saved outputs are those of an execution, offline and without TensorFlow."""

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("nbclient", reason="the tutorial needs the extra 'docs'")
pytest.importorskip("ipykernel", reason="the tutorial needs the extra 'docs'")
pytest.importorskip("matplotlib", reason="the tutorial needs the extra 'docs'")
import nbformat
from nbformat import NotebookNode

from tests.conftest import ROOT
from tools import execute_notebook

TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
STAY_OFFLINE = """
import sys

def refuse(event, arguments):
    host = arguments[1][0] if event == "socket.connect" else arguments[0] if event == "socket.getaddrinfo" else None
    if host not in (None, "127.0.0.1"):
        raise RuntimeError(f"{event}: {host}")

sys.addaudithook(refuse)
"""
LIST_HEAVY_MODULES = "print(sorted({'tensorflow', 'keras', 'librosa', 'sklearn', 'torch'} & set(sys.modules)))"


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(cell: NotebookNode) -> list[str]:
    """Return the texts that a cell has printed or displayed."""
    return [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]


def is_similar(a: bytes, b: bytes) -> bool:
    """Return True if two figures have the same size and show nearly the same; details of a few pixels may differ."""
    pictures = [Image.open(io.BytesIO(png)).convert("L") for png in (a, b)]
    if pictures[0].size != pictures[1].size:
        return False
    small = [np.array(picture.resize((64, 32)), float).ravel() for picture in pictures]
    return all(map(np.ptp, small)) and bool(np.corrcoef(small)[0, 1] > 0.9)  # a blank picture has no correlation


def figures(notebook: NotebookNode) -> list[bytes]:
    """Return the figures, PNG."""
    data = [output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs]
    return [base64.b64decode(item["image/png"]) for item in data if "image/png" in item]


def to_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


@pytest.fixture(scope="module")
def saved() -> NotebookNode:
    """The notebook as it is in the project."""
    return nbformat.read(TUTORIAL, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook executed in a copy of its folder, without network; its last cell lists modules."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "docs", project / "docs")
    shutil.copytree(ROOT / "demo", project / "demo")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    first, last = nbformat.v4.new_code_cell(STAY_OFFLINE), nbformat.v4.new_code_cell(LIST_HEAVY_MODULES)
    notebook.cells = [first, *notebook.cells, last]
    path = project / "docs" / TUTORIAL.name
    nbformat.write(notebook, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(project / "ipython"))
        notebook = execute_notebook.execute(path)
    assert {path.name for path in project.iterdir()} <= {"docs", "demo", "ipython"}
    assert len(list((project / "docs").iterdir())) == len(list((ROOT / "docs").iterdir()))
    return notebook


@pytest.mark.slow
def test_tutorial_texts_up_to_date(saved: NotebookNode, executed: NotebookNode) -> None:
    """The saved texts are those of the execution (else: python -m tools.execute_notebook docs/tutorial.ipynb)."""
    old, new = code_cells(saved), code_cells(executed)[1:-1]
    assert [cell.source for cell in old] == [cell.source for cell in new]
    assert [texts(cell) for cell in old] == [texts(cell) for cell in new]


@pytest.mark.slow
def test_tutorial_figures_up_to_date(saved: NotebookNode, executed: NotebookNode) -> None:
    """Each saved figure shows nearly the same as the executed one."""
    old, new = figures(saved), figures(executed)
    assert len(old) == len(new) >= 8
    assert [is_similar(a, b) for a, b in zip(old, new, strict=True)] == [True] * len(old)


def test_figure_comparison(saved: NotebookNode) -> None:
    """The comparison accepts a figure moved by a pixel, and rejects a blank picture and all other figures."""
    pngs = figures(saved)
    for png in pngs:
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        moved, blank = (Image.new("RGB", picture.size, "white") for _ in range(2))
        moved.paste(picture, (1, 1))
        assert is_similar(png, to_png(moved)) and not is_similar(png, to_png(blank))
        assert [other for other in pngs if is_similar(png, other)] == [png]


@pytest.mark.slow
def test_tutorial_without_heavy_modules(executed: NotebookNode) -> None:
    """The tutorial imports neither TensorFlow nor librosa."""
    assert texts(executed.cells[-1]) == ["[]\n"]


def test_tutorial_is_saved_with_outputs(saved: NotebookNode) -> None:
    """The file is valid and complete: all cells were executed in order, no errors, no volatile metadata, few bytes."""
    nbformat.validate(saved)
    cells = code_cells(saved)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds == {"stream", "display_data", "execute_result"}
    assert saved.metadata == execute_notebook.METADATA and not any(cell.metadata for cell in saved.cells)
    assert TUTORIAL.stat().st_size < 500_000
