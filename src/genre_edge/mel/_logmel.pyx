# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""Thin binding of csrc/logmel.h: takes buffers, returns numpy arrays, releases the GIL while C code runs.

config.py and spectrogram.py validate parameters; this module only checks what memory safety requires.
"""

import os

import numpy as np

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_F_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_WRITABLE,
    PyBuffer_Release,
)
from cpython.exc cimport PyErr_Clear
from cpython.ref cimport PyObject
from libc.stddef cimport size_t


cdef extern from "Python.h":
    object PyObject_Call(object callable, tuple args, PyObject *kwargs)
    # Declared without `except`: a try statement that saves the current exception takes longer than the call.
    int PyObject_GetBuffer(object exporter, Py_buffer *view, int flags)


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
        int n_mfcc
        double lifter
        int lanes
        int measure

    ctypedef struct logmel_plan:
        pass

    ctypedef struct logmel:
        pass

    const int LOGMEL_MAX_FFT
    const int LOGMEL_MAX_MFCC
    const float LOGMEL_MAX_SAMPLE
    const double LOGMEL_MIN_RANGE

    logmel_status logmel_load_fftw(const char *path)
    const char *logmel_fftw_version()
    int logmel_needs_fftw(int n_fft)
    logmel_status logmel_plan_create(const logmel_params *params, logmel_plan **out) nogil
    void logmel_plan_destroy(logmel_plan *plan) nogil
    size_t logmel_frame_length(const logmel_plan *plan) nogil
    int logmel_plan_lanes(const logmel_plan *plan)
    size_t logmel_plan_bytes(const logmel_plan *plan)
    size_t logmel_stream_bytes(const logmel_plan *plan)
    size_t logmel_empty_bands(const logmel_plan *plan)
    void logmel_filterbank(const logmel_plan *plan, float *weights) nogil
    logmel_status logmel_create(const logmel_plan *plan, logmel **out) nogil
    void logmel_destroy(logmel *lm) nogil
    void logmel_reset(logmel *lm) nogil
    size_t logmel_frames_after_push(const logmel *lm, size_t n) nogil
    size_t logmel_frames_after_flush(const logmel *lm) nogil
    logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames,
                              size_t *n_frames) nogil
    logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames) nogil
    void logmel_mfcc(logmel *lm, const float *db, size_t n_frames, float *out) nogil
    size_t logmel_first_invalid_sample(const float *y, size_t n) nogil
    void logmel_power_to_db(const float *power, size_t n, float amin, float *db) nogil


cdef object empty = np.empty
cdef object float32 = np.dtype(np.float32)

MAX_FFT = LOGMEL_MAX_FFT
MAX_MFCC = LOGMEL_MAX_MFCC
MAX_SAMPLE = LOGMEL_MAX_SAMPLE
MIN_RANGE = LOGMEL_MIN_RANGE


def load_fftw(path):
    """Load single-precision FFTW from a library's path (None: the system's). Return True if FFTW is bound."""
    cdef bytes name = None if path is None else os.fsencode(path)
    return logmel_load_fftw(NULL if name is None else <const char *>name) == LOGMEL_OK


def fftw_version():
    """Return the version string of the bound FFTW library, or None."""
    cdef const char *version = logmel_fftw_version()
    return None if version == NULL else version.decode()


def needs_fftw(int n_fft):
    """Return True if transforms of this size need FFTW."""
    return bool(logmel_needs_fftw(n_fft))


cdef int get_floats(object array, int ndim, int flags, Py_buffer *view) except -1:
    """Get a contiguous, aligned float32 buffer, which the caller releases. Raises TypeError for any other object."""
    if PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT) != 0:
        PyErr_Clear()
        raise TypeError("expected a contiguous float32 array")
    if view.ndim != ndim or view.itemsize != sizeof(float) or view.format[0] != b"f" or view.format[1] != 0:
        PyBuffer_Release(view)
        raise TypeError(f"expected a contiguous float32 array with {ndim} dimensions")
    if view.len and <size_t>view.buf % sizeof(float):
        PyBuffer_Release(view)
        raise TypeError("expected an aligned float32 array")
    return 0


def power_to_db(power, float amin):
    """Return 10 * log10(max(amin, power)), a new float32 array, of a contiguous one with one dimension."""
    cdef Py_buffer values, decibels
    get_floats(power, 1, PyBUF_C_CONTIGUOUS, &values)
    try:
        db = empty(values.shape[0], float32)
        get_floats(db, 1, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, &decibels)
        with nogil:
            logmel_power_to_db(<const float *>values.buf, <size_t>values.shape[0], amin, <float *>decibels.buf)
        PyBuffer_Release(&decibels)
        return db
    finally:
        PyBuffer_Release(&values)


cdef class Plan:
    """The read-only tables that all streams of one configuration share, in any number of threads.

    Raises:
        MemoryError: out of memory.
        RuntimeError: the size needs FFTW, and FFTW is not loaded or cannot plan it.
        ValueError: a parameter is out of range, or the processor does not support the lanes.
    """

    cdef logmel_plan *plan
    cdef readonly int n_mels, n_fft, hop_length
    cdef readonly size_t frame_length

    def __cinit__(self, *, double sr, int n_fft, int win_length, int hop_length, bint center, bint reflect,
                  int power, int n_mels, double fmin, double fmax, bint htk, bint norm, bint decibel,
                  int n_mfcc, double lifter, int lanes, bint measure):
        cdef logmel_params params
        cdef logmel_status status
        params.sr, params.n_fft, params.win_length, params.hop_length = sr, n_fft, win_length, hop_length
        params.center, params.power, params.n_mels = center, power, n_mels
        params.pad_mode = LOGMEL_PAD_REFLECT if reflect else LOGMEL_PAD_CONSTANT
        params.fmin, params.fmax, params.htk, params.norm = fmin, fmax, htk, norm
        params.decibel, params.n_mfcc, params.lifter = decibel, n_mfcc, lifter
        params.lanes, params.measure = lanes, measure
        with nogil:
            status = logmel_plan_create(&params, &self.plan)
        if status == LOGMEL_E_MEMORY:
            raise MemoryError(f"out of memory for a mel spectrogram with n_fft={n_fft}, n_mels={n_mels}")
        if status == LOGMEL_E_FFTW:
            raise RuntimeError(f"FFTW is not loaded or cannot plan n_fft={n_fft}")
        if status != LOGMEL_OK:
            raise ValueError("a mel parameter is out of range, or this processor does not support the lanes")
        self.n_mels, self.n_fft, self.hop_length = n_mels, n_fft, hop_length
        self.frame_length = logmel_frame_length(self.plan)

    def __dealloc__(self):
        logmel_plan_destroy(self.plan)

    @property
    def lanes(self):
        """Number of floats per vector in use."""
        return logmel_plan_lanes(self.plan)

    @property
    def nbytes(self):
        """Size in bytes, without FFTW's own memory."""
        return logmel_plan_bytes(self.plan)

    @property
    def stream_nbytes(self):
        """Size in bytes of each stream."""
        return logmel_stream_bytes(self.plan)

    def empty_bands(self):
        """Return the number of bands that contain no FFT bin."""
        return logmel_empty_bands(self.plan)

    def filterbank(self):
        """Return the weights, (n_mels, 1 + n_fft // 2) float32."""
        cdef Py_buffer view
        weights = empty((self.n_mels, self.n_fft // 2 + 1), float32)
        get_floats(weights, 2, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, &view)
        logmel_filterbank(self.plan, <float *>view.buf)
        PyBuffer_Release(&view)
        return weights


cdef class Stream:
    """A streaming spectrogram, for one thread at a time.

    Methods return frames as (frame_length, k) float32 arrays in Fortran order, and raise RuntimeError while another
    thread uses the stream.
    """

    cdef logmel *lm
    cdef readonly Plan plan
    cdef bint busy
    cdef size_t capacity  # of the last new array
    cdef tuple arguments  # of numpy.empty for that capacity

    def __cinit__(self, Plan plan not None):
        self.plan = plan
        self.capacity = <size_t>-1
        if logmel_create(plan.plan, &self.lm) != LOGMEL_OK:
            raise MemoryError(f"out of memory for a stream with n_fft={plan.n_fft}")

    def __dealloc__(self):
        logmel_destroy(self.lm)

    cdef int enter(self) except -1:
        # A stream is for one thread at a time, but push releases the GIL and so lets other threads run.
        if self.busy:
            raise RuntimeError("this stream is being used by another thread")
        self.busy = True
        return 0

    def push(self, y, out=None):
        """Return the frames that the samples `y` (contiguous float32) complete, in `out` (frame_length, >= k) if set.

        Raises:
            TypeError: an array is not contiguous float32.
            ValueError: a sample is invalid, `out` is too small, or the stream was flushed.
        """
        cdef Py_buffer samples
        get_floats(y, 1, PyBUF_C_CONTIGUOUS, &samples)
        try:
            return self.run(<const float *>samples.buf, <size_t>samples.shape[0], False, out)
        finally:
            PyBuffer_Release(&samples)

    def flush(self, out=None):
        """Pad the end of the signal and return the remaining frames, written to `out` if set."""
        return self.run(NULL, 0, True, out)

    cdef object new_frames(self, size_t capacity):
        if capacity != self.capacity:
            self.arguments = ((self.plan.frame_length, capacity), float32, "F")
            self.capacity = capacity
        return PyObject_Call(empty, self.arguments, NULL)

    cdef object run(self, const float *y, size_t n, bint at_end, object out):
        cdef Py_buffer frames
        cdef size_t n_frames = 0, capacity
        cdef logmel_status status
        self.enter()
        try:
            capacity = logmel_frames_after_flush(self.lm) if at_end else logmel_frames_after_push(self.lm, n)
            if out is None:
                out = self.new_frames(capacity)
            get_floats(out, 2, PyBUF_F_CONTIGUOUS | PyBUF_WRITABLE, &frames)
            try:
                if <size_t>frames.shape[0] != self.plan.frame_length or <size_t>frames.shape[1] < capacity:
                    raise ValueError(f"out must have shape ({self.plan.frame_length}, k) with k >= {capacity}, "
                                     f"got ({frames.shape[0]}, {frames.shape[1]})")
                with nogil:
                    if at_end:
                        status = logmel_flush(self.lm, <float *>frames.buf, capacity, &n_frames)
                    else:
                        status = logmel_push(self.lm, y, n, <float *>frames.buf, capacity, &n_frames)
                if status != LOGMEL_OK:
                    raise_for_status(status, y, n)
                return out if <size_t>frames.shape[1] == n_frames else out[:, :n_frames]
            finally:
                PyBuffer_Release(&frames)
        finally:
            self.busy = False

    def reset(self):
        """Discard all samples; the stream is then as newly created."""
        self.enter()
        logmel_reset(self.lm)
        self.busy = False

    def mfcc(self, db):
        """Return the MFCC of frames in dB, (k, n_mels) -> (k, n_mfcc), without changing the stream."""
        cdef Py_buffer frames, coefficients
        get_floats(db, 2, PyBUF_C_CONTIGUOUS, &frames)
        try:
            if <int>frames.shape[1] != self.plan.n_mels:
                raise ValueError(f"frames must have {self.plan.n_mels} bands, got {frames.shape[1]}")
            out = empty((frames.shape[0], self.plan.frame_length), float32)
            self.enter()
            try:
                get_floats(out, 2, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, &coefficients)
                with nogil:
                    logmel_mfcc(self.lm, <const float *>frames.buf, <size_t>frames.shape[0], <float *>coefficients.buf)
                PyBuffer_Release(&coefficients)
                return out
            finally:
                self.busy = False
        finally:
            PyBuffer_Release(&frames)


cdef int raise_for_status(logmel_status status, const float *y, size_t n) except -1:
    if status == LOGMEL_E_STATE:
        raise ValueError("the stream was flushed; call reset() before using it again")
    cdef size_t i_invalid = logmel_first_invalid_sample(y, n)
    if i_invalid == n:
        raise ValueError("another thread modified y while it was read")
    raise ValueError(
        f"sample {i_invalid} is {y[i_invalid]:g}; samples must be finite, at most {MAX_SAMPLE:g} in magnitude"
    )
