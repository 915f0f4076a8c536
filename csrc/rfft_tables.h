/* The tables of the kernels' real FFT: windows, twiddles, the order of passes. */
#ifndef RFFT_TABLES_H
#define RFFT_TABLES_H

#include <stddef.h>

#include "kernels/kernels.h"

/* How many lanes a transform of n_fft can use, at most `lanes`; 0: the kernels cannot do this size. They take
 * n_fft = 2 * lanes * half where half is a product of 2, 3 and 5, at least `lanes`, and of two
 * radices (2, 3, 4, 5, 8) or more. */
int rfft_tables_lanes(int n_fft, int lanes);

/* For a periodic Hann window of win_length in n_fft. lanes as rfft_tables_lanes says. NULL: out of memory. */
rfft_tables *rfft_tables_create(int n_fft, int win_length, int lanes);
void rfft_tables_destroy(rfft_tables *self);

size_t rfft_tables_bytes(const rfft_tables *self);

#endif
