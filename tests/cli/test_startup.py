"""The start of commands: the modules that they load, the threads that they start, and the list of commands."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

import genre_edge
from genre_edge.cli import app
from genre_edge.cli.command_group import COMMANDS
from tests.conftest import TIMEOUT_S, Cli

HEAVY = {"numpy", "soundfile", "soxr", "ai_edge_litert", "tflite_runtime", "PIL", "sounddevice", "tensorflow", "pyfftw"}
HEAVY |= {"starlette", "uvicorn", "paho", "prometheus_client", "sqlite3", "mutagen", "pyarrow", "timeit", "rich"}
OTHER_FORMATS = {f"genre_edge.audio.containers.{name}" for name in ("asf", "flac", "mpeg", "ogg", "truncation")}


def after_command(arguments: list[str], expression: str) -> str:
    """Return the value of an expression in a new process that has run a command."""
    program = (
        f"import gc, os, sys; sys.argv = ['genre-edge', *{arguments!r}]\n"
        "from genre_edge.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print({expression})"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    assert done.stderr == ""
    return done.stdout.splitlines()[-1]


def loaded_modules(arguments: list[str], modules: set[str]) -> list[str]:
    """Return which of the modules a new process has loaded after a command."""
    name, *loaded = after_command(arguments, f"'loaded:', *sorted({modules!r} & set(sys.modules))").split()
    assert name == "loaded:"
    return loaded


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_global_options_load_no_command(option: str) -> None:
    """`--help` and `--version` load no command, and no package that is slow to import."""
    commands = {f"genre_edge.cli.{name}" for name in COMMANDS}
    assert loaded_modules([option], HEAVY | commands | {"importlib.metadata"}) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_command_help_loads_one_command(name: str) -> None:
    """The help of a command loads no other command, and no package that is slow to import."""
    others = {f"genre_edge.cli.{other}" for other in COMMANDS if other != name}
    assert loaded_modules([name, "--help"], HEAVY | others) == []


@pytest.mark.slow
def test_classify_loads_no_tensorflow_or_pyfftw(song: Path) -> None:
    """`classify` imports no package of training, of optional features or for terminals."""
    assert loaded_modules(["classify", str(song)], {"tensorflow", "pyfftw", "librosa", "scipy", "PIL", "rich"}) == []


@pytest.mark.slow
def test_classify_wav_loads_no_other_format(song: Path, song_wav: Path) -> None:
    """The containers of other formats, and excerpts, are imported for files that need them."""
    unused = OTHER_FORMATS | {"genre_edge.audio.excerpts", "genre_edge.classify.excerpts"}
    assert loaded_modules(["classify", str(song_wav)], unused) == []
    assert "genre_edge.audio.containers.ogg" in loaded_modules(["classify", str(song)], unused)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_classify_starts_no_thread(song_wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file is classified in one thread: numpy's OpenBLAS starts none, which would spin."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert after_command(["classify", str(song_wav)], "len(os.listdir('/proc/self/task'))") == "1"


@pytest.mark.slow
def test_classify_collects_little_garbage(song_wav: Path) -> None:
    """The garbage collector hardly runs during imports, and leaves all objects alone when the interpreter ends."""
    counts = "sum(each['collections'] for each in gc.get_stats()), len(gc.get_objects()), gc.get_freeze_count()"
    n_collections, n_objects, n_frozen = after_command(["classify", str(song_wav)], f"*[{counts}]").split()
    assert int(n_collections) <= 50 and int(n_frozen) > 10 * int(n_objects)


def test_blas_threads_of_user_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of OpenBLAS threads that the user has set is not changed."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert after_command(["models"], "os.environ['OPENBLAS_NUM_THREADS']") == "3"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_list_has_first_sentences(name: str) -> None:
    """The list of commands in `--help` has the first sentence of each command's help, on one line."""
    group = typer.main.get_command(app)
    help_text = " ".join(group.get_command(None, name).help.split())  # type: ignore[attr-defined]
    assert f"{help_text} ".startswith(f"{COMMANDS[name]} ") and COMMANDS[name].endswith(".")
    assert ". " not in COMMANDS[name]


def test_help_lists_commands(invoke: Cli) -> None:
    """`--help` lists all commands in order, in plain text."""
    out = invoke("--help").stdout
    names = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines() if line[2:3].strip()]
    assert names == list(COMMANDS)
    assert out.isascii()


def test_unknown_command_suggests_others(invoke: Cli) -> None:
    """A misspelt command is wrong usage, with a suggestion."""
    done = invoke("clasify", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'clasify'" in done.stderr and "Did you mean 'classify'" in done.stderr


def test_version_is_that_of_the_package(invoke: Cli) -> None:
    """`--version` prints the version of the installed package."""
    assert genre_edge.__version__ == version("genre-edge")
    assert invoke("--version").stdout == f"genre-edge {version('genre-edge')}\n"
