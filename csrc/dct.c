#include "dct.h"

#include <math.h>
#include <stdlib.h>

static double dct_weight(int n_mels, int c, int m, double lifter)
{
    const double pi = acos(-1.0);
    double gain = sqrt((c == 0 ? 1.0 : 2.0) / n_mels);
    if (lifter > 0) gain *= 1.0 + lifter / 2.0 * sin(pi * (c + 1) / lifter);
    return gain * cos(pi * c * (2.0 * m + 1.0) / (2.0 * n_mels));
}

band_matrix *dct_create(const kernels *kernel, int n_mels, int n_mfcc, double lifter)
{
    band *bands = calloc((size_t)n_mfcc, sizeof *bands);
    if (!bands) return NULL;
    for (int c = 0; c < n_mfcc; c++) bands[c].n = n_mels;
    band_matrix *self = band_matrix_create(kernel, n_mfcc, bands);
    free(bands);
    if (!self) return NULL;
    for (int c = 0; c < n_mfcc; c++) {
        for (int m = 0; m < n_mels; m++) *band_matrix_weight(self, c, m) = (float)dct_weight(n_mels, c, m, lifter);
    }
    return self;
}
