"""A preloaded library that lets writes fail."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fail_io(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled library; tests/library/fail_io.c describes its variables."""
    if (compiler := shutil.which("gcc") or shutil.which("cc")) is None:
        pytest.skip("a C compiler is missing: it builds the library that lets writes fail")
    library = tmp_path_factory.mktemp("fail_io") / "fail_io.so"
    source = Path(__file__).with_name("fail_io.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library
