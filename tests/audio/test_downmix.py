"""`Downmixer`: opposite phase in files and pipes, ordinary stereo bit for bit, block sizes, invalid samples."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genre_edge.audio.block import to_mono
from genre_edge.audio.downmix import Downmixer
from genre_edge.audio.files import open_file
from genre_edge.audio.pipe import WavSource
from tests.helpers.audio import encode, music, noise, read_samples

RATE = 8000
WINDOW = RATE // 4
SONG = music(4, RATE)


def stereo(*channels: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.stack(channels, axis=1).astype(np.float32)


def downmix(samples: NDArray[np.float32], sizes: tuple[int, ...] = (1 << 20,)) -> NDArray[np.float32]:
    downmixer, parts, at, turn = Downmixer(RATE), [], 0, 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        parts.append(downmixer.push(samples[at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate(parts)


OPPOSITE = {
    "exact": stereo(SONG, -SONG),
    "left is inverted": stereo(-SONG, 1.01 * SONG),
    "other gain": stereo(SONG, -0.8 * SONG),
    "residue": stereo(SONG, -0.98 * SONG + noise(len(SONG), amplitude=0.003)),
    "four channels": stereo(SONG, -SONG, SONG, -SONG),
    "two of six": stereo(SONG, -SONG, *[0 * SONG] * 4),
}
OFFSETS = [(0.05, 0.0), (0.0, -0.05), (0.005, 0.0), (0.02, 0.05), (0.05, -0.05), (-0.5, 0.3)]
ORDINARY = {
    "mono": SONG[:, None],
    "equal": stereo(SONG, SONG),
    "wide": stereo(SONG + noise(len(SONG), 1, 0.3), -SONG + noise(len(SONG), 2, 0.3)),
    "independent": stereo(music(4, RATE, 1), music(4, RATE, 2)),
    "one channel": stereo(0 * SONG, SONG),
    "silence": stereo(0 * SONG, 0 * SONG),
    "six independent": stereo(*[music(4, RATE, i) for i in range(6)]),
    "one of 64": stereo(SONG, *[0 * SONG] * 63),
}


@pytest.mark.parametrize("name", OPPOSITE)
def test_downmix_opposite_phase(name: str) -> None:
    """After the first window, the output is the mean of the channels in the first one's phase."""
    samples = OPPOSITE[name]
    signs = np.where((samples * samples[:, :1]).sum(axis=0) < 0, -1, 1).astype(np.float32)
    n = min(WINDOW, (1 << 16) // samples.shape[1])
    assert np.array_equal(downmix(samples)[n:], to_mono(samples[n:] * signs))
    assert np.corrcoef(downmix(samples)[n:], samples[n:, 0])[0, 1] > 0.99


@pytest.mark.parametrize("offsets", OFFSETS)
@pytest.mark.parametrize("gain", [0.02, 1])
def test_downmix_opposite_phase_with_offset(offsets: tuple[float, float], gain: float) -> None:
    """An offset (DC) in any channel does not hide the opposite phase, even of quiet audio."""
    samples = stereo(gain * SONG + offsets[0], -0.9 * gain * SONG + offsets[1])
    assert np.array_equal(downmix(samples)[WINDOW:], to_mono(samples[WINDOW:] * np.float32([1, -1])))


@pytest.mark.parametrize("offsets", OFFSETS)
@pytest.mark.parametrize("name", ["mono", "equal", "wide", "independent", "one channel", "silence"])
def test_downmix_ordinary_with_offset(name: str, offsets: tuple[float, float]) -> None:
    """Nor does an offset make ordinary channels look opposite: the output is the mean, bit for bit."""
    samples = ORDINARY[name] + np.float32(offsets[: ORDINARY[name].shape[1]])
    assert np.array_equal(downmix(samples), to_mono(samples))


def test_downmix_exact_inversion_gives_channel() -> None:
    """Of two channels that differ in sign only, the output is the first, bit for bit."""
    assert np.array_equal(downmix(OPPOSITE["exact"])[WINDOW:], SONG[WINDOW:])


@pytest.mark.parametrize("name", ORDINARY)
def test_downmix_ordinary_keeps_mean(name: str) -> None:
    """The output is the mean, bit for bit."""
    assert np.array_equal(downmix(ORDINARY[name]), to_mono(ORDINARY[name]))


def test_downmix_phase_changes() -> None:
    """Within two seconds of a change of phase, the output is the song, or the mean again; a pause changes nothing."""
    pause, far = np.zeros(2 * RATE), 2 * RATE
    left = np.concatenate([SONG, SONG, pause, SONG, SONG]).astype(np.float32)
    right = np.concatenate([SONG, -SONG, pause + noise(2 * RATE, 3, 1e-4), -SONG, SONG]).astype(np.float32)
    mono = downmix(stereo(left, right))
    n, mean = len(SONG), to_mono(stereo(left, right))
    assert np.array_equal(mono[: n + WINDOW], mean[: n + WINDOW])
    assert np.array_equal(mono[n + far : 3 * n + far], to_mono(stereo(left, -right))[n + far : 3 * n + far])
    assert np.array_equal(mono[-n + far :], mean[-n + far :])


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=6).map(tuple),
    seed=st.integers(0, 99),
    offset=st.sampled_from([0, 0.005, -0.05]),
)
def test_downmix_any_block_sizes(sizes: tuple[int, ...], seed: int, offset: float) -> None:
    """Stream == batch, bit for bit, with changes of phase at any sample."""
    rng = np.random.default_rng(seed)
    sign = np.repeat(rng.choice([-1, 0.9, 1], 9), rng.integers(1, 6000, 9))[: len(SONG)]
    n = len(sign)
    samples = stereo(SONG[:n], sign * SONG[:n] + noise(n, seed, 0.01) + offset)
    assert np.array_equal(downmix(samples, sizes), downmix(samples))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e9])
