"""Service notifications to systemd: sd_notify(3). Without systemd they do nothing."""

import contextlib
import os
import socket


class Notifier:
    """Client of systemd's notification socket.

    Removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment, so that child processes do not use them.

    Attributes:
        watchdog_s: watchdog timeout in seconds, within which systemd requires the next `WATCHDOG=1`
            (sd_watchdog_enabled(3)); None without a watchdog.
    """

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: abstract socket
        usec, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        is_for_this_process = not pid or pid == str(os.getpid())
        is_enabled = is_for_this_process and usec.isdecimal() and int(usec) > 0
        self.watchdog_s = int(usec) / 1e6 if is_enabled else None

    def notify(self, *states: str) -> None:
        """Send states such as READY=1. Errors are ignored: the service works without systemd."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.setblocking(False)
            channel.sendto("\n".join(states).encode(), self._address)
