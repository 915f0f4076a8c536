"""Text files that name other files or addresses, and a canary that notices when one of those is opened."""

import ctypes
import os
import socket
from pathlib import Path
from types import TracebackType

_IN_OPEN, _IN_NONBLOCK = 0x20, 0x800  # see inotify(7)
NEIGHBOUR = "neighbour.m4s"  # ffmpeg's HLS demuxer accepts the suffix; `classify DIR` does not read it

# {file}: name of a file in the same folder; {path}: its absolute path; {url}: address of a local web server
PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{file}\n#EXT-X-ENDLIST\n",
    "hls without an end": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\n{file}\n",
    "hls, absolute": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{path}\n#EXT-X-ENDLIST\n",
    "hls, network": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "hls, key": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{path}"\n#EXTINF:1,\n{file}\n',
    "hls, map": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="{file}"\n#EXTINF:1,\n{file}\n#EXT-X-ENDLIST\n',
    "hls, master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}/x.m3u8\n",
    "hls, concat": "#EXTM3U\n#EXTINF:1,\nconcat:{path}|{url}\n#EXT-X-ENDLIST\n",
    "hls, subfile": "#EXTM3U\n#EXTINF:1,\nsubfile,,start,0,end,0,,:{path}\n#EXT-X-ENDLIST\n",
    "m3u": "{file}\n{path}\n{url}\n",
    "extended m3u": "#EXTM3U\n#EXTINF:1,title\nfile:{path}\n#EXTINF:1,title\n{url}\n",
    "ffconcat": "ffconcat version 1.0\nfile {file}\nduration 1\n",
    "ffconcat, absolute": "ffconcat version 1.0\nfile '{path}'\n",
    "ffconcat, network": "ffconcat version 1.0\nfile '{url}'\n",
    "pls": "[playlist]\nNumberOfEntries=1\nFile1={file}\nLength1=-1\nVersion=2\n",
    "pls, network": "[playlist]\nNumberOfEntries=1\nFile1={url}\nLength1=-1\nVersion=2\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "xspf": '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track><location>'
    "file://{path}</location></track></trackList></playlist>",
    "asx": '<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    "wpl": '<?wpl version="1.0"?><smil><body><seq><media src="{file}"/></seq></body></smil>',
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="1">'
    '<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "smooth streaming": '<SmoothStreamingMedia MajorVersion="2"><StreamIndex Url="{url}"/></SmoothStreamingMedia>',
    "ram": "rtsp://127.0.0.1:9/x\n{url}\n",
    "asf reference": "[Reference]\nRef1={url}\nRef2=file://{path}\n",
    "rtsptext": "RTSPtextrtsp://127.0.0.1:9/x\n",
    "cue": 'FILE "{file}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "ffmetadata": ";FFMETADATA1\ntitle=x\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\n",
    "web page": '<!DOCTYPE html><html><body><audio src="{url}"></audio></body></html>\n',
    "redirect": "HTTP/1.1 302 Found\r\nLocation: {url}\r\n\r\n",
    "vapoursynth": "import vapoursynth as vs\nclip = vs.core.ffms2.Source('{path}')\nclip.set_output()\n",
    "avisynth": 'DirectShowSource("{path}")\n',
    "imf": '<?xml version="1.0"?><AssetMap><Id>urn:uuid:0</Id><AssetList><Path>{file}</Path></AssetList></AssetMap>',
}  # fmt: skip


def playlist(kind: str, folder: Path, url: str) -> bytes:
    """Return the text of a playlist that names the canary's file and address."""
    text = PLAYLISTS[kind]
    return text.replace("{file}", NEIGHBOUR).replace("{path}", str(folder / NEIGHBOUR)).replace("{url}", url).encode()


class Canary:
    """A file in a folder and a listening socket; `touched` tells whether somebody opened one of them.

    Args:
        folder: folder of the files to test.
        content: content of the file: valid audio, so that a playlist that names it plays.
    """

    def __init__(self, folder: Path, content: bytes) -> None:
        path = folder / NEIGHBOUR
        path.write_bytes(content)
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(_IN_NONBLOCK)
        if self._watch < 0 or libc.inotify_add_watch(self._watch, os.fsencode(path), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x.ts"

    def touched(self) -> str | None:
        """Return what was opened since the last call; None if nothing."""
        found = []
        try:
            os.read(self._watch, 1 << 16)
            found.append("a neighbouring file was opened")
        except BlockingIOError:
            pass
        try:
            while True:
                self._socket.accept()[0].close()
                found.append("a network connection was made")
        except BlockingIOError:
            pass
        return found[0] if found else None

    def close(self) -> None:
        """Stop watching."""
        os.close(self._watch)
        self._socket.close()

    def __enter__(self) -> "Canary":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
