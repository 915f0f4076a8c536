/* One lane: plain C, on request and for sizes that are too small for vectors. */
#define LANES 1
#include "instance.h"
