/* LANES complex FFTs side by side: one in each lane, with no traffic between lanes.
 * Stockham's form (Cochran et al., What is the fast Fourier transform?, 1967): mixed radix, in natural order. */
#ifndef KERNELS_FFT_H
#define KERNELS_FFT_H

#include "lanes.h"
#include "kernels.h"

typedef struct {
    vec re, im;
} cvec;

INLINE cvec cload(const float *x, int i)
{
    return (cvec){load(x + 2 * LANES * i), load(x + 2 * LANES * i + LANES)};
}

INLINE void cstore(float *x, int i, cvec a)
{
    store(x + 2 * LANES * i, a.re);
    store(x + 2 * LANES * i + LANES, a.im);
}

INLINE cvec add(cvec a, cvec b)
{
    return (cvec){a.re + b.re, a.im + b.im};
}

INLINE cvec sub(cvec a, cvec b)
{
    return (cvec){a.re - b.re, a.im - b.im};
}

INLINE cvec scaled(cvec a, float f)
{
    return (cvec){a.re * f, a.im * f};
}

/* a * -i */
INLINE cvec turned(cvec a)
{
    return (cvec){a.im, -a.re};
}

INLINE cvec times(cvec a, cvec b)
{
    return (cvec){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* a * (b.re - i b.im) */
INLINE cvec times_conjugate(cvec a, cvec b)
{
    return (cvec){a.re * b.re + a.im * b.im, a.im * b.re - a.re * b.im};
}

/* w[0] + i w[1] in every lane */
INLINE cvec everywhere(const float *w)
{
    const vec zero = {0};
    return (cvec){w[0] - zero, w[1] - zero}; /* x - 0 is x, also for -0: no subtraction is made */
}

INLINE void dft2(cvec *x)
{
    cvec a = x[0];
    x[0] = add(a, x[1]), x[1] = sub(a, x[1]);
}

INLINE void dft3(cvec *x)
{
    cvec sum = add(x[1], x[2]), side = scaled(turned(sub(x[1], x[2])), 0.866025403784438647f);
    cvec middle = sub(x[0], scaled(sum, 0.5f));
    x[0] = add(x[0], sum), x[1] = add(middle, side), x[2] = sub(middle, side);
}

INLINE void dft4(cvec *x)
{
    cvec a = add(x[0], x[2]), b = sub(x[0], x[2]), c = add(x[1], x[3]), d = turned(sub(x[1], x[3]));
    x[0] = add(a, c), x[1] = add(b, d), x[2] = sub(a, c), x[3] = sub(b, d);
}

INLINE void dft5(cvec *x)
{
    const float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f; /* cos(2 pi/5), cos(4 pi/5) */
    const float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;  /* sin(2 pi/5), sin(4 pi/5) */
    cvec a = add(x[1], x[4]), b = add(x[2], x[3]), c = turned(sub(x[1], x[4])), d = turned(sub(x[2], x[3]));
    cvec p = add(x[0], add(scaled(a, c1), scaled(b, c2))), q = add(x[0], add(scaled(a, c2), scaled(b, c1)));
    cvec r = add(scaled(c, s1), scaled(d, s2)), s = sub(scaled(c, s2), scaled(d, s1));
    x[0] = add(x[0], add(a, b)), x[1] = add(p, r), x[2] = add(q, s), x[3] = sub(q, s), x[4] = sub(p, r);
}

INLINE void dft8(cvec *x)
{
    const float half_turn = 0.707106781186547524f;
    cvec even[4] = {x[0], x[2], x[4], x[6]}, odd[4] = {x[1], x[3], x[5], x[7]};
    dft4(even);
    dft4(odd);
    odd[1] = scaled(add(odd[1], turned(odd[1])), half_turn);
    odd[2] = turned(odd[2]);
    odd[3] = scaled(sub(turned(odd[3]), odd[3]), half_turn);
    UNROLLED for (int k = 0; k < 4; k++) x[k] = add(even[k], odd[k]), x[k + 4] = sub(even[k], odd[k]);
}

/* radix is a constant wherever this is inlined */
INLINE void dft(cvec *x, int radix)
{
    if (radix == 2) dft2(x);
    if (radix == 3) dft3(x);
    if (radix == 4) dft4(x);
    if (radix == 5) dft5(x);
    if (radix == 8) dft8(x);
}

/* Complex sample i of the windowed frame: even vectors of samples are real parts, odd ones imaginary. */
INLINE cvec windowed(const float *frame, const float *window, int i)
{
    cvec a = cload(frame, i), w = cload(window, i);
    return (cvec){a.re * w.re, a.im * w.im};
}

typedef enum { FIRST, MIDDLE, LAST } place;

/* One pass. radix and at are constants wherever this is inlined (a tenth of a frame): the first pass reads the windowed
 * frame and has stride 1, the last one has no twiddles. */
INLINE void pass_of(const fft_pass *pass, int radix, place at, const float *restrict in, const float *restrict window,
                    float *restrict out)
{
    const float *restrict w = pass->twiddles;
    const int stride = at == FIRST ? 1 : pass->stride, m = at == LAST ? 1 : pass->length / radix;
    for (int p = 0; p < m; p++, w += 2 * (radix - 1)) {
        cvec twiddle[8];
        UNROLLED for (int i = 1; i < radix && at == MIDDLE; i++) twiddle[i] = everywhere(w + 2 * (i - 1));
        for (int q = 0; q < stride; q++) {
            cvec x[8];
            UNROLLED for (int i = 0; i < radix; i++) {
                int from = q + stride * (p + m * i);
                x[i] = at == FIRST ? windowed(in, window, from) : cload(in, from);
            }
            dft(x, radix);
            cstore(out, q + stride * radix * p, x[0]);
            UNROLLED for (int i = 1; i < radix; i++) {
                if (at == FIRST) x[i] = times(x[i], everywhere(w + 2 * (i - 1)));
                if (at == MIDDLE) x[i] = times(x[i], twiddle[i]);
                cstore(out, q + stride * (radix * p + i), x[i]);
            }
        }
    }
}

/* The first pass under a whole periodic Hann window, w(n + n_fft/2) = 1 - w(n): of each such pair only the smaller
 * weight is read and multiplied: 3 % of a frame, as 4 kB of cache stay free, and small weights keep their digits. */
INLINE void hann_pair(const float *restrict in, const float *restrict quarters, int near, int far, int i, cvec *sum,
                      cvec *difference)
{
    cvec a = cload(in, near), b = cload(in, far), w = cload(quarters, i), up = sub(a, b), both = add(a, b);
    *sum = (cvec){b.re + w.re * up.re, b.im + w.im * up.im};
    *difference = (cvec){w.re * both.re - b.re, w.im * both.im - b.im};
}

static void hann_pass4(const fft_pass *pass, const float *restrict in, const float *restrict quarters,
                       float *restrict out)
{
    const float *restrict w = pass->twiddles;
    const int m = pass->length / 4;
    for (int p = 0; p < m; p++, w += 6) {
        cvec a, b, c, d;
        hann_pair(in, quarters, p, p + 2 * m, p, &a, &b);
        hann_pair(in, quarters, p + 3 * m, p + m, p + m, &c, &d);
        d = turned(d); /* of x[3] - x[1]: the other sign than in dft4 */
        cstore(out, 4 * p, add(a, c));
        cstore(out, 4 * p + 1, times(sub(b, d), everywhere(w)));
        cstore(out, 4 * p + 2, times(sub(a, c), everywhere(w + 2)));
        cstore(out, 4 * p + 3, times(add(b, d), everywhere(w + 4)));
    }
}

INLINE void pass_at(place at, const fft_pass *pass, const float *in, const float *window, float *out)
{
    switch (pass->radix) {
    case 2: pass_of(pass, 2, at, in, window, out); break;
    case 3: pass_of(pass, 3, at, in, window, out); break;
    case 4: pass_of(pass, 4, at, in, window, out); break;
    case 5: pass_of(pass, 5, at, in, window, out); break;
    case 8: pass_of(pass, 8, at, in, window, out); break;
    }
}
#endif
