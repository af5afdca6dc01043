/* phase.h: the way of a build, as a table. Weights add up to 100: the percents that people watch.
 */
#pragma once

#include "work.h"

struct phase {
    const char *name;
    uint32_t weight;
    int (*run)(struct work *w);
    bool is_for_heat; /* a heat build ends where the shared entries are filled */
};

/* All phases but the last, "clean", which comes for every build, however it ended. */
extern const struct phase phases[];
extern const size_t phases_n;
extern const struct phase phase_clean;
