/* Window one frame and compute its power (or magnitude) spectrum. */
#ifndef RFFT_POWER_H
#define RFFT_POWER_H

#include <stddef.h>

typedef struct rfft_power rfft_power;

typedef enum { RFFT_POWER_OK, RFFT_POWER_NO_MEMORY, RFFT_POWER_NO_FFTW } rfft_power_status;

typedef struct {
    int n_fft, win_length; /* a periodic Hann window of win_length, centred in n_fft */
    int power;             /* 1: magnitude, 2: power */
    int lanes;             /* most lanes to use: 1, 4 or 8 */
    int measure;           /* 1: plan with FFTW_MEASURE where FFTW is used */
    size_t n_readable;          /* number of floats, from the first bin on, that the caller reads */
} rfft_power_params;

rfft_power_status rfft_power_create(const rfft_power_params *params, rfft_power **out);
void rfft_power_destroy(rfft_power *self);

/* Return the size in floats of the workspace that rfft_power_run needs. */
size_t rfft_power_workspace_size(const rfft_power *self);

/* Return the size in bytes, without FFTW's own memory. */
size_t rfft_power_bytes(const rfft_power *self);

/* Transform n_fft samples; return a pointer to the n_fft/2 + 1 bins, which lie inside the workspace. At least
 * n_readable floats from there on are readable and finite. workspace: rfft_power_workspace_size floats, all finite,
 * cache-line aligned, used by one thread at a time. */
const float *rfft_power_run(const rfft_power *self, const float *frame, float *workspace);

#endif
