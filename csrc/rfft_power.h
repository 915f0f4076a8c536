/* One windowed frame -> its power (or magnitude) spectrum. */
#ifndef RFFT_POWER_H
#define RFFT_POWER_H

#include <stddef.h>

typedef struct rfft_power rfft_power;

typedef enum { RFFT_POWER_OK, RFFT_POWER_NO_MEMORY, RFFT_POWER_NO_FFTW } rfft_power_status;

typedef struct {
    int n_fft, win_length; /* a periodic Hann window of win_length, centred in n_fft */
    int power;             /* 1: magnitude, 2: power */
    int lanes;             /* at most; 1, 4 or 8 */
    int measure;           /* FFTW, where it is used, may plan by timing */
    size_t reach;          /* how many floats from the first bin on must be readable */
} rfft_power_params;

rfft_power_status rfft_power_create(const rfft_power_params *params, rfft_power **out);
void rfft_power_destroy(rfft_power *self);

/* How many floats of workspace a run needs. */
size_t rfft_power_room(const rfft_power *self);

/* Bytes that self holds, without FFTW's own. */
size_t rfft_power_bytes(const rfft_power *self);

/* n_fft samples in; n_fft/2 + 1 bins out, somewhere in the workspace, followed by finite floats: `reach` can be
 * read. work: rfft_power_room floats, all finite, on a cache line, one thread at a time. */
const float *rfft_power_run(const rfft_power *self, const float *frame, float *work);

#endif
