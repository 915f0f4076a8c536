"""`Redirect`: hides a URL with a password from the process list.

Every user can see ffmpeg's arguments, and ffmpeg cannot read a URL from elsewhere without other changes: its concat
demuxer, which reads a list from a pipe, turns jumps of timestamps into silence and ends at the first link of a chained
Ogg stream. Therefore ffmpeg gets an address on this machine that redirects to the URL, for processes of this user only.
"""

import os
import re
import secrets
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from genre_edge.system.signals import blocked

_SOCKETS = Path("/proc/net/tcp")
_LOCALHOST = "127.0.0.1"
_REQUEST_TIMEOUT_S = 5.0
_MAX_REQUEST_BYTES = 1 << 14
_SCHEMES = {"http": "http", "https": "http", "rtsp": "rtsp", "rtsps": "rtsp"}  # of the URL -> of its replacement


class Redirect:
    """Server on localhost that redirects this user's HTTP and RTSP requests to a URL, and accepts no others.

    Attributes:
        url: the address to open instead.

    Args:
        url: where to redirect to; `is_supported` is True.

    Raises:
        OSError, RuntimeError: no socket or thread is available.
    """

    def __init__(self, url: str) -> None:
        self._target = url
        self._server = socket.create_server((_LOCALHOST, 0))
        try:
            port = self._server.getsockname()[1]
            scheme = _SCHEMES[url.partition("://")[0]]
            self._path = f"/{secrets.token_hex(8)}"
            self.url = f"{scheme}://{_LOCALHOST}:{port}{self._path}"
            with blocked():
                threading.Thread(target=self._run, name="redirect", daemon=True).start()
        except BaseException:
            self._server.close()
            raise

    @staticmethod
    def is_supported(url: str) -> bool:
        """Return True if ffmpeg follows redirections to a URL, and this system tells whose a connection is."""
        return url.partition("://")[0] in _SCHEMES and _SOCKETS.exists()

    def _run(self) -> None:
        with self._server:
            while True:
                try:
                    client, address = self._server.accept()
                except OSError:
                    return  # closed
                with client, suppress(OSError):
                    if _is_own(address, self._server.getsockname()):
                        self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.settimeout(_REQUEST_TIMEOUT_S)
        request = b""
        while b"\r\n\r\n" not in request and len(request) < _MAX_REQUEST_BYTES:
            if not (data := client.recv(4096)):
                return
            request += data
        target = request.split(b" ", 2)[1:2]
        if not target or not target[0].split(b"?")[0].endswith(self._path.encode()):
            return  # another program of this user, such as a browser
        protocol = "RTSP" if b" RTSP/" in request.partition(b"\r\n")[0] else "HTTP"
        sequence = re.search(rb"^CSeq: *\d+\r\n", request, re.MULTILINE)
        head = f"{protocol}/1.0 302 Found\r\nLocation: {self._target}\r\nContent-Length: 0\r\n".encode()
        client.sendall(head + (sequence[0] if sequence else b"") + b"\r\n")

    def close(self) -> None:
        """Close the server; a second call does nothing."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread


def _is_own(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Return True if the client's end of a connection belongs to this user. Addresses are (host, port)."""
    ends = [
        f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}" for host, port in (client, server)
    ]
    for line in _SOCKETS.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == ends:
            return int(fields[7]) == os.getuid()
    return False
