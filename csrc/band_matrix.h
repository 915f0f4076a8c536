/* A matrix with one band of weights in each row: mel filters, cosines. */
#ifndef BAND_MATRIX_H
#define BAND_MATRIX_H

#include <stddef.h>

#include "kernels/kernels.h"

typedef struct {
    int first, n; /* columns */
} band;

typedef struct band_matrix band_matrix;

/* All weights 0. NULL: out of memory. */
band_matrix *band_matrix_create(const kernels *kernel, int n_rows, const band *bands);
void band_matrix_destroy(band_matrix *self);

/* The weight of column bands[row].first + i. */
float *band_matrix_weight(band_matrix *self, int row, int i);

/* How many columns a run reads; those beyond a row's band count 0 times, so they must be finite. */
size_t band_matrix_reach(const band_matrix *self);

/* How many floats a run writes: n_rows, rounded up. */
size_t band_matrix_room(const band_matrix *self);

size_t band_matrix_bytes(const band_matrix *self);

void band_matrix_run(const band_matrix *self, const float *x, float *y);

#endif
