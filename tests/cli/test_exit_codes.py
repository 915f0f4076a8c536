"""The exit code follows from the error, whether the process exits normally or immediately."""

import pytest

from genre_edge import cli
from genre_edge.cli import serve
from genre_edge.errors import AudioError, GenreEdgeError, ModelError, ParameterError, SourceLostError

pytestmark = pytest.mark.usefixtures("reset_shutdown")


@pytest.mark.parametrize(
    ("error", "code"),
    [(GenreEdgeError, 1), (AudioError, 1), (ParameterError, 2), (ModelError, 2), (SourceLostError, 3)],
)
def test_exit_code_of_error(
    error: type[GenreEdgeError], code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both ways to exit print the error and use its exit code."""

    def fail() -> None:
        raise error("radio: lost")

    codes: list[int] = []
    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(serve.os, "_exit", codes.append)
    assert cli._run() == error.exit_code == code
    serve._exit_immediately(error("radio: lost"))
    assert codes == [code]
    assert capfd.readouterr().err == 2 * "genre-edge: radio: lost\n"


def test_exit_immediately_without_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An intended end with a blocked thread has exit code 0."""
    codes: list[int] = []
    monkeypatch.setattr(serve.os, "_exit", codes.append)
    serve._exit_immediately(None)
    assert codes == [0]
