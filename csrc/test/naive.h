/* The definitions again, slow and in double precision, for the tests to compare with. */
#ifndef NAIVE_H
#define NAIVE_H

#include <stddef.h>

#include "../logmel.h"

/* n samples of uniform noise in -1..1, the same for the same seed. */
void naive_noise(float *y, size_t n, unsigned seed);

/* bins[n_fft/2 + 1]: DFT power (or magnitude) of one frame under a periodic Hann window. */
void naive_spectrum(const float *frame, int n_fft, int win_length, int power, double *bins);

/* weights[n_mels][n_fft/2 + 1], after librosa.filters.mel. */
void naive_filterbank(const logmel_params *p, double *weights);

/* The number of frames of n samples, the end included. */
size_t naive_frames(const logmel_params *p, size_t n);

/* mel[naive_frames(p, n)][n_mels]: power or magnitude, whatever p->decibel says. */
void naive_mel(const logmel_params *p, const float *y, size_t n, double *mel);

double naive_decibel(double power, double amin);

#endif
