#include "../kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../aligned.h"
#include "../rfft_tables.h"
#include "check.h"
#include "naive.h"

enum { MAX_N_FFT = 2048 };

static const float AMIN = 1e-37f;

static int decibel_matches_log10(const kernels *k, float power)
{
    float db;
    k->decibel(&power, 1, AMIN, &db);
    double exact = naive_decibel((double)power, (double)AMIN);
    return fabs((double)db - exact) <= 2e-6 * fabs(exact);
}

/* All exponents of normal floats above AMIN, with 256 mantissas each. */
static void test_decibel_all_exponents(const kernels *k)
{
    for (int e = -122; e <= 127; e++) {
        for (int i = 0; i < 256; i++) CHECK(decibel_matches_log10(k, ldexpf(1.0f + (float)i / 256.0f, e)));
    }
    CHECK(decibel_matches_log10(k, FLT_MAX));
}

/* Near 1 the result crosses 0, where only the relative error shows a loss of precision. */
static void test_decibel_near_one(const kernels *k)
{
    float up = 1.0f, down = 1.0f;
    for (int i = 0; i < 1000; i++) {
        up = nextafterf(up, 2.0f);
        down = nextafterf(down, 0.0f);
        CHECK(decibel_matches_log10(k, up));
        CHECK(decibel_matches_log10(k, down));
    }
    float one = 1.0f, db = 7.0f;
    k->decibel(&one, 1, AMIN, &db);
    CHECK(db == 0.0f);
}

/* The exponent changes at sqrt(1/2) * 2^e. */
static void test_decibel_mantissa_boundaries(const kernels *k)
{
    for (int e = -120; e <= 120; e++) {
        float boundary = ldexpf(0.70710678f, e);
        CHECK(decibel_matches_log10(k, boundary));
        CHECK(decibel_matches_log10(k, nextafterf(boundary, 0.0f)));
        CHECK(decibel_matches_log10(k, nextafterf(boundary, FLT_MAX)));
    }
}

static void test_decibel_amin(const kernels *k)
{
    float power[] = {0.0f, -1.0f, -FLT_MAX, 1e-11f, 1e-10f, FLT_MIN / 2.0f, 2e-10f}, db[7];
    k->decibel(power, 7, 1e-10f, db);
    for (int i = 0; i < 6; i++) CHECK(fabsf(db[i] + 100.0f) < 1e-4f);
    for (int i = 0; i < 5; i++) CHECK(db[i] == db[i + 1]);
    CHECK(db[6] > db[5] + 3.0f);
}

static void test_decibel_in_place(const kernels *k)
{
    float power[35], apart[35];
    naive_noise(power, 35, 1);
    k->decibel(power, 33, 1e-10f, apart);
    float after = power[33];
    k->decibel(power, 33, 1e-10f, power);
    for (int i = 0; i < 33; i++) CHECK(power[i] == apart[i]);
    CHECK(power[33] == after);
    k->decibel(power, 0, 1e-10f, power);
    CHECK(power[0] == apart[0]);
}

/* The sizes cover each radix in the first, a middle and the last pass, with and without run_hann_pass4. */
static void test_rfft_size(const kernels *k, int n_fft, int win_length)
{
    static float frame[MAX_N_FFT];
    static double exact[MAX_N_FFT / 2 + 1];
    double largest = 0.0;
    if (rfft_tables_max_lanes(n_fft, k->lanes) != k->lanes) return;
    rfft_tables *t = rfft_tables_create(n_fft, win_length, k->lanes);
    float *a = aligned_floats((size_t)(n_fft + 2 * k->lanes)), *b = aligned_floats((size_t)(n_fft + 2 * k->lanes));
    naive_noise(frame, (size_t)n_fft, (unsigned)n_fft);
    naive_spectrum(frame, n_fft, win_length, 2, exact);
    for (int i = 0; i <= n_fft / 2; i++) largest = fmax(largest, exact[i]);
    const float *bins = k->rfft_power(t, frame, a, b);
    CHECK(bins == a || bins == b);
    for (int i = 0; i <= n_fft / 2; i++) CHECK(fabs((double)bins[i] - exact[i]) <= 2e-6 * largest);
    free(a);
    free(b);
    rfft_tables_destroy(t);
}

static void test_rfft_sizes(const kernels *k, int reduced)
{
    static const int large_sizes[] = {512, 600, 640,  750,  768,  800,  810,  900,
                                      960, 1000, 1024, 1200, 1280, 1536, 2000, 2048};
    for (int n_fft = 2; n_fft <= (reduced ? 160 : 400); n_fft += 2) test_rfft_size(k, n_fft, n_fft);
    if (reduced) return;
    for (int n_fft = 2; n_fft <= 400; n_fft += 18) test_rfft_size(k, n_fft, n_fft / 2 + 1);
    for (size_t i = 0; i < sizeof large_sizes / sizeof *large_sizes; i++) {
        test_rfft_size(k, large_sizes[i], large_sizes[i]);
        test_rfft_size(k, large_sizes[i], large_sizes[i] - 37);
    }
}

