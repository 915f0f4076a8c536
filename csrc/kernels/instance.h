/* Last in each lanesN.c: the kernels of this width, as a table. */
#include "band.h"
#include "decibel.h"
#include "rfft.h"
#include "usable.h"

#define NAME_OF(lanes) kernels_##lanes
#define NAME(lanes) NAME_OF(lanes)

const kernels NAME(LANES) = {LANES, rfft_power, band_product, decibel, first_beyond};
