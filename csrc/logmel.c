#include "logmel.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aligned.h"
#include "fftw_api.h"
#include "plan.h"

/* Positions count samples of the padded signal, from the start of the left padding. The history always contains the
 * last n_fft samples: the next frame never starts before them, and reflection never needs more. */
struct logmel {
    const logmel_plan *plan;
    int n_fft, hop_length;
    int pad;               /* samples of padding at each end */
    float *workspace;      /* [plan_workspace_size] */
    float *history;        /* [capacity] */
    size_t capacity;
    int64_t history_start; /* position of history[0] */
    int64_t end;           /* position after the last sample */
    int64_t next_frame;    /* position where the next frame starts */
    int left_pad_pending;  /* the samples that the left padding reflects have not arrived yet */
    int flushed;
};

logmel_status logmel_load_fftw(const char *path)
{
    return fftw_api_load(path) ? LOGMEL_OK : LOGMEL_E_FFTW;
}

const char *logmel_fftw_version(void)
{
    const fftw_api *fftw = fftw_api_get();
    return fftw ? fftw->version : NULL;
}

/* Four n_fft: small pushes compact the history once every three n_fft samples. */
static size_t history_capacity(const logmel_plan *plan)
{
    return aligned_length(4 * (size_t)plan->params.n_fft);
}

size_t logmel_stream_bytes(const logmel_plan *plan)
{
    return sizeof(logmel) + (history_capacity(plan) + plan_workspace_size(plan)) * sizeof(float);
}

logmel_status logmel_create(const logmel_plan *plan, logmel **out)
{
    logmel *lm = *out = calloc(1, sizeof *lm);
    if (!lm) return LOGMEL_E_MEMORY;
    lm->plan = plan;
    lm->n_fft = plan->params.n_fft;
    lm->hop_length = plan->params.hop_length;
    lm->pad = plan->params.center ? lm->n_fft / 2 : 0;
    lm->capacity = history_capacity(plan);
    lm->workspace = aligned_floats(plan_workspace_size(plan));
    lm->history = aligned_floats(lm->capacity);
    if (!lm->workspace || !lm->history) {
        logmel_destroy(lm);
        *out = NULL;
        return LOGMEL_E_MEMORY;
    }
    logmel_reset(lm);
    return LOGMEL_OK;
}

void logmel_destroy(logmel *lm)
{
    if (!lm) return;
    free(lm->workspace);
    free(lm->history);
    free(lm);
}

void logmel_reset(logmel *lm)
{
    memset(lm->history, 0, (size_t)lm->pad * sizeof(float));
    lm->history_start = 0;
    lm->end = lm->pad;
    lm->next_frame = 0;
    lm->left_pad_pending = lm->pad > 0 && lm->plan->params.pad_mode == LOGMEL_PAD_REFLECT;
    lm->flushed = 0;
}

/* Return the number of complete frames from next_frame up to `end`, which may lie in the future. */
static size_t count_complete_frames(const logmel *lm, int64_t end)
{
    int64_t excess = end - lm->next_frame - lm->n_fft;
    return excess < 0 ? 0 : (size_t)(excess / lm->hop_length) + 1;
}

size_t logmel_frames_after_push(const logmel *lm, size_t n)
{
    int64_t end = lm->end + (int64_t)n;
    if (lm->flushed || (lm->left_pad_pending && end < 2 * lm->pad + 1)) return 0;
    return count_complete_frames(lm, end);
}

size_t logmel_frames_after_flush(const logmel *lm)
{
    /* An empty signal has no frames, and no samples to reflect. */
    if (lm->flushed || lm->end == lm->pad) return 0;
    return count_complete_frames(lm, lm->end + lm->pad);
}

/* Return the index in 0..n-1 of the sample that numpy.pad(mode="reflect") puts at index i, which may be outside. */
static int64_t reflect_index(int64_t i, int64_t n)
{
    if (n == 1) return 0;
    int64_t period = 2 * (n - 1), j = i % period;
    if (j < 0) j += period;
    return j < n ? j : period - j;
}

static void reflect_left_pad(logmel *lm)
{
    int64_t n = lm->end - lm->pad;
    for (int i = 0; i < lm->pad; i++) lm->history[i] = lm->history[lm->pad + reflect_index(i - lm->pad, n)];
    lm->left_pad_pending = 0;
}

/* Compute the frames that are complete in samples[], which start at position samples_start and end at `end`. Return the
 * end of the output. */
static float *compute_frames(logmel *lm, const float *samples, int64_t samples_start, int64_t end, float *out)
{
    size_t length = logmel_frame_length(lm->plan);
    for (size_t remaining = count_complete_frames(lm, end); remaining > 0; remaining--, out += length) {
        plan_compute_frame(lm->plan, samples + (lm->next_frame - samples_start), lm->workspace, out);
        lm->next_frame += lm->hop_length;
    }
    return out;
}

/* Return where to write the next n samples (n <= n_fft). If necessary, compact the history to its last n_fft
 * samples. */
