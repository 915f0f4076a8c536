/* A real frame -> its power spectrum.
 *
 * Lane l of the vectors holds the samples l, l + LANES, ...: LANES real signals, transformed side by side as
 * complex ones of half the length (even vectors real, odd ones imaginary). `split` takes each apart into the
 * spectrum of its real signal and turns it into place; `join_lanes` is the last step of the FFT, across lanes. */
#ifndef KERNELS_RFFT_H
#define KERNELS_RFFT_H

#include "fft.h"

/* z[half] complex -> y[half + 1], which may be one array. Bins k and half - k need one another, hence in pairs;
 * the 1/2 is in the lane twiddles. Done inside the last pass it took 3 % longer: too few registers. */
INLINE void split(const rfft_tables *t, const float *z, float *y)
{
    const float *restrict w = t->split_twiddles, *restrict lane = t->lane_twiddles;
    const int half = t->half;
    for (int k = 0; 2 * k <= half; k++) {
        cvec a = cload(z, k), b = cload(z, k == 0 ? 0 : half - k);
        b.im = -b.im;
        cvec even = add(a, b), odd = turned(times(sub(a, b), everywhere(w + 2 * k)));
        cstore(y, k, times(cload(lane, k), add(even, odd)));
        cstore(y, half - k, times_conjugate(cload(lane, half - k), sub(even, odd)));
    }
}

/* Bin 0 of each lane is real, hence so few sums: bins 2 half j of the whole. Saves a block: 3 % of a frame. */
INLINE void join_first(const rfft_tables *t, const float *restrict y, float *restrict bins)
{
    vec product[LANES];
    float sum[LANES];
    UNROLLED for (int i = 0; i < LANES; i++) product[i] = load(y) * load(t->lane_cosines + LANES * i);
    store(sum, horizontal_sums(product));
    for (int j = 0; 2 * j <= LANES; j++) {
        float re = sum[j], im = j > 0 && 2 * j < LANES ? sum[LANES / 2 + j] : 0.0f;
        bins[2 * t->half * j] = re * re + im * im;
    }
}

/* LANES neighbouring bins k of each lane -> bins k + 2 half j for j < LANES; those above n_fft/2 are mirrored. */
INLINE void join_block(const float *restrict y, int half, int k, float *restrict bins)
{
    vec re[LANES], im[LANES];
    cvec x[LANES];
    UNROLLED for (int i = 0; i < LANES; i++) {
        cvec a = cload(y, k + i);
        re[i] = a.re, im[i] = a.im;
    }
    transpose(re);
    transpose(im);
    UNROLLED for (int i = 0; i < LANES; i++) x[i] = (cvec){re[i], im[i]};
    dft(x, LANES);
    UNROLLED for (int j = 0; j < LANES; j++) {
        vec power = x[j].re * x[j].re + x[j].im * x[j].im;
        if (2 * j < LANES) {
            store(bins + k + 2 * half * j, power);
        } else {
            store(bins + 2 * half * (LANES - j) - k - (LANES - 1), reversed(power));
        }
    }
}

INLINE void join_lanes(const rfft_tables *t, const float *y, float *bins)
{
    const int half = t->half, last = half + 1 - LANES; /* the last block may overlap the one before it */
    join_first(t, y, bins);
    for (int k = 1; k < last; k += LANES) join_block(y, half, k, bins);
    join_block(y, half, last, bins);
}

/* a and b take turns: what is read and written at a time should fit the first-level cache. */
static float *rfft_power(const rfft_tables *t, const float *frame, float *a, float *b)
{
    const fft_pass *pass = t->passes, *last = pass + t->n_passes - 1;
    if (t->quarters) {
        hann_pass4(pass, frame, t->quarters, a);
    } else {
        pass_at(FIRST, pass, frame, t->window, a);
    }
    for (pass++; pass < last; pass++) {
        pass_at(MIDDLE, pass, a, NULL, b);
        float *swap = a;
        a = b, b = swap;
    }
    pass_at(LAST, pass, a, NULL, b);
    split(t, b, b);
    join_lanes(t, b, a);
    return a;
}
#endif
