#include "../logmel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "check.h"
#include "naive.h"
#include "with_fftw.h"

enum { N_FFT = 32, N_MELS = 4, LONGEST = 8 * (N_FFT + 1), ROOM = (LONGEST + N_FFT) * N_MELS };

static const logmel_params PLAIN = {.sr = 16000, .n_fft = N_FFT, .win_length = N_FFT, .hop_length = 5, .center = 1,
                                    .power = 2, .n_mels = N_MELS, .fmax = 8000, .norm = 1};

static float noise[LONGEST];

/* A plan and the stream that a test works with. */
typedef struct {
    logmel_plan *plan;
    logmel *lm;
} pair;

static pair open_pair(const logmel_params *p)
{
    pair made = {NULL, NULL};
    CHECK(logmel_plan_create(p, &made.plan) == LOGMEL_OK && made.plan);
    if (!made.plan) abort();
    CHECK(logmel_create(made.plan, &made.lm) == LOGMEL_OK && made.lm);
    if (!made.lm) abort();
    return made;
}

static void close_pair(pair p)
{
    logmel_destroy(p.lm);
    logmel_plan_destroy(p.plan);
}

/* Pushes y in chunks, flushes, and gives the number of frames; every call has exactly the room that it asks for. */
static size_t run(logmel *lm, const float *y, size_t n, size_t chunk, float *out)
{
    size_t total = 0, frames, promised;
    for (size_t i = 0; i < n; i += chunk) {
        size_t k = n - i < chunk ? n - i : chunk;
        promised = logmel_frames_after_push(lm, k);
        CHECK(logmel_push(lm, y + i, k, out + total * N_MELS, promised, &frames) == LOGMEL_OK);
        CHECK(frames == promised);
        total += frames;
    }
    promised = logmel_frames_after_flush(lm);
    CHECK(logmel_flush(lm, out + total * N_MELS, promised, &frames) == LOGMEL_OK);
    CHECK(frames == promised);
    return total + frames;
}

static int same(const float *a, const float *b, size_t frames)
{
    return memcmp(a, b, frames * N_MELS * sizeof(float)) == 0;
}

/* The FFT errs relative to a whole frame, hence the frame's largest band as the measure. */
static int close_to_naive(const logmel_params *p, const float *y, size_t n, const float *mel)
{
    static double exact[ROOM];
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

static void test_length(logmel *lm, const logmel_params *p, size_t n)
{
    static float whole[ROOM], parts[ROOM];
    size_t n_fft = (size_t)p->n_fft, chunks[] = {1, 7, n_fft - 1, n_fft, n_fft + 1};
    logmel_reset(lm);
    size_t frames = run(lm, noise, n, LONGEST, whole);
    CHECK(frames == naive_frames(p, n));
    CHECK(close_to_naive(p, noise, n, whole));
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        logmel_reset(lm);
        CHECK(run(lm, noise, n, chunks[i], parts) == frames);
        CHECK(same(whole, parts, frames));
    }
}

/* Lengths around nothing, one frame, two, and where the history is compacted. */
static void test_chunks(int lanes, int n_fft, int win_length, int hop_length, int center, logmel_pad pad_mode)
{
    logmel_params p = PLAIN;
    p.n_fft = n_fft, p.win_length = win_length, p.hop_length = hop_length, p.center = center, p.pad_mode = pad_mode;
    p.lanes = lanes;
    pair it = open_pair(&p);
    logmel *lm = it.lm;
    for (int n = 0; n <= 2 * n_fft + 3; n++) test_length(lm, &p, (size_t)n);
    for (int n = 3 * n_fft - 2; n <= 4 * n_fft + 2; n++) test_length(lm, &p, (size_t)n);
    for (int n = 7 * n_fft - 2; n <= 7 * n_fft + 2; n++) test_length(lm, &p, (size_t)n);
    close_pair(it);
}

static void test_all_chunks(int lanes, int fftw)
{
    static const int hops[] = {1, 5, N_FFT, 40};
    for (int i = 0; i < 4; i++) {
        for (int center = 0; center <= 1; center++) {
            test_chunks(lanes, N_FFT, N_FFT, hops[i], center, LOGMEL_PAD_CONSTANT);
            test_chunks(lanes, N_FFT, 9, hops[i], center, LOGMEL_PAD_REFLECT);
            if (!fftw) continue;
            test_chunks(lanes, N_FFT + 1, N_FFT, hops[i], center, LOGMEL_PAD_CONSTANT);
            test_chunks(lanes, N_FFT + 1, N_FFT + 1, hops[i], center, LOGMEL_PAD_REFLECT);
            test_chunks(lanes, 2, 2, hops[i], center, LOGMEL_PAD_REFLECT);
        }
    }
}

