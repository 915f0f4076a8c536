/* The triangular mel filterbank (Slaney and HTK). */
#ifndef MEL_BANK_H
#define MEL_BANK_H

#include <stddef.h>

#include "band_matrix.h"
#include "logmel.h"

typedef struct mel_bank mel_bank;

/* librosa.filters.mel's definition; see logmel.h for the parameters. NULL: out of memory. */
mel_bank *mel_bank_create(const kernels *kernel, const logmel_params *params);
void mel_bank_destroy(mel_bank *self);

/* Bins -> bands. */
const band_matrix *mel_bank_matrix(const mel_bank *self);

size_t mel_bank_bytes(const mel_bank *self);

/* How many bands hold no bin. */
size_t mel_bank_empty(const mel_bank *self);

/* weights[n_mels][n_fft/2 + 1] */
void mel_bank_dense(const mel_bank *self, float *weights);

#endif
