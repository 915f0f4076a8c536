/* Power spectrum of a real frame.
 *
 * Lane l of the vectors holds the samples l, l + LANES, ...: LANES real signals, transformed in parallel as complex
 * signals of half the length (even vectors are real parts, odd ones imaginary parts). split_real_spectra recovers the
 * spectrum of each lane's real signal and multiplies it by the lane's twiddle factors; combine_lanes is the last step
 * of the FFT, a DFT across lanes. */
#ifndef KERNELS_RFFT_H
#define KERNELS_RFFT_H

#include "fft.h"

/* z[half] complex -> y[half + 1], which may be the same array. Bins k and half - k depend on each other, hence the
 * pairs; the lane twiddles include the factor 1/2. Fused into the last pass this took 3 % longer: too few registers. */
INLINE void split_real_spectra(const rfft_tables *t, const float *z, float *y)
{
    const float *restrict w = t->split_twiddles, *restrict lane_twiddles = t->lane_twiddles;
    const int half = t->half;
    for (int k = 0; 2 * k <= half; k++) {
        cvec a = cload(z, k), b = cload(z, k == 0 ? 0 : half - k);
        b.im = -b.im;
        cvec even = cadd(a, b), odd = mul_neg_i(cmul(csub(a, b), broadcast(w + 2 * k)));
        cstore(y, k, cmul(cload(lane_twiddles, k), cadd(even, odd)));
        cstore(y, half - k, cmul_conj(cload(lane_twiddles, half - k), csub(even, odd)));
    }
}

/* Bins 0 of the lanes -> bins 2 half j of the frame. They are real, so a real DFT is enough; treating them apart saves
 * one call of combine_block (3 % of a frame). */
INLINE void combine_bin0(const rfft_tables *t, const float *restrict y, float *restrict bins)
{
    vec product[LANES];
    float sum[LANES];
    UNROLLED for (int i = 0; i < LANES; i++) product[i] = load(y) * load(t->lane_dft_rows + LANES * i);
    store(sum, horizontal_sums(product));
    for (int j = 0; 2 * j <= LANES; j++) {
        float re = sum[j], im = j > 0 && 2 * j < LANES ? sum[LANES / 2 + j] : 0.0f;
        bins[2 * t->half * j] = re * re + im * im;
    }
}

/* LANES neighbouring bins k of each lane -> bins k + 2 half j of the frame, j < LANES; bins above n_fft/2 are stored
 * mirrored, as n_fft minus the bin. */
INLINE void combine_block(const float *restrict y, int half, int k, float *restrict bins)
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
            store(bins + 2 * half * (LANES - j) - k - (LANES - 1), reverse_lanes(power));
        }
    }
}

/* Combine the lanes' spectra into the power spectrum of the frame. */
INLINE void combine_lanes(const rfft_tables *t, const float *y, float *bins)
{
    const int half = t->half, last = half + 1 - LANES; /* the last block may overlap the previous one */
    combine_bin0(t, y, bins);
    for (int k = 1; k < last; k += LANES) combine_block(y, half, k, bins);
    combine_block(y, half, last, bins);
}

/* a and b are ping-pong buffers: input and output of a pass together should fit the L1 cache. */
static float *rfft_power(const rfft_tables *t, const float *frame, float *a, float *b)
{
    const fft_pass *pass = t->passes, *last = pass + t->n_passes - 1;
    if (t->hann_quarters) {
        run_hann_pass4(pass, frame, t->hann_quarters, a);
    } else {
        run_pass(FIRST_PASS, pass, frame, t->window, a);
    }
    for (pass++; pass < last; pass++) {
        run_pass(MIDDLE_PASS, pass, a, NULL, b);
        float *swap = a;
        a = b, b = swap;
    }
    run_pass(LAST_PASS, pass, a, NULL, b);
    split_real_spectra(t, b, b);
    combine_lanes(t, b, a);
    return a;
}
#endif