static size_t run_once(const logmel_params *p, size_t chunk, float *out)
{
    pair it = open_pair(p);
    size_t frames = run(it.lm, noise, LONGEST, chunk, out);
    close_pair(it);
    return frames;
}

static void test_decibel_and_magnitude(void)
{
    static float mel[ROOM], magnitude[ROOM], db[ROOM], expected[ROOM];
    logmel_params p = PLAIN;
    size_t frames = run_once(&p, 7, mel);
    p.decibel = 1;
    CHECK(run_once(&p, 9, db) == frames);
    logmel_power_to_db(mel, frames * N_MELS, 1e-10f, expected);
    CHECK(same(db, expected, frames));
    p.decibel = 0, p.power = 1;
    CHECK(run_once(&p, 9, magnitude) == frames);
    CHECK(close_to_naive(&p, noise, LONGEST, magnitude));
    CHECK(!same(mel, magnitude, frames));
}

/* Cepstra of a stream, in any chunks, are those of its decibels. */
static void test_mfcc(void)
{
    static float db[ROOM], cepstra[ROOM], apart[ROOM], parts[ROOM];
    logmel_params p = PLAIN;
    p.decibel = 1;
    size_t frames = run_once(&p, 9, db);
    p.n_mfcc = N_MELS, p.lifter = 3.0; /* as many as bands, so that run's rows fit */
    CHECK(run_once(&p, LONGEST, cepstra) == frames);
    CHECK(run_once(&p, 5, parts) == frames);
    CHECK(same(cepstra, parts, frames));
    pair it = open_pair(&p);
    logmel_mfcc(it.lm, db, frames, apart);
    CHECK(same(cepstra, apart, frames));
    close_pair(it);
}

/* Large pushes read frames where they lie: another path, the same bits. */
static void test_large_pushes(int lanes, int n_fft, int hop_length, logmel_pad pad_mode)
{
    enum { N = 20000, FRAMES = N + 8 };
    static float y[N], whole[FRAMES * N_MELS], parts[FRAMES * N_MELS];
    static const size_t chunks[] = {1, 77, 4096, 4113, 9001};
    logmel_params p = PLAIN;
    p.n_fft = p.win_length = n_fft, p.hop_length = hop_length, p.lanes = lanes, p.pad_mode = pad_mode;
    naive_noise(y, N, 12);
    pair it = open_pair(&p);
    size_t frames = run(it.lm, y, N, 100, whole), none = 9, more;
    CHECK(frames == naive_frames(&p, N));
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        logmel_reset(it.lm);
        CHECK(run(it.lm, y, N, chunks[i], parts) == frames);
        CHECK(same(whole, parts, frames));
    }
    /* An unusable sample far inside: frames were computed, but nothing was consumed. */
    logmel_reset(it.lm);
    CHECK(logmel_push(it.lm, y, 700, parts, FRAMES, &more) == LOGMEL_OK);
    for (size_t bad = 701; bad < N; bad += 1777) {
        float sample = y[bad];
        y[bad] = NAN;
        CHECK(logmel_push(it.lm, y + 700, N - 700, parts + more * N_MELS, FRAMES, &none) == LOGMEL_E_SAMPLE);
        CHECK(none == 0);
        y[bad] = sample;
    }
    CHECK(more + run(it.lm, y + 700, N - 700, 9000, parts + more * N_MELS) == frames);
    CHECK(same(whole, parts, frames));
    close_pair(it);
}

/* The rest of the signal must come out as if the refused call had not been made. */
static void finish(logmel *lm, size_t done, float *out, size_t frames, const float *expected, size_t n_expected)
{
    CHECK(frames + run(lm, noise + done, LONGEST - done, 11, out + frames * N_MELS) == n_expected);
    CHECK(same(out, expected, n_expected));
}

static void test_bad_samples(void)
{
    static const float unusable[] = {NAN, INFINITY, -INFINITY, 1.0001e12f, -1.0001e12f};
    static float expected[ROOM], out[ROOM], bad[LONGEST];
    pair it = open_pair(&PLAIN);
    logmel *lm = it.lm;
    size_t n_expected = run(lm, noise, LONGEST, LONGEST, expected), frames, none = 9;
    for (size_t i = 0; i < sizeof unusable / sizeof *unusable; i++) {
        logmel_reset(lm);
        CHECK(logmel_push(lm, noise, 50, out, ROOM / N_MELS, &frames) == LOGMEL_OK);
        memcpy(bad, noise, sizeof bad);
        bad[70] = unusable[i];
        CHECK(logmel_push(lm, bad, 71, out + frames * N_MELS, LONGEST, &none) == LOGMEL_E_SAMPLE);
        CHECK(none == 0);
        finish(lm, 50, out, frames, expected, n_expected);
    }
    close_pair(it);
}

