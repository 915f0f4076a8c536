"""Log-mel spectrograms with different libraries, each written as its users would write it.

An implementation has `batch(y)`, the decibels `(n_mels, frames)` of a whole signal, and `push(y, out)`, which takes one
hop of samples and returns the frame that it completes, `(n_mels, 1)`. For libraries without streaming, `SlidingWindow`
keeps the last n_fft samples. Libraries without a mel filterbank use librosa's. Libraries are imported by the
constructors, because the import time is measured.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.peers.fft import RealFft
from tools.peers.setups import Floats, Setup

AMIN = 1e-10


class Ours:
    """genre-edge's C core through its Python classes."""

    def __init__(self, setup: Setup, bank: Floats) -> None:
        from genre_edge import MelConfig, MelSpectrogram

        names = ("sr", "n_fft", "hop_length", "n_mels")
        mel = MelSpectrogram(MelConfig(**{name: getattr(setup, name) for name in names}))
        self.batch, self.push = mel.db, mel.stream().push


class SlidingWindow:
    """The last n_fft samples of a stream."""

    def __init__(self, setup: Setup) -> None:
        self.samples = np.zeros(setup.n_fft, np.float32)

    def push(self, y: Floats) -> Floats:
        """Append samples, drop the oldest ones and return the window, `(n_fft,)`."""
        self.samples[: -len(y)] = self.samples[len(y) :]
        self.samples[-len(y) :] = y
        return self.samples


class WithRfft:
    """numpy with a real FFT from another library.

    Args:
        setup, bank: as for all implementations.
        rows: real FFT of each row of a matrix.
        row: real FFT of a single frame.
    """

    def __init__(self, setup: Setup, bank: Floats, rows: Callable[..., Any], row: Callable[..., Any]) -> None:
        self.setup, self.bank, self.window = setup, bank, setup.window()
        self.rows, self.row = rows, row
        self.recent = SlidingWindow(setup)

    def batch(self, y: Floats) -> Floats:
        frames = np.lib.stride_tricks.sliding_window_view(self.setup.padded(y), self.setup.n_fft)
        return self._decibel(self.rows(frames[:: self.setup.hop_length] * self.window).T)

    def push(self, y: Floats, out: Floats) -> Floats:
        return self._decibel(self.row(self.recent.push(y) * self.window))[:, None]

    def _decibel(self, spectrum: NDArray[np.complex64]) -> Floats:
        return 10 * np.log10(np.maximum(AMIN, self.bank @ (spectrum.real**2 + spectrum.imag**2)))


def with_numpy(setup: Setup, bank: Floats) -> WithRfft:
    return WithRfft(setup, bank, np.fft.rfft, np.fft.rfft)


def with_scipy(setup: Setup, bank: Floats) -> WithRfft:
    from scipy.fft import rfft

    return WithRfft(setup, bank, rfft, rfft)


def with_pyfftw(setup: Setup, bank: Floats) -> WithRfft:
    from pyfftw import builders

    plans: dict[tuple[int, ...], Any] = {}

    def rfft(frames: Floats) -> NDArray[np.complex64]:
        if frames.shape not in plans:
            plans[frames.shape] = builders.rfft(frames.copy(), threads=1)  # pyfftw's default, FFTW_MEASURE
        spectrum: NDArray[np.complex64] = plans[frames.shape](frames)
        return spectrum

    return WithRfft(setup, bank, rfft, rfft)


class Librosa:
    """librosa.feature.melspectrogram and librosa.power_to_db.

    librosa's documentation streams by calling them with center=False on each block; every call rebuilds the filterbank.
    """

    def __init__(self, setup: Setup, bank: Floats) -> None:
        import librosa

        self.librosa = librosa
        self.parameters = {name: getattr(setup, name) for name in ("sr", "n_fft", "hop_length", "n_mels")}
        self.recent = SlidingWindow(setup)

    def batch(self, y: Floats, center: bool = True) -> Floats:
        mel = self.librosa.feature.melspectrogram(y=y, center=center, **self.parameters)
        result: Floats = self.librosa.power_to_db(mel, amin=AMIN, top_db=None)
        return result

    def push(self, y: Floats, out: Floats) -> Floats:
        return self.batch(self.recent.push(y), center=False)


class Torch:
    """torch.stft and a matrix product, without gradients."""

    def __init__(self, setup: Setup, bank: Floats) -> None:
        import torch

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        torch.inference_mode().__enter__()  # for the whole process
        self.torch, self.setup = torch, setup
        self.bank, self.window = torch.from_numpy(bank), torch.from_numpy(setup.window())
        self.recent = torch.zeros(setup.n_fft)

    def _decibel(self, y: Any, center: bool) -> Floats:
        spectrum = self.torch.stft(
            y, self.setup.n_fft, self.setup.hop_length,
            window=self.window, center=center, pad_mode="constant", return_complex=True,
        )  # fmt: skip
        mel = self.bank @ (spectrum.real.square() + spectrum.imag.square())
        result: Floats = (10 * mel.clamp(min=AMIN).log10()).numpy()
        return result

    def batch(self, y: Floats) -> Floats:
        return self._decibel(self.torch.from_numpy(y), center=True)

    def push(self, y: Floats, out: Floats) -> Floats:
        self.recent = self.torch.cat((self.recent[len(y) :], self.torch.from_numpy(y)))
        return self._decibel(self.recent, center=False)


