"""Execute a notebook in its folder and write it back with its outputs.

    python -m tools.execute_notebook docs/tutorial.ipynb

The file then has no metadata that differ from run to run or from machine to machine, nothing of standard error, and
figures with a palette, which makes them small.
"""

import argparse
import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from genre_edge.system.atomic_write import write_atomically

TIMEOUT_S = 600  # for one cell, and for the kernel's start
N_COLOURS = 256  # of a figure
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> NotebookNode:
    """Execute a notebook from empty outputs in the file's folder and return it, without changing the file.

    Raises:
        CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=TIMEOUT_S,
        startup_timeout=TIMEOUT_S,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    return tidy(notebook)


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Remove metadata of kernel and cells and messages on standard error, and shrink the figures."""
    notebook.metadata.clear()
    notebook.metadata.update(METADATA)
    for cell in notebook.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = with_palette(output.data["image/png"])
    return notebook


def with_palette(png: str) -> str:
    """Return a figure, PNG in base64, with a palette."""
    packed = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        image.convert("RGB").quantize(N_COLOURS).save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    path = parser.parse_args().notebook
    try:
        notebook = execute(path)
    except CellExecutionError as error:
        sys.exit(f"error: {path}: {error}")
    write_atomically(path, f"{nbformat.writes(notebook)}\n".encode())


if __name__ == "__main__":
    main()
