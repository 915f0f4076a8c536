#include "../kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../aligned.h"
#include "../rfft_tables.h"
#include "check.h"
#include "naive.h"

enum { LARGEST = 2048 };

static const float AMIN = 1e-37f;

static int close_to_log10(const kernels *k, float power)
{
    float db;
    k->decibel(&power, 1, AMIN, &db);
    double exact = naive_decibel((double)power, (double)AMIN);
    return fabs((double)db - exact) <= 2e-6 * fabs(exact);
}

/* Every power of two that a normal float above AMIN has, and mantissas in between. */
static void test_all_magnitudes(const kernels *k)
{
    for (int e = -122; e <= 127; e++) {
        for (int i = 0; i < 256; i++) CHECK(close_to_log10(k, ldexpf(1.0f + (float)i / 256.0f, e)));
    }
    CHECK(close_to_log10(k, FLT_MAX));
}

/* Around 1 the result goes through 0, where only the relative error shows a lost digit. */
static void test_around_one(const kernels *k)
{
    float up = 1.0f, down = 1.0f;
    for (int i = 0; i < 1000; i++) {
        up = nextafterf(up, 2.0f);
        down = nextafterf(down, 0.0f);
        CHECK(close_to_log10(k, up));
        CHECK(close_to_log10(k, down));
    }
    float one = 1.0f, db = 7.0f;
    k->decibel(&one, 1, AMIN, &db);
    CHECK(db == 0.0f);
}

/* What the polynomial changes between: sqrt(1/2) * 2^e. */
static void test_around_the_seams(const kernels *k)
{
    for (int e = -120; e <= 120; e++) {
        float seam = ldexpf(0.70710678f, e);
        CHECK(close_to_log10(k, seam));
        CHECK(close_to_log10(k, nextafterf(seam, 0.0f)));
        CHECK(close_to_log10(k, nextafterf(seam, FLT_MAX)));
    }
}

static void test_floor(const kernels *k)
{
    float power[] = {0.0f, -1.0f, -FLT_MAX, 1e-11f, 1e-10f, FLT_MIN / 2.0f, 2e-10f}, db[7];
    k->decibel(power, 7, 1e-10f, db);
    for (int i = 0; i < 6; i++) CHECK(fabsf(db[i] + 100.0f) < 1e-4f);
    for (int i = 0; i < 5; i++) CHECK(db[i] == db[i + 1]);
    CHECK(db[6] > db[5] + 3.0f);
}

static void test_in_place_and_bounds(const kernels *k)
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

/* Each radix, first, in the middle and last; the quartered Hann window and others. */
static void test_transform(const kernels *k, int n_fft, int win_length)
{
    static float frame[LARGEST];
    static double exact[LARGEST / 2 + 1];
    double largest = 0.0;
    if (rfft_tables_lanes(n_fft, k->lanes) != k->lanes) return;
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

static void test_transforms(const kernels *k, int briefly)
{
    static const int larger[] = {512, 600, 640, 750, 768, 800, 810, 900, 960, 1000, 1024, 1200, 1280, 1536, 2000, 2048};
    for (int n_fft = 2; n_fft <= (briefly ? 160 : 400); n_fft += 2) test_transform(k, n_fft, n_fft);
    if (briefly) return;
    for (int n_fft = 2; n_fft <= 400; n_fft += 18) test_transform(k, n_fft, n_fft / 2 + 1);
    for (size_t i = 0; i < sizeof larger / sizeof *larger; i++) {
        test_transform(k, larger[i], larger[i]);
        test_transform(k, larger[i], larger[i] - 37);
    }
}

/* A sample under a tiny weight, all others silent, keeps its digits: the window's small values are not 1 - large. */
static void test_an_onset_at_the_edge(const kernels *k)
{
    enum { N = 2048 };
    static const int places[] = {1, 2, 3, N / 4, N / 2, N - 3, N - 2, N - 1};
    static float frame[N];
    rfft_tables *t = rfft_tables_create(N, N, k->lanes);
    float *a = aligned_floats((size_t)(N + 2 * k->lanes)), *b = aligned_floats((size_t)(N + 2 * k->lanes));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memset(frame, 0, sizeof frame);
        frame[places[i]] = 1.0f;
        double s = sin(acos(-1.0) * places[i] / N), exact = s * s * s * s;
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
    static const size_t places[] = {0, 1, 255, 1023, 1024, 1025, 2047, 2048, N - 1};
    static const float unusable[] = {NAN, -NAN, INFINITY, -INFINITY, 1.0001f, -1.0001f, FLT_MAX};
    static float y[N];
    naive_noise(y, N, 6);
    y[3] = 1.0f, y[4] = -1.0f, y[5] = 0.0f, y[6] = -0.0f, y[7] = FLT_MIN / 4.0f;
    CHECK(k->first_beyond(y, N, 1.0f) == N);
    CHECK(k->first_beyond(NULL, 0, 1.0f) == 0);
    for (size_t i = sizeof places / sizeof *places; i-- > 0;) {
        for (size_t j = 0; j < sizeof unusable / sizeof *unusable; j++) {
            y[places[i]] = unusable[j]; /* from the last to the first: each one hides those behind it */
            CHECK(k->first_beyond(y, N, 1.0f) == places[i]);
            CHECK(k->first_beyond(y, places[i], 1.0f) == places[i]);
        }
    }
}

static void test_choice(void)
{
    CHECK(kernels_of(0) == NULL && kernels_of(2) == NULL && kernels_of(16) == NULL && kernels_of(-1) == NULL);
    CHECK(kernels_widest(1)->lanes == 1 && kernels_widest(4)->lanes == 4 && kernels_widest(5)->lanes == 4);
    CHECK(kernels_widest(0)->lanes == (kernels_of(8) ? 8 : 4));
}

/* With a second argument (slow machines) only the smaller sizes. */
int main(int argc, char **argv)
{
    (void)argv;
    static const int lanes[] = {1, 4, 8};
    test_choice();
    for (int i = 0; i < 3; i++) {
        const kernels *k = kernels_of(lanes[i]);
        if (!k) {
            fprintf(stderr, "this processor has no %d lanes\n", lanes[i]);
            continue;
        }
        CHECK(k->lanes == lanes[i]);
        test_all_magnitudes(k);
        test_around_one(k);
        test_around_the_seams(k);
        test_floor(k);
        test_in_place_and_bounds(k);
        test_transforms(k, argc > 2);
        test_an_onset_at_the_edge(k);
        test_band_product(k);
        test_first_beyond(k);
    }
    return check_report();
}
