#include "../logmel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "check.h"
#include "load_fftw.h"
#include "naive.h"

enum { N_FFT = 32, N_MELS = 4, MAX_SAMPLES = 8 * (N_FFT + 1), MAX_VALUES = (MAX_SAMPLES + N_FFT) * N_MELS };

static const logmel_params DEFAULTS = {.sr = 16000, .n_fft = N_FFT, .win_length = N_FFT, .hop_length = 5, .center = 1,
                                       .power = 2, .n_mels = N_MELS, .fmax = 8000, .norm = 1};

static float noise[MAX_SAMPLES];

/* A plan and one stream. */
typedef struct {
    logmel_plan *plan;
    logmel *lm;
} fixture;

static fixture open_fixture(const logmel_params *p)
{
    fixture f = {NULL, NULL};
    CHECK(logmel_plan_create(p, &f.plan) == LOGMEL_OK && f.plan);
    if (!f.plan) abort();
    CHECK(logmel_create(f.plan, &f.lm) == LOGMEL_OK && f.lm);
    if (!f.lm) abort();
    return f;
}

static void close_fixture(fixture f)
{
    logmel_destroy(f.lm);
    logmel_plan_destroy(f.plan);
}

/* Push y in chunks and flush; return the number of frames. Each call gets an output of exactly the predicted size. */
static size_t run_stream(logmel *lm, const float *y, size_t n, size_t chunk, float *out)
{
    size_t total = 0, frames, expected;
    for (size_t i = 0; i < n; i += chunk) {
        size_t k = n - i < chunk ? n - i : chunk;
        expected = logmel_frames_after_push(lm, k);
        CHECK(logmel_push(lm, y + i, k, out + total * N_MELS, expected, &frames) == LOGMEL_OK);
        CHECK(frames == expected);
        total += frames;
    }
    expected = logmel_frames_after_flush(lm);
    CHECK(logmel_flush(lm, out + total * N_MELS, expected, &frames) == LOGMEL_OK);
    CHECK(frames == expected);
    return total + frames;
}

static int frames_equal(const float *a, const float *b, size_t frames)
{
    return memcmp(a, b, frames * N_MELS * sizeof(float)) == 0;
}

/* The tolerance is relative to the frame's largest band, because the FFT's rounding error is relative to the frame. */
static int matches_naive(const logmel_params *p, const float *y, size_t n, const float *mel)
{
    static double exact[MAX_VALUES];
    naive_mel(p, y, n, exact);
    for (size_t t = 0; t < naive_frames(p, n); t++) {
        const double *row = exact + t * N_MELS;
        double largest = 0.0;
        for (int m = 0; m < N_MELS; m++) largest = fmax(largest, row[m]);
        for (int m = 0; m < N_MELS; m++) {
            if (!(fabs((double)mel[t * N_MELS + (size_t)m] - row[m]) <= 1e-5 * largest)) return 0;
        }
    }
    return 1;
}

static void test_signal_length(logmel *lm, const logmel_params *p, size_t n)
{
    static float whole[MAX_VALUES], chunked[MAX_VALUES];
    size_t n_fft = (size_t)p->n_fft, chunks[] = {1, 7, n_fft - 1, n_fft, n_fft + 1};
    logmel_reset(lm);
    size_t frames = run_stream(lm, noise, n, MAX_SAMPLES, whole);
    CHECK(frames == naive_frames(p, n));
    CHECK(matches_naive(p, noise, n, whole));
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        logmel_reset(lm);
        CHECK(run_stream(lm, noise, n, chunks[i], chunked) == frames);
        CHECK(frames_equal(whole, chunked, frames));
    }
}

/* Signal lengths around 0, 1 and 2 frames, and around the points where the history is compacted. */
static void test_chunk_sizes(int lanes, int n_fft, int win_length, int hop_length, int center, logmel_pad pad_mode)
{
    logmel_params p = DEFAULTS;
    p.n_fft = n_fft, p.win_length = win_length, p.hop_length = hop_length, p.center = center, p.pad_mode = pad_mode;
    p.lanes = lanes;
    fixture f = open_fixture(&p);
    logmel *lm = f.lm;
    for (int n = 0; n <= 2 * n_fft + 3; n++) test_signal_length(lm, &p, (size_t)n);
    for (int n = 3 * n_fft - 2; n <= 4 * n_fft + 2; n++) test_signal_length(lm, &p, (size_t)n);
    for (int n = 7 * n_fft - 2; n <= 7 * n_fft + 2; n++) test_signal_length(lm, &p, (size_t)n);
    close_fixture(f);
}

static void test_all_chunk_sizes(int lanes, int fftw)
{
    static const int hops[] = {1, 5, N_FFT, 40};
    for (int i = 0; i < 4; i++) {
        for (int center = 0; center <= 1; center++) {
            test_chunk_sizes(lanes, N_FFT, N_FFT, hops[i], center, LOGMEL_PAD_CONSTANT);
            test_chunk_sizes(lanes, N_FFT, 9, hops[i], center, LOGMEL_PAD_REFLECT);
            if (!fftw) continue;
            test_chunk_sizes(lanes, N_FFT + 1, N_FFT, hops[i], center, LOGMEL_PAD_CONSTANT);
            test_chunk_sizes(lanes, N_FFT + 1, N_FFT + 1, hops[i], center, LOGMEL_PAD_REFLECT);
            test_chunk_sizes(lanes, 2, 2, hops[i], center, LOGMEL_PAD_REFLECT);
        }
    }
}

