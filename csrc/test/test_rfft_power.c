#include "../rfft_power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../aligned.h"
#include "../rfft_tables.h"
#include "check.h"
#include "naive.h"
#include "with_fftw.h"

enum { LARGEST = 512, REACH = 700 };

static rfft_power *create(int n_fft, int win_length, int power, int lanes)
{
    rfft_power_params p = {.n_fft = n_fft, .win_length = win_length, .power = power, .lanes = lanes, .reach = REACH};
    rfft_power *rfft = NULL;
    CHECK(rfft_power_create(&p, &rfft) == RFFT_POWER_OK && rfft);
    if (!rfft) abort();
    return rfft;
}

static void test_odd_sizes_need_fftw(void)
{
    rfft_power *rfft = (rfft_power *)&rfft;
    rfft_power_params p = {.n_fft = 17, .win_length = 17, .power = 2, .lanes = 4};
    CHECK(rfft_power_create(&p, &rfft) == RFFT_POWER_NO_FFTW && rfft == NULL);
    p.n_fft = 64;
    CHECK(rfft_power_create(&p, &rfft) == RFFT_POWER_OK);
    rfft_power_destroy(rfft);
}

/* The bins, and that `reach` floats after the first are there and finite. */
static void test_against_dft(int n_fft, int win_length, int power, int lanes)
{
    float frame[LARGEST];
    double exact[LARGEST / 2 + 1], largest = 0.0;
    rfft_power *rfft = create(n_fft, win_length, power, lanes);
    float *work = aligned_floats(rfft_power_room(rfft));
    naive_noise(frame, (size_t)n_fft, (unsigned)n_fft);
    naive_spectrum(frame, n_fft, win_length, power, exact);
    const float *bins = rfft_power_run(rfft, frame, work);
    int n_bins = n_fft / 2 + 1;
    for (int k = 0; k < n_bins; k++) largest = fmax(largest, exact[k]);
    for (int k = 0; k < n_bins; k++) CHECK(fabs((double)bins[k] - exact[k]) <= 2e-6 * largest);
    CHECK(bins >= work && bins + REACH <= work + rfft_power_room(rfft));
    for (int k = 0; k < REACH; k++) CHECK(isfinite(bins[k]));
    CHECK(rfft_power_bytes(rfft) > (size_t)n_fft * sizeof(float));
    free(work);
    rfft_power_destroy(rfft);
}

/* One run leaves nothing behind for the next, nor does the workspace matter, and the frame stays as it was. */
static void test_runs_are_independent(int n_fft)
{
    enum { N = LARGEST };
    float loud[N], quiet[N], before[N], first[N / 2 + 1];
    rfft_power *rfft = create(n_fft, n_fft, 2, 8);
    float *work = aligned_floats(rfft_power_room(rfft)), *other = aligned_floats(rfft_power_room(rfft));
    naive_noise(loud, N, 3);
    naive_noise(quiet, N, 4);
    for (int i = 0; i < N; i++) before[i] = quiet[i] *= 1e-3f;
    memcpy(first, rfft_power_run(rfft, quiet, work), (size_t)(n_fft / 2 + 1) * sizeof(float));
    rfft_power_run(rfft, loud, other);
    const float *bins = rfft_power_run(rfft, quiet, other);
    for (int k = 0; k <= n_fft / 2; k++) CHECK(bins[k] == first[k]);
    for (int i = 0; i < N; i++) CHECK(quiet[i] == before[i]);
    free(work);
    free(other);
    rfft_power_destroy(rfft);
}

/* The magnitude of a cosine of whole periods under Hann: n/4 in its bin, n/8 beside it, nothing elsewhere. */
static void test_pure_tone(int lanes)
{
    enum { N = 128, BIN = 20 };
    float tone[N];
    for (int i = 0; i < N; i++) tone[i] = (float)cos(2.0 * acos(-1.0) * BIN * i / N);
    rfft_power *rfft = create(N, N, 1, lanes);
    float *work = aligned_floats(rfft_power_room(rfft));
    const float *bins = rfft_power_run(rfft, tone, work);
    for (int k = 0; k <= N / 2; k++) {
        float expected = k == BIN ? N / 4.0f : abs(k - BIN) == 1 ? N / 8.0f : 0.0f;
        CHECK(fabsf(bins[k] - expected) < 1e-4f);
    }
    free(work);
    rfft_power_destroy(rfft);
}

/* Planning by timing gives other bits at most, not other values; and plans by rule that come later are as before. */
static void test_measured_plan(void)
{
    enum { N = 97 };
    float frame[N];
    rfft_power_params p = {.n_fft = N, .win_length = N, .power = 2, .lanes = 4, .measure = 1,
                           .reach = REACH};
    rfft_power *ruled = create(N, N, 2, 4), *measured, *later;
    CHECK(rfft_power_create(&p, &measured) == RFFT_POWER_OK);
    float *a = aligned_floats(rfft_power_room(ruled)), *b = aligned_floats(rfft_power_room(measured));
    naive_noise(frame, N, 1);
    const float *x = rfft_power_run(ruled, frame, a), *y = rfft_power_run(measured, frame, b);
    for (int k = 0; k <= N / 2; k++) CHECK(fabsf(x[k] - y[k]) < 1e-4f);
    later = create(N, N, 2, 4);
    y = rfft_power_run(later, frame, b);
    for (int k = 0; k <= N / 2; k++) CHECK(x[k] == y[k]);
    free(a);
    free(b);
    rfft_power_destroy(later);
    rfft_power_destroy(ruled);
    rfft_power_destroy(measured);
}

int main(int argc, char **argv)
{
    static const int sizes[][2] = {{2, 2},     {3, 3},     {16, 16},   {17, 17},   {17, 1},   {64, 50},
                                   {97, 96},   {400, 400}, {400, 160}, {512, 512}, {512, 1}};
    test_odd_sizes_need_fftw();
    int fftw = with_fftw(argc, argv);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int lanes = 1; lanes <= 8; lanes *= 2) {
            if (!fftw && !rfft_tables_lanes(sizes[i][0], lanes)) continue;
            test_against_dft(sizes[i][0], sizes[i][1], 1, lanes);
            test_against_dft(sizes[i][0], sizes[i][1], 2, lanes);
        }
    }
    for (int lanes = 1; lanes <= 8; lanes *= 2) test_pure_tone(lanes);
    test_runs_are_independent(64);
    test_runs_are_independent(512);
    if (fftw) {
        test_runs_are_independent(97);
        test_measured_plan();
    }
    rfft_power_destroy(NULL);
    return check_report();
}
