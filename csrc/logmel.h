/* logmel: streaming (log-)mel spectrograms and MFCC.
 *
 * Samples are mono float, full scale +-1 by convention. A frame is logmel_frame_length floats, lowest band first;
 * frames are written in time order, one after another. Values are mel power (or magnitude), or decibels
 * 10*log10(max(1e-10, mel)) when `decibel` is set, or with n_mfcc > 0 the DCT-II of these decibels. Definitions and
 * defaults follow librosa 0.11's feature.melspectrogram, power_to_db(ref=1, top_db=None) and feature.mfcc.
 *
 * Ownership: a plan holds the tables that all streams of one configuration share; a stream (logmel) holds the samples
 * that the next frames need. The caller frees both, streams first, with the destroy functions. Functions that work on
 * an existing stream neither allocate nor lock nor do I/O. Input and output arrays belong to the caller and are not
 * kept.
 * Threads: use a stream in one thread at a time. A plan is read-only: any number of streams in any threads share it.
 * Sizes that FFTW transforms (logmel_needs_fftw) take one process-wide lock in plan_create and plan_destroy,
 * because FFTW's planner is not thread-safe; a program that also plans with the same FFTW library itself must not do
 * so at the same time.
 * Determinism: any chunking of the same samples gives the same bits. Two processes give the same bits if they use the
 * same number of lanes and, for sizes that FFTW transforms, the same FFTW library without `measure`.
 */
#ifndef LOGMEL_H
#define LOGMEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits that together keep every mel power below FLT_MAX, so that finite input gives finite output. */
#define LOGMEL_MAX_FFT 65536   /* largest n_fft and largest n_mels */
#define LOGMEL_MAX_MFCC 1024
#define LOGMEL_MIN_RANGE 1e-3  /* smallest fmax - fmin in Hz; the smallest sr is 1 Hz */
#define LOGMEL_MAX_SAMPLE 1e9f

typedef enum {
    LOGMEL_OK = 0,
    LOGMEL_E_PARAM,  /* a parameter is out of range */
    LOGMEL_E_MEMORY, /* out of memory; everything allocated was freed */
    LOGMEL_E_FFTW,   /* FFTW is not loaded, or cannot plan this size */
    LOGMEL_E_SAMPLE, /* a sample is NaN, infinite or beyond LOGMEL_MAX_SAMPLE; nothing was consumed */
    LOGMEL_E_SPACE,  /* the output array is too small; nothing was consumed */
    LOGMEL_E_STATE   /* push or flush after flush; call logmel_reset first */
} logmel_status;

typedef enum { LOGMEL_PAD_CONSTANT = 0, LOGMEL_PAD_REFLECT } logmel_pad;

typedef struct {
    double sr;      /* sampling rate in Hz, >= 1 */
    int n_fft;      /* FFT length in samples, 2..LOGMEL_MAX_FFT */
    int win_length; /* periodic Hann window, zero-padded to n_fft: 1..n_fft samples */
    int hop_length; /* samples between successive frames, >= 1 */
    int center;     /* 1: frame t is centred on sample t*hop_length, both ends are padded by n_fft/2 */
    logmel_pad pad_mode;
    int power;      /* 1: magnitude, 2: power */
    int n_mels;     /* number of bands, >= 1 */
    double fmin;    /* edges of the mel range in Hz: 0 <= fmin, fmin + LOGMEL_MIN_RANGE <= fmax <= sr/2 */
    double fmax;
    int htk;        /* 0: Slaney's mel scale, 1: HTK's */
    int norm;       /* 0: triangles of peak 1, 1: Slaney's area normalisation */
    int decibel;    /* 0: mel power, 1: decibels */
    int n_mfcc;     /* 0: mel bands, else (needs decibel) number of coefficients: <= n_mels, <= LOGMEL_MAX_MFCC */
    double lifter;  /* 0: none, else coefficient c is multiplied by 1 + lifter/2 * sin(pi (c + 1) / lifter) */
    int lanes;      /* floats per vector: 0 for the most that the processor supports, or 1, 4, 8 (x86-64 with AVX2) */
    int measure;    /* 1: FFTW_MEASURE where FFTW is used: 0.03-0.2 s, and results differ in bits between processes */
} logmel_params;

typedef struct logmel_plan logmel_plan;
typedef struct logmel logmel;

/* Load single-precision FFTW for the process. `path` names a library with the fftwf_* functions; NULL means the
 * system's, libfftw3f.so.3 or libfftw3f.3.dylib. Once a library is bound, further calls do nothing. */
logmel_status logmel_load_fftw(const char *path);

/* Return the version string of the bound FFTW library, or NULL. */
const char *logmel_fftw_version(void);

/* Return 1 if this size needs FFTW: odd sizes, sizes with a prime factor above 5, and a few very small ones. */
int logmel_needs_fftw(int n_fft);

/* Create a plan in *out. On error *out is NULL. */
logmel_status logmel_plan_create(const logmel_params *params, logmel_plan **out);

/* Free the plan. Its streams must have been destroyed before; NULL is allowed. */
void logmel_plan_destroy(logmel_plan *plan);

/* Return the number of floats in a frame: n_mfcc if it is set, else n_mels. */
size_t logmel_frame_length(const logmel_plan *plan);

/* Return the number of floats per vector in use: 1, 4 or 8. */
int logmel_plan_lanes(const logmel_plan *plan);

/* Return the size in bytes of the plan (without FFTW's own memory), and of each stream. */
size_t logmel_plan_bytes(const logmel_plan *plan);
size_t logmel_stream_bytes(const logmel_plan *plan);

/* Return the number of bands that contain no FFT bin: their power is always 0. */
size_t logmel_empty_bands(const logmel_plan *plan);

/* Write the filterbank as a dense matrix weights[n_mels][n_fft/2 + 1], for tests and plots. */
void logmel_filterbank(const logmel_plan *plan, float *weights);

/* Create a stream in *out. On LOGMEL_E_MEMORY *out is NULL. The plan must outlive the stream. */
logmel_status logmel_create(const logmel_plan *plan, logmel **out);

/* Free the stream; NULL is allowed. */
void logmel_destroy(logmel *lm);

/* Discard all samples; the stream is then as newly created. */
void logmel_reset(logmel *lm);

/* Return the number of frames that a push of n more samples will write. */
size_t logmel_frames_after_push(const logmel *lm, size_t n);

/* Return the number of frames that flush will write. */
size_t logmel_frames_after_flush(const logmel *lm);

/* Append n samples and write the frames that they complete to out, which has space for max_frames frames. *n_frames
 * is the number of frames written. */
logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames,
                          size_t *n_frames);

/* End the signal: pad it (if center is set) and write the remaining frames. */
logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames);

/* Return the index (from 0) of the first sample that is not finite or exceeds LOGMEL_MAX_SAMPLE in magnitude, or n if
 * all samples are valid. */
size_t logmel_first_invalid_sample(const float *y, size_t n);

/* Compute MFCC from decibels: db[n_frames][n_mels] -> out[n_frames][n_mfcc]. The plan must have n_mfcc > 0. Only the
 * stream's workspace is used; its samples and state do not change. */
void logmel_mfcc(logmel *lm, const float *db, size_t n_frames, float *out);

/* Compute db[i] = 10*log10(max(amin, power[i])) for finite power and amin > 0. power and db may be the same array. */
void logmel_power_to_db(const float *power, size_t n, float amin, float *db);

#ifdef __cplusplus
}
#endif
#endif
