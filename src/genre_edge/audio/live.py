"""Where a live source is named: a sound card or an address, opened so that it comes back when it dies."""

import os

from genre_edge.audio import microphone
from genre_edge.audio.block import Source
from genre_edge.audio.ffmpeg import NETWORK_SCHEMES, FfmpegSource, ffmpeg_program, is_url, without_secrets
from genre_edge.audio.files import SUFFIXES
from genre_edge.audio.reconnect import Patience, Pumped, Reconnecting
from genre_edge.audio.ring import SILENT_S
from genre_edge.errors import ParameterError

DEFAULT_DEVICE = "microphone"


def is_file_name(source: str) -> bool:
    """Whether a source is a file, there or not, and no sound card or address: it is there, or looks like one."""
    if source == DEFAULT_DEVICE or source.isdecimal() or "://" in source:
        return False
    there, suffix = os.path.isfile(source), os.path.splitext(source)[1].lower()  # noqa: PTH113, PTH122 (never raise)
    return there or os.sep in source or suffix in SUFFIXES


def open_live(source: str, patience: Patience, *, wait: bool = True) -> Reconnecting:
    """`microphone` (the default one), a sound card's name or number, or an address such as http://... or rtsp://...

    Without `wait` it is not opened yet: its `open` does that, and `close` from another thread ends the waiting.

    Raises:
        ParameterError: an address of a kind that is not known, or a name that several sound cards have.
        AudioError: sounddevice or ffmpeg, which it needs, is not installed. What may change, as a device that is not
            plugged in yet, is waited for.
        SourceLostError: there was nothing to be heard as often as `patience` allows.
    """
    if is_url(source):
        name = without_secrets(source)
        ffmpeg_program(name)
        return Reconnecting(name, lambda: Pumped(lambda: FfmpegSource.of_url(source, SILENT_S)), patience, wait=wait)
    if "://" in source:
        raise ParameterError(
            f"{without_secrets(source)}: known are addresses with {', '.join(sorted(NETWORK_SCHEMES))}"
        )
    microphone.sounddevice()
    device = None if source == DEFAULT_DEVICE else source
    if device is not None and not device.isdecimal():
        microphone.check_name(device)

    def open_card() -> Source:
        microphone.rescan()
        return microphone.Microphone(device)

    return Reconnecting(source, open_card, patience, wait=wait)
