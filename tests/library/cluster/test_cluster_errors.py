"""Wrong usage and missing parts of a scan with --scheduler: one line each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.mark.slow
def test_tls_without_certificates(cli: Cli, tmp_path: Path) -> None:
    """Missing and wrong certificates are one line."""
    command = ("scan", tmp_path, "--scheduler", "tls://127.0.0.1:9", "--out", tmp_path / "out")
    done = cli(*command)
    assert done.returncode == 1
    assert done.stderr == (
        "genre-edge: tls://127.0.0.1:9: TLS needs certificates in Dask's configuration (docs/cluster.md)\n"
    )
    names = ("CA_FILE", "CLIENT__CERT")
    missing = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(tmp_path / "nowhere.pem") for name in names}
    done = cli(*command, env=os.environ | missing)
    assert done.returncode == 1
    assert done.stderr == (
        "genre-edge: tls://127.0.0.1:9: Dask's configuration of TLS is not valid: No such file or directory\n"
    )


def test_out_hides_credentials(invoke: Cli, tmp_path: Path) -> None:
    """A folder of results that cannot be opened is named without its password."""
    done = invoke("scan", tmp_path, "--scheduler", "tcp://127.0.0.1:9", "--out", "nosuch://me:secret@nas/out")
    assert done.returncode == 1 and "nosuch://nas/out: " in done.stderr and "secret" not in done.stderr


def test_wrong_usage(invoke: Cli, tmp_path: Path) -> None:
    """Options of the two kinds of scan do not mix."""
    address = ("--scheduler", "tcp://127.0.0.1:9")
    for arguments, message in (
        (address, "--scheduler needs --out"),
        ((*address, "--out", tmp_path, "--db", tmp_path / "a.db"), "--db is not available with --scheduler"),
        ((*address, "--out", tmp_path, "--watch"), "--watch is not available with --scheduler"),
        ((), "--db is needed, or --scheduler and --out"),
        (("--db", tmp_path / "a.db", "--out", tmp_path), "--out needs --scheduler"),
    ):
        done = invoke("scan", tmp_path, *arguments)
        assert (done.returncode, done.stderr) == (2, f"genre-edge: {message}\n")
    for address in ("nonsense", "tcp://host", "http://host:1", "tcp://:8786"):
        done = invoke("scan", tmp_path, "--scheduler", address, "--out", tmp_path)
        assert done.returncode == 2 and "--scheduler must be an address such as" in done.stderr
    done = invoke("scan", tmp_path, "--db", tmp_path / "a.db", "--watch", "--dry-run")
    assert (done.returncode, done.stderr) == (2, "genre-edge: --watch and --dry-run exclude each other\n")
    done = invoke("scan", "s3://key:secret@songs/a", "--db", tmp_path / "a.db")
    assert done.returncode == 2 and "a URL needs --scheduler and --out" in done.stderr and "secret" not in done.stderr


def test_no_scheduler(tmp_path: Path) -> None:
    """A scheduler that does not answer is one line."""
    program = (
        "from genre_edge.library.cluster import client\nclient.CONNECT_S = 1.0\n"
        "from genre_edge.__main__ import main\nmain()"
    )
    arguments = ["scan", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("genre-edge: tcp://127.0.0.1:9: no Dask scheduler answers: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("module", "message"), [("distributed", "--scheduler needs Dask"), ("fsspec", "needs fsspec")])
def test_missing_package(module: str, message: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['{module}'] = None; from genre_edge.__main__ import main; main()"
    out = tmp_path / "out" if module == "distributed" else "memory://out"
    arguments = ["scan", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9", "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr and "pip install 'genre-edge[cluster]'" in done.stderr
    assert done.stderr.count("\n") == 1
