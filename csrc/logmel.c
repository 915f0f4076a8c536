#include "logmel.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aligned.h"
#include "decibel.h"
#include "fftw_api.h"
#include "mel_bank.h"
#include "rfft_power.h"

static const float AMIN = 1e-10f; /* librosa.power_to_db's default floor: -100 dB */

/* Positions count samples of the padded signal, from the start of the left padding. The history always
 * keeps the last n_fft samples: the next frame never starts before them, and no reflection needs more. */
struct logmel {
    logmel_params params;
    int pad;            /* samples of padding at each end */
    rfft_power *rfft;
    mel_bank *bank;
    float *history;     /* [capacity] */
    size_t capacity;
    int64_t base;       /* position of history[0] */
    int64_t end;        /* position after the last sample */
    int64_t next_frame; /* position where the next frame starts */
    int head_missing;   /* the left padding waits for the samples that it mirrors */
    int flushed;
};

static int valid(const logmel_params *p)
{
    return isfinite(p->sr) && p->sr >= 1 && p->n_fft >= 2 && p->n_fft <= LOGMEL_MAX_FFT && p->win_length >= 1 &&
           p->win_length <= p->n_fft && p->hop_length >= 1 &&
           (p->pad_mode == LOGMEL_PAD_CONSTANT || p->pad_mode == LOGMEL_PAD_REFLECT) &&
           (p->power == 1 || p->power == 2) && p->n_mels >= 1 && p->n_mels <= LOGMEL_MAX_FFT && p->fmin >= 0 &&
           p->fmax - p->fmin >= LOGMEL_MIN_RANGE && p->fmax <= p->sr / 2;
}

logmel_status logmel_load_fftw(const char *path)
{
    return fftw_api_load(path) ? LOGMEL_OK : LOGMEL_E_FFTW;
}

const char *logmel_fftw_version(void)
{
    const fftw_api *fftw = fftw_api_get();
    return fftw ? fftw->version : NULL;
}

logmel_status logmel_create(const logmel_params *params, logmel **out)
{
    *out = NULL;
    if (!valid(params)) return LOGMEL_E_PARAM;
    logmel *lm = calloc(1, sizeof *lm);
    if (!lm) return LOGMEL_E_MEMORY;
    const logmel_params *p = &lm->params;
    int no_fftw = 0;
    lm->params = *params;
    lm->pad = p->center ? p->n_fft / 2 : 0;
    lm->capacity = 4 * (size_t)p->n_fft; /* compacted once in three n_fft of samples */
    lm->history = aligned_floats(lm->capacity);
    lm->bank = mel_bank_create(p->sr, p->n_fft, p->n_mels, p->fmin, p->fmax, p->htk, p->norm);
    lm->rfft = rfft_power_create(p->n_fft, p->win_length, p->power, MEL_BANK_PADDING, &no_fftw);
    if (!lm->history || !lm->bank || !lm->rfft) {
        logmel_destroy(lm);
        return no_fftw ? LOGMEL_E_FFTW : LOGMEL_E_MEMORY;
    }
    logmel_reset(lm);
    *out = lm;
    return LOGMEL_OK;
}

void logmel_destroy(logmel *lm)
{
    if (!lm) return;
    rfft_power_destroy(lm->rfft);
    mel_bank_destroy(lm->bank);
    free(lm->history);
    free(lm);
}

void logmel_reset(logmel *lm)
{
    memset(lm->history, 0, (size_t)lm->pad * sizeof(float));
    lm->base = 0;
    lm->end = lm->pad;
    lm->next_frame = 0;
    lm->head_missing = lm->pad > 0 && lm->params.pad_mode == LOGMEL_PAD_REFLECT;
    lm->flushed = 0;
}

/* Complete frames between next_frame and a future end. */
static size_t frames_until(const logmel *lm, int64_t end)
{
    int64_t room = end - lm->next_frame - lm->params.n_fft;
    return room < 0 ? 0 : (size_t)(room / lm->params.hop_length) + 1;
}

size_t logmel_frames_after_push(const logmel *lm, size_t n)
{
    int64_t end = lm->end + (int64_t)n;
    if (lm->flushed || (lm->head_missing && end < 2 * lm->pad + 1)) return 0;
    return frames_until(lm, end);
}

size_t logmel_frames_after_flush(const logmel *lm)
{
    /* Of no samples there is nothing to show, and nothing to mirror. */
    if (lm->flushed || lm->end == lm->pad) return 0;
    return frames_until(lm, lm->end + lm->pad);
}

