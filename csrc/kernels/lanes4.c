/* Four lanes: the baseline of x86-64 (SSE2) and aarch64 (NEON). */
#define LANES 4
#include "instance.h"
