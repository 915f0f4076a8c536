#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aligned.h"
#include "dct.h"
#include "rfft_tables.h"

static const float AMIN = 1e-10f; /* default of librosa.power_to_db: a floor of -100 dB */

static int valid_mel(const logmel_params *p)
{
    return isfinite(p->sr) && p->sr >= 1 && p->n_fft >= 2 && p->n_fft <= LOGMEL_MAX_FFT && p->win_length >= 1 &&
           p->win_length <= p->n_fft && p->hop_length >= 1 &&
           (p->pad_mode == LOGMEL_PAD_CONSTANT || p->pad_mode == LOGMEL_PAD_REFLECT) &&
           (p->power == 1 || p->power == 2) && p->n_mels >= 1 && p->n_mels <= LOGMEL_MAX_FFT && p->fmin >= 0 &&
           p->fmax - p->fmin >= LOGMEL_MIN_RANGE && p->fmax <= p->sr / 2;
}

static int valid_mfcc(const logmel_params *p)
{
    return p->n_mfcc == 0 || (p->n_mfcc > 0 && p->n_mfcc <= p->n_mels && p->n_mfcc <= LOGMEL_MAX_MFCC && p->decibel &&
                              p->lifter >= 0 && isfinite(p->lifter));
}

static int valid_lanes(int lanes)
{
    return lanes == 0 || ((lanes == 1 || lanes == 4 || lanes == 8) && kernels_for_lanes(lanes));
}

static logmel_status init_plan(logmel_plan *self)
{
    const logmel_params *p = &self->params;
    self->kernel = kernels_widest(p->lanes);
    self->bank = mel_bank_create(self->kernel, p);
    if (!self->bank) return LOGMEL_E_MEMORY;
    if (p->n_mfcc) {
        self->dct = dct_create(self->kernel, p->n_mels, p->n_mfcc, p->lifter);
        if (!self->dct) return LOGMEL_E_MEMORY;
    }
    rfft_power_params r = {.n_fft = p->n_fft, .win_length = p->win_length, .power = p->power, .measure = p->measure,
                           .lanes = self->kernel->lanes,
                           .n_readable = band_matrix_n_readable(mel_bank_matrix(self->bank))};
    switch (rfft_power_create(&r, &self->rfft)) {
    case RFFT_POWER_OK: return LOGMEL_OK;
    case RFFT_POWER_NO_FFTW: return LOGMEL_E_FFTW;
    default: return LOGMEL_E_MEMORY;
    }
}

logmel_status logmel_plan_create(const logmel_params *params, logmel_plan **out)
{
    *out = NULL;
    if (!valid_mel(params) || !valid_mfcc(params) || !valid_lanes(params->lanes)) return LOGMEL_E_PARAM;
    logmel_plan *self = calloc(1, sizeof *self);
    if (!self) return LOGMEL_E_MEMORY;
    self->params = *params;
    logmel_status status = init_plan(self);
    if (status == LOGMEL_OK) {
        *out = self;
    } else {
        logmel_plan_destroy(self);
    }
    return status;
}

void logmel_plan_destroy(logmel_plan *self)
{
    if (!self) return;
    mel_bank_destroy(self->bank);
    band_matrix_destroy(self->dct);
    rfft_power_destroy(self->rfft);
    free(self);
}

int logmel_needs_fftw(int n_fft)
{
    return rfft_tables_max_lanes(n_fft, kernels_widest(0)->lanes) == 0;
}

int logmel_plan_lanes(const logmel_plan *self)
{
    return self->kernel->lanes;
}

size_t logmel_plan_bytes(const logmel_plan *self)
{
    size_t dct = self->dct ? band_matrix_bytes(self->dct) : 0;
    return sizeof *self + mel_bank_bytes(self->bank) + rfft_power_bytes(self->rfft) + dct;
}

size_t logmel_frame_length(const logmel_plan *self)
{
    return (size_t)(self->dct ? self->params.n_mfcc : self->params.n_mels);
}

size_t logmel_empty_bands(const logmel_plan *self)
{
    return mel_bank_n_empty(self->bank);
}

void logmel_filterbank(const logmel_plan *self, float *weights)
{
    mel_bank_to_dense(self->bank, weights);
}

/* Return the size of the mel bands in the workspace, which holds the FFT's buffers, the mel bands and the cepstrum. */
static size_t bands_workspace_size(const logmel_plan *self)
{
    size_t written = band_matrix_output_size(mel_bank_matrix(self->bank));
    size_t read = self->dct ? band_matrix_n_readable(self->dct) : 0;
    return aligned_length(written > read ? written : read);
}

size_t plan_workspace_size(const logmel_plan *self)
{
    size_t cepstrum = self->dct ? aligned_length(band_matrix_output_size(self->dct)) : 0;
    return rfft_power_workspace_size(self->rfft) + bands_workspace_size(self) + cepstrum;
}

/* Apply the DCT, if the plan has one, and copy the result to `out`. */
static void write_output(const logmel_plan *self, float *bands, float *out)
{
    const float *result = bands;
    if (self->dct) {
        float *cepstrum = bands + bands_workspace_size(self);
        band_matrix_run(self->dct, bands, cepstrum);
        result = cepstrum;
    }
    memcpy(out, result, logmel_frame_length(self) * sizeof *out);
}

void plan_compute_frame(const logmel_plan *self, const float *samples, float *workspace, float *out)
{
    const band_matrix *bank = mel_bank_matrix(self->bank);
    /* Write the bands directly to `out` if no DCT follows and the filterbank writes exactly n_mels values. */
    int direct = !self->dct && band_matrix_output_size(bank) == (size_t)self->params.n_mels;
    float *bands = direct ? out : workspace + rfft_power_workspace_size(self->rfft);
    band_matrix_run(bank, rfft_power_run(self->rfft, samples, workspace), bands);
    if (self->params.decibel) self->kernel->decibel(bands, (size_t)self->params.n_mels, AMIN, bands);
    if (!direct) write_output(self, bands, out);
}

void plan_compute_mfcc(const logmel_plan *self, const float *db, float *workspace, float *out)
{
    float *bands = workspace + rfft_power_workspace_size(self->rfft);
    memcpy(bands, db, (size_t)self->params.n_mels * sizeof *bands);
    write_output(self, bands, out);
}
