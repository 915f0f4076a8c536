/* No allocation, lock or free between create and destroy; and an allocation that fails at any place is an error,
 * never a leak. Linked with --wrap for the functions below. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"
#include "check.h"
#include "naive.h"
#include "with_fftw.h"

static long calls, fails_at = -1, live;

static int fails(void)
{
    return calls++ == fails_at;
}

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *p);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *p);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

void *__wrap_calloc(size_t n, size_t size)
{
    void *p = fails() ? NULL : __real_calloc(n, size);
    live += p != NULL;
    return p;
}

void *__wrap_malloc(size_t size)
{
    void *p = fails() ? NULL : __real_malloc(size);
    live += p != NULL;
    return p;
}

void *__wrap_realloc(void *p, size_t size)
{
    calls++;
    return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    void *p = fails() ? NULL : __real_aligned_alloc(alignment, size);
    live += p != NULL;
    return p;
}

void __wrap_free(void *p)
{
    calls += p != NULL;
    live -= p != NULL;
    __real_free(p);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    calls++;
    return __real_pthread_mutex_lock(mutex);
}

enum { N_MELS = 20, BLOCK = 5000, FRAMES = 1000000 };

static logmel_params params_of(int n_fft)
{
    return (logmel_params){.sr = 8000, .n_fft = n_fft, .win_length = n_fft, .hop_length = 16, .center = 1, .power = 2,
                           .n_mels = N_MELS, .fmax = 4000, .decibel = 1, .n_mfcc = 13, .pad_mode = LOGMEL_PAD_REFLECT};
}

/* Pushes of every length up to BLOCK, bad ones, too little room, flushes and resets: `frames` frames of them. */
static long frames_without_a_call(int n_fft, long frames)
{
    static float y[BLOCK], out[(BLOCK / 16 + 8) * N_MELS];
    logmel_params p = params_of(n_fft);
    logmel_plan *plan;
    logmel *lm;
    CHECK(logmel_plan_create(&p, &plan) == LOGMEL_OK && logmel_create(plan, &lm) == LOGMEL_OK);
    naive_noise(y, BLOCK, 1);
    long before = calls, done = 0;
    for (size_t n = 1; done < frames; n = (n * 7919 + 13) % BLOCK) {
        size_t k;
        CHECK(logmel_push(lm, y, n, out, logmel_frames_after_push(lm, n), &k) == LOGMEL_OK);
        done += (long)k;
        if (n % 64 == 5) {
            y[n - 1] *= 1e12f;
            CHECK(logmel_push(lm, y, n, out, BLOCK / 16 + 8, &k) == LOGMEL_E_SAMPLE);
            y[n - 1] *= 1e-12f;
            CHECK(logmel_push(lm, y, BLOCK, out, 0, &k) == LOGMEL_E_SPACE);
        }
        if (n % 64 == 6) {
            CHECK(logmel_flush(lm, out, logmel_frames_after_flush(lm), &k) == LOGMEL_OK);
            logmel_reset(lm);
        }
    }
    CHECK(calls == before);
    logmel_destroy(lm);
    logmel_plan_destroy(plan);
    return done;
}

/* Fails the first allocation, then the second, and so on until all succeed. */
static void test_failing_allocations(int n_fft)
{
    logmel_params p = params_of(n_fft);
    long fail = 0, at_start = live;
    logmel_status status;
    do {
        logmel_plan *plan = NULL;
        logmel *lm = NULL;
        calls = 0, fails_at = fail++;
        status = logmel_plan_create(&p, &plan);
        CHECK((status == LOGMEL_OK) == (plan != NULL));
        if (status == LOGMEL_OK) {
            status = logmel_create(plan, &lm);
            CHECK((status == LOGMEL_OK) == (lm != NULL));
        }
        CHECK(status == LOGMEL_OK || status == LOGMEL_E_MEMORY);
        fails_at = -1;
        logmel_destroy(lm);
        logmel_plan_destroy(plan);
        CHECK(live == at_start);
    } while (status != LOGMEL_OK && fail < 1000);
    CHECK(fail > 10 && fail < 1000);
    printf("n_fft %d: each of %ld calls failed once\n", n_fft, fail - 1);
}

/* The second argument says how many frames: slow machines want fewer. */
int main(int argc, char **argv)
{
    int fftw = with_fftw(argc, argv);
    long frames = argc > 2 ? atol(argv[2]) : FRAMES;
    printf("%ld frames of the kernels without a call\n", frames_without_a_call(64, frames));
    test_failing_allocations(64);
    if (fftw) {
        printf("%ld frames of FFTW without a call\n", frames_without_a_call(63, frames / 10));
        test_failing_allocations(63);
    }
    return check_report();
}
