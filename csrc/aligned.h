/* Zeroed float arrays on cache lines, as FFTW's and the compiler's vectors like them. */
#ifndef ALIGNED_H
#define ALIGNED_H

#include <stdlib.h>
#include <string.h>

/* n floats, rounded up to whole cache lines of 64 bytes. */
static inline size_t aligned_length(size_t n)
{
    return (n + 15) / 16 * 16;
}

static inline float *aligned_floats(size_t n)
{
    size_t bytes = aligned_length(n ? n : 1) * sizeof(float);
    float *p = aligned_alloc(64, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

#endif
