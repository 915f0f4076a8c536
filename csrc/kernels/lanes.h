/* Vectors of LANES floats in the vector extension of GCC and Clang: AVX, SSE and NEON from one source.
 * Included by lanes1.c, lanes4.c and lanes8.c, which define LANES. The savings given in these files were measured on
 * AVX2 with frames of 2048 samples and 128 bands; 8 lanes take half the time of 4. docs/mel.md lists all timings. */
#ifndef LANES_H
#define LANES_H

#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

#if LANES == 1
typedef float vec;
#else
typedef float vec __attribute__((vector_size(4 * LANES)));
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int lane_indices __attribute__((vector_size(4 * LANES)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (lane_indices){__VA_ARGS__})
#endif
#endif

INLINE vec load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Not memcpy: with it, gcc for aarch64 does not pair stores (6 % more instructions). */
INLINE void store(float *p, vec v)
{
    typedef vec unaligned_vec __attribute__((aligned(4), may_alias));
    *(unaligned_vec *)(void *)p = v;
}

#if LANES == 1

INLINE vec reverse_lanes(vec v)
{
    return v;
}

INLINE void transpose(vec *v)
{
    (void)v;
}

INLINE vec horizontal_sums(const vec *v)
{
    return v[0];
}

#elif LANES == 4

INLINE vec reverse_lanes(vec v)
{
    return SHUFFLE(v, v, 3, 2, 1, 0);
}

/* v[i] lane j <-> v[j] lane i */
INLINE void transpose(vec *v)
{
    vec a = SHUFFLE(v[0], v[1], 0, 4, 1, 5), b = SHUFFLE(v[0], v[1], 2, 6, 3, 7);
    vec c = SHUFFLE(v[2], v[3], 0, 4, 1, 5), d = SHUFFLE(v[2], v[3], 2, 6, 3, 7);
    v[0] = SHUFFLE(a, c, 0, 1, 4, 5), v[1] = SHUFFLE(a, c, 2, 3, 6, 7);
    v[2] = SHUFFLE(b, d, 0, 1, 4, 5), v[3] = SHUFFLE(b, d, 2, 3, 6, 7);
}

/* Lane i is the sum of v[i]'s lanes. */
INLINE vec horizontal_sums(const vec *v)
{
    vec a = SHUFFLE(v[0], v[1], 0, 2, 4, 6) + SHUFFLE(v[0], v[1], 1, 3, 5, 7);
    vec b = SHUFFLE(v[2], v[3], 0, 2, 4, 6) + SHUFFLE(v[2], v[3], 1, 3, 5, 7);
    return SHUFFLE(a, b, 0, 2, 4, 6) + SHUFFLE(a, b, 1, 3, 5, 7);
}

#elif LANES == 8

INLINE vec reverse_lanes(vec v)
{
    vec r = SHUFFLE(v, v, 3, 2, 1, 0, 7, 6, 5, 4);
    return SHUFFLE(r, r, 4, 5, 6, 7, 0, 1, 2, 3);
}

/* AVX shuffles within 128-bit halves: transpose the four 4x4 blocks first, then exchange the halves. */
INLINE void transpose_halves(vec *v)
{
    vec a = SHUFFLE(v[0], v[1], 0, 8, 1, 9, 4, 12, 5, 13), b = SHUFFLE(v[0], v[1], 2, 10, 3, 11, 6, 14, 7, 15);
    vec c = SHUFFLE(v[2], v[3], 0, 8, 1, 9, 4, 12, 5, 13), d = SHUFFLE(v[2], v[3], 2, 10, 3, 11, 6, 14, 7, 15);
    v[0] = SHUFFLE(a, c, 0, 1, 8, 9, 4, 5, 12, 13), v[1] = SHUFFLE(a, c, 2, 3, 10, 11, 6, 7, 14, 15);
    v[2] = SHUFFLE(b, d, 0, 1, 8, 9, 4, 5, 12, 13), v[3] = SHUFFLE(b, d, 2, 3, 10, 11, 6, 7, 14, 15);
}

/* v[i] lane j <-> v[j] lane i */
INLINE void transpose(vec *v)
{
    transpose_halves(v);
    transpose_halves(v + 4);
    UNROLLED for (int i = 0; i < 4; i++) {
        vec low = v[i], high = v[i + 4];
        v[i] = SHUFFLE(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
        v[i + 4] = SHUFFLE(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* In each half: the sums of the pairs of a, then of b. */
INLINE vec pair_sums(vec a, vec b)
{
    return SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) + SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}

/* Lane i is the sum of v[i]'s lanes. */
INLINE vec horizontal_sums(const vec *v)
{
    vec low = pair_sums(pair_sums(v[0], v[1]), pair_sums(v[2], v[3]));
    vec high = pair_sums(pair_sums(v[4], v[5]), pair_sums(v[6], v[7]));
    return SHUFFLE(low, high, 0, 1, 2, 3, 8, 9, 10, 11) + SHUFFLE(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
}

#endif
#endif
