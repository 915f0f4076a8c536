#include "rfft_power.h"

#include <math.h>
#include <stdlib.h>

#include "aligned.h"
#include "fftw_api.h"
#include "hann.h"
#include "rfft_tables.h"

/* The kernels transform the sizes that they support (`tables` is set); FFTW transforms the others (`plan` is set). */
struct rfft_power {
    int n_fft, power;
    size_t buffer_size; /* the workspace is two buffers of this size; the bins start one of them */
    const kernels *kernel;
    rfft_tables *tables;
    const fftw_api *fftw;
    fftw_plan plan;
    float *window;
};

static rfft_power_status init_fftw(rfft_power *self, int measure)
{
    self->fftw = fftw_api_get();
    if (!self->fftw) return RFFT_POWER_NO_FFTW;
    float *workspace = aligned_floats(rfft_power_workspace_size(self));
    if (!workspace) return RFFT_POWER_NO_MEMORY;
    self->plan = fftw_api_plan(self->n_fft, workspace, (float(*)[2])(workspace + self->buffer_size), measure);
    free(workspace);
    return self->plan ? RFFT_POWER_OK : RFFT_POWER_NO_FFTW;
}

static rfft_power_status init_transform(rfft_power *self, const rfft_power_params *p)
{
    int lanes = rfft_tables_max_lanes(p->n_fft, p->lanes);
    size_t needed = (size_t)p->n_fft + 2 * (size_t)(lanes ? lanes : 1);
    self->buffer_size = aligned_length(needed > p->n_readable ? needed : p->n_readable);
    if (lanes) {
        self->kernel = kernels_for_lanes(lanes);
        self->tables = rfft_tables_create(p->n_fft, p->win_length, lanes);
        return self->tables ? RFFT_POWER_OK : RFFT_POWER_NO_MEMORY;
    }
    self->window = aligned_floats((size_t)p->n_fft);
    if (!self->window) return RFFT_POWER_NO_MEMORY;
    hann_window(self->window, p->n_fft, p->win_length);
    return init_fftw(self, p->measure);
}

rfft_power_status rfft_power_create(const rfft_power_params *params, rfft_power **out)
{
    rfft_power *self = *out = calloc(1, sizeof *self);
    if (!self) return RFFT_POWER_NO_MEMORY;
    self->n_fft = params->n_fft;
    self->power = params->power;
    rfft_power_status status = init_transform(self, params);
    if (status != RFFT_POWER_OK) {
        rfft_power_destroy(self);
        *out = NULL;
    }
    return status;
}

void rfft_power_destroy(rfft_power *self)
{
    if (!self) return;
    if (self->plan) fftw_api_destroy(self->plan);
    rfft_tables_destroy(self->tables);
    free(self->window);
    free(self);
}

size_t rfft_power_workspace_size(const rfft_power *self)
{
    return 2 * self->buffer_size;
}

size_t rfft_power_bytes(const rfft_power *self)
{
    return sizeof *self +
           (self->tables ? rfft_tables_bytes(self->tables) : aligned_length((size_t)self->n_fft) * sizeof(float));
}

static float *run_fftw(const rfft_power *self, const float *restrict frame, float *restrict workspace)
{
    const float *restrict window = self->window;
    float(*spectrum)[2] = (float(*)[2])(workspace + self->buffer_size);
    for (int i = 0; i < self->n_fft; i++) workspace[i] = frame[i] * window[i];
    self->fftw->execute_r2c(self->plan, workspace, spectrum);
    for (int i = 0; i <= self->n_fft / 2; i++) {
        workspace[i] = spectrum[i][0] * spectrum[i][0] + spectrum[i][1] * spectrum[i][1];
    }
    return workspace;
}

const float *rfft_power_run(const rfft_power *self, const float *frame, float *workspace)
{
    float *bins = self->tables ? self->kernel->rfft_power(self->tables, frame, workspace, workspace + self->buffer_size)
                               : run_fftw(self, frame, workspace);
    if (self->power == 1) {
        for (int i = 0; i <= self->n_fft / 2; i++) bins[i] = sqrtf(bins[i]);
    }
    return bins;
}
