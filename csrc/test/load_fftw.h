/* The first argument of a test program: the path of an FFTW library, or "none" to skip the sizes that need FFTW. */
#ifndef LOAD_FFTW_H
#define LOAD_FFTW_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"

/* Load FFTW (default: the system's library). Return 1, or 0 for "none"; exit with status 2 if loading fails. */
static inline int load_fftw_argument(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    if (path && strcmp(path, "none") == 0) return 0;
    if (logmel_load_fftw(path) == LOGMEL_OK) return 1;
    fprintf(stderr, "cannot load FFTW from %s\n", path ? path : "libfftw3f.so.3");
    exit(2);
}

#endif
