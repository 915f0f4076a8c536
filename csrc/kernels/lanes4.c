/* Four lanes: what every x86-64 (SSE2) and every aarch64 (NEON) has. */
#define LANES 4
#include "instance.h"
