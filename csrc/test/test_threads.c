/* Streams of one plan in many threads at once, while other threads create and destroy plans. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"
#include "check.h"
#include "load_fftw.h"
#include "naive.h"

enum { N = 6000, N_MELS = 10, MAX_VALUES = (N / 30 + 20) * N_MELS, THREADS = 8, ROUNDS = 20 };

static float y[N], expected[MAX_VALUES];
static size_t n_expected;

static logmel_params make_params(int n_fft)
{
    return (logmel_params){.sr = 8000, .n_fft = n_fft, .win_length = n_fft, .hop_length = 30, .center = 1, .power = 2,
                           .n_mels = N_MELS, .fmax = 4000, .decibel = 1};
}

/* Push y in chunks and flush; return the number of frames, or 0 after an error. */
static size_t run_stream(const logmel_plan *plan, size_t chunk, float *out)
{
    logmel *lm;
    size_t total = 0, k;
    if (logmel_create(plan, &lm) != LOGMEL_OK) return 0;
    for (size_t i = 0; i < N; i += chunk) {
        size_t n = N - i < chunk ? N - i : chunk;
        if (logmel_push(lm, y + i, n, out + total * N_MELS, MAX_VALUES / N_MELS - total, &k) != LOGMEL_OK) return 0;
        total += k;
    }
    if (logmel_flush(lm, out + total * N_MELS, MAX_VALUES / N_MELS - total, &k) != LOGMEL_OK) return 0;
    logmel_destroy(lm);
    return total + k;
}

typedef struct {
    const logmel_plan *plan;
    size_t chunk;
    int n_errors;
} thread_job;

static void *run_stream_thread(void *argument)
{
    thread_job *j = argument;
    float *out = calloc(MAX_VALUES, sizeof *out);
    for (int round = 0; round < ROUNDS; round++) {
        size_t frames = run_stream(j->plan, j->chunk, out);
        j->n_errors += frames != n_expected || memcmp(out, expected, frames * N_MELS * sizeof *out) != 0;
    }
    free(out);
    return NULL;
}

/* FFTW's planner is not thread-safe; logmel_plan_create must be. */
static void *run_plan_thread(void *argument)
{
    thread_job *j = argument;
    for (int round = 0; round < ROUNDS; round++) {
        logmel_params p = make_params(301 + 2 * round);
        logmel_plan *plan;
        j->n_errors += logmel_plan_create(&p, &plan) != LOGMEL_OK;
        logmel_plan_destroy(plan);
    }
    return NULL;
}

static void test_size(int n_fft, int fftw)
{
    pthread_t threads[THREADS];
    thread_job jobs[THREADS];
    logmel_params p = make_params(n_fft);
    logmel_plan *plan;
    CHECK(logmel_plan_create(&p, &plan) == LOGMEL_OK);
    n_expected = run_stream(plan, N, expected);
    CHECK(n_expected == naive_frames(&p, N));
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (thread_job){plan, 100 + 371 * i, 0};
        void *(*run)(void *) = fftw && i % 4 == 3 ? run_plan_thread : run_stream_thread;
        CHECK(pthread_create(&threads[i], NULL, run, &jobs[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(jobs[i].n_errors == 0);
    }
    logmel_plan_destroy(plan);
}

int main(int argc, char **argv)
{
    int fftw = load_fftw_argument(argc, argv);
    naive_noise(y, N, 2);
    test_size(256, fftw);
    if (fftw) test_size(255, fftw);
    return check_report();
}
