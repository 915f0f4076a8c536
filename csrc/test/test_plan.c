#include "../plan.h"

#include <math.h>
#include <stdlib.h>

#include "../aligned.h"
#include "check.h"
#include "naive.h"

enum { N_FFT = 64, N_MELS = 12, N_MFCC = 7 };

static const logmel_params DEFAULTS = {.sr = 16000, .n_fft = N_FFT, .win_length = N_FFT, .hop_length = 16, .center = 1,
                                       .power = 2, .n_mels = N_MELS, .fmax = 8000, .norm = 1, .decibel = 1};

static logmel_plan *create_plan(const logmel_params *p)
{
    logmel_plan *plan = NULL;
    CHECK(logmel_plan_create(p, &plan) == LOGMEL_OK && plan);
    if (!plan) abort();
    return plan;
}

/* Decibels and MFCC of a frame match their definitions, and plan_compute_mfcc matches plan_compute_frame. */
static void test_frame(int lanes, double lifter)
{
    const double pi = acos(-1.0);
    float frame[N_FFT], db[N_MELS], mfcc[N_MFCC], mfcc_only[N_MFCC];
    double bins[N_FFT / 2 + 1], weights[N_MELS * (N_FFT / 2 + 1)], exact[N_MELS];
    logmel_params p = DEFAULTS;
    p.lanes = lanes, p.lifter = lifter;
    logmel_plan *bands = create_plan(&p);
    p.n_mfcc = N_MFCC;
    logmel_plan *cepstrum = create_plan(&p);
    float *workspace = aligned_floats(plan_workspace_size(bands));
    float *mfcc_workspace = aligned_floats(plan_workspace_size(cepstrum));
    naive_noise(frame, N_FFT, 8);
    naive_spectrum(frame, N_FFT, N_FFT, 2, bins);
    naive_filterbank(&p, weights);
    plan_compute_frame(bands, frame, workspace, db);
    plan_compute_frame(cepstrum, frame, mfcc_workspace, mfcc);
    plan_compute_mfcc(cepstrum, db, mfcc_workspace, mfcc_only);
    for (int m = 0; m < N_MELS; m++) {
        double sum = 0.0;
        for (int k = 0; k <= N_FFT / 2; k++) sum += weights[m * (N_FFT / 2 + 1) + k] * bins[k];
        exact[m] = naive_decibel(sum, 1e-10);
        CHECK(fabs((double)db[m] - exact[m]) < 1e-4);
    }
    for (int c = 0; c < N_MFCC; c++) {
        double sum = 0.0, scale = sqrt((c ? 2.0 : 1.0) / N_MELS);
        for (int m = 0; m < N_MELS; m++) sum += exact[m] * cos(pi * c * (m + 0.5) / N_MELS);
        if (lifter > 0.0) scale *= 1.0 + lifter / 2.0 * sin(pi * (c + 1) / lifter);
        CHECK(fabs((double)mfcc[c] - sum * scale) < 2e-3);
        CHECK(mfcc[c] == mfcc_only[c]);
    }
    free(workspace);
    free(mfcc_workspace);
    logmel_plan_destroy(bands);
    logmel_plan_destroy(cepstrum);
}

static void test_invalid_params(void)
{
    logmel_params invalid[18];
    for (int i = 0; i < 18; i++) invalid[i] = DEFAULTS;
    int n = 0;
    invalid[n++].sr = 0, invalid[n++].sr = (double)NAN, invalid[n++].n_fft = 1, invalid[n++].n_fft = LOGMEL_MAX_FFT + 1;
    invalid[n++].win_length = N_FFT + 1, invalid[n++].n_mels = 0, invalid[n++].fmax = 8001, invalid[n++].power = 3;
    invalid[n++].n_mfcc = -1, invalid[n++].n_mfcc = N_MELS + 1;
    invalid[n++].lanes = 2, invalid[n++].lanes = -4, invalid[n++].lanes = 16;
    for (int i = n; i < 18; i++) invalid[i].n_mfcc = N_MFCC;
    invalid[n++].decibel = 0;
    invalid[n++].lifter = -1, invalid[n++].lifter = (double)NAN, invalid[n++].lifter = HUGE_VAL;
    invalid[n].n_mels = LOGMEL_MAX_MFCC + 1, invalid[n++].n_mfcc = LOGMEL_MAX_MFCC + 1;
    CHECK(n == 18);
    for (int i = 0; i < n; i++) {
        logmel_plan *plan = (logmel_plan *)&invalid;
        CHECK(logmel_plan_create(&invalid[i], &plan) == LOGMEL_E_PARAM);
        CHECK(plan == NULL);
    }
}

static void test_plan_properties(void)
{
    logmel_params p = DEFAULTS;
    p.lanes = 1;
    logmel_plan *plan = create_plan(&p);
    CHECK(logmel_plan_lanes(plan) == 1);
    CHECK(logmel_frame_length(plan) == N_MELS);
    CHECK(logmel_empty_bands(plan) == 0);
    CHECK(logmel_plan_bytes(plan) > N_FFT * sizeof(float));
    CHECK(logmel_stream_bytes(plan) >= (4 * N_FFT + plan_workspace_size(plan)) * sizeof(float));
    logmel_plan_destroy(plan);
    p.n_mfcc = N_MFCC, p.lanes = 0;
    plan = create_plan(&p);
    CHECK(logmel_plan_lanes(plan) >= 4);
    CHECK(logmel_frame_length(plan) == N_MFCC);
    logmel_plan_destroy(plan);
    logmel_plan_destroy(NULL);
    CHECK(!logmel_needs_fftw(2048) && !logmel_needs_fftw(400) && !logmel_needs_fftw(1200) && !logmel_needs_fftw(65536));
    CHECK(logmel_needs_fftw(1023) && logmel_needs_fftw(2 * 1021) && logmel_needs_fftw(2));
}

/* Plans and streams of common configurations stay below 64 KiB; the sizes are printed. */
static void test_sizes(void)
{
    static const int sizes[][4] = {{22050, 2048, 512, 128}, {16000, 512, 256, 96}};
    for (int i = 0; i < 2; i++) {
        logmel_params p = {.sr = sizes[i][0], .n_fft = sizes[i][1], .win_length = sizes[i][1], .power = 2,
                           .hop_length = sizes[i][2], .n_mels = sizes[i][3], .fmax = sizes[i][0] / 2.0, .decibel = 1};
        logmel_plan *plan = create_plan(&p);
        printf("n_fft %d, n_mels %d: plan %zu bytes, each stream %zu bytes\n", p.n_fft, p.n_mels,
               logmel_plan_bytes(plan), logmel_stream_bytes(plan));
        CHECK(logmel_plan_bytes(plan) < 65536 && logmel_stream_bytes(plan) < 65536);
        logmel_plan_destroy(plan);
    }
}

int main(void)
{
    static const int lanes[] = {1, 4, 8};
    for (int i = 0; i < 3; i++) {
        if (!kernels_for_lanes(lanes[i])) continue;
        test_frame(lanes[i], 0.0);
        test_frame(lanes[i], 22.0);
    }
    test_invalid_params();
    test_plan_properties();
    test_sizes();
    return check_report();
}
