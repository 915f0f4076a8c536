#include "rfft_power.h"

#include <math.h>
#include <stdlib.h>

#include "aligned.h"
#include "fftw_api.h"

struct rfft_power {
    const fftw_api *fftw;
    fftw_plan plan;
    int n_fft, power;
    float *window;           /* [n_fft] */
    float *windowed;         /* [n_fft] */
    float (*spectrum)[2];    /* [n_fft/2 + 1] */
    float *bins;             /* [n_fft/2 + 1 + padding] */
};

/* Periodic Hann (scipy.signal.get_window("hann", fftbins=True)) with zeros on both sides. */
static void fill_window(float *window, int n_fft, int win_length)
{
    const double pi = acos(-1.0);
    int left = (n_fft - win_length) / 2;
    for (int i = 0; i < win_length; i++) {
        /* Of one sample, scipy's window is 1, not the formula's 0. */
        window[left + i] = win_length == 1 ? 1.0f : (float)(0.5 - 0.5 * cos(2.0 * pi * i / win_length));
    }
}

static int make_plan(rfft_power *self)
{
    self->fftw = fftw_api_get();
    if (!self->fftw) return 0;
    fftw_api_lock();
    self->plan = self->fftw->plan_r2c(self->n_fft, self->windowed, self->spectrum, FFTW_API_ESTIMATE);
    fftw_api_unlock();
    return self->plan != NULL;
}

rfft_power *rfft_power_create(int n_fft, int win_length, int power, int padding, int *no_fftw)
{
    size_t n_bins = (size_t)n_fft / 2 + 1;
    *no_fftw = 0;
    rfft_power *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->n_fft = n_fft;
    self->power = power;
    self->window = aligned_floats((size_t)n_fft);
    self->windowed = aligned_floats((size_t)n_fft);
    self->spectrum = (float (*)[2])aligned_floats(2 * n_bins);
    self->bins = aligned_floats(n_bins + (size_t)padding);
    if (!self->window || !self->windowed || !self->spectrum || !self->bins) {
        rfft_power_destroy(self);
        return NULL;
    }
    if (!make_plan(self)) {
        *no_fftw = 1;
        rfft_power_destroy(self);
        return NULL;
    }
    fill_window(self->window, n_fft, win_length);
    return self;
}

void rfft_power_destroy(rfft_power *self)
{
    if (!self) return;
    if (self->plan) {
        fftw_api_lock();
        self->fftw->destroy_plan(self->plan);
        fftw_api_unlock();
    }
    free(self->window);
    free(self->windowed);
    free(self->spectrum);
    free(self->bins);
    free(self);
}

const float *rfft_power_run(rfft_power *self, const float *restrict frame)
{
    const float *restrict window = self->window;
    float *restrict windowed = self->windowed;
    float *restrict bins = self->bins;
    for (int i = 0; i < self->n_fft; i++) windowed[i] = frame[i] * window[i];
    self->fftw->execute(self->plan);
    const float(*spectrum)[2] = (const float(*)[2])self->spectrum;
    int n_bins = self->n_fft / 2 + 1;
    for (int i = 0; i < n_bins; i++) {
        bins[i] = spectrum[i][0] * spectrum[i][0] + spectrum[i][1] * spectrum[i][1];
    }
    if (self->power == 1) {
        for (int i = 0; i < n_bins; i++) bins[i] = sqrtf(bins[i]);
    }
    return bins;
}
