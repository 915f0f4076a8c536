/* The check of samples. */
#ifndef KERNELS_USABLE_H
#define KERNELS_USABLE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The index of the first sample that is NaN or beyond the limit, or n. As an integer, the bits of |y| keep the order
 * and NaN is above all; blocks without a branch inside become vectors. */
static size_t first_beyond(const float *y, size_t n, float limit)
{
    enum { BLOCK = 1024 };
    uint32_t most, bits;
    memcpy(&most, &limit, sizeof most);
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t stop = i + BLOCK < n ? i + BLOCK : n;
        uint32_t beyond = 0;
        for (size_t k = i; k < stop; k++) {
            memcpy(&bits, y + k, sizeof bits);
            beyond |= most - (bits & 0x7fffffff); /* its sign bit: greater than the limit */
        }
        for (size_t k = i; (beyond >> 31) && k < stop; k++) {
            if (!(fabsf(y[k]) <= limit)) return k;
        }
    }
    return n;
}
#endif
