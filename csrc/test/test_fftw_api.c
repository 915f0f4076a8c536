#include "../fftw_api.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "check.h"

/* Before anything is bound: no functions, and no library that lacks them. */
static void test_refusals(void)
{
    CHECK(fftw_api_get() == NULL);
    CHECK(fftw_api_load("/no/such/library.so") == 0);
    CHECK(fftw_api_load("libm.so.6") == 0);
    CHECK(fftw_api_get() == NULL);
}

static void test_binds_once(const char *path)
{
    const fftw_api *fftw = fftw_api_get();
    CHECK(fftw != NULL);
    CHECK(fftw->version && strncmp(fftw->version, "fftw-3", 6) == 0);
    CHECK(fftw_api_load(path) == 1);
    CHECK(fftw_api_load("/no/such/library.so") == 1);
    CHECK(fftw_api_load("libm.so.6") == 1);
    CHECK(fftw_api_get() == fftw);
}

/* An impulse has the spectrum exp(-2 pi i k / n): the plan does what its declaration here says. */
static void test_plan(int measure)
{
    enum { N = 20 };
    float in[N] = {0.0f}, out[N / 2 + 1][2];
    const fftw_api *fftw = fftw_api_get();
    fftw_plan plan = fftw_api_plan(N, in, out, measure);
    CHECK(plan != NULL);
    memset(in, 0, sizeof in); /* measuring writes there */
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

/* The planner's turns; the thread sanitizer and wrong spectra would show two at a time. */
static void *plan_many(void *wrong)
{
    float in[64], out[33][2];
    for (int n = 2; n <= 64; n++) {
        fftw_plan plan = fftw_api_plan(n, in, out, 0);
        *(int *)wrong += plan == NULL;
        fftw_api_destroy(plan);
    }
    return NULL;
}

static void test_plans_in_threads(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int wrong[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, plan_many, &wrong[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(wrong[i] == 0);
    }
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    float unbound[4], nothing[3][2];
    CHECK(fftw_api_plan(4, unbound, nothing, 0) == NULL);
    test_refusals();
    if (!fftw_api_load(path)) {
        fprintf(stderr, "no FFTW\n");
        return 2;
    }
    test_binds_once(path);
    test_plan(0);
    test_plan(1);
    test_plans_in_threads();
    return check_report();
}
