/* LANES complex FFTs in parallel, one in each lane, without data exchange between lanes.
 * Mixed-radix Stockham autosort algorithm (Cochran et al., What is the fast Fourier transform?, 1967): input and output
 * are in natural order. */
#ifndef KERNELS_FFT_H
#define KERNELS_FFT_H

#include "lanes.h"
#include "kernels.h"

typedef struct {
    vec re, im;
} cvec;

/* Load complex sample i of each lane; samples are stored as LANES real parts, then LANES imaginary parts. */
INLINE cvec cload(const float *x, int i)
{
    return (cvec){load(x + 2 * LANES * i), load(x + 2 * LANES * i + LANES)};
}

INLINE void cstore(float *x, int i, cvec a)
{
    store(x + 2 * LANES * i, a.re);
    store(x + 2 * LANES * i + LANES, a.im);
}

INLINE cvec cadd(cvec a, cvec b)
{
    return (cvec){a.re + b.re, a.im + b.im};
}

INLINE cvec csub(cvec a, cvec b)
{
    return (cvec){a.re - b.re, a.im - b.im};
}

INLINE cvec cscale(cvec a, float f)
{
    return (cvec){a.re * f, a.im * f};
}

/* a * -i */
INLINE cvec mul_neg_i(cvec a)
{
    return (cvec){a.im, -a.re};
}

