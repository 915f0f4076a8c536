#include "../mel_bank.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "naive.h"

static const logmel_params CASES[] = {
    {.sr = 22050, .n_fft = 2048, .n_mels = 128, .fmax = 11025, .norm = 1},
    {.sr = 16000, .n_fft = 400, .n_mels = 40, .fmin = 60, .fmax = 7600, .htk = 1},
    {.sr = 48000, .n_fft = 1023, .n_mels = 96, .fmax = 24000, .htk = 1, .norm = 1},
    {.sr = 8000, .n_fft = 17, .n_mels = 3, .fmin = 300, .fmax = 3400},
    {.sr = 22050, .n_fft = 64, .n_mels = 100, .fmax = 11025, .norm = 1}, /* many bands hold no bin */
    {.sr = 44100, .n_fft = 512, .n_mels = 1, .fmax = 22050},             /* one band holds them all */
    {.sr = 1000, .n_fft = 4, .n_mels = 1, .fmax = 500},
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

static mel_bank *bank_of(const logmel_params *p)
{
    return mel_bank_create(p->sr, p->n_fft, p->n_mels, p->fmin, p->fmax, p->htk, p->norm);
}

static void *array(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p) abort();
    return p;
}

static void test_weights(const logmel_params *p)
{
    size_t n_bins = (size_t)p->n_fft / 2 + 1, n = (size_t)p->n_mels * n_bins;
    float *weights = array(n, sizeof *weights);
    double *exact = array(n, sizeof *exact), largest = 0.0, error = 0.0;
    mel_bank *bank = bank_of(p);
    naive_filterbank(p, exact);
    mel_bank_dense(bank, weights);
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

/* Whatever lies in the room after the last bin must not count. */
static void test_run(const logmel_params *p)
{
    size_t n_bins = (size_t)p->n_fft / 2 + 1, n_mels = (size_t)p->n_mels;
    float *bins = array(n_bins + MEL_BANK_PADDING, sizeof *bins), *weights = array(n_mels * n_bins, sizeof *weights);
    float *mel = array(n_mels, sizeof *mel), *again = array(n_mels, sizeof *again);
    mel_bank *bank = bank_of(p);
    naive_noise(bins, n_bins, 2);
    for (size_t k = 0; k < n_bins; k++) bins[k] = fabsf(bins[k]);
    mel_bank_dense(bank, weights);
    mel_bank_run(bank, bins, mel);
    for (int k = 0; k < MEL_BANK_PADDING; k++) bins[n_bins + (size_t)k] = 1e30f;
    mel_bank_run(bank, bins, again);
    for (size_t m = 0; m < n_mels; m++) {
        double sum = 0.0;
        for (size_t k = 0; k < n_bins; k++) sum += (double)weights[m * n_bins + k] * (double)bins[k];
        CHECK(fabs((double)mel[m] - sum) <= 2e-6 * sum);
        CHECK(mel[m] == again[m]);
    }
    mel_bank_destroy(bank);
    free(bins);
    free(weights);
    free(mel);
    free(again);
}

/* Between the first and the last centre, neighbours of peak 1 add up to 1 in every bin. */
static void test_triangles_share_each_bin(int htk)
{
    enum { N_FFT = 1024, N_BINS = N_FFT / 2 + 1, N_MELS = 30 };
    static float weights[N_MELS * N_BINS];
    mel_bank *bank = mel_bank_create(16000, N_FFT, N_MELS, 0, 8000, htk, 0);
    mel_bank_dense(bank, weights);
    for (int k = 20; k < 400; k++) {
        double sum = 0.0;
        for (int m = 0; m < N_MELS; m++) sum += (double)weights[m * N_BINS + k];
        CHECK(fabs(sum - 1.0) < 1e-6);
    }
    mel_bank_destroy(bank);
}

int main(void)
{
    for (int i = 0; i < N_CASES; i++) {
        test_weights(&CASES[i]);
        test_run(&CASES[i]);
    }
    test_triangles_share_each_bin(0);
    test_triangles_share_each_bin(1);
    mel_bank_destroy(NULL);
    return check_report();
}
