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
static void test_plan(void)
{
    enum { N = 20 };
    float in[N] = {0.0f}, out[N / 2 + 1][2];
    const fftw_api *fftw = fftw_api_get();
    fftw_api_lock();
    fftw_plan plan = fftw->plan_r2c(N, in, out, FFTW_API_ESTIMATE);
    fftw_api_unlock();
    CHECK(plan != NULL);
    in[1] = 1.0f;
    fftw->execute(plan);
    for (int k = 0; k <= N / 2; k++) {
        double angle = 2.0 * acos(-1.0) * k / N;
        CHECK(fabs((double)out[k][0] - cos(angle)) < 1e-6);
        CHECK(fabs((double)out[k][1] + sin(angle)) < 1e-6);
    }
    fftw_api_lock();
    fftw->destroy_plan(plan);
    fftw_api_unlock();
}

enum { THREADS = 4, ROUNDS = 200000 };
static volatile int inside, intruders, rounds;

static void *enter_and_leave(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        fftw_api_lock();
        intruders += inside;
        inside++;
        rounds++;
        inside--;
        fftw_api_unlock();
    }
    return unused;
}

static void test_lock_excludes(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, enter_and_leave, NULL) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(intruders == 0);
    CHECK(rounds == THREADS * ROUNDS);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    test_refusals();
    if (!fftw_api_load(path)) {
        fprintf(stderr, "no FFTW\n");
        return 2;
    }
    test_binds_once(path);
    test_plan();
    test_lock_excludes();
    return check_report();
}
