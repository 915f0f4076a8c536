/* What a frame needs and no frame changes: windows, twiddles, filters. Streams in any threads share a plan. */
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
    band_matrix *dct; /* NULL: frames end as mel bands */
};

/* How many floats of workspace a frame needs: all finite, on a cache line, one thread at a time. */
size_t plan_room(const logmel_plan *self);

/* n_fft samples -> logmel_frame_length values. */
void plan_frame(const logmel_plan *self, const float *samples, float *work, float *out);

/* The last step alone: n_mels decibels -> n_mfcc values. */
void plan_mfcc(const logmel_plan *self, const float *db, float *work, float *out);

#endif
