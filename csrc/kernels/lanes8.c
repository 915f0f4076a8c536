/* Eight lanes: x86-64 with AVX2 and FMA. Only this file is compiled for these extensions; kernels.c checks for them at
 * run time. */
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#pragma GCC optimize("schedule-insns", "sched-pressure") /* earlier loads save 2 % of a frame */
#endif

#define LANES 8
#include "instance.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int lanes8_not_compiled; /* ISO C forbids an empty translation unit */
#endif
