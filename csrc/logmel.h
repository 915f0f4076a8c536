/* logmel: streaming (log-)mel spectrograms and MFCC.
 *
 * Samples are mono float, full scale +-1 by convention. Frames are logmel_frame_length floats, lowest band first, and
 * leave in time order, one after another. Values are mel power (or magnitude), or decibels
 * 10*log10(max(1e-10, mel)) when `decibel` is set, or with n_mfcc > 0 the DCT-II of these decibels. Definitions and
 * defaults follow librosa 0.11's feature.melspectrogram, power_to_db(ref=1, top_db=None) and feature.mfcc.
 *
 * Ownership: a plan holds what all streams of one configuration share; a stream (logmel) holds the samples that the
 * next frames need. The caller returns both, streams first, with the destroy functions. What works on a stream
 * in between neither allocates nor locks nor does I/O. Input and output arrays belong to the caller and are not kept.
 * Threads: one stream, one thread at a time. A plan never changes: any number of streams in any threads share it.
 * Sizes that FFTW transforms (logmel_needs_fftw) take one process-wide lock in plan_create and plan_destroy,
 * because FFTW's planner is not thread-safe; a program that plans with the same FFTW library by itself must not do
 * so at that moment.
 * Determinism: any chunking of the same samples gives the same bits; so do two processes with the same number of
 * lanes and, for FFTW's sizes, the same FFTW library without `measure`.
 */
#ifndef LOGMEL_H
#define LOGMEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits that together keep every mel power below FLT_MAX, so that finite input gives finite output. */
#define LOGMEL_MAX_FFT 65536   /* largest n_fft, and most bands */
#define LOGMEL_MAX_MFCC 1024
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
    int n_mfcc;     /* 0: mel bands, else (with decibel) so many coefficients: <= n_mels, <= LOGMEL_MAX_MFCC */
    double lifter;  /* 0: none, else the coefficients count 1 + lifter/2 * sin(pi (c + 1) / lifter) times */
    int lanes;      /* floats in a vector: 0 for as many as the processor has, or 1, 4, 8 (x86-64 with AVX2) */
    int measure;    /* 1: where FFTW is used, it plans by timing (0.03-0.2 s): other bits in each process */
} logmel_params;

typedef struct logmel_plan logmel_plan;
typedef struct logmel logmel;

/* Binds FFTW (single precision) for the process: `path` names a library that holds the fftwf_* functions,
 * NULL means the system's libfftw3f.so.3. Once bound, further calls do nothing. */
logmel_status logmel_load_fftw(const char *path);

/* The bound library's own version text, or NULL. */
const char *logmel_fftw_version(void);

/* 1 if this size needs FFTW loaded: odd ones, prime factors above 5, and a few very small ones. */
int logmel_needs_fftw(int n_fft);

/* Writes a new plan to *out, or NULL and an error. */
logmel_status logmel_plan_create(const logmel_params *params, logmel_plan **out);

/* Frees the plan, after its streams; NULL is allowed. */
void logmel_plan_destroy(logmel_plan *plan);

/* Floats in a frame: n_mels, or n_mfcc. */
size_t logmel_frame_length(const logmel_plan *plan);

/* Floats in the vectors in use: 1, 4 or 8. */
int logmel_plan_lanes(const logmel_plan *plan);

/* Bytes that a plan holds (without FFTW's own), and that each stream of it adds. */
size_t logmel_plan_bytes(const logmel_plan *plan);
size_t logmel_stream_bytes(const logmel_plan *plan);

/* How many bands hold no FFT bin: they are always empty. */
size_t logmel_empty_bands(const logmel_plan *plan);

/* The dense filterbank in use, weights[n_mels][n_fft/2 + 1], for tests and pictures. */
void logmel_filterbank(const logmel_plan *plan, float *weights);

/* Writes a new stream to *out, or NULL and LOGMEL_E_MEMORY. The plan must outlive it. */
logmel_status logmel_create(const logmel_plan *plan, logmel **out);

/* Frees the stream; NULL is allowed. */
void logmel_destroy(logmel *lm);

/* Forgets all samples, as if just created. */
void logmel_reset(logmel *lm);

/* How many frames pushing n more samples will give. */
size_t logmel_frames_after_push(const logmel *lm, size_t n);

/* How many frames flush will give. */
size_t logmel_frames_after_flush(const logmel *lm);

/* Takes n samples and writes the frames that they complete to out, one after another; max_frames is the
 * room in out. */
logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames,
                          size_t *n_frames);

/* Ends the signal: pads it (center) and writes the frames that are left. */
logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames);

/* The index (from 0) of the first unusable sample, or n if all are usable: finite and at most
 * LOGMEL_MAX_SAMPLE in magnitude. */
size_t logmel_first_bad_sample(const float *y, size_t n);

/* MFCC of frames that are decibels already: db[n_frames][n_mels] -> out[n_frames][n_mfcc]. The plan has n_mfcc > 0;
 * the stream lends its workspace and is not changed. */
void logmel_mfcc(logmel *lm, const float *db, size_t n_frames, float *out);

/* db[i] = 10*log10(max(amin, power[i])) for finite power; amin > 0. power and db may be one array. */
void logmel_power_to_db(const float *power, size_t n, float amin, float *db);

#ifdef __cplusplus
}
#endif
#endif
