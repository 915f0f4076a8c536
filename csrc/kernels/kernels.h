/* The arithmetic of a frame, compiled once for each vector width. Which one runs is chosen at run time from the
 * processor's features. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>

enum { MAX_PASSES = 16, MAX_LANES = 8 };

typedef struct {
    int radix, length, stride; /* Stockham: `length` points remain, `stride` transforms are interleaved */
    const float *twiddles;     /* [length/radix][radix - 1][2] */
} fft_pass;

/* Tables of a real FFT of n_fft = 2 * half * lanes samples. Lane l transforms the samples l, l + lanes,
 * l + 2 lanes, ... as `half` complex samples. */
typedef struct {
    int half, n_passes;
    fft_pass passes[MAX_PASSES];
    const float *window;         /* [n_fft] */
    const float *hann_quarters;  /* the window's first and last quarter for run_hann_pass4, or NULL to use `window` */
    const float *split_twiddles; /* exp(-2 pi i k / (2 half)): [half/2 + 1][2] */
    const float *lane_twiddles;  /* exp(-2 pi i k l / n_fft) / 2: [half + 1][2][lanes] */
    const float *lane_dft_rows;  /* rows j of cos(2 pi j l / lanes), j <= lanes/2; then -sin, 0 < j < lanes/2 */
    float *floats;               /* the array that contains all these tables */
    size_t n_floats;
} rfft_tables;

/* A banded matrix, stored in groups of `lanes` rows. */
typedef struct {
    int n_vectors;        /* vectors of weights in each row of the group */
    int first[MAX_LANES]; /* first column of each row */
} band_group;

typedef struct {
    int n_groups;
    const band_group *groups;
    const float *weights; /* for each group: [n_vectors][row in the group][lanes] */
} band_tables;

typedef struct {
    int lanes;
    /* Window and transform frame[n_fft]. Return n_fft/2 + 1 bins, in buffer a or b, each of 2 * lanes * (half + 1)
     * floats. */
    float *(*rfft_power)(const rfft_tables *t, const float *frame, float *a, float *b);
    /* Compute y[n_groups * lanes] = matrix * x. */
    void (*band_product)(const band_tables *t, const float *x, float *y);
    /* Compute db[i] = 10*log10(max(amin, power[i])); power and db may be the same array. */
    void (*decibel)(const float *power, size_t n, float amin, float *db);
    /* Return the index of the first sample that is NaN or exceeds `limit` in magnitude, or n if there is none. */
    size_t (*first_invalid)(const float *y, size_t n, float limit);
} kernels;

/* Return the kernels for exactly 1, 4 or 8 lanes, or NULL if this processor does not support them. */
const kernels *kernels_for_lanes(int lanes);

/* Return the widest kernels that this processor supports, with at most `lanes` lanes (0: no limit). */
const kernels *kernels_widest(int lanes);

#endif
