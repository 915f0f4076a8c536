/* A plan: the read-only tables (window, twiddle factors, filterbank, DCT) that all streams of one configuration share,
 * in any number of threads. */
#ifndef PLAN_H
#define PLAN_H

#include "band_matrix.h"
#include "logmel.h"
#include "mel_bank.h"
#include "rfft_power.h"

struct logmel_plan {
    logmel_params params;
    const kernels *kernel;
    rfft_power *rfft;
    mel_bank *bank;
    band_matrix *dct; /* NULL if the output is mel bands */
};

/* Return the size in floats of the workspace that the functions below need. It must be cache-line aligned, contain
 * finite values only, and be used by one thread at a time. */
size_t plan_workspace_size(const logmel_plan *self);

/* Compute one frame: n_fft samples -> logmel_frame_length values. */
void plan_compute_frame(const logmel_plan *self, const float *samples, float *workspace, float *out);

/* Apply the DCT alone: n_mels decibels -> n_mfcc coefficients. */
void plan_compute_mfcc(const logmel_plan *self, const float *db, float *workspace, float *out);

#endif
