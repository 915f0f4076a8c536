#include "../logmel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "naive.h"

enum { N_FFT = 16, N_MELS = 4, LONGEST = 8 * (N_FFT + 1), ROOM = (LONGEST + N_FFT) * N_MELS };

static const logmel_params PLAIN = {.sr = 16000, .n_fft = N_FFT, .win_length = N_FFT, .hop_length = 5, .center = 1,
                                    .power = 2, .n_mels = N_MELS, .fmax = 8000, .norm = 1};

static float noise[LONGEST];

static logmel *create(const logmel_params *p)
{
    logmel *lm = NULL;
    CHECK(logmel_create(p, &lm) == LOGMEL_OK && lm);
    if (!lm) abort();
    return lm;
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
static void test_chunks(int n_fft, int win_length, int hop_length, int center, logmel_pad pad_mode)
{
    logmel_params p = PLAIN;
    p.n_fft = n_fft, p.win_length = win_length, p.hop_length = hop_length, p.center = center, p.pad_mode = pad_mode;
    logmel *lm = create(&p);
    for (int n = 0; n <= 2 * n_fft + 3; n++) test_length(lm, &p, (size_t)n);
    for (int n = 3 * n_fft - 2; n <= 4 * n_fft + 2; n++) test_length(lm, &p, (size_t)n);
    for (int n = 7 * n_fft - 2; n <= 7 * n_fft + 2; n++) test_length(lm, &p, (size_t)n);
    logmel_destroy(lm);
}

static void test_all_chunks(void)
{
    static const int hops[] = {1, 5, N_FFT, 40};
    for (int i = 0; i < 4; i++) {
        for (int center = 0; center <= 1; center++) {
            test_chunks(N_FFT, N_FFT, hops[i], center, LOGMEL_PAD_CONSTANT);
            test_chunks(N_FFT, 9, hops[i], center, LOGMEL_PAD_REFLECT);
            test_chunks(N_FFT + 1, N_FFT, hops[i], center, LOGMEL_PAD_CONSTANT);
            test_chunks(N_FFT + 1, N_FFT + 1, hops[i], center, LOGMEL_PAD_REFLECT);
            test_chunks(2, 2, hops[i], center, LOGMEL_PAD_REFLECT);
        }
    }
}

static void test_decibel_and_magnitude(void)
{
    static float mel[ROOM], magnitude[ROOM], db[ROOM], expected[ROOM];
    logmel_params p = PLAIN;
    logmel *lm = create(&p);
    size_t frames = run(lm, noise, LONGEST, 7, mel);
    logmel_destroy(lm);
    p.decibel = 1;
    lm = create(&p);
    CHECK(run(lm, noise, LONGEST, 9, db) == frames);
    logmel_destroy(lm);
    logmel_power_to_db(mel, frames * N_MELS, 1e-10f, expected);
    CHECK(same(db, expected, frames));
    p.decibel = 0, p.power = 1;
    lm = create(&p);
    CHECK(run(lm, noise, LONGEST, 9, magnitude) == frames);
    CHECK(close_to_naive(&p, noise, LONGEST, magnitude));
    CHECK(!same(mel, magnitude, frames));
    logmel_destroy(lm);
}

static void test_bad_params(void)
{
    logmel_params bad[] = {PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN,
                           PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, PLAIN};
    size_t n = 0;
    bad[n++].sr = 0, bad[n++].sr = -1, bad[n++].sr = (double)NAN, bad[n++].sr = HUGE_VAL;
    bad[n++].n_fft = 1, bad[n++].n_fft = LOGMEL_MAX_FFT + 1, bad[n++].n_fft = -16;
    bad[n++].win_length = 0, bad[n++].win_length = N_FFT + 1, bad[n++].hop_length = 0;
    bad[n++].pad_mode = (logmel_pad)2, bad[n++].power = 0, bad[n++].power = 3;
    bad[n++].n_mels = 0, bad[n++].n_mels = LOGMEL_MAX_FFT + 1;
    bad[n++].fmin = -1, bad[n++].fmin = 8000, bad[n++].fmin = (double)NAN;
    bad[n++].fmax = 8001, bad[n++].fmax = (double)NAN;
    CHECK(n == sizeof bad / sizeof *bad);
    for (size_t i = 0; i < n; i++) {
        logmel *lm = (logmel *)&bad;
        CHECK(logmel_create(&bad[i], &lm) == LOGMEL_E_PARAM);
        CHECK(lm == NULL);
    }
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
    logmel *lm = create(&PLAIN);
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
    logmel_destroy(lm);
}

static void test_first_bad_sample(void)
{
    static const size_t places[] = {0, 1, 255, 256, 257, 511, 599};
    float y[600];
    naive_noise(y, 600, 6);
    CHECK(logmel_first_bad_sample(y, 600) == 600);
    CHECK(logmel_first_bad_sample(NULL, 0) == 0);
    y[3] = LOGMEL_MAX_SAMPLE, y[4] = -LOGMEL_MAX_SAMPLE;
    for (size_t i = sizeof places / sizeof *places; i-- > 0;) {
        y[places[i]] = NAN; /* from the last to the first: each one hides those behind it */
        CHECK(logmel_first_bad_sample(y, 600) == places[i]);
        CHECK(logmel_first_bad_sample(y, places[i]) == places[i]);
    }
}

static void test_too_little_room(void)
{
    static float expected[ROOM], out[ROOM];
    logmel *lm = create(&PLAIN);
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
    logmel_destroy(lm);
}

static void test_state(void)
{
    static float expected[ROOM], out[ROOM];
    logmel *lm = create(&PLAIN), *fresh = create(&PLAIN);
    size_t n_expected = run(fresh, noise, LONGEST, LONGEST, expected), none = 9;
    run(lm, noise + 20, LONGEST - 20, 3, out);
    CHECK(logmel_frames_after_push(lm, LONGEST) == 0 && logmel_frames_after_flush(lm) == 0);
    CHECK(logmel_push(lm, noise, 1, out, LONGEST, &none) == LOGMEL_E_STATE && none == 0);
    CHECK(logmel_flush(lm, out, LONGEST, &none) == LOGMEL_E_STATE && none == 0);
    logmel_reset(lm);
    finish(lm, 0, out, 0, expected, n_expected);
    logmel_destroy(fresh);
    logmel_destroy(lm);
    logmel_destroy(NULL);
}

int main(int argc, char **argv)
{
    logmel *lm = NULL;
    CHECK(logmel_fftw_version() == NULL);
    CHECK(logmel_create(&PLAIN, &lm) == LOGMEL_E_FFTW && lm == NULL);
    if (logmel_load_fftw(argc > 1 ? argv[1] : NULL) != LOGMEL_OK) {
        fprintf(stderr, "no FFTW\n");
        return 2;
    }
    CHECK(logmel_fftw_version() != NULL);
    naive_noise(noise, LONGEST, 5);
    test_all_chunks();
    test_decibel_and_magnitude();
    test_bad_params();
    test_bad_samples();
    test_first_bad_sample();
    test_too_little_room();
    test_state();
    return check_report();
}
