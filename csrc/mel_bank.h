/* A triangular mel filterbank, stored as one band of weights per filter. */
#ifndef MEL_BANK_H
#define MEL_BANK_H

#include <stddef.h>

/* mel_bank_run may read (and multiply by 0) this many floats past the last bin. */
#define MEL_BANK_PADDING 8

typedef struct mel_bank mel_bank;

/* librosa.filters.mel's definition; see logmel.h for the parameters. NULL: out of memory. */
mel_bank *mel_bank_create(double sr, int n_fft, int n_mels, double fmin, double fmax, int htk, int norm);
void mel_bank_destroy(mel_bank *self);

/* bins[n_fft/2 + 1 + MEL_BANK_PADDING] -> mel[n_mels] */
void mel_bank_run(const mel_bank *self, const float *bins, float *mel);

/* How many bands hold no bin. */
size_t mel_bank_empty(const mel_bank *self);

/* weights[n_mels][n_fft/2 + 1] */
void mel_bank_dense(const mel_bank *self, float *weights);

#endif
