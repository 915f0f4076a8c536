/* Orthonormal DCT-II of mel frames in decibels: mel-frequency cepstral coefficients (MFCC). */
#ifndef DCT_H
#define DCT_H

#include "band_matrix.h"

/* Create the n_mfcc x n_mels DCT-II matrix of scipy.fft.dct(norm="ortho"). For lifter > 0, row c is multiplied by
 * 1 + lifter/2 * sin(pi (c + 1) / lifter), as in librosa.feature.mfcc. Return NULL if out of memory. */
band_matrix *dct_create(const kernels *kernel, int n_mels, int n_mfcc, double lifter);

#endif