static size_t run_new_stream(const logmel_params *p, size_t chunk, float *out)
{
    fixture f = open_fixture(p);
    size_t frames = run_stream(f.lm, noise, MAX_SAMPLES, chunk, out);
    close_fixture(f);
    return frames;
}

static void test_decibel_and_magnitude(void)
{
    static float mel[MAX_VALUES], magnitude[MAX_VALUES], db[MAX_VALUES], expected[MAX_VALUES];
    logmel_params p = DEFAULTS;
    size_t frames = run_new_stream(&p, 7, mel);
    p.decibel = 1;
    CHECK(run_new_stream(&p, 9, db) == frames);
    logmel_power_to_db(mel, frames * N_MELS, 1e-10f, expected);
    CHECK(frames_equal(db, expected, frames));
    p.decibel = 0, p.power = 1;
    CHECK(run_new_stream(&p, 9, magnitude) == frames);
    CHECK(matches_naive(&p, noise, MAX_SAMPLES, magnitude));
    CHECK(!frames_equal(mel, magnitude, frames));
}

/* MFCC of a stream, in any chunks, equal logmel_mfcc of its decibels. */
static void test_mfcc(void)
{
    static float db[MAX_VALUES], cepstra[MAX_VALUES], separate[MAX_VALUES], chunked[MAX_VALUES];
    logmel_params p = DEFAULTS;
    p.decibel = 1;
    size_t frames = run_new_stream(&p, 9, db);
    p.n_mfcc = N_MELS, p.lifter = 3.0; /* as many as bands, because run_stream assumes N_MELS values a frame */
    CHECK(run_new_stream(&p, MAX_SAMPLES, cepstra) == frames);
    CHECK(run_new_stream(&p, 5, chunked) == frames);
    CHECK(frames_equal(cepstra, chunked, frames));
    fixture f = open_fixture(&p);
    logmel_mfcc(f.lm, db, frames, separate);
    CHECK(frames_equal(cepstra, separate, frames));
    close_fixture(f);
}

/* Large pushes compute frames directly from the input: another code path, the same bits. */
static void test_large_pushes(int lanes, int n_fft, int hop_length, logmel_pad pad_mode)
{
    enum { N = 20000, FRAMES = N + 8 };
    static float y[N], whole[FRAMES * N_MELS], chunked[FRAMES * N_MELS];
    static const size_t chunks[] = {1, 77, 4096, 4113, 9001};
    logmel_params p = DEFAULTS;
    p.n_fft = p.win_length = n_fft, p.hop_length = hop_length, p.lanes = lanes, p.pad_mode = pad_mode;
    naive_noise(y, N, 12);
    fixture f = open_fixture(&p);
    size_t frames = run_stream(f.lm, y, N, 100, whole), n_written = 9, n_first;
    CHECK(frames == naive_frames(&p, N));
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        logmel_reset(f.lm);
        CHECK(run_stream(f.lm, y, N, chunks[i], chunked) == frames);
        CHECK(frames_equal(whole, chunked, frames));
    }
    /* An invalid sample after many frames: nothing is consumed. */
    logmel_reset(f.lm);
    CHECK(logmel_push(f.lm, y, 700, chunked, FRAMES, &n_first) == LOGMEL_OK);
    for (size_t i_invalid = 701; i_invalid < N; i_invalid += 1777) {
        float sample = y[i_invalid];
        y[i_invalid] = NAN;
        CHECK(logmel_push(f.lm, y + 700, N - 700, chunked + n_first * N_MELS, FRAMES, &n_written) == LOGMEL_E_SAMPLE);
        CHECK(n_written == 0);
        y[i_invalid] = sample;
    }
    CHECK(n_first + run_stream(f.lm, y + 700, N - 700, 9000, chunked + n_first * N_MELS) == frames);
    CHECK(frames_equal(whole, chunked, frames));
    close_fixture(f);
}

/* The rest of the signal gives the same frames as without the rejected call. */
static void check_rest(logmel *lm, size_t start, float *out, size_t frames, const float *expected, size_t n_expected)
{
    CHECK(frames + run_stream(lm, noise + start, MAX_SAMPLES - start, 11, out + frames * N_MELS) == n_expected);
    CHECK(frames_equal(out, expected, n_expected));
}

