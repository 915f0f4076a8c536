"""What systemd wants to hear of a service (sd_notify(3)); without systemd all of it does nothing."""

import contextlib
import os
import socket


class Notifier:
    """Reads NOTIFY_SOCKET and WATCHDOG_USEC once.

    Attributes:
        watchdog_s: how long systemd waits for `WATCHDOG=1` before it kills; None if it does not.
    """

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")  # it is meant for us and not for our children
        self._address = "\0" + address[1:] if address.startswith("@") else address
        micros, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog_s = int(micros) / 1e6 if ours and micros.isdecimal() and int(micros) > 0 else None

    def tell(self, *lines: str) -> None:
        """Send lines such as READY=1. A systemd that does not listen is no trouble of ours."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel,
        ):
            channel.sendto("\n".join(lines).encode(), self._address)
