/* The first argument of a test program: a library with FFTW, or "none" to leave out the sizes that need it. */
#ifndef WITH_FFTW_H
#define WITH_FFTW_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"

/* 1 with FFTW, 0 without; the system's library where nothing is said. */
static inline int with_fftw(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    if (path && strcmp(path, "none") == 0) return 0;
    if (logmel_load_fftw(path) == LOGMEL_OK) return 1;
    fprintf(stderr, "no FFTW in %s\n", path ? path : "the system");
    exit(2);
}

#endif