/* Where numpy.pad(mode="reflect") takes sample i of a signal of n samples, i outside 0..n-1 allowed. */
static int64_t reflected(int64_t i, int64_t n)
{
    if (n == 1) return 0;
    int64_t period = 2 * (n - 1), j = i % period;
    if (j < 0) j += period;
    return j < n ? j : period - j;
}

static void mirror_head(logmel *lm)
{
    int64_t n = lm->end - lm->pad;
    for (int i = 0; i < lm->pad; i++) lm->history[i] = lm->history[lm->pad + reflected(i - lm->pad, n)];
    lm->head_missing = 0;
}

static float *emit_frames(logmel *lm, float *out)
{
    int n_mels = lm->params.n_mels;
    for (size_t left = frames_until(lm, lm->end); left > 0; left--, out += n_mels) {
        const float *bins = rfft_power_run(lm->rfft, lm->history + (lm->next_frame - lm->base));
        mel_bank_run(lm->bank, bins, out);
        if (lm->params.decibel) decibel_run(out, (size_t)n_mels, AMIN, out);
        lm->next_frame += lm->params.hop_length;
    }
    return out;
}

static void make_room(logmel *lm)
{
    size_t keep = (size_t)lm->params.n_fft, used = (size_t)(lm->end - lm->base);
    if (used < lm->capacity) return;
    memmove(lm->history, lm->history + (used - keep), keep * sizeof(float));
    lm->base = lm->end - (int64_t)keep;
}

/* Appends n samples (NULL: zeros), writing frames as they become complete. */
static float *append(logmel *lm, const float *y, size_t n, float *out)
{
    while (n > 0) {
        make_room(lm);
        size_t used = (size_t)(lm->end - lm->base), room = lm->capacity - used, k = n < room ? n : room;
        if (y) {
            memcpy(lm->history + used, y, k * sizeof(float));
            y += k;
        } else {
            memset(lm->history + used, 0, k * sizeof(float));
        }
        lm->end += (int64_t)k;
        n -= k;
        if (lm->head_missing) {
            if (lm->end < 2 * lm->pad + 1) continue;
            mirror_head(lm);
        }
        out = emit_frames(lm, out);
    }
    return out;
}

size_t logmel_first_bad_sample(const float *y, size_t n)
{
    enum { BLOCK = 256 };
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t stop = i + BLOCK < n ? i + BLOCK : n;
        int bad = 0;
        for (size_t k = i; k < stop; k++) bad |= !(fabsf(y[k]) <= LOGMEL_MAX_SAMPLE);
        for (size_t k = i; bad && k < stop; k++) {
            if (!(fabsf(y[k]) <= LOGMEL_MAX_SAMPLE)) return k;
        }
    }
    return n;
}

logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames, size_t *n_frames)
{
    *n_frames = 0;
    if (lm->flushed) return LOGMEL_E_STATE;
    if (logmel_frames_after_push(lm, n) > max_frames) return LOGMEL_E_SPACE;
    if (logmel_first_bad_sample(y, n) < n) return LOGMEL_E_SAMPLE;
    float *stop = append(lm, y, n, out);
    *n_frames = (size_t)(stop - out) / (size_t)lm->params.n_mels;
    return LOGMEL_OK;
}

/* The mirrored end: written before it is appended, so that it reads only real samples. */
static float *append_mirrored_tail(logmel *lm, float *out)
{
    int64_t n = lm->end - lm->pad;
    for (int i = 0; i < lm->pad; i++) {
        float sample = lm->history[lm->pad + reflected(n + i, n) - lm->base];
        out = append(lm, &sample, 1, out);
    }
    return out;
}

logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames)
{
    *n_frames = 0;
    if (lm->flushed) return LOGMEL_E_STATE;
    size_t frames = logmel_frames_after_flush(lm);
    if (frames > max_frames) return LOGMEL_E_SPACE;
    if (frames > 0) {
        if (lm->head_missing) mirror_head(lm);
        float *stop = lm->params.pad_mode == LOGMEL_PAD_REFLECT ? append_mirrored_tail(lm, out)
                                                              : append(lm, NULL, (size_t)lm->pad, out);
        frames = (size_t)(stop - out) / (size_t)lm->params.n_mels;
    }
    lm->flushed = 1;
    *n_frames = frames;
    return LOGMEL_OK;
}

size_t logmel_empty_bands(const logmel *lm)
{
    return mel_bank_empty(lm->bank);
}

void logmel_filterbank(const logmel *lm, float *weights)
{
    mel_bank_dense(lm->bank, weights);
}

void logmel_power_to_db(const float *power, size_t n, float amin, float *db)
{
    decibel_run(power, n, amin, db);
}
