#include "logmel.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aligned.h"
#include "fftw_api.h"
#include "plan.h"

/* Positions count samples of the padded signal, from the start of the left padding. The history always
 * keeps the last n_fft samples: the next frame never starts before them, and no reflection needs more. */
struct logmel {
    const logmel_plan *plan;
    int n_fft, hop_length;
    int pad;            /* samples of padding at each end */
    float *work;        /* [plan_room] */
    float *history;     /* [capacity] */
    size_t capacity;
    int64_t base;       /* position of history[0] */
    int64_t end;        /* position after the last sample */
    int64_t next_frame; /* position where the next frame starts */
    int head_missing;   /* the left padding waits for the samples that it mirrors */
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

/* Compacted once in three n_fft of samples. */
static size_t capacity_of(const logmel_plan *plan)
{
    return aligned_length(4 * (size_t)plan->params.n_fft);
}

size_t logmel_stream_bytes(const logmel_plan *plan)
{
    return sizeof(logmel) + (capacity_of(plan) + plan_room(plan)) * sizeof(float);
}

logmel_status logmel_create(const logmel_plan *plan, logmel **out)
{
    logmel *lm = *out = calloc(1, sizeof *lm);
    if (!lm) return LOGMEL_E_MEMORY;
    lm->plan = plan;
    lm->n_fft = plan->params.n_fft;
    lm->hop_length = plan->params.hop_length;
    lm->pad = plan->params.center ? lm->n_fft / 2 : 0;
    lm->capacity = capacity_of(plan);
    lm->work = aligned_floats(plan_room(plan));
    lm->history = aligned_floats(lm->capacity);
    if (!lm->work || !lm->history) {
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
    free(lm->work);
    free(lm->history);
    free(lm);
}

void logmel_reset(logmel *lm)
{
    memset(lm->history, 0, (size_t)lm->pad * sizeof(float));
    lm->base = 0;
    lm->end = lm->pad;
    lm->next_frame = 0;
    lm->head_missing = lm->pad > 0 && lm->plan->params.pad_mode == LOGMEL_PAD_REFLECT;
    lm->flushed = 0;
}

/* Complete frames between next_frame and a future end. */
static size_t frames_until(const logmel *lm, int64_t end)
{
    int64_t room = end - lm->next_frame - lm->n_fft;
    return room < 0 ? 0 : (size_t)(room / lm->hop_length) + 1;
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

/* Writes the frames that are complete in samples[], which begin at position `from` and end at `end`. */
static float *emit_frames(logmel *lm, const float *samples, int64_t from, int64_t end, float *out)
{
    size_t length = logmel_frame_length(lm->plan);
    for (size_t left = frames_until(lm, end); left > 0; left--, out += length) {
        plan_frame(lm->plan, samples + (lm->next_frame - from), lm->work, out);
        lm->next_frame += lm->hop_length;
    }
    return out;
}

/* Where the next n samples go, n <= n_fft; the last n_fft samples stay. */
static float *room_for(logmel *lm, size_t n)
{
    size_t keep = (size_t)lm->n_fft, used = (size_t)(lm->end - lm->base);
    if (used + n > lm->capacity) {
        memmove(lm->history, lm->history + (used - keep), keep * sizeof(float));
        lm->base = lm->end - (int64_t)keep;
        used = keep;
    }
    return lm->history + used;
}

/* Frames that the history completes. */
static float *emit_history(logmel *lm, float *out)
{
    if (lm->head_missing) {
        if (lm->end < 2 * lm->pad + 1) return out;
        mirror_head(lm);
    }
    return emit_frames(lm, lm->history, lm->base, lm->end, out);
}

static int usable(const logmel *lm, const float *y, size_t n)
{
    return lm->plan->kernel->first_beyond(y, n, LOGMEL_MAX_SAMPLE) == n;
}

/* n <= n_fft samples; moves *out behind the new frames. 0: a sample is unusable. */
static int append(logmel *lm, const float *y, size_t n, float **out)
{
    if (!usable(lm, y, n)) return 0;
    if (n) memcpy(room_for(lm, n), y, n * sizeof(float)); /* y may be NULL for none */
    lm->end += (int64_t)n;
    *out = emit_history(lm, *out);
    return 1;
}

/* Many samples: only frames that began in the history are put together there, the others are read where they lie:
 * 4 % of a frame. Samples are checked shortly before they are used, while the cache holds them. */
static int append_many(logmel *lm, const float *y, size_t n, float **out)
{
    enum { BLOCK = 4096 };
    const size_t n_fft = (size_t)lm->n_fft;
    const int64_t start = lm->end;
    if (!append(lm, y, n_fft, out)) return 0;
    if (n <= 2 * n_fft) return append(lm, y + n_fft, n - n_fft, out);
    for (size_t i = n_fft, k; i < n; i += k) {
        k = n - i < BLOCK ? n - i : BLOCK;
        if (!usable(lm, y + i, k)) return 0;
        *out = emit_frames(lm, y, start, start + (int64_t)(i + k), *out);
    }
    memcpy(lm->history, y + (n - n_fft), n_fft * sizeof(float));
    lm->end = start + (int64_t)n;
    lm->base = lm->end - (int64_t)n_fft;
    return 1;
}

size_t logmel_first_bad_sample(const float *y, size_t n)
{
    return kernels_widest(0)->first_beyond(y, n, LOGMEL_MAX_SAMPLE);
}

logmel_status logmel_push(logmel *lm, const float *y, size_t n, float *out, size_t max_frames, size_t *n_frames)
{
    *n_frames = 0;
    if (lm->flushed) return LOGMEL_E_STATE;
    if (logmel_frames_after_push(lm, n) > max_frames) return LOGMEL_E_SPACE;
    const logmel before = *lm;
    float *stop = out;
    if (!(n <= (size_t)lm->n_fft ? append(lm, y, n, &stop) : append_many(lm, y, n, &stop))) {
        lm->end = before.end; /* what was in the history still is: nothing was consumed */
        lm->next_frame = before.next_frame;
        lm->head_missing = before.head_missing;
        return LOGMEL_E_SAMPLE;
    }
    *n_frames = (size_t)(stop - out) / logmel_frame_length(lm->plan);
    return LOGMEL_OK;
}

static void pad_end(logmel *lm)
{
    float *tail = room_for(lm, (size_t)lm->pad);
    int64_t n = lm->end - lm->pad;
    for (int i = 0; i < lm->pad; i++) {
        tail[i] = lm->plan->params.pad_mode == LOGMEL_PAD_CONSTANT
                      ? 0.0f
                      : lm->history[lm->pad + reflected(n + i, n) - lm->base];
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
        if (lm->head_missing) mirror_head(lm);
        pad_end(lm);
        emit_history(lm, out);
    }
    lm->flushed = 1;
    *n_frames = frames;
    return LOGMEL_OK;
}

void logmel_mfcc(logmel *lm, const float *db, size_t n_frames, float *out)
{
    size_t n_mels = (size_t)lm->plan->params.n_mels, length = logmel_frame_length(lm->plan);
    for (size_t t = 0; t < n_frames; t++) plan_mfcc(lm->plan, db + t * n_mels, lm->work, out + t * length);
}

void logmel_power_to_db(const float *power, size_t n, float amin, float *db)
{
    kernels_widest(0)->decibel(power, n, amin, db);
}
