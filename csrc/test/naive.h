/* Reference implementations for the tests: the definitions, computed naively in double precision. */
#ifndef NAIVE_H
#define NAIVE_H

#include <stddef.h>

#include "../logmel.h"

/* Write n samples of uniform noise in -1..1, determined by the seed. */
void naive_noise(float *y, size_t n, unsigned seed);

/* Write bins[n_fft/2 + 1]: the DFT power (or magnitude) of one frame under a periodic Hann window. */
void naive_spectrum(const float *frame, int n_fft, int win_length, int power, double *bins);

/* Write weights[n_mels][n_fft/2 + 1] as defined by librosa.filters.mel. */
void naive_filterbank(const logmel_params *p, double *weights);

/* Return the number of frames of n samples, including those that flush writes. */
size_t naive_frames(const logmel_params *p, size_t n);

/* Write mel[naive_frames(p, n)][n_mels]: mel power or magnitude; p->decibel is ignored. */
void naive_mel(const logmel_params *p, const float *y, size_t n, double *mel);

/* Return 10*log10(max(amin, power)). */
double naive_decibel(double power, double amin);

#endif