INLINE cvec cmul(cvec a, cvec b)
{
    return (cvec){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* a * (b.re - i b.im) */
INLINE cvec cmul_conj(cvec a, cvec b)
{
    return (cvec){a.re * b.re + a.im * b.im, a.im * b.re - a.re * b.im};
}

/* Copy the complex number w[0] + i w[1] to every lane. */
INLINE cvec broadcast(const float *w)
{
    const vec zero = {0};
    return (cvec){w[0] - zero, w[1] - zero}; /* x - 0 == x, also for -0: compilers drop the subtraction */
}

INLINE void dft2(cvec *x)
{
    cvec a = x[0];
    x[0] = cadd(a, x[1]), x[1] = csub(a, x[1]);
}

INLINE void dft3(cvec *x)
{
    cvec sum = cadd(x[1], x[2]), side = cscale(mul_neg_i(csub(x[1], x[2])), 0.866025403784438647f);
    cvec center = csub(x[0], cscale(sum, 0.5f));
    x[0] = cadd(x[0], sum), x[1] = cadd(center, side), x[2] = csub(center, side);
}

INLINE void dft4(cvec *x)
{
    cvec a = cadd(x[0], x[2]), b = csub(x[0], x[2]), c = cadd(x[1], x[3]), d = mul_neg_i(csub(x[1], x[3]));
    x[0] = cadd(a, c), x[1] = cadd(b, d), x[2] = csub(a, c), x[3] = csub(b, d);
}

INLINE void dft5(cvec *x)
{
    const float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f; /* cos(2 pi/5), cos(4 pi/5) */
    const float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;  /* sin(2 pi/5), sin(4 pi/5) */
    cvec a = cadd(x[1], x[4]), b = cadd(x[2], x[3]), c = mul_neg_i(csub(x[1], x[4])), d = mul_neg_i(csub(x[2], x[3]));
    cvec p = cadd(x[0], cadd(cscale(a, c1), cscale(b, c2))), q = cadd(x[0], cadd(cscale(a, c2), cscale(b, c1)));
    cvec r = cadd(cscale(c, s1), cscale(d, s2)), s = csub(cscale(c, s2), cscale(d, s1));
    x[0] = cadd(x[0], cadd(a, b)), x[1] = cadd(p, r), x[2] = cadd(q, s), x[3] = csub(q, s), x[4] = csub(p, r);
}

INLINE void dft8(cvec *x)
{
    const float sqrt_half = 0.707106781186547524f;
    cvec even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
    dft4(even);
    dft4(odd);
    odd[1] = cscale(cadd(odd[1], mul_neg_i(odd[1])), sqrt_half);
    odd[2] = mul_neg_i(odd[2]);
    odd[3] = cscale(csub(mul_neg_i(odd[3]), odd[3]), sqrt_half);
    UNROLLED for (int k = 0; k < 4; k++) x[k] = cadd(even[k], odd[k]), x[k + 4] = csub(even[k], odd[k]);
}

/* `radix` is a compile-time constant in every inlined copy. */
INLINE void dft(cvec *x, int radix)
{
    if (radix == 2) dft2(x);
    if (radix == 3) dft3(x);
    if (radix == 4) dft4(x);
    if (radix == 5) dft5(x);
    if (radix == 8) dft8(x);
}

/* Load complex sample i of the frame and apply the window: even vectors of samples are real parts, odd ones imaginary
 * parts. */
INLINE cvec load_windowed(const float *frame, const float *window, int i)
{
    cvec a = cload(frame, i), w = cload(window, i);
    return (cvec){a.re * w.re, a.im * w.im};
}

typedef enum { FIRST_PASS, MIDDLE_PASS, LAST_PASS } pass_position;

/* Run one pass. `radix` and `position` are compile-time constants in every inlined copy, which saves a tenth of a
 * frame: the first pass reads the windowed frame and has stride 1, the last one has no twiddle factors. */
INLINE void run_pass_radix(const fft_pass *pass, int radix, pass_position position, const float *restrict in,
                           const float *restrict window, float *restrict out)
{
    const float *restrict w = pass->twiddles;
    const int stride = position == FIRST_PASS ? 1 : pass->stride, m = position == LAST_PASS ? 1 : pass->length / radix;
    for (int p = 0; p < m; p++, w += 2 * (radix - 1)) {
        cvec twiddle[8];
        UNROLLED for (int i = 1; i < radix && position == MIDDLE_PASS; i++) twiddle[i] = broadcast(w + 2 * (i - 1));
        for (int q = 0; q < stride; q++) {
            cvec x[8];
            UNROLLED for (int i = 0; i < radix; i++) {
                int index = q + stride * (p + m * i);
                x[i] = position == FIRST_PASS ? load_windowed(in, window, index) : cload(in, index);
            }
            dft(x, radix);
            cstore(out, q + stride * radix * p, x[0]);
            UNROLLED for (int i = 1; i < radix; i++) {
                if (position == FIRST_PASS) x[i] = cmul(x[i], broadcast(w + 2 * (i - 1)));
                if (position == MIDDLE_PASS) x[i] = cmul(x[i], twiddle[i]);
                cstore(out, q + stride * (radix * p + i), x[i]);
            }
        }
    }
}

/* Windowed sum and difference of two samples that are n_fft/2 apart. In a periodic Hann window of n_fft samples
 * w(n + n_fft/2) = 1 - w(n), so only the smaller weight of each pair is read and multiplied. This saves 3 % of a frame,
 * because the tables take 4 kB less of the cache, and keeps small weights precise. */
INLINE void hann_pair(const float *restrict in, const float *restrict quarters, int i_lower, int i_upper, int i,
                      cvec *sum, cvec *difference)
{
    cvec a = cload(in, i_lower), b = cload(in, i_upper), w = cload(quarters, i);
    cvec raw_difference = csub(a, b), raw_sum = cadd(a, b);
    *sum = (cvec){b.re + w.re * raw_difference.re, b.im + w.im * raw_difference.im};
    *difference = (cvec){w.re * raw_sum.re - b.re, w.im * raw_sum.im - b.im};
}

/* The first pass, of radix 4, with the Hann window applied by hann_pair. */
static void run_hann_pass4(const fft_pass *pass, const float *restrict in, const float *restrict quarters,
                           float *restrict out)
{
    const float *restrict w = pass->twiddles;
    const int m = pass->length / 4;
    for (int p = 0; p < m; p++, w += 6) {
        cvec a, b, c, d;
        hann_pair(in, quarters, p, p + 2 * m, p, &a, &b);
        hann_pair(in, quarters, p + 3 * m, p + m, p + m, &c, &d);
        d = mul_neg_i(d); /* d holds x[3] - x[1], the negative of dft4's difference */
        cstore(out, 4 * p, cadd(a, c));
        cstore(out, 4 * p + 1, cmul(csub(b, d), broadcast(w)));
        cstore(out, 4 * p + 2, cmul(csub(a, c), broadcast(w + 2)));
        cstore(out, 4 * p + 3, cmul(cadd(b, d), broadcast(w + 4)));
    }
}

/* Run one pass of any supported radix. */
INLINE void run_pass(pass_position position, const fft_pass *pass, const float *in, const float *window, float *out)
{
    switch (pass->radix) {
    case 2: run_pass_radix(pass, 2, position, in, window, out); break;
    case 3: run_pass_radix(pass, 3, position, in, window, out); break;
    case 4: run_pass_radix(pass, 4, position, in, window, out); break;
    case 5: run_pass_radix(pass, 5, position, in, window, out); break;
    case 8: run_pass_radix(pass, 8, position, in, window, out); break;
    }
}
#endif
