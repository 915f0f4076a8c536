"""What a command dies of decides its exit code, however it ends."""

import pytest

from genre_edge import cli
from genre_edge.cli import serve
from genre_edge.errors import AudioError, GenreEdgeError, ModelError, ParameterError, SourceLostError

pytestmark = pytest.mark.usefixtures("reset_shutdown")


@pytest.mark.parametrize(
    ("kind", "code"),
    [(GenreEdgeError, 1), (AudioError, 1), (ParameterError, 2), (ModelError, 2), (SourceLostError, 3)],
)
def test_a_command_that_ends_well_and_one_that_hangs(
    kind: type[GenreEdgeError], code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def dies() -> None:
        raise kind("radio: gone")

    def leave(status: int) -> None:
        left.append(status)

    left: list[int] = []
    monkeypatch.setattr(cli, "app", dies)
    monkeypatch.setattr(serve.os, "_exit", leave)
    assert cli._run() == kind.exit_code == code
    serve._leave(kind("radio: gone"))
    assert left == [code]
    assert capfd.readouterr().err == 2 * "genre-edge: radio: gone\n"


def test_a_command_that_hangs_at_an_end_that_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(serve.os, "_exit", left.append)
    serve._leave(None)
    assert left == [0]
