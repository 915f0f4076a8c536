#include "../band_matrix.h"

#include <math.h>
#include <stdlib.h>

#include "../aligned.h"
#include "check.h"
#include "naive.h"

enum { MAX_ROWS = 40, COLUMNS = 90 };

static float weight(int row, int i)
{
    return (float)((row * 37 + i * 11) % 19) / 7.0f - 1.0f;
}

/* Bands of every width from 0 to max_width. x is not 0 outside the bands, so values read from there would show. */
static void test_product(const kernels *k, int n_rows, int max_width)
{
    band bands[MAX_ROWS];
    for (int r = 0; r < n_rows; r++) bands[r] = (band){(r * 13) % (COLUMNS - max_width), (r * 7) % (max_width + 1)};
    band_matrix *m = band_matrix_create(k, n_rows, bands);
    size_t n_readable = band_matrix_n_readable(m), output_size = band_matrix_output_size(m);
    CHECK(output_size >= (size_t)n_rows && output_size % (size_t)k->lanes == 0);
    float *x = aligned_floats(n_readable > COLUMNS ? n_readable : COLUMNS), *y = aligned_floats(output_size);
    for (int r = 0; r < n_rows; r++) {
        for (int i = 0; i < bands[r].n; i++) *band_matrix_weight(m, r, i) = weight(r, i);
    }
    naive_noise(x, COLUMNS, 3);
    band_matrix_run(m, x, y);
    for (int r = 0; r < n_rows; r++) {
        double sum = 0.0;
        for (int i = 0; i < bands[r].n; i++) sum += (double)weight(r, i) * (double)x[bands[r].first + i];
        CHECK(fabs((double)y[r] - sum) < 1e-4);
        if (bands[r].n == 0) CHECK(y[r] == 0.0f);
        CHECK((size_t)(bands[r].first + bands[r].n) <= n_readable);
    }
    free(x);
    free(y);
    band_matrix_destroy(m);
}

static void test_bytes(const kernels *k)
{
    band bands[2] = {{0, 1}, {0, 100 * MAX_LANES}};
    band_matrix *small = band_matrix_create(k, 1, bands), *large = band_matrix_create(k, 2, bands);
    CHECK(band_matrix_bytes(large) - band_matrix_bytes(small) >= 99 * MAX_LANES * sizeof(float));
    band_matrix_destroy(small);
    band_matrix_destroy(large);
    band_matrix_destroy(NULL);
}

int main(void)
{
    for (int lanes = 1; lanes <= 8; lanes *= 2) {
        const kernels *k = kernels_for_lanes(lanes);
        if (!k) continue;
        for (int n_rows = 1; n_rows <= MAX_ROWS; n_rows++) {
            test_product(k, n_rows, 1);
            test_product(k, n_rows, 33);
        }
        test_bytes(k);
    }
    return check_report();
}
