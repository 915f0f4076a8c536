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

/* Bands of every width from none to all, with a value that would show in what lies around them. */
static void test_product(const kernels *k, int n_rows, int widest)
{
    band bands[MAX_ROWS];
    for (int r = 0; r < n_rows; r++) bands[r] = (band){(r * 13) % (COLUMNS - widest), (r * 7) % (widest + 1)};
    band_matrix *m = band_matrix_create(k, n_rows, bands);
    size_t reach = band_matrix_reach(m), room = band_matrix_room(m);
    CHECK(room >= (size_t)n_rows && room % (size_t)k->lanes == 0);
    float *x = aligned_floats(reach > COLUMNS ? reach : COLUMNS), *y = aligned_floats(room);
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
        CHECK((size_t)(bands[r].first + bands[r].n) <= reach);
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
        const kernels *k = kernels_of(lanes);
        if (!k) continue;
        for (int n_rows = 1; n_rows <= MAX_ROWS; n_rows++) {
            test_product(k, n_rows, 1);
            test_product(k, n_rows, 33);
        }
        test_bytes(k);
    }
    return check_report();
}
