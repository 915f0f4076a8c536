/* Eight lanes: x86-64 with AVX2 and FMA. Only this file is compiled for them, and kernels.c asks the processor. */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#pragma GCC optimize("schedule-insns", "sched-pressure") /* loads earlier: 2 % of a frame */
#endif

#define LANES 8
#include "instance.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int no_eight_lanes;
#endif
