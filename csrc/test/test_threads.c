/* Streams of one plan in many threads at once, while others make and destroy plans. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"
#include "check.h"
#include "naive.h"
#include "with_fftw.h"

enum { N = 6000, N_MELS = 10, ROOM = (N / 30 + 20) * N_MELS, THREADS = 8, ROUNDS = 20 };

static float y[N], expected[ROOM];
static size_t n_expected;

static logmel_params params_of(int n_fft)
{
    return (logmel_params){.sr = 8000, .n_fft = n_fft, .win_length = n_fft, .hop_length = 30, .center = 1, .power = 2,
                           .n_mels = N_MELS, .fmax = 4000, .decibel = 1};
}

/* How many frames y gives in pieces of `chunk`; 0 after any error. */
static size_t frames_of(const logmel_plan *plan, size_t chunk, float *out)
{
    logmel *lm;
    size_t total = 0, k;
    if (logmel_create(plan, &lm) != LOGMEL_OK) return 0;
    for (size_t i = 0; i < N; i += chunk) {
        size_t n = N - i < chunk ? N - i : chunk;
        if (logmel_push(lm, y + i, n, out + total * N_MELS, ROOM / N_MELS - total, &k) != LOGMEL_OK) return 0;
        total += k;
    }
    if (logmel_flush(lm, out + total * N_MELS, ROOM / N_MELS - total, &k) != LOGMEL_OK) return 0;
    logmel_destroy(lm);
    return total + k;
}

typedef struct {
    const logmel_plan *plan;
    size_t chunk;
    int wrong;
} job;

static void *stream(void *argument)
{
    job *j = argument;
    float *out = calloc(ROOM, sizeof *out);
    for (int round = 0; round < ROUNDS; round++) {
        size_t frames = frames_of(j->plan, j->chunk, out);
        j->wrong += frames != n_expected || memcmp(out, expected, frames * N_MELS * sizeof *out) != 0;
    }
    free(out);
    return NULL;
}

/* FFTW's planner is not thread-safe; ours must be. */
static void *plan_again(void *argument)
{
    job *j = argument;
    for (int round = 0; round < ROUNDS; round++) {
        logmel_params p = params_of(301 + 2 * round);
        logmel_plan *plan;
        j->wrong += logmel_plan_create(&p, &plan) != LOGMEL_OK;
        logmel_plan_destroy(plan);
    }
    return NULL;
}

static void test_size(int n_fft, int fftw)
{
    pthread_t threads[THREADS];
    job jobs[THREADS];
    logmel_params p = params_of(n_fft);
    logmel_plan *plan;
    CHECK(logmel_plan_create(&p, &plan) == LOGMEL_OK);
    n_expected = frames_of(plan, N, expected);
    CHECK(n_expected == naive_frames(&p, N));
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (job){plan, 100 + 371 * i, 0};
        CHECK(pthread_create(&threads[i], NULL, fftw && i % 4 == 3 ? plan_again : stream, &jobs[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(jobs[i].wrong == 0);
    }
    logmel_plan_destroy(plan);
}

int main(int argc, char **argv)
{
    int fftw = with_fftw(argc, argv);
    naive_noise(y, N, 2);
    test_size(256, fftw);
    if (fftw) test_size(255, fftw);
    return check_report();
}
