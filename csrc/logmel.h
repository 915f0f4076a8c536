/* logmel: streaming (log-)mel spectrograms.
 *
 * Samples are mono float, full scale +-1 by convention. Frames are n_mels floats, lowest band first, and
 * leave in time order, one after another. Values are mel power (or magnitude), or decibels
 * 10*log10(max(1e-10, mel)) when `decibel` is set. Definitions and defaults follow librosa 0.11's
 * feature.melspectrogram and power_to_db(ref=1, top_db=None).
 *
 * Ownership: logmel_create gives an object that the caller returns with logmel_destroy. What works on an
 * object in between neither allocates nor locks nor does I/O. Input and output arrays belong to the caller and are not kept.
 * Threads: one object, one thread at a time. Different objects are independent; create and destroy take
 * one process-wide lock, because FFTW's planner is not thread-safe; a program that plans with the same FFTW
 * library by itself must not do so at that moment.
 * Determinism: any chunking of the same samples gives the same bits; so do two processes with the same
 * FFTW library on the same processor.
 */
#ifndef LOGMEL_H
#define LOGMEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits that together keep every mel power below FLT_MAX, so that finite input gives finite output. */
#define LOGMEL_MAX_FFT 65536   /* largest n_fft, and most bands */
#define LOGMEL_MIN_RANGE 1e-3  /* least fmax - fmin in Hz; the least sr is 1 Hz */
#define LOGMEL_MAX_SAMPLE 1e9f

typedef enum {
    LOGMEL_OK = 0,
    LOGMEL_E_PARAM,  /* a parameter is out of its range */
    LOGMEL_E_MEMORY, /* out of memory; nothing leaks */
    LOGMEL_E_FFTW,   /* no FFTW was loaded, or it cannot plan this size */
    LOGMEL_E_SAMPLE, /* a sample is NaN, infinite or beyond LOGMEL_MAX_SAMPLE; nothing was consumed */
    LOGMEL_E_SPACE,  /* the output holds too few frames; nothing was consumed */
    LOGMEL_E_STATE   /* push or flush after flush; reset first */
} logmel_status;

typedef enum { LOGMEL_PAD_CONSTANT = 0, LOGMEL_PAD_REFLECT } logmel_pad;

typedef struct {
    double sr;      /* sampling rate in Hz, >= 1 */
    int n_fft;      /* FFT length in samples, 2..LOGMEL_MAX_FFT */
    int win_length; /* periodic Hann window, zero-padded to n_fft: 1..n_fft samples */
    int hop_length; /* samples from frame to frame, >= 1 */
    int center;     /* 1: frame t is centred on sample t*hop_length, the ends are padded by n_fft/2 */
    logmel_pad pad_mode;
    int power;      /* 1: magnitude, 2: power */
    int n_mels;     /* number of bands, >= 1 */
    double fmin;    /* edges of the mel range in Hz: 0 <= fmin, fmin + LOGMEL_MIN_RANGE <= fmax <= sr/2 */
    double fmax;
    int htk;        /* 0: Slaney's mel scale, 1: HTK's */
    int norm;       /* 0: triangles of peak 1, 1: Slaney's area normalisation */
    int decibel;    /* 0: mel power, 1: decibels */
} logmel_params;

typedef struct logmel logmel;

/* Binds FFTW (single precision) for the process: `path` names a library that holds the fftwf_* functions,
 * NULL means the system's libfftw3f.so.3. Once bound, further calls do nothing. */
logmel_status logmel_load_fftw(const char *path);

/* The bound library's own version text, or NULL. */
const char *logmel_fftw_version(void);

/* Writes a new object to *out, or NULL and an error. */
logmel_status logmel_create(const logmel_params *params, logmel **out);

/* Frees the object; NULL is allowed. */
void logmel_destroy(logmel *lm);

/* Forgets all samples, as if just created. */
void logmel_reset(logmel *lm);

/* How many frames pushing n more samples will give. */
size_t logmel_frames_after_push(const logmel *lm, size_t n);

/* How many frames flush will give. */
size_t logmel_frames_after_flush(const logmel *lm);

/* Takes n samples and writes the frames that they complete to out[n_frames][n_mels]; max_frames is the
 * room in out. */
logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames,
                          size_t *n_frames);

/* Ends the signal: pads it (center) and writes the frames that are left. */
logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames);

/* The index (from 0) of the first unusable sample, or n if all are usable: finite and at most
 * LOGMEL_MAX_SAMPLE in magnitude. */
size_t logmel_first_bad_sample(const float *y, size_t n);

/* How many bands hold no FFT bin: they are always empty. */
size_t logmel_empty_bands(const logmel *lm);

/* The dense filterbank in use, weights[n_mels][n_fft/2 + 1], for tests and pictures. */
void logmel_filterbank(const logmel *lm, float *weights);

/* db[i] = 10*log10(max(amin, power[i])) for finite power; amin > 0. power and db may be one array. */
void logmel_power_to_db(const float *power, size_t n, float amin, float *db);

#ifdef __cplusplus
}
#endif
#endif
