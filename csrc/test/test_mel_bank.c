#include "../mel_bank.h"

#include <math.h>
#include <stdlib.h>

#include "../aligned.h"
#include "check.h"
#include "naive.h"

static const logmel_params CASES[] = {
    {.sr = 22050, .n_fft = 2048, .n_mels = 128, .fmax = 11025, .norm = 1},
    {.sr = 16000, .n_fft = 400, .n_mels = 40, .fmin = 60, .fmax = 7600, .htk = 1},
    {.sr = 48000, .n_fft = 1023, .n_mels = 96, .fmax = 24000, .htk = 1, .norm = 1},
    {.sr = 8000, .n_fft = 17, .n_mels = 3, .fmin = 300, .fmax = 3400},
    {.sr = 22050, .n_fft = 64, .n_mels = 100, .fmax = 11025, .norm = 1}, /* many bands contain no bin */
    {.sr = 44100, .n_fft = 512, .n_mels = 1, .fmax = 22050},             /* one band contains all bins */
    {.sr = 1000, .n_fft = 4, .n_mels = 1, .fmax = 500},
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p) abort();
    return p;
}

static void test_weights(const kernels *k, const logmel_params *p)
{
    size_t n_bins = (size_t)p->n_fft / 2 + 1, n = (size_t)p->n_mels * n_bins;
    float *weights = allocate(n, sizeof *weights);
    double *exact = allocate(n, sizeof *exact), largest = 0.0, error = 0.0;
    mel_bank *bank = mel_bank_create(k, p);
    naive_filterbank(p, exact);
    mel_bank_to_dense(bank, weights);
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, exact[i]);
        error = fmax(error, fabs((double)weights[i] - exact[i]));
    }
    CHECK(largest > 0.0);
    CHECK(error <= 1e-7 * largest);
    mel_bank_destroy(bank);
    free(weights);
    free(exact);
}

/* Values after the last bin do not affect the result. */
static void test_run(const kernels *k, const logmel_params *p)
{
    size_t n_bins = (size_t)p->n_fft / 2 + 1, n_mels = (size_t)p->n_mels;
    mel_bank *bank = mel_bank_create(k, p);
    const band_matrix *matrix = mel_bank_matrix(bank);
    size_t n_readable = band_matrix_n_readable(matrix), output_size = band_matrix_output_size(matrix);
    float *bins = aligned_floats(n_readable > n_bins ? n_readable : n_bins);
    float *weights = allocate(n_mels * n_bins, sizeof *weights);
    float *mel = aligned_floats(output_size), *mel_padded = aligned_floats(output_size);
    naive_noise(bins, n_bins, 2);
    for (size_t i = 0; i < n_bins; i++) bins[i] = fabsf(bins[i]);
    mel_bank_to_dense(bank, weights);
    band_matrix_run(matrix, bins, mel);
    for (size_t i = n_bins; i < n_readable; i++) bins[i] = 1e30f;
    band_matrix_run(matrix, bins, mel_padded);
    for (size_t m = 0; m < n_mels; m++) {
        double sum = 0.0;
        for (size_t i = 0; i < n_bins; i++) sum += (double)weights[m * n_bins + i] * (double)bins[i];
        CHECK(fabs((double)mel[m] - sum) <= 2e-6 * sum);
        CHECK(mel[m] == mel_padded[m]);
    }
    mel_bank_destroy(bank);
    free(bins);
    free(weights);
    free(mel);
    free(mel_padded);
}

static void test_empty_bands(const kernels *k)
{
    mel_bank *full = mel_bank_create(k, &CASES[0]), *sparse = mel_bank_create(k, &CASES[4]);
    CHECK(mel_bank_n_empty(full) == 0);
    CHECK(mel_bank_n_empty(sparse) > 30 && mel_bank_n_empty(sparse) < 100);
    CHECK(mel_bank_bytes(full) > mel_bank_bytes(sparse));
    mel_bank_destroy(full);
    mel_bank_destroy(sparse);
}

/* Between the first and the last centre, the weights of triangles of peak 1 add up to 1 in each bin. */
static void test_triangles_sum_to_one(const kernels *k, int htk)
{
    enum { N_FFT = 1024, N_BINS = N_FFT / 2 + 1, N_MELS = 30 };
    static float weights[N_MELS * N_BINS];
    mel_bank *bank = mel_bank_create(k, &(logmel_params){.sr = 16000, .n_fft = N_FFT, .n_mels = N_MELS, .fmax = 8000,
                                                         .htk = htk});
    mel_bank_to_dense(bank, weights);
    for (int i = 20; i < 400; i++) {
        double sum = 0.0;
        for (int m = 0; m < N_MELS; m++) sum += (double)weights[m * N_BINS + i];
        CHECK(fabs(sum - 1.0) < 1e-6);
    }
    mel_bank_destroy(bank);
}

int main(void)
{
    for (int lanes = 1; lanes <= 8; lanes *= 2) {
        const kernels *k = kernels_for_lanes(lanes);
        if (!k) continue;
        for (int i = 0; i < N_CASES; i++) {
            test_weights(k, &CASES[i]);
            test_run(k, &CASES[i]);
        }
        test_triangles_sum_to_one(k, 0);
        test_triangles_sum_to_one(k, 1);
        test_empty_bands(k);
    }
    mel_bank_destroy(NULL);
    return check_report();
}
