/* One windowed frame -> its power (or magnitude) spectrum. */
#ifndef RFFT_POWER_H
#define RFFT_POWER_H

typedef struct rfft_power rfft_power;

/* A periodic Hann window of win_length, centred in n_fft. NULL: no memory, or FFTW cannot plan; *no_fftw
 * tells which. `padding` is the room after the last bin that run sets to zero. */
rfft_power *rfft_power_create(int n_fft, int win_length, int power, int padding, int *no_fftw);
void rfft_power_destroy(rfft_power *self);

/* n_fft samples in; n_fft/2 + 1 bins out, valid until the next run. */
const float *rfft_power_run(rfft_power *self, const float *frame);

#endif
