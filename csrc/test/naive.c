#include "naive.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

void naive_noise(float *y, size_t n, unsigned seed)
{
    uint32_t state = seed * 2654435761u + 1u;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        y[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
}

void naive_spectrum(const float *frame, int n_fft, int win_length, int power, double *bins)
{
    const double pi = acos(-1.0);
    int left = (n_fft - win_length) / 2;
    for (int k = 0; k <= n_fft / 2; k++) {
        double re = 0.0, im = 0.0;
        for (int i = 0; i < win_length; i++) {
            double window = win_length == 1 ? 1.0 : 0.5 - 0.5 * cos(2.0 * pi * i / win_length);
            double angle = 2.0 * pi * fmod((double)k * (left + i), n_fft) / n_fft;
            re += window * (double)frame[left + i] * cos(angle);
            im -= window * (double)frame[left + i] * sin(angle);
        }
        bins[k] = power == 2 ? re * re + im * im : hypot(re, im);
    }
}

static double hz_to_mel(double hz, int htk)
{
    if (htk) return 2595.0 * log10(1.0 + hz / 700.0);
    return hz < 1000.0 ? 3.0 * hz / 200.0 : 15.0 + 27.0 * log(hz / 1000.0) / log(6.4);
}

static double mel_to_hz(double mel, int htk)
{
    if (htk) return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
    return mel < 15.0 ? 200.0 * mel / 3.0 : 1000.0 * pow(6.4, (mel - 15.0) / 27.0);
}

void naive_filterbank(const logmel_params *p, double *weights)
{
    double mel_min = hz_to_mel(p->fmin, p->htk), mel_step = (hz_to_mel(p->fmax, p->htk) - mel_min) / (p->n_mels + 1);
    for (int m = 0; m < p->n_mels; m++) {
        double lower = mel_to_hz(mel_min + m * mel_step, p->htk);
        double center = mel_to_hz(mel_min + (m + 1) * mel_step, p->htk);
        double upper = mel_to_hz(mel_min + (m + 2) * mel_step, p->htk), gain = p->norm ? 2.0 / (upper - lower) : 1.0;
        for (int k = 0; k <= p->n_fft / 2; k++) {
            double hz = k * p->sr / p->n_fft;
            *weights++ = gain * fmax(0.0, fmin((hz - lower) / (center - lower), (upper - hz) / (upper - center)));
        }
    }
}

size_t naive_frames(const logmel_params *p, size_t n)
{
    size_t n_fft = (size_t)p->n_fft, padded = n + (p->center ? 2 * (n_fft / 2) : 0);
    return n == 0 || padded < n_fft ? 0 : (padded - n_fft) / (size_t)p->hop_length + 1;
}

/* Return sample i of the padded signal, where i may be outside 0..n-1. Reflects i at both ends until it is inside. */
static float padded_sample(const logmel_params *p, const float *y, int64_t n, int64_t i)
{
    if (i >= 0 && i < n) return y[i];
    if (p->pad_mode == LOGMEL_PAD_CONSTANT) return 0.0f;
    while (n > 1 && (i < 0 || i >= n)) i = i < 0 ? -i : 2 * (n - 1) - i;
    return n == 1 ? y[0] : y[i];
}

void naive_mel(const logmel_params *p, const float *y, size_t n, double *mel)
{
    size_t n_bins = (size_t)p->n_fft / 2 + 1, n_mels = (size_t)p->n_mels;
    double *weights = calloc(n_mels * n_bins, sizeof *weights), *bins = calloc(n_bins, sizeof *bins);
    float *frame = calloc((size_t)p->n_fft, sizeof *frame);
    if (!weights || !bins || !frame) abort();
    naive_filterbank(p, weights);
    for (size_t t = 0; t < naive_frames(p, n); t++) {
        int64_t start = (int64_t)t * p->hop_length - (p->center ? p->n_fft / 2 : 0);
        for (int i = 0; i < p->n_fft; i++) frame[i] = padded_sample(p, y, (int64_t)n, start + i);
        naive_spectrum(frame, p->n_fft, p->win_length, p->power, bins);
        for (size_t m = 0; m < n_mels; m++, mel++) {
            *mel = 0.0;
            for (size_t k = 0; k < n_bins; k++) *mel += weights[m * n_bins + k] * bins[k];
        }
    }
    free(weights);
    free(bins);
    free(frame);
}

double naive_decibel(double power, double amin)
{
    return 10.0 * log10(fmax(amin, power));
}