static void test_first_bad_sample(void)
{
    float y[600];
    naive_noise(y, 600, 6);
    y[3] = LOGMEL_MAX_SAMPLE, y[4] = -LOGMEL_MAX_SAMPLE;
    CHECK(logmel_first_bad_sample(y, 600) == 600);
    CHECK(logmel_first_bad_sample(NULL, 0) == 0);
    y[597] = -2 * LOGMEL_MAX_SAMPLE;
    CHECK(logmel_first_bad_sample(y, 600) == 597);
}

static void test_too_little_room(void)
{
    static float expected[ROOM], out[ROOM];
    pair it = open_pair(&PLAIN);
    logmel *lm = it.lm;
    size_t n_expected = run(lm, noise, LONGEST, LONGEST, expected), frames, none = 9;
    logmel_reset(lm);
    size_t needed = logmel_frames_after_push(lm, 50);
    CHECK(needed > 1);
    CHECK(logmel_push(lm, noise, 50, out, needed - 1, &none) == LOGMEL_E_SPACE && none == 0);
    CHECK(logmel_push(lm, noise, 50, out, needed, &frames) == LOGMEL_OK && frames == needed);
    finish(lm, 50, out, frames, expected, n_expected);

    logmel_reset(lm);
    CHECK(logmel_push(lm, noise, LONGEST, out, LONGEST, &frames) == LOGMEL_OK);
    needed = logmel_frames_after_flush(lm);
    CHECK(needed > 0);
    CHECK(logmel_flush(lm, out + frames * N_MELS, needed - 1, &none) == LOGMEL_E_SPACE && none == 0);
    finish(lm, LONGEST, out, frames, expected, n_expected);
    close_pair(it);
}

static void test_state(void)
{
    static float expected[ROOM], out[ROOM];
    pair it = open_pair(&PLAIN), other = open_pair(&PLAIN);
    logmel *lm = it.lm, *fresh = other.lm;
    size_t n_expected = run(fresh, noise, LONGEST, LONGEST, expected), none = 9;
    run(lm, noise + 20, LONGEST - 20, 3, out);
    CHECK(logmel_frames_after_push(lm, LONGEST) == 0 && logmel_frames_after_flush(lm) == 0);
    CHECK(logmel_push(lm, noise, 1, out, LONGEST, &none) == LOGMEL_E_STATE && none == 0);
    CHECK(logmel_flush(lm, out, LONGEST, &none) == LOGMEL_E_STATE && none == 0);
    logmel_reset(lm);
    finish(lm, 0, out, 0, expected, n_expected);
    close_pair(other);
    close_pair(it);
    logmel_destroy(NULL);
}

/* With a second argument (slow machines) only the widest vectors, and FFTW. */
int main(int argc, char **argv)
{
    static const int lanes[] = {1, 4, 8};
    logmel_params odd = PLAIN;
    logmel_plan *plan = NULL;
    odd.n_fft = odd.win_length = N_FFT + 1;
    CHECK(logmel_fftw_version() == NULL);
    CHECK(logmel_plan_create(&odd, &plan) == LOGMEL_E_FFTW && plan == NULL);
    int fftw = with_fftw(argc, argv);
    CHECK((logmel_fftw_version() != NULL) == fftw);
    naive_noise(noise, LONGEST, 5);
    for (int i = 0; i < 3; i++) {
        if (!kernels_of(lanes[i]) || (argc > 2 && kernels_widest(0)->lanes != lanes[i])) continue;
        if (argc <= 2) test_all_chunks(lanes[i], fftw);
        test_large_pushes(lanes[i], 128, 50, LOGMEL_PAD_CONSTANT);
        test_large_pushes(lanes[i], 400, 160, LOGMEL_PAD_REFLECT);
        if (!fftw) continue;
        test_large_pushes(lanes[i], 97, 300, LOGMEL_PAD_REFLECT);
        test_large_pushes(lanes[i], 2, 1, LOGMEL_PAD_REFLECT);
    }
    test_decibel_and_magnitude();
    test_mfcc();
    test_bad_samples();
    test_first_bad_sample();
    test_too_little_room();
    test_state();
    return check_report();
}
