/* Tables of the kernels' real FFT: window, twiddle factors, sequence of passes. */
#ifndef RFFT_TABLES_H
#define RFFT_TABLES_H

#include <stddef.h>

#include "kernels/kernels.h"

/* Return the number of lanes (at most `lanes`) that a transform of n_fft samples can use, or 0 if the kernels do not
 * support this size. Supported are n_fft = 2 * lanes * half where half >= lanes has no prime factor above 5 and is a
 * product of at least two radices (2, 3, 4, 5, 8). */
int rfft_tables_max_lanes(int n_fft, int lanes);

/* Create the tables for n_fft samples under a periodic Hann window of win_length samples. `lanes` is a result of
 * rfft_tables_max_lanes. Return NULL if out of memory. */
rfft_tables *rfft_tables_create(int n_fft, int win_length, int lanes);
void rfft_tables_destroy(rfft_tables *self);

/* Return the size of the tables in bytes. */
size_t rfft_tables_bytes(const rfft_tables *self);

#endif
