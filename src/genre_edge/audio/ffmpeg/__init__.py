"""Decoding by ffmpeg: file formats that libsndfile does not support, and network streams."""

from genre_edge.audio.ffmpeg.network import open_url
from genre_edge.audio.ffmpeg.process import ffmpeg_program, kill_child_processes
from genre_edge.audio.ffmpeg.source import FfmpegSource
from genre_edge.audio.ffmpeg.url import NETWORK_SCHEMES, is_url, redact_url

__all__ = [
    "NETWORK_SCHEMES",
    "FfmpegSource",
    "ffmpeg_program",
    "is_url",
    "kill_child_processes",
    "open_url",
    "redact_url",
]
