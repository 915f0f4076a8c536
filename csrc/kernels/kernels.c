#include "kernels.h"

extern const kernels kernels_1, kernels_4, kernels_8;

const kernels *kernels_for_lanes(int lanes)
{
    if (lanes == 1) return &kernels_1;
    if (lanes == 4) return &kernels_4;
#if defined(__x86_64__)
    if (lanes == 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kernels_8;
#endif
    return NULL;
}

const kernels *kernels_widest(int lanes)
{
    for (int k = MAX_LANES; k > 1; k /= 2) {
        if ((!lanes || k <= lanes) && kernels_for_lanes(k)) return kernels_for_lanes(k);
    }
    return kernels_for_lanes(1);
}
