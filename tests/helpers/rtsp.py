"""RTSP server that simulates a camera with sound: interleaved RTP over TCP, 8 kHz mu-law."""

import base64
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

PACKET = 160  # samples: 20 ms
_AUDIO = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:audio\r\n"
_VIDEO = "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\na=control:video\r\n"


class Camera:
    """Camera on localhost.

    Attributes:
        url: its address.
        requests: the first lines and the URLs of all requests, as "METHOD track".
        authorizations: the values of the header Authorization.

    Args:
        has_sound: False for a camera without sound.
        needs_video: refuse to play the sound alone.
        seconds: length of the sound, sent at once; then the connection stays open.
        status: answer to DESCRIBE instead of a description, such as "404 Not Found".
        credentials: USER:PASSWORD that DESCRIBE needs; "" for none.
    """

    def __init__(
        self,
        *,
        has_sound: bool = True,
        needs_video: bool = False,
        seconds: float = 20,
        status: str = "",
        credentials: str = "",
    ) -> None:
        self._expected = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        self._sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n" + _VIDEO
        self._sdp += _AUDIO if has_sound else ""
        self._needs_video, self._n_packets, self._status = needs_video, round(seconds * 8000 / PACKET), status
        self.requests: list[str] = []
        self.authorizations: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/camera"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        channels: dict[str, int] = {}
        with client, client.makefile("rb") as lines, suppress(OSError):
            while request := self._read_request(lines.readline):
                method, track, transport, sequence = request
                self.requests.append(f"{method} {track}")
                status, headers, body = self._answer(method, track, transport, channels)
                head = f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
                client.sendall((head + body).encode())
                if method == "PLAY" and status.startswith("200") and "audio" in channels:
                    threading.Thread(target=self._play, args=(client, channels["audio"]), daemon=True).start()

    def _read_request(self, readline: Callable[[], bytes]) -> tuple[str, str, str, str] | None:
        first = readline().decode(errors="replace")
        if not first:
            return None
        headers = dict(line.split(": ", 1) for line in iter(lambda: readline().decode().strip(), ""))
        if "Authorization" in headers:
            self.authorizations.append(headers["Authorization"])
        method, url, _ = first.split(" ", 2)
        return method, url.rsplit("/", 1)[-1], headers.get("Transport", ""), headers.get("CSeq", "0")

    def _answer(self, method: str, track: str, transport: str, channels: dict[str, int]) -> tuple[str, str, str]:
        if method == "DESCRIBE":
            if self._status:
                return self._status, "", ""
            if self._expected and self._expected not in self.authorizations:
                return "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n', ""
            return "200 OK", f"Content-Type: application/sdp\r\nContent-Base: {self.url}/\r\n", self._sdp
        if method == "SETUP":
            interleaved = re.search(r"interleaved=(\d+)-", transport)
            if not interleaved:
                return "461 Unsupported Transport", "", ""
            channels[track] = int(interleaved[1])
            return "200 OK", f"Session: 1\r\nTransport: {transport}\r\n", ""
        if method == "PLAY" and self._needs_video and "video" not in channels:
            return "454 Session Not Found", "", ""
        return "200 OK", "Session: 1\r\n", ""

    def _play(self, client: socket.socket, channel: int) -> None:
        with suppress(OSError):
            for i in range(self._n_packets):
                rtp = struct.pack(">BBHII", 0x80, 0, i & 0xFFFF, i * PACKET & 0xFFFFFFFF, 1) + bytes([i % 256]) * PACKET
                client.sendall(struct.pack(">cBH", b"$", channel, len(rtp)) + rtp)

    def close(self) -> None:
        self._server.close()
