/* A banded matrix: each row has one contiguous band of weights. Used for the mel filterbank and the DCT. */
#ifndef BAND_MATRIX_H
#define BAND_MATRIX_H

#include <stddef.h>

#include "kernels/kernels.h"

typedef struct {
    int first, n; /* the first column and the number of columns */
} band;

typedef struct band_matrix band_matrix;

/* Create a matrix whose weights are all 0. Return NULL if out of memory. */
band_matrix *band_matrix_create(const kernels *kernel, int n_rows, const band *bands);
void band_matrix_destroy(band_matrix *self);

/* Return a pointer to the weight in column bands[row].first + i of `row`. */
float *band_matrix_weight(band_matrix *self, int row, int i);

/* Return the number of floats of x that band_matrix_run reads. Values outside a row's band are multiplied by 0, so
 * they must be finite. */
size_t band_matrix_n_readable(const band_matrix *self);

/* Return the number of floats of y that band_matrix_run writes: n_rows rounded up to a multiple of the lanes. */
size_t band_matrix_output_size(const band_matrix *self);

/* Return the size of the matrix in bytes. */
size_t band_matrix_bytes(const band_matrix *self);

/* Compute y = matrix * x. */
void band_matrix_run(const band_matrix *self, const float *x, float *y);

#endif
