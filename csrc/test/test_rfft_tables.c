#include "../rfft_tables.h"

#include <math.h>
#include <stdint.h>

#include "check.h"

static int is_5_smooth(int n)
{
    static const int primes[] = {2, 3, 5};
    for (int i = 0; i < 3; i++) {
        while (n % primes[i] == 0) n /= primes[i];
    }
    return n == 1;
}

/* Supported are exactly the even products of 2, 3 and 5 (all from 32 up, some below). */
static void test_supported_sizes(void)
{
    for (int n = 2; n <= 4096; n++) {
        int lanes = rfft_tables_max_lanes(n, 8), unsupported = n % 2 || !is_5_smooth(n);
        CHECK(!(unsupported && lanes));
        if (n >= 32) CHECK(unsupported || lanes);
        CHECK(rfft_tables_max_lanes(n, 4) <= 4 && rfft_tables_max_lanes(n, 1) <= 1 && rfft_tables_max_lanes(n, 0) == 0);
    }
    CHECK(rfft_tables_max_lanes(2048, 4) == 4 && rfft_tables_max_lanes(2048, 1) == 1);
    CHECK(rfft_tables_max_lanes(65536, 4) == 4);
    CHECK(rfft_tables_max_lanes(32, 4) == 4 && rfft_tables_max_lanes(400, 4) == 4);
    if (kernels_for_lanes(8)) CHECK(rfft_tables_max_lanes(128, 8) == 8 && rfft_tables_max_lanes(400, 8) == 8);
}

/* The radices multiply up to `half`, the tables fit their array, and each twiddle lies on the unit circle. */
static void test_tables(int n_fft, int lanes)
{
    if (rfft_tables_max_lanes(n_fft, lanes) != lanes) return;
    rfft_tables *t = rfft_tables_create(n_fft, n_fft, lanes);
    int product = 1;
    CHECK(t->half * 2 * lanes == n_fft);
    CHECK(t->n_passes >= 2 && t->n_passes <= MAX_PASSES);
    CHECK(rfft_tables_bytes(t) == sizeof *t + t->n_floats * sizeof(float));
    for (int i = 0; i < t->n_passes; i++) {
        const fft_pass *pass = &t->passes[i];
        int n = pass->length / pass->radix * (pass->radix - 1);
        CHECK(pass->stride == product && pass->length == t->half / product);
        for (int j = 0; j < n; j++) {
            CHECK(fabsf(hypotf(pass->twiddles[2 * j], pass->twiddles[2 * j + 1]) - 1.0f) < 2e-7f);
        }
        product *= pass->radix;
    }
    CHECK(product == t->half);
    CHECK((uintptr_t)t->window % 64 == 0 && (uintptr_t)t->lane_twiddles % 64 == 0);
    CHECK(t->lane_dft_rows + lanes * lanes <= t->floats + t->n_floats);
    rfft_tables_destroy(t);
}

int main(void)
{
    test_supported_sizes();
    for (int n_fft = 2; n_fft <= 2048; n_fft += 2) {
        for (int lanes = 1; lanes <= 8; lanes *= 2) test_tables(n_fft, lanes);
    }
    test_tables(65536, 4);
    rfft_tables_destroy(NULL);
    return check_report();
}
