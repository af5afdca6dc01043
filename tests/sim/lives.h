/* lives.h: many lives, one after the other or in several processes, and what they have come to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LIFE_STEPS = 600 }; /* turns of a life before its end */

struct lives {
    uint64_t first, last;
    unsigned steps;
    unsigned jobs;    /* processes */
    const char *file; /* of seeds that failed once, lived first; NULL: none */
    bool is_twice;    /* each life two times, and what is left of them compared */
    bool is_verbose;
};

/* 0: all went as they must; the figures are on stdout. 1: a violation, which is there, too. */
int lives_run(const struct lives *l);

/* A life to its end, or to the first violation, which ends the process. */
void life_run(uint64_t seed, unsigned steps);

/* Where the process stands, for a handler of its death. */
struct world;
extern const struct world *life_present;