/* A single sample under a tiny window weight is precise: small weights are not computed as 1 - large weight. */
static void test_rfft_small_window_weights(const kernels *k)
{
    enum { N = 2048 };
    static const int positions[] = {1, 2, 3, N / 4, N / 2, N - 3, N - 2, N - 1};
    static float frame[N];
    rfft_tables *t = rfft_tables_create(N, N, k->lanes);
    float *a = aligned_floats((size_t)(N + 2 * k->lanes)), *b = aligned_floats((size_t)(N + 2 * k->lanes));
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        memset(frame, 0, sizeof frame);
        frame[positions[i]] = 1.0f;
        double s = sin(acos(-1.0) * positions[i] / N), exact = s * s * s * s;
        const float *bins = k->rfft_power(t, frame, a, b);
        for (int j = 0; j <= N / 2; j++) CHECK(fabs((double)bins[j] / exact - 1.0) < 3e-6);
    }
    free(a);
    free(b);
    rfft_tables_destroy(t);
}

static void test_band_product(const kernels *k)
{
    enum { GROUPS = 3, VECTORS = 4, COLUMNS = 50 };
    static float x[COLUMNS], y[GROUPS * MAX_LANES];
    int lanes = k->lanes;
    size_t n_weights = (size_t)(GROUPS * VECTORS * lanes * lanes);
    float *weights = aligned_floats(n_weights);
    band_group groups[GROUPS] = {{0, {0}}};
    naive_noise(weights, n_weights, 1);
    naive_noise(x, COLUMNS, 2);
    for (int g = 0; g < GROUPS; g++) {
        groups[g].n_vectors = g + 1;
        for (int r = 0; r < lanes; r++) groups[g].first[r] = (7 * r + 5 * g) % (COLUMNS - (g + 1) * lanes + 1);
    }
    k->band_product(&(band_tables){GROUPS, groups, weights}, x, y);
    const float *w = weights;
    for (int g = 0; g < GROUPS; g++) {
        double sum[MAX_LANES] = {0};
        for (int v = 0; v <= g; v++) {
            for (int r = 0; r < lanes; r++) {
                for (int l = 0; l < lanes; l++) sum[r] += (double)*w++ * (double)x[groups[g].first[r] + v * lanes + l];
            }
        }
        for (int r = 0; r < lanes; r++) CHECK(fabs((double)y[g * lanes + r] - sum[r]) < 1e-5);
    }
    free(weights);
}

static void test_first_beyond(const kernels *k)
{
    enum { N = 2500 };
    static const size_t positions[] = {0, 1, 255, 1023, 1024, 1025, 2047, 2048, N - 1};
    static const float invalid[] = {NAN, -NAN, INFINITY, -INFINITY, 1.0001f, -1.0001f, FLT_MAX};
    static float y[N];
    naive_noise(y, N, 6);
    y[3] = 1.0f, y[4] = -1.0f, y[5] = 0.0f, y[6] = -0.0f, y[7] = FLT_MIN / 4.0f;
    CHECK(k->first_invalid(y, N, 1.0f) == N);
    CHECK(k->first_invalid(NULL, 0, 1.0f) == 0);
    for (size_t i = sizeof positions / sizeof *positions; i-- > 0;) {
        for (size_t j = 0; j < sizeof invalid / sizeof *invalid; j++) {
            y[positions[i]] = invalid[j]; /* from last to first: each position precedes the earlier ones */
            CHECK(k->first_invalid(y, N, 1.0f) == positions[i]);
            CHECK(k->first_invalid(y, positions[i], 1.0f) == positions[i]);
        }
    }
}

static void test_kernel_selection(void)
{
    CHECK(kernels_for_lanes(0) == NULL && kernels_for_lanes(2) == NULL);
    CHECK(kernels_for_lanes(16) == NULL && kernels_for_lanes(-1) == NULL);
    CHECK(kernels_widest(1)->lanes == 1 && kernels_widest(4)->lanes == 4 && kernels_widest(5)->lanes == 4);
    CHECK(kernels_widest(0)->lanes == (kernels_for_lanes(8) ? 8 : 4));
}

/* A second argument (for slow machines) selects fewer and smaller sizes. */
int main(int argc, char **argv)
{
    (void)argv;
    static const int lanes[] = {1, 4, 8};
    test_kernel_selection();
    for (int i = 0; i < 3; i++) {
        const kernels *k = kernels_for_lanes(lanes[i]);
        if (!k) {
            fprintf(stderr, "skipped: this processor does not support %d lanes\n", lanes[i]);
            continue;
        }
        CHECK(k->lanes == lanes[i]);
        test_decibel_all_exponents(k);
        test_decibel_near_one(k);
        test_decibel_mantissa_boundaries(k);
        test_decibel_amin(k);
        test_decibel_in_place(k);
        test_rfft_sizes(k, argc > 2);
        test_rfft_small_window_weights(k);
        test_band_product(k);
        test_first_beyond(k);
    }
    return check_report();
}
