#include "../dct.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

enum { N_MELS = 40 };

static double weight(band_matrix *dct, int c, int m)
{
    return (double)*band_matrix_weight(dct, c, m);
}

/* The rows of a full DCT-II with norm="ortho" are orthonormal. */
static void test_orthonormal(const kernels *k)
{
    band_matrix *dct = dct_create(k, N_MELS, N_MELS, 0.0);
    for (int a = 0; a < N_MELS; a++) {
        for (int b = 0; b <= a; b++) {
            double sum = 0.0;
            for (int m = 0; m < N_MELS; m++) sum += weight(dct, a, m) * weight(dct, b, m);
            CHECK(fabs(sum - (a == b)) < 1e-6);
        }
    }
    band_matrix_destroy(dct);
}

/* The definition of scipy.fft.dct, with librosa's lifter. */
static void test_matches_definition(const kernels *k, int n_mfcc, double lifter)
{
    const double pi = acos(-1.0);
    float x[N_MELS + MAX_LANES], y[N_MELS + MAX_LANES];
    band_matrix *dct = dct_create(k, N_MELS, n_mfcc, lifter);
    CHECK(band_matrix_n_readable(dct) <= N_MELS + MAX_LANES && band_matrix_output_size(dct) <= N_MELS + MAX_LANES);
    for (int m = 0; m < N_MELS + MAX_LANES; m++) x[m] = (float)sin(m * m) * 50.0f;
    band_matrix_run(dct, x, y);
    for (int c = 0; c < n_mfcc; c++) {
        double sum = 0.0, scale = sqrt((c == 0 ? 1.0 : 2.0) / N_MELS);
        for (int m = 0; m < N_MELS; m++) sum += (double)x[m] * cos(pi * c * (m + 0.5) / N_MELS);
        if (lifter > 0.0) scale *= 1.0 + lifter / 2.0 * sin(pi * (c + 1) / lifter);
        CHECK(fabs((double)y[c] - sum * scale) < 1e-4 * (1.0 + lifter));
    }
    band_matrix_destroy(dct);
}

int main(void)
{
    for (int lanes = 1; lanes <= 8; lanes *= 2) {
        const kernels *k = kernels_for_lanes(lanes);
        if (!k) continue;
        test_orthonormal(k);
        for (int n_mfcc = 1; n_mfcc <= N_MELS; n_mfcc += 3) {
            test_matches_definition(k, n_mfcc, 0.0);
            test_matches_definition(k, n_mfcc, 22.0);
        }
    }
    return check_report();
}