@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("at", [5, 3 * WINDOW + 7])
def test_downmix_keeps_invalid_samples(value: float, channel: int, at: int) -> None:
    """An invalid sample of either channel is invalid in the output, at its position, without a Python warning."""
    samples = OPPOSITE["exact"].copy()
    samples[at, channel] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mono = downmix(samples)
    invalid = ~(np.abs(mono) <= 1e6)
    assert np.flatnonzero(invalid).tolist() == [at]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_downmix_raw_bytes_without_warnings(channels: int) -> None:
    """Random bytes as float32 (signalling NaN, infinities, huge values) give no Python warning, in either state."""
    random = np.random.default_rng(0)
    opposite = stereo(*[SONG * (-1) ** i for i in range(channels)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        downmixer = Downmixer(RATE)
        for _ in range(3):
            raw = np.frombuffer(random.bytes(4 * channels * RATE), dtype="<f4").reshape(-1, channels)
            assert len(downmixer.push(raw)) == RATE
            downmixer.push(opposite)
        assert (downmixer.signs is not None) == (channels == 2)


def test_downmix_channel_count_changes() -> None:
    """A change of the channel count starts anew."""
    downmixer = Downmixer(RATE)
    downmixer.push(OPPOSITE["exact"])
    assert downmixer.signs is not None and downmixer.signs.tolist() == [1, -1]
    assert np.array_equal(downmixer.push(ORDINARY["six independent"]), to_mono(ORDINARY["six independent"]))
    assert downmixer.signs is None


@pytest.mark.parametrize(("format", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_file_opposite_phase(tmp_path: Path, format: str, subtype: str) -> None:
    """A file of opposite phase gives the song, whatever the codec leaves of the mean."""
    path = tmp_path / "song"
    path.write_bytes(encode(OPPOSITE["exact"], RATE, format, subtype))
    assert np.corrcoef(read_samples(open_file(path))[WINDOW:], SONG[WINDOW:])[0, 1] > 0.95


def test_file_and_pipe_same_bits(tmp_path: Path) -> None:
    """A WAV gives the same samples as a file and on a pipe, whose blocks have other sizes."""
    content = encode(np.concatenate([OPPOSITE["other gain"], ORDINARY["wide"]]), RATE, "WAV", "FLOAT")
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    assert np.array_equal(read_samples(open_file(path)), read_samples(WavSource(io.BytesIO(content), "pipe")))
