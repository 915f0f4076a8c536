/* Defines the kernel table for LANES lanes; included last in each lanesN.c. */
#include "band.h"
#include "decibel.h"
#include "rfft.h"
#include "first_invalid.h"

#define KERNELS_NAME_(lanes) kernels_##lanes
#define KERNELS_NAME(lanes) KERNELS_NAME_(lanes)

const kernels KERNELS_NAME(LANES) = {LANES, rfft_power, band_product, decibel, first_invalid};
