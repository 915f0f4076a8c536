#include "../fftw_api.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "check.h"

/* A missing library, or one without FFTW's functions, is not bound. */
static void test_load_invalid_library(void)
{
    CHECK(fftw_api_get() == NULL);
    CHECK(fftw_api_load("/no/such/library.so") == 0);
    CHECK(fftw_api_load("libm.so.6") == 0);
    CHECK(fftw_api_get() == NULL);
}

/* Only the first library is bound; later calls succeed without effect. */
static void test_load_twice(const char *path)
{
    const fftw_api *fftw = fftw_api_get();
    CHECK(fftw != NULL);
    CHECK(fftw->version && strncmp(fftw->version, "fftw-3", 6) == 0);
    CHECK(fftw_api_load(path) == 1);
    CHECK(fftw_api_load("/no/such/library.so") == 1);
    CHECK(fftw_api_load("libm.so.6") == 1);
    CHECK(fftw_api_get() == fftw);
}

/* The plan transforms an impulse at 1 to exp(-2 pi i k / n). */
static void test_plan(int measure)
{
    enum { N = 20 };
    float in[N] = {0.0f}, out[N / 2 + 1][2];
    const fftw_api *fftw = fftw_api_get();
    fftw_plan plan = fftw_api_plan(N, in, out, measure);
    CHECK(plan != NULL);
    memset(in, 0, sizeof in); /* FFTW_MEASURE overwrites the input */
    in[1] = 1.0f;
    fftw->execute_r2c(plan, in, out);
    for (int k = 0; k <= N / 2; k++) {
        double angle = 2.0 * acos(-1.0) * k / N;
        CHECK(fabs((double)out[k][0] - cos(angle)) < 1e-6);
        CHECK(fabs((double)out[k][1] + sin(angle)) < 1e-6);
    }
    fftw_api_destroy(plan);
    fftw_api_destroy(NULL);
}

/* The planner is locked: the thread sanitizer detects two threads in it at once. */
static void *plan_sizes(void *n_failed)
{
    float in[64], out[33][2];
    for (int n = 2; n <= 64; n++) {
        fftw_plan plan = fftw_api_plan(n, in, out, 0);
        *(int *)n_failed += plan == NULL;
        fftw_api_destroy(plan);
    }
    return NULL;
}

static void test_concurrent_plans(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int n_failed[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, plan_sizes, &n_failed[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(n_failed[i] == 0);
    }
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    float samples[4], spectrum[3][2];
    CHECK(fftw_api_plan(4, samples, spectrum, 0) == NULL);
    test_load_invalid_library();
    if (!fftw_api_load(path)) {
        fprintf(stderr, "cannot load FFTW from %s\n", path ? path : "libfftw3f.so.3");
        return 2;
    }
    test_load_twice(path);
    test_plan(0);
    test_plan(1);
    test_concurrent_plans();
    return check_report();
}
