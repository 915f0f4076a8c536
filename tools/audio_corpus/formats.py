"""The formats that genre-edge reads, each with an encoder."""

from dataclasses import dataclass

from tools.audio_corpus.encode import Audio, Encode, dsf, ffmpeg, libsndfile, quiet_start, song

# Formats that ffmpeg decodes and that are not tested: it cannot encode them, or they are large. By its demuxer's name
NOT_TESTED = {
    "aea": "ATRAC1",
    "amr": "AMR",
    "ape": "Monkey's Audio",
    "dtshd": "DTS-HD",
    "dv": "DV, 3.6 MB a second",
    "iff": "DSDIFF",
    "libopenmpt": "modules",
    "mpc": "Musepack",
    "nsv": "NSV",
    "oma": "ATRAC3",
    "shn": "Shorten",
    "tak": "TAK",
    "vqf": "TwinVQ",
    "wav": "ATRAC3 in WAV",
    "wsd": "WSD",
    "xwma": "xWMA",
}
_PICTURE = ("-map", "0:v", "-map", "1:a", "-c:v")
H264 = (*_PICTURE, "libx264", "-preset", "ultrafast")
MPEG2 = (*_PICTURE, "mpeg2video", "-r", "25")
MPEG4 = (*_PICTURE, "mpeg4")
THEORA = (*_PICTURE, "libtheora")
WMV2 = (*_PICTURE, "wmv2")
FLV1 = (*_PICTURE, "flv")


@dataclass(frozen=True)
class Format:
    """Container and codec.

    Attributes:
        name: name in tables.
        suffix: usual suffix, with the dot.
        encode: writes samples to a file.
        rate, channels: of the samples to encode.
        marks_end: the file declares its length, or has an end mark: a cut can be noticed.
        joins: files of this format can be joined end to end.
        tags: tags that may precede or follow the audio: "id3v1", "id3v2", "ape", "chunk".
        quiet_start: encode with a quiet first quarter, so that a length estimated from the first frames is wrong.
        is_float: a flipped bit can make a sample infinite or not a number.
    """

    name: str
    suffix: str
    encode: Encode
    rate: int = 44100
    channels: int = 2
    marks_end: bool = True
    joins: bool = False
    tags: tuple[str, ...] = ()
    quiet_start: bool = False
    is_float: bool = False

    @property
    def id(self) -> str:
        """Name without spaces, for file names."""
        return self.name.replace(" ", "-").replace("/", "-").replace(",", "")

    def audio(
        self, seconds: float, start_s: float = 0.0, rate: int | None = None, channels: int | None = None
    ) -> Audio:
        """Return a part of the song, with this format's rate and channels unless others are given."""
        audio = song(seconds, rate or self.rate, channels or self.channels, start_s)
        return quiet_start(audio) if self.quiet_start else audio


def _wav(name: str, subtype: str, *, format: str = "WAV") -> Format:
    return Format(
        f"wav {name}",
        ".wav",
        libsndfile(format, subtype),
        tags=("id3v1", "chunk"),
        is_float=subtype in ("FLOAT", "DOUBLE"),
    )


_MP3_TAGS = ("id3v1", "id3v2", "ape")
_MP3 = ("-c:a", "libmp3lame", "-f", "mp3")

