#include "hann.h"

#include <math.h>
#include <string.h>

void hann_window(float *window, int n_fft, int win_length)
{
    const double pi = acos(-1.0);
    int left = (n_fft - win_length) / 2;
    memset(window, 0, (size_t)n_fft * sizeof *window);
    for (int i = 0; i < win_length; i++) {
        double s = sin(pi * i / win_length); /* sin^2 instead of (1 - cos)/2 keeps small weights precise */
        /* scipy defines the window of length 1 as 1, although the formula gives 0. */
        window[left + i] = win_length == 1 ? 1.0f : (float)(s * s);
    }
}
