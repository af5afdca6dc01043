/* runs.h: how a job goes once a worker has it: how long, how it ends, what it leaves behind. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct world;

struct run {
    Rota__Outcome outcome; /* NONE: it is given back */
    bool is_fault;         /* then: for a fault of the infrastructure */
    bool is_endless;       /* it goes on until the broker cuts it */
    bool is_good;
};

/* Of a job of this class. Static. */
const struct run *run_choose(struct world *w, const char *class);
uint64_t run_ms(struct world *w);

/* What a good build leaves behind: of few contents, so that jobs share them. */
enum { RUN_ARTIFACTS = 2 };
struct leaving {
    Rota__Artifact artifact[RUN_ARTIFACTS], *list[RUN_ARTIFACTS];
    uint8_t hash[RUN_ARTIFACTS][32];
};
/* Into the finish that says how it went; its parts live in `l`. */
void run_leave(struct world *w, const struct run *run, struct leaving *l, Rota__Finish *finish);
