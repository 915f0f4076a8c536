/* Reads float32 samples from stdin and writes frames to stdout; tools/conformance.py runs it on another processor.
 *
 *     mel_of_samples SR N_FFT HOP WIN CENTER REFLECT POWER N_MELS FMIN FMAX HTK NORM DECIBEL LANES */
#include <stdio.h>
#include <stdlib.h>

#include "../logmel.h"

enum { N_ARGUMENTS = 15, CHUNK = 3000 };

static int write_frames(const float *frames, size_t n)
{
    return fwrite(frames, sizeof *frames, n, stdout) == n;
}

static int stream(const logmel_plan *plan, const logmel_params *p)
{
    static float y[CHUNK];
    size_t length = logmel_frame_length(plan), max_frames = (size_t)((CHUNK + p->n_fft) / p->hop_length + 2), n, k;
    float *out = calloc(max_frames * length, sizeof *out);
    logmel *lm = NULL;
    if (!out || logmel_create(plan, &lm) != LOGMEL_OK) return 1;
    while ((n = fread(y, sizeof *y, CHUNK, stdin)) > 0) {
        if (logmel_push(lm, y, n, out, max_frames, &k) != LOGMEL_OK || !write_frames(out, k * length)) return 1;
    }
    if (logmel_flush(lm, out, max_frames, &k) != LOGMEL_OK || !write_frames(out, k * length)) return 1;
    logmel_destroy(lm);
    free(out);
    return ferror(stdin) || fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != N_ARGUMENTS) return 2;
    logmel_params p = {.sr = atof(argv[1]), .n_fft = atoi(argv[2]), .hop_length = atoi(argv[3]),
                       .win_length = atoi(argv[4]), .center = atoi(argv[5]),
                       .pad_mode = atoi(argv[6]) ? LOGMEL_PAD_REFLECT : LOGMEL_PAD_CONSTANT, .power = atoi(argv[7]),
                       .n_mels = atoi(argv[8]), .fmin = atof(argv[9]), .fmax = atof(argv[10]), .htk = atoi(argv[11]),
                       .norm = atoi(argv[12]), .decibel = atoi(argv[13]), .lanes = atoi(argv[14])};
    logmel_plan *plan;
    if (logmel_plan_create(&p, &plan) != LOGMEL_OK) return 3;
    int failed = stream(plan, &p);
    logmel_plan_destroy(plan);
    return failed;
}
