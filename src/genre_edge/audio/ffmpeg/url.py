"""URLs of network streams: the supported schemes, ffmpeg's names for them, and redaction for messages."""

import re

# No protocol that reads local files or starts programs: a playlist on a server must not name /etc/passwd.
NETWORK_SCHEMES = frozenset(
    ["http", "https", "icecast", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "mms", "mmsh", "mmst"]
)
NETWORK_PROTOCOLS = "http,https,httpproxy,rtsp,rtsps,rtmp,rtmps,rtp,rtcp,srtp,srt,udp,tcp,tls,mmsh,mmst,crypto,data"
# The formats of streams. Without this list ffmpeg decodes web pages as AMR, and other texts as subtitles.
NETWORK_FORMATS = (
    "aac,ac3,aiff,asf,asf_o,au,avi,caf,dash,dts,eac3,flac,flv,hls,live_flv,loas,matroska,mov,mp3,mpeg,mpegts,nsv,nut,"
    "ogg,rm,rtp,rtsp,sdp,truehd,tta,w64,wav,webm,webvtt,wv"  # webvtt: subtitles beside the sound, in HLS
)
SCHEME_ALIASES = {"icecast": "http", "mms": "mmsh"}  # ffmpeg writes to icecast:// but cannot read it, and has no mms://

# HTTP status codes after which further attempts are pointless -> what they mean. Not 403 and 404: a radio that is full,
# or not on the air yet, answers them.
FINAL_STATUS = {
    401: "no access: 401 Unauthorized",
    410: "no audio at this address: 410 Gone",
    451: "no access: 451 Unavailable For Legal Reasons",
}
_STATUS = re.compile(r"(?:Server returned|HTTP error|method [A-Z]+ failed:) (\d{3})\b")
_REFUSED = re.compile(r"method (?:SETUP|PLAY) failed: (?!461)")

# Credentials and keys in URLs, which must not appear in messages
_CREDENTIALS = re.compile(r"//[^/\s]*@")
_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")
# A part of a path that may be a key: 16 characters or more with letters and digits
_PATH_KEY = re.compile(r"/(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[^/]{16,}")


def is_url(source: str) -> bool:
    """Return True if a source is a URL with a scheme that `open_url` supports."""
    return source.partition("://")[0].lower() in NETWORK_SCHEMES and "://" in source


def ffmpeg_url(url: str) -> str:
    """Replace the scheme with ffmpeg's name for it, in lower case."""
    scheme, _, rest = url.partition("://")
    return f"{SCHEME_ALIASES.get(scheme.lower(), scheme.lower())}://{rest}"


def redact_url(url: str) -> str:
    """Return a URL without credentials, query and fragment, for logs and verdicts; only the scheme if ambiguous."""
    scheme, _, rest = url.partition("://")
    location = re.split("[?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(location) :]:  # part of a query, or of a password
        return f"{scheme}://..."
    before, at, after = location.rpartition("@")
    if at and (":" in before or "/" not in before):  # otherwise the @ is part of the path
        location = after
    return f"{scheme}://{location}"


def may_hold_secret(url: str) -> bool:
    """Return True if a URL has credentials, a query or a fragment, or a part of its path that looks like a key."""
    return redact_url(url) != url or _PATH_KEY.search(url.partition("://")[2]) is not None


def redact_text(text: str) -> str:
    """Return a text, such as an error message of ffmpeg, without credentials, queries and fragments of its URLs."""
    return _QUERY.sub(r"\1", _CREDENTIALS.sub("//", text))


def final_reason(text: str) -> str | None:
    """Return why further attempts are pointless, given ffmpeg's error messages; None if they may succeed."""
    if _REFUSED.search(text):  # a camera may refuse to play the sound alone
        return None
    statuses = [int(status) for status in _STATUS.findall(text)]
    return FINAL_STATUS.get(statuses[-1]) if statuses else None
