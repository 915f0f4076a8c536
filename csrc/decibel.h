/* Power to decibels. */
#ifndef DECIBEL_H
#define DECIBEL_H

#include <stddef.h>

/* db[i] = 10*log10(max(amin, power[i])), within 1e-6 relative, for finite power and normal amin > 0.
 * power and db may be the same array. */
void decibel_run(const float *power, size_t n, float amin, float *db);

#endif
