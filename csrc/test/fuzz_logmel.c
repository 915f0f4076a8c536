/* Fuzz target for libFuzzer: arbitrary parameters and samples in arbitrary chunks. Checked properties: invalid
 * parameters and samples are rejected, the number of frames is as predicted, all values are finite, and pushing the
 * whole signal at once gives the same bits. Compiled with -DSTANDALONE it is a program that runs the input files named
 * on its command line. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../logmel.h"

enum { MAX_SAMPLES = 1500, MAX_VALUES = (MAX_SAMPLES + 600) * 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

typedef struct {
    const uint8_t *data;
    size_t remaining;
} byte_reader;

static unsigned read_byte(byte_reader *s)
{
    if (!s->remaining) return 0;
    s->remaining--;
    return *s->data++;
}

static unsigned read_short(byte_reader *s)
{
    unsigned high = read_byte(s);
    return high << 8 | read_byte(s);
}

static void require(int condition, const char *property)
{
    if (condition) return;
    fprintf(stderr, "property violated: %s\n", property);
    abort();
}

/* Parameters that are mostly small and valid, for speed; 1 in 32 has an arbitrary value in one field. */
static logmel_params read_params(byte_reader *s)
{
    logmel_params p = {
        .sr = 100.0 + read_short(s), .n_fft = (int)(read_short(s) % 600), .hop_length = (int)read_byte(s)};
    unsigned flags = read_short(s);
    p.win_length = p.n_fft - (int)(read_byte(s) % 8) * p.n_fft / 8;
    p.n_mels = (int)(read_byte(s) % 66);
    p.center = flags & 1, p.pad_mode = flags >> 1 & 1, p.power = 1 + (flags >> 2 & 1), p.htk = flags >> 3 & 1;
    p.norm = flags >> 4 & 1, p.decibel = flags >> 5 & 1, p.lanes = (int[]){0, 1, 4, 8}[flags >> 6 & 3];
    p.n_mfcc = flags >> 8 & 1 ? (int)(read_byte(s) % 66) : 0;
    p.lifter = flags >> 9 & 1 ? read_byte(s) : 0.0;
    p.fmin = read_byte(s), p.fmax = p.sr / 2.0 - read_byte(s);
    if ((flags >> 10 & 31) == 31) {
        int32_t value;
        for (size_t i = 0; i < sizeof value; i++) ((uint8_t *)&value)[i] = (uint8_t)read_byte(s);
        int *fields[] = {&p.n_fft, &p.hop_length, &p.win_length, &p.n_mels, &p.n_mfcc, &p.power, &p.lanes};
        /* Large sizes are valid but slow, so they are negated. */
        int *field = fields[read_byte(s) % 7];
        *field = value > 600 && (field == &p.n_fft || field == &p.n_mels || field == &p.n_mfcc) ? -value : value;
    }
    return p;
}

static int all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) return 0;
    }
    return 1;
}

/* Noise at a random level; 1 signal in 16 has one sample with arbitrary bits. Return the number of samples. */
static size_t make_samples(byte_reader *s, float *y)
{
    float gain = powf(10.0f, (float)(read_byte(s) % 20) - 10.0f);
    unsigned state = read_short(s);
    size_t n = read_short(s) % (MAX_SAMPLES + 1);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        y[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * gain;
    }
    if (n && read_byte(s) % 16 == 0) {
        uint8_t bits[4] = {(uint8_t)read_byte(s), (uint8_t)read_byte(s), (uint8_t)read_byte(s), (uint8_t)read_byte(s)};
        memcpy(&y[read_short(s) % n], bits, sizeof *y);
    }
    return n;
}

/* Push y in chunks whose sizes come from the input, and flush. A rejected chunk is pushed again with its invalid
 * samples set to 0. Return the number of frames. */
static size_t stream(logmel *lm, size_t length, byte_reader *s, float *y, size_t n, float *out)
{
    size_t total = 0, k;
    for (size_t i = 0, chunk; i < n; i += chunk) {
        chunk = s->remaining ? read_short(s) % 1024 : n;
        if (chunk > n - i) chunk = n - i;
        size_t expected = logmel_frames_after_push(lm, chunk);
        logmel_status status = logmel_push(lm, y + i, chunk, out + total * length, expected, &k);
        while (status == LOGMEL_E_SAMPLE) {
            size_t i_invalid = logmel_first_invalid_sample(y + i, chunk);
            require(k == 0 && i_invalid < chunk, "a rejected chunk has an invalid sample and writes no frames");
            y[i + i_invalid] = 0.0f;
            status = logmel_push(lm, y + i, chunk, out + total * length, expected, &k);
        }
        require(status == LOGMEL_OK && k == expected, "push writes the predicted number of frames");
        total += k;
    }
    size_t expected = logmel_frames_after_flush(lm);
    logmel_status status = logmel_flush(lm, out + total * length, expected, &k);
    require(status == LOGMEL_OK && k == expected, "flush writes the predicted number of frames");
    return total + k;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    logmel_load_fftw(NULL); /* without FFTW, sizes that need it are rejected */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float y[MAX_SAMPLES], parts[MAX_VALUES], whole[MAX_VALUES];
    byte_reader s = {data, size}, empty = {data, 0};
    logmel_params p = read_params(&s);
    logmel_plan *plan;
    logmel *lm;
    logmel_status status = logmel_plan_create(&p, &plan);
    if (status != LOGMEL_OK) {
        require(plan == NULL, "a rejected plan is NULL");
        require(status == LOGMEL_E_PARAM || status == LOGMEL_E_FFTW, "the status names a parameter or FFTW");
        return 0;
    }
    size_t length = logmel_frame_length(plan), n = make_samples(&s, y);
    if (logmel_create(plan, &lm) != LOGMEL_OK) abort();
    size_t frames = stream(lm, length, &s, y, n, parts);
    require(all_finite(parts, frames * length), "finite samples give finite frames");
    logmel_reset(lm);
    require(stream(lm, length, &empty, y, n, whole) == frames, "the number of frames does not depend on chunks");
    require(memcmp(parts, whole, frames * length * sizeof *parts) == 0, "values do not depend on chunks");
    logmel_destroy(lm);
    logmel_plan_destroy(plan);
    return 0;
}

#ifdef STANDALONE
int main(int argc, char **argv)
{
    static uint8_t data[1 << 16];
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) return 2;
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%d inputs\n", argc - 1);
    return argc < 2;
}
#endif
