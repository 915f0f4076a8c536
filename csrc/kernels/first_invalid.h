/* Validation of samples. */
#ifndef KERNELS_FIRST_INVALID_H
#define KERNELS_FIRST_INVALID_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Return the index of the first sample that is NaN or exceeds the limit in magnitude, or n if there is none. Read as an
 * unsigned integer, the bits of |y| sort like the values, with NaN above all. Each block is checked without a branch,
 * so that the compiler vectorises the loop. */
static size_t first_invalid(const float *y, size_t n, float limit)
{
    enum { BLOCK = 1024 };
    uint32_t limit_bits, bits;
    memcpy(&limit_bits, &limit, sizeof limit_bits);
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t stop = i + BLOCK < n ? i + BLOCK : n;
        uint32_t sign = 0;
        for (size_t k = i; k < stop; k++) {
            memcpy(&bits, y + k, sizeof bits);
            sign |= limit_bits - (bits & 0x7fffffff); /* the sign bit is set if |y| exceeds the limit */
        }
        for (size_t k = i; (sign >> 31) && k < stop; k++) {
            if (!(fabsf(y[k]) <= limit)) return k;
        }
    }
    return n;
}
#endif