LIBSNDFILE_FORMATS = [
    _wav("pcm 8 bit", "PCM_U8"),
    _wav("pcm 16 bit", "PCM_16"),
    _wav("pcm 24 bit", "PCM_24"),
    _wav("pcm 32 bit", "PCM_32"),
    _wav("float", "FLOAT"),
    _wav("double", "DOUBLE"),
    _wav("u-law", "ULAW"),
    _wav("A-law", "ALAW"),
    _wav("IMA ADPCM", "IMA_ADPCM"),
    _wav("MS ADPCM", "MS_ADPCM"),
    Format("wav GSM", ".wav", libsndfile("WAV", "GSM610"), 8000, 1),
    _wav("extensible", "PCM_24", format="WAVEX"),
    Format("rf64", ".rf64", libsndfile("RF64", "PCM_16")),
    Format("w64", ".w64", libsndfile("W64", "PCM_16")),
    Format("aiff", ".aiff", libsndfile("AIFF", "PCM_16"), tags=("id3v1", "chunk")),
    Format("aifc float", ".aifc", libsndfile("AIFF", "FLOAT"), tags=("chunk",), is_float=True),
    Format("aifc little-endian", ".aifc", libsndfile("AIFF", "PCM_16", "LITTLE")),
    Format("au", ".au", libsndfile("AU", "PCM_16")),
    Format("au u-law", ".snd", libsndfile("AU", "ULAW"), 8000, 1),
    Format("caf pcm", ".caf", libsndfile("CAF", "PCM_16")),
    Format("caf float", ".caf", libsndfile("CAF", "FLOAT"), is_float=True),
    Format("caf alac", ".caf", libsndfile("CAF", "ALAC_16")),
    Format("svx", ".svx", libsndfile("SVX", "PCM_16"), 44100, 1),
    Format("voc", ".voc", libsndfile("VOC", "PCM_16")),
    Format("ircam", ".ircam", libsndfile("IRCAM", "PCM_16"), marks_end=False),
    Format("nist", ".nist", libsndfile("NIST", "PCM_16")),
    Format("avr", ".avr", libsndfile("AVR", "PCM_16")),
    Format("paf", ".paf", libsndfile("PAF", "PCM_16"), marks_end=False),
    Format("pvf", ".pvf", libsndfile("PVF", "PCM_16"), marks_end=False),
    Format("htk", ".htk", libsndfile("HTK", "PCM_16"), 16000, 1),
    Format("sds", ".sds", libsndfile("SDS", "PCM_16"), 44100, 1),
    Format("xi", ".xi", libsndfile("XI", "DPCM_16"), 44100, 1, marks_end=False),
    Format("wve", ".wve", libsndfile("WVE", "ALAW"), 8000, 1),
    Format("flac", ".flac", libsndfile("FLAC", "PCM_16"), joins=True, tags=("id3v1", "id3v2")),
    Format("flac 24 bit", ".flac", libsndfile("FLAC", "PCM_24"), 48000, joins=True, tags=("id3v1", "id3v2")),
    Format("ogg vorbis", ".ogg", ffmpeg("-c:a", "libvorbis", "-f", "ogg"), joins=True),
    Format("ogg opus", ".opus", ffmpeg("-c:a", "libopus", "-f", "ogg"), 48000, joins=True),
    Format("mp3 CBR", ".mp3", ffmpeg("-b:a", "128k", *_MP3, "-id3v2_version", "3"), joins=True, tags=_MP3_TAGS),
    Format("mp3 VBR", ".mp3", ffmpeg("-q:a", "4", *_MP3), joins=True, tags=_MP3_TAGS, quiet_start=True),
    Format(
        "mp3 CBR without index",
        ".mp3",
        ffmpeg("-b:a", "128k", *_MP3, "-write_xing", "0", "-id3v2_version", "0"),
        joins=True,
        tags=_MP3_TAGS,
        marks_end=False,
    ),
    Format(
        "mp3 VBR without index",
        ".mp3",
        ffmpeg("-q:a", "4", *_MP3, "-write_xing", "0", "-id3v2_version", "0"),
        joins=True,
        tags=_MP3_TAGS,
        quiet_start=True,
        marks_end=False,
    ),
    Format("mp3 MPEG-2", ".mp3", ffmpeg("-b:a", "64k", *_MP3), 22050, 1, joins=True, tags=_MP3_TAGS),
    Format(
        "mp2", ".mp2", ffmpeg("-c:a", "mp2", "-b:a", "160k", "-f", "mp2"), joins=True, tags=_MP3_TAGS, marks_end=False
    ),
]

