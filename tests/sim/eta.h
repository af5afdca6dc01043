/* eta.h: how far the times that `why` names are from what happened, in worlds where nothing
 * changes: so many slots, runs that all take as long, always about as many jobs that wait. */
#pragma once

#include <stdint.h>

/* Lives these seeds, asks, and prints the errors by confidence. 0: the median of all, of medium and
 * of high is at most one half, high is better than medium, and medium than low; else 1. */
int eta_test(uint64_t first, uint64_t last, unsigned steps);
