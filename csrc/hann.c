#include "hann.h"

#include <math.h>
#include <string.h>

void hann_window(float *window, int n_fft, int win_length)
{
    const double pi = acos(-1.0);
    int left = (n_fft - win_length) / 2;
    memset(window, 0, (size_t)n_fft * sizeof *window);
    for (int i = 0; i < win_length; i++) {
        double s = sin(pi * i / win_length); /* sin^2, not (1 - cos)/2: the small weights keep their digits */
        /* Of one sample, scipy's window is 1, not the formula's 0. */
        window[left + i] = win_length == 1 ? 1.0f : (float)(s * s);
    }
}
