#include "mel_bank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mel_bank {
    int n_bins, n_mels;
    band *bands;
    band_matrix *matrix;
};

/* Slaney's mel scale (Auditory Toolbox, 1998) is linear up to 1 kHz and logarithmic above, with 27 mels per factor of
 * 6.4 in frequency. HTK's is 2595 log10(1 + f/700). */
static double hz_to_mel(double hz, int htk)
{
    if (htk) return 2595.0 * log10(1.0 + hz / 700.0);
    const double hz_per_mel = 200.0 / 3.0, knee_hz = 1000.0, log_step = log(6.4) / 27.0;
    return hz < knee_hz ? hz / hz_per_mel : knee_hz / hz_per_mel + log(hz / knee_hz) / log_step;
}

static double mel_to_hz(double mel, int htk)
{
    if (htk) return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
    const double hz_per_mel = 200.0 / 3.0, knee_hz = 1000.0, log_step = log(6.4) / 27.0;
    const double knee_mel = knee_hz / hz_per_mel;
    return mel < knee_mel ? mel * hz_per_mel : knee_hz * exp(log_step * (mel - knee_mel));
}

/* One filter: rises from `lower` to `center` and falls to `upper`, in Hz. */
typedef struct {
    double lower, center, upper, gain;
} triangle;

typedef struct {
    double mel_min, mel_step, hz_per_bin;
    int htk, norm;
} mel_scale;

static triangle make_triangle(const mel_scale *s, int m)
{
    triangle t = {
        .lower = mel_to_hz(s->mel_min + s->mel_step * m, s->htk),
        .center = mel_to_hz(s->mel_min + s->mel_step * (m + 1), s->htk),
        .upper = mel_to_hz(s->mel_min + s->mel_step * (m + 2), s->htk),
    };
    t.gain = s->norm ? 2.0 / (t.upper - t.lower) : 1.0;
    return t;
}

static double triangle_weight(const triangle *t, double hz)
{
    double rise = (hz - t->lower) / (t->center - t->lower);
    double fall = (t->upper - hz) / (t->upper - t->center);
    double w = rise < fall ? rise : fall;
    return w > 0.0 ? w * t->gain : 0.0;
}

/* Return the range of bins whose weight is not 0. */
static band nonzero_band(const triangle *t, double hz_per_bin, int n_bins)
{
    /* Start with one extra bin on each side, so that the weights and not rounded bounds decide which bins belong. */
    int start = (int)fmax(0.0, floor(t->lower / hz_per_bin) - 1.0);
    int stop = (int)fmin((double)n_bins, ceil(t->upper / hz_per_bin) + 2.0);
    while (start < stop && triangle_weight(t, start * hz_per_bin) == 0.0) start++;
    while (stop > start && triangle_weight(t, (stop - 1) * hz_per_bin) == 0.0) stop--;
    return stop > start ? (band){start, stop - start} : (band){0, 0};
}

static int init_matrix(mel_bank *self, const kernels *kernel, const mel_scale *s)
{
    for (int m = 0; m < self->n_mels; m++) {
        triangle t = make_triangle(s, m);
        self->bands[m] = nonzero_band(&t, s->hz_per_bin, self->n_bins);
    }
    self->matrix = band_matrix_create(kernel, self->n_mels, self->bands);
    if (!self->matrix) return 0;
    for (int m = 0; m < self->n_mels; m++) {
        triangle t = make_triangle(s, m);
        for (int i = 0; i < self->bands[m].n; i++) {
            double hz = (self->bands[m].first + i) * s->hz_per_bin;
            *band_matrix_weight(self->matrix, m, i) = (float)triangle_weight(&t, hz);
        }
    }
    return 1;
}

mel_bank *mel_bank_create(const kernels *kernel, const logmel_params *p)
{
    mel_bank *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->n_bins = p->n_fft / 2 + 1;
    self->n_mels = p->n_mels;
    self->bands = calloc((size_t)p->n_mels, sizeof *self->bands);
    mel_scale s = {.mel_min = hz_to_mel(p->fmin, p->htk), .hz_per_bin = p->sr / p->n_fft};
    s.htk = p->htk, s.norm = p->norm;
    s.mel_step = (hz_to_mel(p->fmax, p->htk) - s.mel_min) / (p->n_mels + 1);
    if (!self->bands || !init_matrix(self, kernel, &s)) {
        mel_bank_destroy(self);
        return NULL;
    }
    return self;
}

void mel_bank_destroy(mel_bank *self)
{
    if (!self) return;
    free(self->bands);
    band_matrix_destroy(self->matrix);
    free(self);
}

const band_matrix *mel_bank_matrix(const mel_bank *self)
{
    return self->matrix;
}

size_t mel_bank_bytes(const mel_bank *self)
{
    return sizeof *self + (size_t)self->n_mels * sizeof *self->bands + band_matrix_bytes(self->matrix);
}

size_t mel_bank_n_empty(const mel_bank *self)
{
    size_t empty = 0;
    for (int m = 0; m < self->n_mels; m++) empty += self->bands[m].n == 0;
    return empty;
}

void mel_bank_to_dense(const mel_bank *self, float *weights)
{
    memset(weights, 0, (size_t)self->n_mels * (size_t)self->n_bins * sizeof *weights);
    for (int m = 0; m < self->n_mels; m++) {
        float *row = weights + (size_t)m * (size_t)self->n_bins + self->bands[m].first;
        for (int i = 0; i < self->bands[m].n; i++) row[i] = *band_matrix_weight(self->matrix, m, i);
    }
}
