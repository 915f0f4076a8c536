#include "../rfft_power.h"

#include <math.h>
#include <stdlib.h>

#include "../fftw_api.h"
#include "check.h"
#include "naive.h"

enum { PADDING = 8, LARGEST = 512 };

static void test_needs_fftw(void)
{
    int no_fftw = 0;
    CHECK(rfft_power_create(16, 16, 2, 0, &no_fftw) == NULL);
    CHECK(no_fftw == 1);
}

static void test_against_dft(int n_fft, int win_length, int power)
{
    float frame[LARGEST];
    double exact[LARGEST / 2 + 1], largest = 0.0;
    int no_fftw = 1;
    rfft_power *rfft = rfft_power_create(n_fft, win_length, power, PADDING, &no_fftw);
    CHECK(rfft && !no_fftw);
    naive_noise(frame, (size_t)n_fft, (unsigned)n_fft);
    naive_spectrum(frame, n_fft, win_length, power, exact);
    const float *bins = rfft_power_run(rfft, frame);
    int n_bins = n_fft / 2 + 1;
    for (int k = 0; k < n_bins; k++) largest = fmax(largest, exact[k]);
    for (int k = 0; k < n_bins; k++) CHECK(fabs((double)bins[k] - exact[k]) <= 2e-6 * largest);
    for (int k = 0; k < PADDING; k++) CHECK(bins[n_bins + k] == 0.0f);
    rfft_power_destroy(rfft);
}

/* One run leaves nothing behind for the next, and the frame as it was. */
static void test_runs_are_independent(void)
{
    enum { N = 64 };
    float loud[N], quiet[N], before[N], first[N / 2 + 1];
    int no_fftw;
    rfft_power *rfft = rfft_power_create(N, N, 2, PADDING, &no_fftw);
    naive_noise(loud, N, 3);
    naive_noise(quiet, N, 4);
    for (int i = 0; i < N; i++) before[i] = quiet[i] *= 1e-3f;
    const float *bins = rfft_power_run(rfft, quiet);
    for (int k = 0; k <= N / 2; k++) first[k] = bins[k];
    rfft_power_run(rfft, loud);
    bins = rfft_power_run(rfft, quiet);
    for (int k = 0; k <= N / 2; k++) CHECK(bins[k] == first[k]);
    for (int i = 0; i < N; i++) CHECK(quiet[i] == before[i]);
    rfft_power_destroy(rfft);
}

/* The magnitude of a cosine of whole periods under Hann: n/4 in its bin, n/8 beside it, nothing elsewhere. */
static void test_pure_tone(void)
{
    enum { N = 128, BIN = 20 };
    float tone[N];
    int no_fftw;
    for (int i = 0; i < N; i++) tone[i] = (float)cos(2.0 * acos(-1.0) * BIN * i / N);
    rfft_power *rfft = rfft_power_create(N, N, 1, PADDING, &no_fftw);
    const float *bins = rfft_power_run(rfft, tone);
    for (int k = 0; k <= N / 2; k++) {
        float expected = k == BIN ? N / 4.0f : abs(k - BIN) == 1 ? N / 8.0f : 0.0f;
        CHECK(fabsf(bins[k] - expected) < 1e-4f);
    }
    rfft_power_destroy(rfft);
}

int main(int argc, char **argv)
{
    static const int sizes[][2] = {{2, 2},     {3, 3},     {16, 16},   {17, 17},   {17, 1},   {64, 50},
                                   {97, 96},   {400, 400}, {400, 160}, {512, 512}, {512, 1}};
    test_needs_fftw();
    if (!fftw_api_load(argc > 1 ? argv[1] : NULL)) {
        fprintf(stderr, "no FFTW\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        test_against_dft(sizes[i][0], sizes[i][1], 1);
        test_against_dft(sizes[i][0], sizes[i][1], 2);
    }
    test_runs_are_independent();
    test_pure_tone();
    rfft_power_destroy(NULL);
    return check_report();
}
