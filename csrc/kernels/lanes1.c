/* Plain C, for processors without vectors and for sizes too small for them. */
#define LANES 1
#include "instance.h"
