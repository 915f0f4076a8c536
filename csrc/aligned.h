/* Zero-initialised float arrays aligned to cache lines, as vector loads and FFTW's SIMD code require. */
#ifndef ALIGNED_H
#define ALIGNED_H

#include <stdlib.h>
#include <string.h>

/* Return n rounded up to whole cache lines (64 bytes, 16 floats). */
static inline size_t aligned_length(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* Allocate n zeroed floats on a 64-byte boundary; the caller frees them with free(). Return NULL if out of memory.
 * Not aligned_alloc: macOS has it since 10.15 only. */
static inline float *aligned_floats(size_t n)
{
    size_t bytes = aligned_length(n ? n : 1) * sizeof(float);
    void *p = NULL;
    return posix_memalign(&p, 64, bytes) ? NULL : memset(p, 0, bytes);
}

#endif
