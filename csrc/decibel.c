#include "decibel.h"

#include <stdint.h>
#include <string.h>

/* log10 of a positive normal float, without branches so that the loop below becomes vectors.
 * x = m * 2^e with m in [sqrt(1/2), sqrt(2)); ln(m) = 2 artanh(s), s = (m-1)/(m+1), |s| < 0.172, where
 * the series to s^9 leaves less than half a unit in the last place. */
static inline float ten_log10(float x)
{
    const uint32_t sqrt_half = 0x3f3504f3;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits -= sqrt_half;
    int32_t e = (int32_t)bits >> 23;
    uint32_t mantissa = (bits & 0x7fffff) + sqrt_half;
    float m;
    memcpy(&m, &mantissa, sizeof m);
    float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    float ln_m = 2.0f * s * (1.0f + s2 * (1.0f / 3 + s2 * (1.0f / 5 + s2 * (1.0f / 7 + s2 * (1.0f / 9)))));
    return 4.34294481903251828f * ln_m + 3.01029995663981195f * (float)e;
}

void decibel_run(const float *power, size_t n, float amin, float *db)
{
    for (size_t i = 0; i < n; i++) {
        float x = power[i] > amin ? power[i] : amin;
        db[i] = ten_log10(x);
    }
}