class TensorFlow:
    """tf.signal and a matrix product, compiled with tf.function; the recent samples are an argument and a result."""

    def __init__(self, setup: Setup, bank: Floats) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        bank_t, decibels = tf.constant(bank.T), 10 / math.log(10)

        def spectrogram(y: Any) -> Any:
            spectrum = tf.signal.stft(y, setup.n_fft, setup.hop_length, setup.n_fft)
            mel = tf.matmul(tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2, bank_t)
            return decibels * tf.math.log(tf.maximum(mel, AMIN))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator]
        def batch(y: Any) -> Any:
            return spectrogram(tf.pad(y, [[setup.n_fft // 2] * 2]))

        samples = (tf.TensorSpec([setup.n_fft], tf.float32), tf.TensorSpec([setup.hop_length], tf.float32))

        @tf.function(input_signature=samples)  # type: ignore[untyped-decorator]
        def push(recent: Any, y: Any) -> Any:
            recent = tf.concat([recent[setup.hop_length :], y], axis=0)
            return recent, spectrogram(recent)

        self._batch, self._push, self.recent = batch, push, tf.zeros(setup.n_fft)

    def batch(self, y: Floats) -> Floats:
        result: Floats = self._batch(y).numpy().T
        return result

    def push(self, y: Floats, out: Floats) -> Floats:
        self.recent, frame = self._push(self.recent, y)
        result: Floats = frame.numpy().T
        return result


class Kaldi:
    """kaldi-native-fbank, a streaming library, configured like librosa."""

    TO_DECIBEL = np.float32(10 / math.log(10))

    def __init__(self, setup: Setup, bank: Floats) -> None:
        import kaldi_native_fbank as knf

        frames = knf.FrameExtractionOptions(
            samp_freq=setup.sr,
            # Converted to samples by truncation; 0.01 sample compensates float32 rounding.
            frame_length_ms=(setup.n_fft + 0.01) / setup.sr * 1000,
            frame_shift_ms=(setup.hop_length + 0.01) / setup.sr * 1000,
            dither=0, preemph_coeff=0, remove_dc_offset=False, window_type="hann", snip_edges=True,
        )  # fmt: skip
        bands = knf.MelBanksOptions(num_bins=setup.n_mels, low_freq=0, is_librosa=True)
        self.make: Callable[[], Any] = lambda: knf.OnlineFbank(
            knf.FbankOptions(frame_opts=frames, mel_opts=bands, eps=AMIN)
        )
        self.setup, self.stream, self.t = setup, self.make(), 0
        self.stream.accept_waveform(setup.sr, np.zeros(setup.n_fft - setup.hop_length, np.float32))

    def batch(self, y: Floats) -> Floats:
        stream = self.make()
        stream.accept_waveform(self.setup.sr, self.setup.padded(y))
        stream.input_finished()
        return np.array([stream.get_frame(t) for t in range(stream.num_frames_ready)]).T * self.TO_DECIBEL

    def push(self, y: Floats, out: Floats) -> Floats:
        self.stream.accept_waveform(self.setup.sr, y)
        frame = self.stream.get_frame(self.t)[:, None] * self.TO_DECIBEL
        self.stream.pop(1)  # the library keeps every frame until it is popped
        self.t += 1
        result: Floats = frame
        return result


class AudioFlux:
    """audioFlux's BFT, which needs at least one frame of samples. Its HTK bands are rounded to FFT bins."""

    def __init__(self, setup: Setup, bank: Floats) -> None:
        import audioflux
        from audioflux.type import SpectralDataType, SpectralFilterBankNormalType, SpectralFilterBankScaleType

        self.setup, self.recent = setup, SlidingWindow(setup)
        self.bft = audioflux.BFT(
            num=setup.n_mels, radix2_exp=setup.n_fft.bit_length() - 1, samplate=setup.sr, low_fre=0.0,
            slide_length=setup.hop_length, scale_type=SpectralFilterBankScaleType.MEL,
            normal_type=SpectralFilterBankNormalType.BAND_WIDTH, data_type=SpectralDataType.POWER,
        )  # fmt: skip

    def _decibel(self, y: Floats) -> Floats:
        result: Floats = 10 * np.log10(np.maximum(AMIN, self.bft.bft(y, result_type=1)))
        return result

    def batch(self, y: Floats) -> Floats:
        return self._decibel(self.setup.padded(y))

    def push(self, y: Floats, out: Floats) -> Floats:
        return self._decibel(self.recent.push(y))


class Entry(NamedTuple):
    """An implementation that can be measured.

    Attributes:
        label: name in tables and charts.
        make: constructor, called with the parameters and the mel filterbank.
        module: module that `make` imports.
        package: distribution whose version is reported.
    """

    label: str
    make: Callable[[Setup, Floats], Any]
    module: str
    package: str


ENTRIES = {
    "ours": Entry("genre-edge", Ours, "genre_edge", "genre-edge"),
    "r2c": Entry("FFTW's real FFT alone", RealFft, "genre_edge", "genre-edge"),
    "torch": Entry("torch", Torch, "torch", "torch"),
    "tf": Entry("tf.signal", TensorFlow, "tensorflow", "tensorflow"),
    "audioflux": Entry("audioFlux (other bands)", AudioFlux, "audioflux", "audioflux"),
    "librosa": Entry("librosa", Librosa, "librosa", "librosa"),
    "pyfftw": Entry("numpy + pyFFTW", with_pyfftw, "pyfftw", "pyFFTW"),
    "scipy": Entry("numpy + scipy.fft", with_scipy, "scipy", "scipy"),
    "numpy": Entry("numpy", with_numpy, "numpy", "numpy"),
    "kaldi": Entry("kaldi-native-fbank", Kaldi, "kaldi_native_fbank", "kaldi-native-fbank"),
}
