/* A program whose instructions tools/count_instructions.py counts:
 *
 *     count_frames N_FFT HOP N_MELS SR LANES FRAMES
 *
 * makes FRAMES frames of decibels, from pushes of one hop. LANES = fftw has the system's FFTW transform FRAMES times
 * instead, and does nothing else. Whatever does not depend on FRAMES (start-up, plans) cancels out in the difference
 * of two runs, so nothing here but the frames themselves may depend on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../aligned.h"
#include "../fftw_api.h"
#include "../logmel.h"
#include "naive.h"

static int refused(const char *what)
{
    fprintf(stderr, "count_frames: %s\n", what);
    return 2;
}

/* The same hop again and again: no branch of a frame depends on the samples. */
static int frames(const logmel_params *p, size_t wanted)
{
    size_t n = (size_t)p->hop_length, done = 0, k;
    logmel_plan *plan;
    logmel *lm;
    if (logmel_plan_create(p, &plan) != LOGMEL_OK) return refused("no such plan on this processor");
    if (logmel_plan_lanes(plan) != p->lanes) return refused("other lanes than asked for");
    float *hop = aligned_floats(n), *out = aligned_floats(logmel_frame_length(plan));
    if (!hop || !out || logmel_create(plan, &lm) != LOGMEL_OK) return refused("out of memory");
    naive_noise(hop, n, 1);
    while (done < wanted) {
        if (logmel_push(lm, hop, n, out, 1, &k) != LOGMEL_OK) return refused("a push failed");
        done += k;
    }
    logmel_destroy(lm);
    free(hop);
    free(out);
    logmel_plan_destroy(plan);
    return 0;
}

/* Planned by rule, not by timing: any run takes the same steps. */
static int transforms(int n_fft, size_t wanted)
{
    size_t n = (size_t)n_fft;
    if (!fftw_api_load(NULL)) return refused("no FFTW in the system");
    const fftw_api *fftw = fftw_api_get();
    float *in = aligned_floats(n), *spectrum = aligned_floats(n + 2);
    if (!in || !spectrum) return refused("out of memory");
    float(*out)[2] = (float(*)[2])spectrum;
    fftw_plan plan = fftw_api_plan(n_fft, in, out, 0);
    if (!plan) return refused("FFTW has no plan");
    naive_noise(in, n, 1);
    for (size_t i = 0; i < wanted; i++) fftw->execute_r2c(plan, in, out);
    fftw->destroy_plan(plan);
    free(in);
    free(spectrum);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 7) return refused("needs N_FFT HOP N_MELS SR LANES FRAMES");
    int n_fft = atoi(argv[1]);
    size_t wanted = strtoul(argv[6], NULL, 10);
    if (strcmp(argv[5], "fftw") == 0) return transforms(n_fft, wanted);
    logmel_params p = {.sr = atof(argv[4]), .n_fft = n_fft, .win_length = n_fft, .hop_length = atoi(argv[2]),
                       .power = 2, .n_mels = atoi(argv[3]), .fmax = atof(argv[4]) / 2, .norm = 1, .decibel = 1,
                       .lanes = atoi(argv[5])};
    return frames(&p, wanted);
}
