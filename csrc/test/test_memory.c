/* Tests that no function allocates, frees or locks between create and destroy, and that each failed allocation is
 * reported without a leak. Linked with --wrap for the functions below. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"
#include "check.h"
#include "load_fftw.h"
#include "naive.h"

static long n_calls, failing_call = -1, n_allocated;

static int should_fail(void)
{
    return n_calls++ == failing_call;
}

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
int __real_posix_memalign(void **p, size_t alignment, size_t size);
void __real_free(void *p);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
int __wrap_posix_memalign(void **p, size_t alignment, size_t size);
void __wrap_free(void *p);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

void *__wrap_calloc(size_t n, size_t size)
{
    void *p = should_fail() ? NULL : __real_calloc(n, size);
    n_allocated += p != NULL;
    return p;
}

void *__wrap_malloc(size_t size)
{
    void *p = should_fail() ? NULL : __real_malloc(size);
    n_allocated += p != NULL;
    return p;
}

void *__wrap_realloc(void *p, size_t size)
{
    n_calls++;
    return __real_realloc(p, size);
}

int __wrap_posix_memalign(void **p, size_t alignment, size_t size)
{
    int error = should_fail() ? ENOMEM : __real_posix_memalign(p, alignment, size);
    n_allocated += error == 0;
    return error;
}

void __wrap_free(void *p)
{
    n_calls += p != NULL;
    n_allocated -= p != NULL;
    __real_free(p);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    n_calls++;
    return __real_pthread_mutex_lock(mutex);
}

enum { N_MELS = 20, BLOCK = 5000, FRAMES = 1000000 };

static logmel_params make_params(int n_fft)
{
    return (logmel_params){.sr = 8000, .n_fft = n_fft, .win_length = n_fft, .hop_length = 16, .center = 1, .power = 2,
                           .n_mels = N_MELS, .fmax = 4000, .decibel = 1, .n_mfcc = 13, .pad_mode = LOGMEL_PAD_REFLECT};
}

/* Compute `frames` frames in pushes of all lengths up to BLOCK, with invalid samples, small outputs, flushes and resets
 * in between, and check that no wrapped function is called. */
static long run_without_calls(int n_fft, long frames)
{
    static float y[BLOCK], out[(BLOCK / 16 + 8) * N_MELS];
    logmel_params p = make_params(n_fft);
    logmel_plan *plan;
    logmel *lm;
    CHECK(logmel_plan_create(&p, &plan) == LOGMEL_OK && logmel_create(plan, &lm) == LOGMEL_OK);
    naive_noise(y, BLOCK, 1);
    long n_calls_before = n_calls, n_frames = 0;
    for (size_t n = 1; n_frames < frames; n = (n * 7919 + 13) % BLOCK) {
        size_t k;
        CHECK(logmel_push(lm, y, n, out, logmel_frames_after_push(lm, n), &k) == LOGMEL_OK);
        n_frames += (long)k;
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
    CHECK(n_calls == n_calls_before);
    logmel_destroy(lm);
    logmel_plan_destroy(plan);
    return n_frames;
}

/* Let the first allocation fail, then the second, and so on until all succeed. */
static void test_failing_allocations(int n_fft)
{
    logmel_params p = make_params(n_fft);
    long i_failing = 0, n_allocated_before = n_allocated;
    logmel_status status;
    do {
        logmel_plan *plan = NULL;
        logmel *lm = NULL;
        n_calls = 0, failing_call = i_failing++;
        status = logmel_plan_create(&p, &plan);
        CHECK((status == LOGMEL_OK) == (plan != NULL));
        if (status == LOGMEL_OK) {
            status = logmel_create(plan, &lm);
            CHECK((status == LOGMEL_OK) == (lm != NULL));
        }
        CHECK(status == LOGMEL_OK || status == LOGMEL_E_MEMORY);
        failing_call = -1;
        logmel_destroy(lm);
        logmel_plan_destroy(plan);
        CHECK(n_allocated == n_allocated_before);
    } while (status != LOGMEL_OK && i_failing < 1000);
    CHECK(i_failing > 10 && i_failing < 1000);
    printf("n_fft %d: each of %ld allocations failed once\n", n_fft, i_failing - 1);
}

/* The second argument is the number of frames, for slow machines. */
int main(int argc, char **argv)
{
    int fftw = load_fftw_argument(argc, argv);
    long frames = argc > 2 ? atol(argv[2]) : FRAMES;
    printf("%ld frames of the kernels without an allocation or lock\n", run_without_calls(64, frames));
    test_failing_allocations(64);
    if (fftw) {
        printf("%ld frames of FFTW without an allocation or lock\n", run_without_calls(63, frames / 10));
        test_failing_allocations(63);
    }
    return check_report();
}
