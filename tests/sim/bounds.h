/* bounds.h: what users were promised of the wait, held against what happened.
 *
 * `why` may state a hard bound: at most so many other dispatches of the pool before the job. It
 * must be the formula (docs/SCHEDULING.md, A2) of the place that both the audit's own ring and the
 * tables give its account; and until the job starts it is counted against every dispatch of the
 * log. It ends unkept only where the rule says so: the job itself is moved, held or cancelled; its
 * account, tier or pool is barred, or the account leaves the ring or the tier; or a job of the same
 * account that entered ahead of it is served. */
#pragma once

#include "rota.pb-c.h"

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

struct bound {
    struct job_id job;
    uint64_t account, number, most; /* number: the pool's last dispatch when it was stated */
    uint8_t tier;
    char pool[40];
};

struct bounds {
    struct bound *open;
    size_t n, cap;
    uint64_t tightest; /* the smallest distance of a kept one from its bound */
};

/* Asks about one job; notes the bound that is stated. */
void bounds_ask(struct world *w);
/* An event, after the audit has heard it. */
void bounds_hear(struct world *w, const Rota__Event *e);
void bounds_deinit(struct bounds *b);
