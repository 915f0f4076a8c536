#include "rfft_power.h"

#include <math.h>
#include <stdlib.h>

#include "aligned.h"
#include "fftw_api.h"
#include "hann.h"
#include "rfft_tables.h"

/* Either the kernels transform, or, where they cannot do the size, FFTW does. */
struct rfft_power {
    int n_fft, power;
    size_t half_room; /* the workspace has two parts; the bins are at the start of one of them */
    const kernels *kernel;
    rfft_tables *tables;
    const fftw_api *fftw;
    fftw_plan plan;
    float *window;
};

static rfft_power_status make_plan(rfft_power *self, int measure)
{
    self->fftw = fftw_api_get();
    if (!self->fftw) return RFFT_POWER_NO_FFTW;
    float *work = aligned_floats(rfft_power_room(self));
    if (!work) return RFFT_POWER_NO_MEMORY;
    self->plan = fftw_api_plan(self->n_fft, work, (float(*)[2])(work + self->half_room), measure);
    free(work);
    return self->plan ? RFFT_POWER_OK : RFFT_POWER_NO_FFTW;
}

static rfft_power_status prepare(rfft_power *self, const rfft_power_params *p)
{
    int lanes = rfft_tables_lanes(p->n_fft, p->lanes);
    size_t room = (size_t)p->n_fft + 2 * (size_t)(lanes ? lanes : 1);
    self->half_room = aligned_length(room > p->reach ? room : p->reach);
    if (lanes) {
        self->kernel = kernels_of(lanes);
        self->tables = rfft_tables_create(p->n_fft, p->win_length, lanes);
        return self->tables ? RFFT_POWER_OK : RFFT_POWER_NO_MEMORY;
    }
    self->window = aligned_floats((size_t)p->n_fft);
    if (!self->window) return RFFT_POWER_NO_MEMORY;
    hann_window(self->window, p->n_fft, p->win_length);
    return make_plan(self, p->measure);
}

rfft_power_status rfft_power_create(const rfft_power_params *params, rfft_power **out)
{
    rfft_power *self = *out = calloc(1, sizeof *self);
    if (!self) return RFFT_POWER_NO_MEMORY;
    self->n_fft = params->n_fft;
    self->power = params->power;
    rfft_power_status status = prepare(self, params);
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

size_t rfft_power_room(const rfft_power *self)
{
    return 2 * self->half_room;
}

size_t rfft_power_bytes(const rfft_power *self)
{
    return sizeof *self +
           (self->tables ? rfft_tables_bytes(self->tables) : aligned_length((size_t)self->n_fft) * sizeof(float));
}

static float *run_fftw(const rfft_power *self, const float *restrict frame, float *restrict work)
{
    const float *restrict window = self->window;
    float(*spectrum)[2] = (float(*)[2])(work + self->half_room);
    for (int i = 0; i < self->n_fft; i++) work[i] = frame[i] * window[i];
    self->fftw->execute_r2c(self->plan, work, spectrum);
    for (int i = 0; i <= self->n_fft / 2; i++) {
        work[i] = spectrum[i][0] * spectrum[i][0] + spectrum[i][1] * spectrum[i][1];
    }
    return work;
}

const float *rfft_power_run(const rfft_power *self, const float *frame, float *work)
{
    float *bins = self->tables ? self->kernel->rfft_power(self->tables, frame, work, work + self->half_room)
                               : run_fftw(self, frame, work);
    if (self->power == 1) {
        for (int i = 0; i <= self->n_fft / 2; i++) bins[i] = sqrtf(bins[i]);
    }
    return bins;
}
