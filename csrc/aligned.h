/* Zeroed float arrays on cache lines, as FFTW's and the compiler's vectors like them. */
#ifndef ALIGNED_H
#define ALIGNED_H

#include <stdlib.h>
#include <string.h>

static inline float *aligned_floats(size_t n)
{
    size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    float *p = aligned_alloc(64, bytes ? bytes : 64);
    if (p) memset(p, 0, bytes);
    return p;
}

#endif
