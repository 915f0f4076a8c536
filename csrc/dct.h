/* DCT-II, orthonormal, of mel frames: cepstral coefficients. */
#ifndef DCT_H
#define DCT_H

#include "band_matrix.h"

/* Row c of n_mfcc: the cosine of c half periods over n_mels values, liftered as librosa.feature.mfcc does:
 * 1 + lifter/2 * sin(pi (c + 1) / lifter) for lifter > 0. NULL: out of memory. */
band_matrix *dct_create(const kernels *kernel, int n_mels, int n_mfcc, double lifter);

#endif
