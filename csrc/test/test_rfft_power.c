#include "../rfft_power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../aligned.h"
#include "../rfft_tables.h"
#include "check.h"
#include "load_fftw.h"
#include "naive.h"

enum { MAX_N_FFT = 512, N_READABLE = 700 };

static rfft_power *create_rfft(int n_fft, int win_length, int power, int lanes)
{
    rfft_power_params p = {.n_fft = n_fft, .win_length = win_length, .power = power, .lanes = lanes,
                           .n_readable = N_READABLE};
    rfft_power *rfft = NULL;
    CHECK(rfft_power_create(&p, &rfft) == RFFT_POWER_OK && rfft);
    if (!rfft) abort();
    return rfft;
}

static void test_odd_size_needs_fftw(void)
{
    rfft_power *rfft = (rfft_power *)&rfft;
    rfft_power_params p = {.n_fft = 17, .win_length = 17, .power = 2, .lanes = 4};
    CHECK(rfft_power_create(&p, &rfft) == RFFT_POWER_NO_FFTW && rfft == NULL);
    p.n_fft = 64;
    CHECK(rfft_power_create(&p, &rfft) == RFFT_POWER_OK);
    rfft_power_destroy(rfft);
}

/* The bins match the DFT, and n_readable floats from the first bin on are readable and finite. */
static void test_against_dft(int n_fft, int win_length, int power, int lanes)
{
    float frame[MAX_N_FFT];
    double exact[MAX_N_FFT / 2 + 1], largest = 0.0;
    rfft_power *rfft = create_rfft(n_fft, win_length, power, lanes);
    float *workspace = aligned_floats(rfft_power_workspace_size(rfft));
    naive_noise(frame, (size_t)n_fft, (unsigned)n_fft);
    naive_spectrum(frame, n_fft, win_length, power, exact);
    const float *bins = rfft_power_run(rfft, frame, workspace);
    int n_bins = n_fft / 2 + 1;
    for (int k = 0; k < n_bins; k++) largest = fmax(largest, exact[k]);
    for (int k = 0; k < n_bins; k++) CHECK(fabs((double)bins[k] - exact[k]) <= 2e-6 * largest);
    CHECK(bins >= workspace && bins + N_READABLE <= workspace + rfft_power_workspace_size(rfft));
    for (int k = 0; k < N_READABLE; k++) CHECK(isfinite(bins[k]));
    CHECK(rfft_power_bytes(rfft) > (size_t)n_fft * sizeof(float));
    free(workspace);
    rfft_power_destroy(rfft);
}

/* Results do not depend on earlier runs or on the workspace, and the input frame is not modified. */
static void test_runs_are_independent(int n_fft)
{
    enum { N = MAX_N_FFT };
    float loud[N], quiet[N], before[N], first[N / 2 + 1];
    rfft_power *rfft = create_rfft(n_fft, n_fft, 2, 8);
    size_t workspace_size = rfft_power_workspace_size(rfft);
    float *workspace = aligned_floats(workspace_size), *other = aligned_floats(workspace_size);
    naive_noise(loud, N, 3);
    naive_noise(quiet, N, 4);
    for (int i = 0; i < N; i++) before[i] = quiet[i] *= 1e-3f;
    memcpy(first, rfft_power_run(rfft, quiet, workspace), (size_t)(n_fft / 2 + 1) * sizeof(float));
    rfft_power_run(rfft, loud, other);
    const float *bins = rfft_power_run(rfft, quiet, other);
    for (int k = 0; k <= n_fft / 2; k++) CHECK(bins[k] == first[k]);
    for (int i = 0; i < N; i++) CHECK(quiet[i] == before[i]);
    free(workspace);
    free(other);
    rfft_power_destroy(rfft);
}

/* A Hann-windowed cosine of whole periods has magnitude n/4 in its bin, n/8 in the two next to it, and 0 elsewhere. */
static void test_pure_tone(int lanes)
{
    enum { N = 128, BIN = 20 };
    float tone[N];
    for (int i = 0; i < N; i++) tone[i] = (float)cos(2.0 * acos(-1.0) * BIN * i / N);
    rfft_power *rfft = create_rfft(N, N, 1, lanes);
    float *workspace = aligned_floats(rfft_power_workspace_size(rfft));
    const float *bins = rfft_power_run(rfft, tone, workspace);
    for (int k = 0; k <= N / 2; k++) {
        float expected = k == BIN ? N / 4.0f : abs(k - BIN) == 1 ? N / 8.0f : 0.0f;
        CHECK(fabsf(bins[k] - expected) < 1e-4f);
    }
    free(workspace);
    rfft_power_destroy(rfft);
}

/* A measured plan gives the same values up to rounding, and later estimated plans give the same bits as before. */
static void test_measured_plan(void)
{
    enum { N = 97 };
    float frame[N];
    rfft_power_params p = {.n_fft = N, .win_length = N, .power = 2, .lanes = 4, .measure = 1,
                           .n_readable = N_READABLE};
    rfft_power *estimated = create_rfft(N, N, 2, 4), *measured, *later;
    CHECK(rfft_power_create(&p, &measured) == RFFT_POWER_OK);
    float *a = aligned_floats(rfft_power_workspace_size(estimated));
    float *b = aligned_floats(rfft_power_workspace_size(measured));
    naive_noise(frame, N, 1);
    const float *x = rfft_power_run(estimated, frame, a), *y = rfft_power_run(measured, frame, b);
    for (int k = 0; k <= N / 2; k++) CHECK(fabsf(x[k] - y[k]) < 1e-4f);
    later = create_rfft(N, N, 2, 4);
    y = rfft_power_run(later, frame, b);
    for (int k = 0; k <= N / 2; k++) CHECK(x[k] == y[k]);
    free(a);
    free(b);
    rfft_power_destroy(later);
    rfft_power_destroy(estimated);
    rfft_power_destroy(measured);
}

int main(int argc, char **argv)
{
    static const int sizes[][2] = {{2, 2},     {3, 3},     {16, 16},   {17, 17},   {17, 1},   {64, 50},
                                   {97, 96},   {400, 400}, {400, 160}, {512, 512}, {512, 1}};
    test_odd_size_needs_fftw();
    int fftw = load_fftw_argument(argc, argv);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int lanes = 1; lanes <= 8; lanes *= 2) {
            if (!fftw && !rfft_tables_max_lanes(sizes[i][0], lanes)) continue;
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
