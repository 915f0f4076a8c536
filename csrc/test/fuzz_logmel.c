/* libFuzzer's target: any parameters, any samples in any chunks. What must hold: bad parameters and samples are
 * refused, frames come as promised and finite, and a second run in one piece gives the same bits.
 * Without libFuzzer (-DSTANDALONE) a program that runs the files that it is given. */
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
    size_t left;
} source;

static unsigned byte_of(source *s)
{
    if (!s->left) return 0;
    s->left--;
    return *s->data++;
}

static unsigned short_of(source *s)
{
    unsigned high = byte_of(s);
    return high << 8 | byte_of(s);
}

static void must(int condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* Mostly small and allowed, for speed; now and then anything. */
static logmel_params params_of(source *s)
{
    logmel_params p = {.sr = 100.0 + short_of(s), .n_fft = (int)(short_of(s) % 600), .hop_length = (int)byte_of(s)};
    unsigned flags = short_of(s);
    p.win_length = p.n_fft - (int)(byte_of(s) % 8) * p.n_fft / 8;
    p.n_mels = (int)(byte_of(s) % 66);
    p.center = flags & 1, p.pad_mode = flags >> 1 & 1, p.power = 1 + (flags >> 2 & 1), p.htk = flags >> 3 & 1;
    p.norm = flags >> 4 & 1, p.decibel = flags >> 5 & 1, p.lanes = (int[]){0, 1, 4, 8}[flags >> 6 & 3];
    p.n_mfcc = flags >> 8 & 1 ? (int)(byte_of(s) % 66) : 0;
    p.lifter = flags >> 9 & 1 ? byte_of(s) : 0.0;
    p.fmin = byte_of(s), p.fmax = p.sr / 2.0 - byte_of(s);
    if ((flags >> 10 & 31) == 31) {
        int32_t odd;
        for (size_t i = 0; i < sizeof odd; i++) ((uint8_t *)&odd)[i] = (uint8_t)byte_of(s);
        int *fields[] = {&p.n_fft, &p.hop_length, &p.win_length, &p.n_mels, &p.n_mfcc, &p.power, &p.lanes};
        /* not the sizes: large ones are valid, and slow */
        int *field = fields[byte_of(s) % 7];
        *field = odd > 600 && (field == &p.n_fft || field == &p.n_mels || field == &p.n_mfcc) ? -odd : odd;
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

/* Samples of many sizes; rarely one that is none. */
static size_t samples_of(source *s, float *y)
{
    float gain = powf(10.0f, (float)(byte_of(s) % 20) - 10.0f);
    unsigned state = short_of(s);
    size_t n = short_of(s) % (MAX_SAMPLES + 1);
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        y[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * gain;
    }
    if (n && byte_of(s) % 16 == 0) {
        uint8_t bits[4] = {(uint8_t)byte_of(s), (uint8_t)byte_of(s), (uint8_t)byte_of(s), (uint8_t)byte_of(s)};
        memcpy(&y[short_of(s) % n], bits, sizeof *y);
    }
    return n;
}

/* In chunks as the input says. A refused chunk is pushed again without its bad samples. Gives the frames. */
static size_t stream(logmel *lm, size_t length, source *s, float *y, size_t n, float *out)
{
    size_t total = 0, k;
    for (size_t i = 0, chunk; i < n; i += chunk) {
        chunk = s->left ? short_of(s) % 1024 : n;
        if (chunk > n - i) chunk = n - i;
        size_t promised = logmel_frames_after_push(lm, chunk);
        logmel_status status = logmel_push(lm, y + i, chunk, out + total * length, promised, &k);
        while (status == LOGMEL_E_SAMPLE) {
            size_t bad = logmel_first_bad_sample(y + i, chunk);
            must(k == 0 && bad < chunk, "a refused chunk has a bad sample and gives nothing");
            y[i + bad] = 0.0f;
            status = logmel_push(lm, y + i, chunk, out + total * length, promised, &k);
        }
        must(status == LOGMEL_OK && k == promised, "as many frames as promised");
        total += k;
    }
    size_t promised = logmel_frames_after_flush(lm);
    must(logmel_flush(lm, out + total * length, promised, &k) == LOGMEL_OK && k == promised, "the end as promised");
    return total + k;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    logmel_load_fftw(NULL); /* without it, its sizes are refused */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float y[MAX_SAMPLES], parts[MAX_VALUES], whole[MAX_VALUES];
    source s = {data, size}, nothing = {data, 0};
    logmel_params p = params_of(&s);
    logmel_plan *plan;
    logmel *lm;
    logmel_status status = logmel_plan_create(&p, &plan);
    if (status != LOGMEL_OK) {
        must(plan == NULL && (status == LOGMEL_E_PARAM || status == LOGMEL_E_FFTW), "refused with a reason");
        return 0;
    }
    size_t length = logmel_frame_length(plan), n = samples_of(&s, y);
    if (logmel_create(plan, &lm) != LOGMEL_OK) abort();
    size_t frames = stream(lm, length, &s, y, n, parts);
    must(all_finite(parts, frames * length), "finite in, finite out");
    logmel_reset(lm);
    must(stream(lm, length, &nothing, y, n, whole) == frames, "as many frames in one piece");
    must(memcmp(parts, whole, frames * length * sizeof *parts) == 0, "stream == batch");
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
