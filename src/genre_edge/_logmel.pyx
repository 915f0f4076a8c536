# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""Thin binding of csrc/logmel.h: memoryviews in, arrays out, the GIL released while C runs.

Checks of meaning live in mel.py; here only what memory safety needs.
"""

import os

import numpy as np

from libc.stddef cimport size_t


cdef extern from "logmel.h":
    ctypedef enum logmel_status:
        LOGMEL_OK
        LOGMEL_E_PARAM
        LOGMEL_E_MEMORY
        LOGMEL_E_FFTW
        LOGMEL_E_SAMPLE
        LOGMEL_E_SPACE
        LOGMEL_E_STATE

    ctypedef enum logmel_pad:
        LOGMEL_PAD_CONSTANT
        LOGMEL_PAD_REFLECT

    ctypedef struct logmel_params:
        double sr
        int n_fft
        int win_length
        int hop_length
        int center
        logmel_pad pad_mode
        int power
        int n_mels
        double fmin
        double fmax
        int htk
        int norm
        int decibel

    ctypedef struct logmel:
        pass

    const int LOGMEL_MAX_FFT
    const float LOGMEL_MAX_SAMPLE
    const double LOGMEL_MIN_RANGE

    logmel_status logmel_load_fftw(const char *path)
    const char *logmel_fftw_version()
    logmel_status logmel_create(const logmel_params *params, logmel **out) nogil
    void logmel_destroy(logmel *lm) nogil
    void logmel_reset(logmel *lm) nogil
    size_t logmel_frames_after_push(const logmel *lm, size_t n) nogil
    size_t logmel_frames_after_flush(const logmel *lm) nogil
    logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames,
                              size_t *n_frames) nogil
    logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames) nogil
    size_t logmel_first_bad_sample(const float *y, size_t n) nogil
    size_t logmel_empty_bands(const logmel *lm) nogil
    void logmel_filterbank(const logmel *lm, float *weights) nogil
    void logmel_power_to_db(const float *power, size_t n, float amin, float *db) nogil


MAX_FFT = LOGMEL_MAX_FFT
MAX_SAMPLE = LOGMEL_MAX_SAMPLE
MIN_RANGE = LOGMEL_MIN_RANGE


def load_fftw(path):
    """Bind FFTW from a library's path, or the system's for None. True when FFTW is bound."""
    cdef bytes name = None if path is None else os.fsencode(path)
    return logmel_load_fftw(NULL if name is None else <const char *>name) == LOGMEL_OK


def fftw_version():
    """The bound FFTW's own version text, or None."""
    cdef const char *version = logmel_fftw_version()
    return None if version == NULL else version.decode()


def power_to_db(const float[::1] power, float amin):
    """10 * log10(max(amin, power)) as a new float32 array."""
    db = np.empty(power.shape[0], dtype=np.float32)
    cdef float[::1] view = db
    if power.shape[0]:
        with nogil:
            logmel_power_to_db(&power[0], power.shape[0], amin, &view[0])
    return db


cdef class LogMel:
    """One streaming spectrogram. Frames come as (k, n_mels) float32 arrays, in time order."""

    cdef logmel *lm
    cdef readonly int n_mels
    cdef readonly int n_fft
    cdef bint busy

    def __cinit__(self, double sr, int n_fft, int win_length, int hop_length, bint center, bint reflect,
                  int power, int n_mels, double fmin, double fmax, bint htk, bint norm, bint decibel):
        cdef logmel_params params
        cdef logmel_status status
        params.sr, params.n_fft, params.win_length, params.hop_length = sr, n_fft, win_length, hop_length
        params.center, params.power, params.n_mels = center, power, n_mels
        params.pad_mode = LOGMEL_PAD_REFLECT if reflect else LOGMEL_PAD_CONSTANT
        params.fmin, params.fmax, params.htk, params.norm = fmin, fmax, htk, norm
        params.decibel = decibel
        with nogil:
            status = logmel_create(&params, &self.lm)
        if status == LOGMEL_E_MEMORY:
            raise MemoryError(f"no memory for a mel spectrogram with n_fft={n_fft}, n_mels={n_mels}")
        if status == LOGMEL_E_FFTW:
            raise RuntimeError(f"FFTW is not loaded, or cannot plan n_fft={n_fft}")
        if status != LOGMEL_OK:
            raise ValueError("a mel parameter is out of range")
        self.n_mels = n_mels
        self.n_fft = n_fft

    def __dealloc__(self):
        logmel_destroy(self.lm)

    cdef int enter(self) except -1:
        # The C object belongs to one thread at a time, and push lets other threads run.
        if self.busy:
            raise RuntimeError("this stream is being used by another thread")
        self.busy = True
        return 0

    def push(self, const float[::1] y not None):
        """Frames that these samples complete; ValueError names the first unusable sample."""
        cdef size_t n = y.shape[0], n_frames = 0, room
        cdef const float *samples = &y[0] if n else NULL
        cdef logmel_status status
        cdef float[:, ::1] view
        cdef float *rows
        self.enter()
        try:
            room = logmel_frames_after_push(self.lm, n)
            out = np.empty((room, self.n_mels), dtype=np.float32)
            view = out
            rows = &view[0, 0] if room else NULL
            with nogil:
                status = logmel_push(self.lm, samples, n, rows, room, &n_frames)
                if status == LOGMEL_E_SAMPLE:
                    n = logmel_first_bad_sample(samples, n)
        finally:
            self.busy = False
        if status == LOGMEL_E_STATE:
            raise ValueError("the stream was flushed; call reset() before pushing more samples")
        if status == LOGMEL_E_SAMPLE:
            if n == <size_t>y.shape[0]:
                raise ValueError("y was changed by another thread while it was read")
            raise ValueError(f"sample {n} is {y[n]:g}; samples must be finite, at most {MAX_SAMPLE:g} in magnitude")
        return out

    def flush(self):
        """The frames that are left, after padding the end."""
        cdef size_t n_frames = 0, room
        cdef logmel_status status
        cdef float[:, ::1] view
        cdef float *rows
        self.enter()
        try:
            room = logmel_frames_after_flush(self.lm)
            out = np.empty((room, self.n_mels), dtype=np.float32)
            view = out
            rows = &view[0, 0] if room else NULL
            with nogil:
                status = logmel_flush(self.lm, rows, room, &n_frames)
        finally:
            self.busy = False
        if status == LOGMEL_E_STATE:
            raise ValueError("the stream was flushed already; call reset() before flushing again")
        return out

    def reset(self):
        """Forget all samples."""
        self.enter()
        logmel_reset(self.lm)
        self.busy = False

    def empty_bands(self):
        """How many bands hold no FFT bin."""
        return logmel_empty_bands(self.lm)

    def filterbank(self):
        """Weights, (n_mels, 1 + n_fft // 2) float32."""
        weights = np.empty((self.n_mels, self.n_fft // 2 + 1), dtype=np.float32)
        cdef float[:, ::1] view = weights
        logmel_filterbank(self.lm, &view[0, 0])
        return weights
