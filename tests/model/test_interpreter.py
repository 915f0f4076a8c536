"""The TensorFlow Lite runtime: what is reported if it cannot be imported."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from genre_edge.diagnostics import doctor
from genre_edge.errors import GenreEdgeError
from genre_edge.model import interpreter

PACKAGE = "ai_edge_litert"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ('raise ImportError("/lib/libc.so.6: version `GLIBC_2.27\' not found")', "version `GLIBC_2.27' not found"),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_runtime_cannot_be_loaded(statement: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an installed runtime cannot be imported, the error and `doctor` show the reason."""
    package = ModuleType(PACKAGE)
    package.__path__ = [str(tmp_path)]
    (tmp_path / "interpreter.py").write_text(statement)
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    monkeypatch.delitem(sys.modules, f"{PACKAGE}.interpreter", raising=False)
    with pytest.raises(GenreEdgeError) as caught:
        interpreter.create(b"")
    assert str(caught.value).startswith("the TensorFlow Lite runtime cannot be loaded: ")
    assert str(caught.value).endswith(reason)
    finding = doctor.runtime()
    assert (finding.state, finding.value) == ("bad", str(caught.value))
    assert finding.advice == "install another version of ai-edge-litert"


def test_runtime_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no runtime, the error says how to install it."""
    for name in (PACKAGE, f"{PACKAGE}.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GenreEdgeError, match="runtime is not installed: pip install ai-edge-litert "):
        interpreter.create(b"")
