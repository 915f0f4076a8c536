#include "mel_bank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aligned.h"

enum { LANES = MEL_BANK_PADDING };

typedef struct {
    int first;     /* first bin */
    int n_weights; /* a multiple of LANES, the last ones may be 0 */
    size_t offset; /* into weights */
} band;

struct mel_bank {
    int n_bins, n_mels;
    band *bands;
    float *weights;
};

/* Slaney's scale (Auditory Toolbox, 1998): linear to 1 kHz, 27 steps per factor 6.4 above. */
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

/* One filter: rises from lower to centre, falls to upper (Hz). */
typedef struct {
    double lower, centre, upper, gain;
} triangle;

typedef struct {
    double mel_min, mel_step, hz_per_bin;
    int htk, norm;
} scale;

static triangle triangle_of(const scale *s, int m)
{
    triangle t = {
        .lower = mel_to_hz(s->mel_min + s->mel_step * m, s->htk),
        .centre = mel_to_hz(s->mel_min + s->mel_step * (m + 1), s->htk),
        .upper = mel_to_hz(s->mel_min + s->mel_step * (m + 2), s->htk),
    };
    t.gain = s->norm ? 2.0 / (t.upper - t.lower) : 1.0;
    return t;
}

static double weight_of(const triangle *t, double hz)
{
    double rise = (hz - t->lower) / (t->centre - t->lower);
    double fall = (t->upper - hz) / (t->upper - t->centre);
    double w = rise < fall ? rise : fall;
    return w > 0.0 ? w * t->gain : 0.0;
}

static band band_of(const triangle *t, double hz_per_bin, int n_bins)
{
    band b = {0, 0, 0};
    /* A bin to spare on both sides: rounding decides nothing, the weights do. */
    int from = (int)fmax(0.0, floor(t->lower / hz_per_bin) - 1.0);
    int to = (int)fmin((double)n_bins, ceil(t->upper / hz_per_bin) + 2.0);
    while (from < to && weight_of(t, from * hz_per_bin) == 0.0) from++;
    while (to > from && weight_of(t, (to - 1) * hz_per_bin) == 0.0) to--;
    if (to < from) to = from;
    b.first = from < n_bins ? from : 0;
    b.n_weights = (to - from + LANES - 1) / LANES * LANES;
    return b;
}

static void fill_weights(mel_bank *self, const scale *s)
{
    for (int m = 0; m < self->n_mels; m++) {
        const band *b = &self->bands[m];
        triangle t = triangle_of(s, m);
        for (int i = 0; i < b->n_weights && b->first + i < self->n_bins; i++) {
            self->weights[b->offset + (size_t)i] = (float)weight_of(&t, (b->first + i) * s->hz_per_bin);
        }
    }
}

mel_bank *mel_bank_create(double sr, int n_fft, int n_mels, double fmin, double fmax, int htk, int norm)
{
    mel_bank *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->n_bins = n_fft / 2 + 1;
    self->n_mels = n_mels;
    self->bands = calloc((size_t)n_mels, sizeof *self->bands);
    if (!self->bands) {
        mel_bank_destroy(self);
        return NULL;
    }
    scale s = {.mel_min = hz_to_mel(fmin, htk), .hz_per_bin = sr / n_fft, .htk = htk, .norm = norm};
    s.mel_step = (hz_to_mel(fmax, htk) - s.mel_min) / (n_mels + 1);
    size_t total = 0;
    for (int m = 0; m < n_mels; m++) {
        triangle t = triangle_of(&s, m);
        self->bands[m] = band_of(&t, s.hz_per_bin, self->n_bins);
        self->bands[m].offset = total;
        total += (size_t)self->bands[m].n_weights;
    }
    self->weights = aligned_floats(total);
    if (!self->weights) {
        mel_bank_destroy(self);
        return NULL;
    }
    fill_weights(self, &s);
    return self;
}

void mel_bank_destroy(mel_bank *self)
{
    if (!self) return;
    free(self->bands);
    free(self->weights);
    free(self);
}

void mel_bank_run(const mel_bank *self, const float *restrict bins, float *restrict mel)
{
    for (int m = 0; m < self->n_mels; m++) {
        const band *b = &self->bands[m];
        const float *x = bins + b->first, *w = self->weights + b->offset;
        /* Eight sums side by side: a vector register, and a smaller rounding error than one. */
        float sum[LANES] = {0};
        for (int i = 0; i < b->n_weights; i += LANES) {
            for (int k = 0; k < LANES; k++) sum[k] += x[i + k] * w[i + k];
        }
        mel[m] = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
    }
}

size_t mel_bank_empty(const mel_bank *self)
{
    size_t empty = 0;
    for (int m = 0; m < self->n_mels; m++) empty += self->bands[m].n_weights == 0;
    return empty;
}

void mel_bank_dense(const mel_bank *self, float *weights)
{
    memset(weights, 0, (size_t)self->n_mels * (size_t)self->n_bins * sizeof *weights);
    for (int m = 0; m < self->n_mels; m++) {
        const band *b = &self->bands[m];
        float *row = weights + (size_t)m * (size_t)self->n_bins;
        for (int i = 0; i < b->n_weights && b->first + i < self->n_bins; i++) {
            row[b->first + i] = self->weights[b->offset + (size_t)i];
        }
    }
}
