/* random.h: splitmix64, so that a run can be told again from its seed on any machine. */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. n-1. The bias of the remainder is far below what the tests could see. */
static inline unsigned random_below(struct random *r, unsigned n)
{
    return (unsigned)(random_next(r) % n);
}
