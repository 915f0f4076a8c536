/* Triangular mel filterbank, on Slaney's or HTK's mel scale. */
#ifndef MEL_BANK_H
#define MEL_BANK_H

#include <stddef.h>

#include "band_matrix.h"
#include "logmel.h"

typedef struct mel_bank mel_bank;

/* Create the filterbank of librosa.filters.mel; logmel.h describes the parameters. Return NULL if out of memory. */
mel_bank *mel_bank_create(const kernels *kernel, const logmel_params *params);
void mel_bank_destroy(mel_bank *self);

/* Return the matrix that maps FFT bins to mel bands. */
const band_matrix *mel_bank_matrix(const mel_bank *self);

/* Return the size of the filterbank in bytes. */
size_t mel_bank_bytes(const mel_bank *self);

/* Return the number of bands that contain no FFT bin. */
size_t mel_bank_n_empty(const mel_bank *self);

/* Write the dense matrix weights[n_mels][n_fft/2 + 1]. */
void mel_bank_to_dense(const mel_bank *self, float *weights);

#endif
