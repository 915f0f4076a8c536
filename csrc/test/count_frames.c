/* The program whose instructions tools/count_instructions.py counts:
 *
 *     count_frames N_FFT HOP N_MELS SR LANES FRAMES
 *
 * Computes FRAMES frames in decibels, pushing one hop at a time. With LANES = fftw it executes FRAMES transforms of the
 * system's FFTW instead. Work that does not depend on FRAMES (start-up, planning) cancels out in the difference of two
 * runs, so only the frames themselves may depend on it. Exit status 2: the error is on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../aligned.h"
#include "../fftw_api.h"
#include "../logmel.h"
#include "naive.h"

static int fail(const char *message)
{
    fprintf(stderr, "count_frames: %s\n", message);
    return 2;
}

/* Push the same hop repeatedly: no branch in the code depends on the samples. */
static int run_frames(const logmel_params *p, size_t n_frames)
{
    size_t n = (size_t)p->hop_length, n_done = 0, k;
    logmel_plan *plan;
    logmel *lm;
    if (logmel_plan_create(p, &plan) != LOGMEL_OK) return fail("invalid parameters for this processor");
    if (logmel_plan_lanes(plan) != p->lanes) return fail("this processor does not support this number of lanes");
    float *hop = aligned_floats(n), *out = aligned_floats(logmel_frame_length(plan));
    if (!hop || !out || logmel_create(plan, &lm) != LOGMEL_OK) return fail("out of memory");
    naive_noise(hop, n, 1);
    while (n_done < n_frames) {
        if (logmel_push(lm, hop, n, out, 1, &k) != LOGMEL_OK) return fail("logmel_push failed");
        n_done += k;
    }
    logmel_destroy(lm);
    free(hop);
    free(out);
    logmel_plan_destroy(plan);
    return 0;
}

/* Planned with FFTW_ESTIMATE, so that every run executes the same instructions. */
static int run_transforms(int n_fft, size_t n_frames)
{
    size_t n = (size_t)n_fft;
    if (!fftw_api_load(NULL)) return fail("cannot load FFTW (libfftw3f.so.3)");
    const fftw_api *fftw = fftw_api_get();
    float *in = aligned_floats(n), *spectrum = aligned_floats(n + 2);
    if (!in || !spectrum) return fail("out of memory");
    float(*out)[2] = (float(*)[2])spectrum;
    fftw_plan plan = fftw_api_plan(n_fft, in, out, 0);
    if (!plan) return fail("FFTW cannot plan this size");
    naive_noise(in, n, 1);
    for (size_t i = 0; i < n_frames; i++) fftw->execute_r2c(plan, in, out);
    fftw->destroy_plan(plan);
    free(in);
    free(spectrum);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 7) return fail("usage: count_frames N_FFT HOP N_MELS SR LANES FRAMES");
    int n_fft = atoi(argv[1]);
    size_t n_frames = strtoul(argv[6], NULL, 10);
    if (strcmp(argv[5], "fftw") == 0) return run_transforms(n_fft, n_frames);
    logmel_params p = {.sr = atof(argv[4]), .n_fft = n_fft, .win_length = n_fft, .hop_length = atoi(argv[2]),
                       .power = 2, .n_mels = atoi(argv[3]), .fmax = atof(argv[4]) / 2, .norm = 1, .decibel = 1,
                       .lanes = atoi(argv[5])};
    return run_frames(&p, n_frames);
}