static void test_invalid_samples(void)
{
    static const float invalid[] = {NAN, INFINITY, -INFINITY, 1.0001e12f, -1.0001e12f};
    static float expected[MAX_VALUES], out[MAX_VALUES], corrupted[MAX_SAMPLES];
    fixture f = open_fixture(&DEFAULTS);
    logmel *lm = f.lm;
    size_t n_expected = run_stream(lm, noise, MAX_SAMPLES, MAX_SAMPLES, expected), frames, n_written = 9;
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        logmel_reset(lm);
        CHECK(logmel_push(lm, noise, 50, out, MAX_VALUES / N_MELS, &frames) == LOGMEL_OK);
        memcpy(corrupted, noise, sizeof corrupted);
        corrupted[70] = invalid[i];
        CHECK(logmel_push(lm, corrupted, 71, out + frames * N_MELS, MAX_SAMPLES, &n_written) == LOGMEL_E_SAMPLE);
        CHECK(n_written == 0);
        check_rest(lm, 50, out, frames, expected, n_expected);
    }
    close_fixture(f);
}

static void test_first_invalid_sample(void)
{
    float y[600];
    naive_noise(y, 600, 6);
    y[3] = LOGMEL_MAX_SAMPLE, y[4] = -LOGMEL_MAX_SAMPLE;
    CHECK(logmel_first_invalid_sample(y, 600) == 600);
    CHECK(logmel_first_invalid_sample(NULL, 0) == 0);
    y[597] = -2 * LOGMEL_MAX_SAMPLE;
    CHECK(logmel_first_invalid_sample(y, 600) == 597);
}

static void test_output_too_small(void)
{
    static float expected[MAX_VALUES], out[MAX_VALUES];
    fixture f = open_fixture(&DEFAULTS);
    logmel *lm = f.lm;
    size_t n_expected = run_stream(lm, noise, MAX_SAMPLES, MAX_SAMPLES, expected), frames, n_written = 9;
    logmel_reset(lm);
    size_t needed = logmel_frames_after_push(lm, 50);
    CHECK(needed > 1);
    CHECK(logmel_push(lm, noise, 50, out, needed - 1, &n_written) == LOGMEL_E_SPACE && n_written == 0);
    CHECK(logmel_push(lm, noise, 50, out, needed, &frames) == LOGMEL_OK && frames == needed);
    check_rest(lm, 50, out, frames, expected, n_expected);

    logmel_reset(lm);
    CHECK(logmel_push(lm, noise, MAX_SAMPLES, out, MAX_SAMPLES, &frames) == LOGMEL_OK);
    needed = logmel_frames_after_flush(lm);
    CHECK(needed > 0);
    CHECK(logmel_flush(lm, out + frames * N_MELS, needed - 1, &n_written) == LOGMEL_E_SPACE && n_written == 0);
    check_rest(lm, MAX_SAMPLES, out, frames, expected, n_expected);
    close_fixture(f);
}

static void test_state_after_flush(void)
{
    static float expected[MAX_VALUES], out[MAX_VALUES];
    fixture f = open_fixture(&DEFAULTS), other = open_fixture(&DEFAULTS);
    logmel *lm = f.lm, *fresh = other.lm;
    size_t n_expected = run_stream(fresh, noise, MAX_SAMPLES, MAX_SAMPLES, expected), n_written = 9;
    run_stream(lm, noise + 20, MAX_SAMPLES - 20, 3, out);
    CHECK(logmel_frames_after_push(lm, MAX_SAMPLES) == 0 && logmel_frames_after_flush(lm) == 0);
    CHECK(logmel_push(lm, noise, 1, out, MAX_SAMPLES, &n_written) == LOGMEL_E_STATE && n_written == 0);
    CHECK(logmel_flush(lm, out, MAX_SAMPLES, &n_written) == LOGMEL_E_STATE && n_written == 0);
    logmel_reset(lm);
    check_rest(lm, 0, out, 0, expected, n_expected);
    close_fixture(other);
    close_fixture(f);
    logmel_destroy(NULL);
}

/* A second argument (for slow machines) selects only the widest lanes and skips test_all_chunk_sizes. */
int main(int argc, char **argv)
{
    static const int lanes[] = {1, 4, 8};
    logmel_params odd = DEFAULTS;
    logmel_plan *plan = NULL;
    odd.n_fft = odd.win_length = N_FFT + 1;
    CHECK(logmel_fftw_version() == NULL);
    CHECK(logmel_plan_create(&odd, &plan) == LOGMEL_E_FFTW && plan == NULL);
    int fftw = load_fftw_argument(argc, argv);
    CHECK((logmel_fftw_version() != NULL) == fftw);
    naive_noise(noise, MAX_SAMPLES, 5);
    for (int i = 0; i < 3; i++) {
        if (!kernels_for_lanes(lanes[i]) || (argc > 2 && kernels_widest(0)->lanes != lanes[i])) continue;
        if (argc <= 2) test_all_chunk_sizes(lanes[i], fftw);
        test_large_pushes(lanes[i], 128, 50, LOGMEL_PAD_CONSTANT);
        test_large_pushes(lanes[i], 400, 160, LOGMEL_PAD_REFLECT);
        if (!fftw) continue;
        test_large_pushes(lanes[i], 97, 300, LOGMEL_PAD_REFLECT);
        test_large_pushes(lanes[i], 2, 1, LOGMEL_PAD_REFLECT);
    }
    test_decibel_and_magnitude();
    test_mfcc();
    test_invalid_samples();
    test_first_invalid_sample();
    test_output_too_small();
    test_state_after_flush();
    return check_report();
}
