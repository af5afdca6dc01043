/* lot.h: libsodium's random bytes, of which keys are made, from the seed of the life. */
#pragma once

#include <stdint.h>

/* Before libsodium is used. 0, or below. */
int lot_init(void);
/* A life begins. */
void lot_begin(uint64_t seed);