FFMPEG_FORMATS = [
    Format("ogg flac", ".oga", ffmpeg("-c:a", "flac", "-f", "ogg"), joins=True),
    Format("ogg speex", ".spx", ffmpeg("-c:a", "libspeex", "-f", "ogg"), 16000, 1, joins=True),
    Format("m4a aac", ".m4a", ffmpeg("-c:a", "aac", "-f", "ipod")),
    Format("m4a aac, index first", ".m4a", ffmpeg("-c:a", "aac", "-movflags", "+faststart", "-f", "ipod")),
    Format(
        "mp4 fragmented",
        ".mp4",
        ffmpeg("-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "1000000", "-f", "mp4"),
        marks_end=False,
    ),
    Format("m4b alac", ".m4b", ffmpeg("-c:a", "alac", "-movflags", "+faststart", "-f", "ipod")),
    Format("adts aac", ".aac", ffmpeg("-c:a", "aac", "-f", "adts"), joins=True, tags=_MP3_TAGS, marks_end=False),
    Format("wma", ".wma", ffmpeg("-c:a", "wmav2", "-f", "asf")),
    Format("wavpack", ".wv", ffmpeg("-c:a", "wavpack", "-f", "wv"), tags=("ape", "id3v1")),
    Format("tta", ".tta", ffmpeg("-c:a", "tta", "-f", "tta"), tags=("id3v1", "id3v2", "ape")),
    Format("ac3", ".ac3", ffmpeg("-c:a", "ac3", "-f", "ac3"), 48000, joins=True, marks_end=False),
    Format("eac3", ".eac3", ffmpeg("-c:a", "eac3", "-f", "eac3"), 48000, joins=True, marks_end=False),
    Format("dts", ".dts", ffmpeg("-c:a", "dca", "-f", "dts"), 48000, joins=True, marks_end=False),
    Format("mlp", ".mlp", ffmpeg("-c:a", "mlp", "-f", "mlp"), 48000, marks_end=False),
    Format("truehd", ".thd", ffmpeg("-c:a", "truehd", "-f", "truehd"), 48000, marks_end=False),
    Format("latm aac", ".latm", ffmpeg("-c:a", "aac", "-f", "latm"), marks_end=False),
    Format("sox", ".sox", ffmpeg("-c:a", "pcm_s32le", "-f", "sox")),
    Format("nut vorbis", ".nut", ffmpeg("-c:a", "libvorbis", "-f", "nut"), marks_end=False),
    Format("real audio", ".rm", ffmpeg("-c:a", "ac3", "-f", "rm"), 44100),
    Format("dsf", ".dsf", dsf, 44100, 1),
    Format("mka vorbis", ".mka", ffmpeg("-c:a", "libvorbis", "-f", "matroska")),
    Format("webm opus", ".webm", ffmpeg("-c:a", "libopus", "-f", "webm"), 48000),
    Format("3gp aac", ".3gp", ffmpeg("-c:a", "aac", "-f", "3gp")),
    Format("mkv h264 aac", ".mkv", ffmpeg("-c:a", "aac", "-f", "matroska", picture=H264)),
    Format("mov h264 pcm", ".mov", ffmpeg("-c:a", "pcm_s16le", "-movflags", "+faststart", "-f", "mov", picture=H264)),
    Format("m4v h264 aac", ".m4v", ffmpeg("-c:a", "aac", "-movflags", "+faststart", "-f", "mp4", picture=H264)),
    Format("avi mpeg4 mp3", ".avi", ffmpeg("-c:a", "libmp3lame", "-f", "avi", picture=MPEG4)),
    Format("ts mpeg2 mp2", ".ts", ffmpeg("-c:a", "mp2", "-f", "mpegts", picture=MPEG2), joins=True, marks_end=False),
    Format("mpg mpeg2 mp2", ".mpg", ffmpeg("-c:a", "mp2", "-f", "mpeg", picture=MPEG2), 48000, marks_end=False),
    Format("ogv theora vorbis", ".ogv", ffmpeg("-c:a", "libvorbis", "-f", "ogg", picture=THEORA)),
    Format("wmv", ".wmv", ffmpeg("-c:a", "wmav2", "-f", "asf", picture=WMV2)),
    Format("flv", ".flv", ffmpeg("-c:a", "libmp3lame", "-f", "flv", picture=FLV1)),
    Format("mxf mpeg2 pcm", ".mxf", ffmpeg("-c:a", "pcm_s16le", "-f", "mxf", picture=MPEG2), 48000),
    Format("wtv mpeg2 mp2", ".wtv", ffmpeg("-c:a", "mp2", "-f", "wtv", picture=MPEG2), 48000, marks_end=False),
]  # fmt: skip

FORMATS = [*LIBSNDFILE_FORMATS, *FFMPEG_FORMATS]
