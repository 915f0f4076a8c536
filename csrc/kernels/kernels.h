/* The arithmetic of a frame, compiled once for each width of vectors; the processor decides which one runs. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>

enum { MAX_PASSES = 16, MAX_LANES = 8 };

typedef struct {
    int radix, length, stride; /* Stockham: `length` points are left, `stride` transforms lie side by side */
    const float *twiddles;     /* [length/radix][radix - 1][2] */
} fft_pass;

/* A real FFT of n_fft = 2 * half * lanes samples. Lane l transforms the samples l, l + lanes, l + 2 lanes, ... */
typedef struct {
    int half, n_passes;
    fft_pass passes[MAX_PASSES];
    const float *window;         /* [n_fft] */
    const float *quarters;       /* its first and last quarter if it is Hann's and the first radix 4, or NULL */
    const float *split_twiddles; /* exp(-2 pi i k / (2 half)): [half/2 + 1][2] */
    const float *lane_twiddles;  /* exp(-2 pi i k l / n_fft) / 2: [half + 1][2][lanes] */
    const float *lane_cosines;   /* rows j of cos(2 pi j l / lanes), j <= lanes/2; then -sin, 0 < j < lanes/2 */
    float *floats;               /* what all these point into */
    size_t n_floats;
} rfft_tables;

/* A matrix whose rows hold one band of weights each, in groups of `lanes` rows. */
typedef struct {
    int n_vectors;        /* in each row of this group */
    int first[MAX_LANES]; /* each row's first column */
} band_group;

typedef struct {
    int n_groups;
    const band_group *groups;
    const float *weights; /* group after group: [n_vectors][row of the group][lanes] */
} band_tables;

typedef struct {
    int lanes;
    /* frame[n_fft] -> n_fft/2 + 1 bins, in a or in b; each has room for 2 * lanes * (half + 1) floats. */
    float *(*rfft_power)(const rfft_tables *t, const float *frame, float *a, float *b);
    /* y[n_groups * lanes] = matrix * x */
    void (*band_product)(const band_tables *t, const float *x, float *y);
    /* 10*log10(max(amin, power)); power and db may be one array */
    void (*decibel)(const float *power, size_t n, float amin, float *db);
    /* index of the first sample that is NaN or greater in magnitude, or n */
    size_t (*first_beyond)(const float *y, size_t n, float limit);
} kernels;

/* The kernels of 1, 4 or 8 lanes, or NULL where this processor has none such. */
const kernels *kernels_of(int lanes);

/* Those of the most lanes that this processor has, at most `lanes`; 0 means no limit. */
const kernels *kernels_widest(int lanes);

#endif
