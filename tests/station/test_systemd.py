"""Notifier: the socket of sd_notify(3) and the watchdog timeout."""

import os
import socket
from pathlib import Path

import pytest

from genre_edge.station.systemd import Notifier
from tests.conftest import TIMEOUT_S


def test_notify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """States arrive in one datagram; child processes do not inherit the socket's address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(TIMEOUT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        Notifier().notify("READY=1", "STATUS=serving")
        assert systemd.recv(4096) == b"READY=1\nSTATUS=serving"
    assert "NOTIFY_SOCKET" not in os.environ


def test_notify_without_linux_constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full socket costs no time and no error, also on systems that set its mode by a call of its own."""
    monkeypatch.delattr(socket, "SOCK_NONBLOCK")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = Notifier()
        for _ in range(10_000):  # more than a socket holds
            notifier.notify("WATCHDOG=1")
        assert systemd.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@genre-edge-nowhere"])
def test_notify_without_systemd(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a listening socket, `notify` raises no error, and the variable is still removed."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    Notifier().notify("READY=1")
    assert "NOTIFY_SOCKET" not in os.environ


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [("2000000", "", 2.0), ("2000000", "1", None), ("0", "", None), ("", "", None), ("-5", "", None), ("x", "", None)],
)
def test_watchdog_s(usec: str, pid: str, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout is read from the environment, if it is valid and for this process."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert Notifier().watchdog_s == expected
