/* self_test.h: tests of the test. Each life is lived in a process of its own. */
#pragma once

#include <stdint.h>

/* A world whose store is broken on purpose must be seen to break an invariant. 0: each planted
 * fault was seen; else 1. */
int self_test(uint64_t seed);

/* This program's engine has a mistake in it (meson.build). 0: one of these seeds has found it out,
 * and its first line has these words, or others behind a '|'; else 1. */
int mutant_test(uint64_t first, uint64_t last, unsigned steps, const char *words);
