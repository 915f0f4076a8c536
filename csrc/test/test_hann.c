#include "../hann.h"

#include <math.h>

#include "check.h"

enum { N = 2048 };

static void test_window_formula(int n_fft, int win_length)
{
    static float window[N];
    int left = (n_fft - win_length) / 2;
    for (int i = 0; i < n_fft; i++) window[i] = 7.0f;
    hann_window(window, n_fft, win_length);
    for (int i = 0; i < n_fft; i++) {
        int inside = i >= left && i < left + win_length;
        double exact = inside ? 0.5 - 0.5 * cos(2.0 * acos(-1.0) * (i - left) / win_length) : 0.0;
        CHECK(fabs((double)window[i] - (win_length == 1 && inside ? 1.0 : exact)) <= 6e-8);
    }
}

/* The symmetries that run_hann_pass4 relies on. */
static void test_window_symmetry(void)
{
    static float window[N];
    hann_window(window, N, N);
    CHECK(window[0] == 0.0f && window[N / 2] == 1.0f);
    for (int i = 1; i < N; i++) CHECK(fabsf(window[i] - window[N - i]) <= 1e-6f * window[i]);
    for (int i = 0; i < N / 2; i++) CHECK(fabsf(window[i] + window[i + N / 2] - 1.0f) <= 1.2e-7f);
}

int main(void)
{
    static const int sizes[][2] = {{2, 2}, {3, 3}, {16, 16}, {17, 1}, {17, 16}, {64, 51}, {400, 400}, {N, N}, {N, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) test_window_formula(sizes[i][0], sizes[i][1]);
    test_window_symmetry();
    return check_report();
}
