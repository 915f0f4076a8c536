#include "rfft_tables.h"

#include <math.h>
#include <stdlib.h>

#include "aligned.h"
#include "hann.h"

/* Return the radix of the next pass for n remaining points, or 0 if there is none. Multiples of 16 use radix 4, because
 * radix 8 with twiddle factors needs more registers than AVX has; the last pass has no twiddle factors. The first pass
 * must not be the only one. */
static int next_radix(int n, int is_first)
{
    static const int radices[] = {8, 4, 5, 3, 2};
    if (n % 16 == 0) return 4;
    for (size_t i = 0; i < sizeof radices / sizeof *radices; i++) {
        if (n % radices[i] == 0 && !(is_first && n == radices[i])) return radices[i];
    }
    return 0;
}

/* Return 1 if the passes that next_radix chooses cover `half` points. */
static int is_factorable(int half)
{
    for (int n = half; n > 1;) {
        int radix = next_radix(n, n == half);
        if (!radix) return 0;
        n /= radix;
    }
    return half > 1;
}

int rfft_tables_max_lanes(int n_fft, int lanes)
{
    for (int k = lanes; k > 0; k /= 2) {
        int half = n_fft / (2 * k);
        if (kernels_for_lanes(k) && n_fft % (2 * k) == 0 && half >= k && is_factorable(half)) return k;
    }
    return 0;
}

/* Arena allocator over one float array. With floats == NULL it only adds up the required size. */
typedef struct {
    float *floats;
    size_t used;
} arena;

static float *arena_alloc(arena *a, size_t n)
{
    float *block = a->floats ? a->floats + a->used : NULL;
    a->used += aligned_length(n);
    return block;
}

/* Compute the twiddle factor exp(-2 pi i k / n). */
static void twiddle(long long k, long long n, float *re, float *im)
{
    double angle = 2.0 * acos(-1.0) * (double)(k % n) / (double)n;
    *re = (float)cos(angle);
    *im = (float)-sin(angle);
}

static void init_window(rfft_tables *t, arena *a, int n_fft, int win_length)
{
    float *window = arena_alloc(a, (size_t)n_fft), *quarters = NULL;
    int quarter = n_fft / 4;
    t->window = window;
    if (win_length == n_fft && t->passes[0].radix == 4) t->hann_quarters = quarters = arena_alloc(a, (size_t)n_fft / 2);
    if (!window) return;
    hann_window(window, n_fft, win_length);
    for (int i = 0; quarters && i < quarter; i++) {
        quarters[i] = window[i];
        quarters[quarter + i] = window[n_fft - quarter + i];
    }
}

static void init_passes(rfft_tables *t, arena *a)
{
    t->n_passes = 0;
    for (int length = t->half, stride = 1; length > 1;) {
        int radix = next_radix(length, length == t->half), m = length / radix;
        float *w = arena_alloc(a, 2 * (size_t)m * (size_t)(radix - 1));
        t->passes[t->n_passes++] = (fft_pass){.radix = radix, .length = length, .stride = stride, .twiddles = w};
        for (int p = 0; w && p < m; p++) {
            for (int i = 1; i < radix; i++, w += 2) twiddle((long long)p * i, length, w, w + 1);
        }
        length = m, stride *= radix;
    }
}

static void init_split_twiddles(rfft_tables *t, arena *a)
{
    float *w = arena_alloc(a, 2 * ((size_t)t->half / 2 + 1));
    t->split_twiddles = w;
    for (int k = 0; w && 2 * k <= t->half; k++) twiddle(k, 2 * t->half, &w[2 * k], &w[2 * k + 1]);
}

static void init_lane_tables(rfft_tables *t, arena *a, int n_fft, int lanes)
{
    float *w = arena_alloc(a, 2 * (size_t)lanes * ((size_t)t->half + 1));
    float *rows = arena_alloc(a, (size_t)(lanes * lanes));
    t->lane_twiddles = w;
    t->lane_dft_rows = rows;
    for (int k = 0; w && k <= t->half; k++, w += 2 * lanes) {
        for (int l = 0; l < lanes; l++) {
            twiddle((long long)k * l, n_fft, w + l, w + lanes + l);
            w[l] *= 0.5f, w[lanes + l] *= 0.5f; /* the factor 1/2 of split_real_spectra */
        }
    }
    for (int i = 0; rows && i < lanes * lanes; i++) {
        int row = i / lanes, cosine = 2 * row <= lanes;
        float re, im;
        twiddle((long long)(cosine ? row : row - lanes / 2) * (i % lanes), lanes, &re, &im);
        rows[i] = cosine ? re : im;
    }
}

/* Initialise all tables in `floats` and return their size. With floats == NULL it only computes the size. */
static size_t init_tables(rfft_tables *t, float *floats, int n_fft, int win_length, int lanes)
{
    arena a = {floats, 0};
    t->half = n_fft / (2 * lanes);
    init_passes(t, &a);
    init_window(t, &a, n_fft, win_length);
    init_split_twiddles(t, &a);
    init_lane_tables(t, &a, n_fft, lanes);
    return a.used;
}

rfft_tables *rfft_tables_create(int n_fft, int win_length, int lanes)
{
    rfft_tables *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->n_floats = init_tables(self, NULL, n_fft, win_length, lanes);
    self->floats = aligned_floats(self->n_floats);
    if (!self->floats) {
        free(self);
        return NULL;
    }
    init_tables(self, self->floats, n_fft, win_length, lanes);
    return self;
}

void rfft_tables_destroy(rfft_tables *self)
{
    if (!self) return;
    free(self->floats);
    free(self);
}

size_t rfft_tables_bytes(const rfft_tables *self)
{
    return sizeof *self + self->n_floats * sizeof(float);
}