static float *reserve_history(logmel *lm, size_t n)
{
    size_t keep = (size_t)lm->n_fft, used = (size_t)(lm->end - lm->history_start);
    if (used + n > lm->capacity) {
        memmove(lm->history, lm->history + (used - keep), keep * sizeof(float));
        lm->history_start = lm->end - (int64_t)keep;
        used = keep;
    }
    return lm->history + used;
}

/* Compute the frames that are complete in the history. Return the end of the output. */
static float *compute_history_frames(logmel *lm, float *out)
{
    if (lm->left_pad_pending) {
        if (lm->end < 2 * lm->pad + 1) return out;
        reflect_left_pad(lm);
    }
    return compute_frames(lm, lm->history, lm->history_start, lm->end, out);
}

static int all_valid(const logmel *lm, const float *y, size_t n)
{
    return lm->plan->kernel->first_invalid(y, n, LOGMEL_MAX_SAMPLE) == n;
}

/* Append n <= n_fft samples and advance *out past the new frames. Return 0 if a sample is invalid. */
static int append(logmel *lm, const float *y, size_t n, float **out)
{
    if (!all_valid(lm, y, n)) return 0;
    if (n) memcpy(reserve_history(lm, n), y, n * sizeof(float)); /* y may be NULL if n is 0 */
    lm->end += (int64_t)n;
    *out = compute_history_frames(lm, *out);
    return 1;
}

/* Append n > n_fft samples. Only frames that start in the history are assembled there; the others are computed directly
 * from y, which saves 4 % of a frame. Each block is validated just before it is used, while it is in the cache. */
static int append_large(logmel *lm, const float *y, size_t n, float **out)
{
    enum { BLOCK = 4096 };
    const size_t n_fft = (size_t)lm->n_fft;
    const int64_t start = lm->end;
    if (!append(lm, y, n_fft, out)) return 0;
    if (n <= 2 * n_fft) return append(lm, y + n_fft, n - n_fft, out);
    for (size_t i = n_fft, k; i < n; i += k) {
        k = n - i < BLOCK ? n - i : BLOCK;
        if (!all_valid(lm, y + i, k)) return 0;
        *out = compute_frames(lm, y, start, start + (int64_t)(i + k), *out);
    }
    memcpy(lm->history, y + (n - n_fft), n_fft * sizeof(float));
    lm->end = start + (int64_t)n;
    lm->history_start = lm->end - (int64_t)n_fft;
    return 1;
}

size_t logmel_first_invalid_sample(const float *y, size_t n)
{
    return kernels_widest(0)->first_invalid(y, n, LOGMEL_MAX_SAMPLE);
}

logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames, size_t *n_frames)
{
    *n_frames = 0;
    if (lm->flushed) return LOGMEL_E_STATE;
    if (logmel_frames_after_push(lm, n) > max_frames) return LOGMEL_E_SPACE;
    const logmel saved = *lm;
    float *out_end = out;
    if (!(n <= (size_t)lm->n_fft ? append(lm, y, n, &out_end) : append_large(lm, y, n, &out_end))) {
        lm->end = saved.end; /* the history still has its old samples: nothing is consumed */
        lm->next_frame = saved.next_frame;
        lm->left_pad_pending = saved.left_pad_pending;
        return LOGMEL_E_SAMPLE;
    }
    *n_frames = (size_t)(out_end - out) / logmel_frame_length(lm->plan);
    return LOGMEL_OK;
}

static void pad_right(logmel *lm)
{
    float *tail = reserve_history(lm, (size_t)lm->pad);
    int64_t n = lm->end - lm->pad;
    for (int i = 0; i < lm->pad; i++) {
        tail[i] = lm->plan->params.pad_mode == LOGMEL_PAD_CONSTANT
                      ? 0.0f
                      : lm->history[lm->pad + reflect_index(n + i, n) - lm->history_start];
    }
    lm->end += lm->pad;
}

logmel_status logmel_flush(logmel *lm, float *out, size_t max_frames, size_t *n_frames)
{
    *n_frames = 0;
    if (lm->flushed) return LOGMEL_E_STATE;
    size_t frames = logmel_frames_after_flush(lm);
    if (frames > max_frames) return LOGMEL_E_SPACE;
    if (frames > 0) {
        if (lm->left_pad_pending) reflect_left_pad(lm);
        pad_right(lm);
        compute_history_frames(lm, out);
    }
    lm->flushed = 1;
    *n_frames = frames;
    return LOGMEL_OK;
}

void logmel_mfcc(logmel *lm, const float *db, size_t n_frames, float *out)
{
    size_t n_mels = (size_t)lm->plan->params.n_mels, length = logmel_frame_length(lm->plan);
    for (size_t t = 0; t < n_frames; t++) plan_compute_mfcc(lm->plan, db + t * n_mels, lm->workspace, out + t * length);
}

void logmel_power_to_db(const float *power, size_t n, float amin, float *db)
{
    kernels_widest(0)->decibel(power, n, amin, db);
}
