/* inquiry.h: `why` asked from outside, as a reader thread would: from a snapshot and the board.
 *
 * What is asked, and when, is drawn from a source of its own: a life goes the same way whether or
 * not anybody is curious. */
#pragma once

#include "prop/random.h"
#include "rota.pb-c.h"

#include <base/id.h>

struct arena;
struct txn;
struct world;

struct inquiry {
    struct random random;
    struct arena *arena; /* of the last answer */
};

void inquiry_init(struct inquiry *q, uint64_t seed);
void inquiry_deinit(struct inquiry *q);

/* A job that has not ended, ready ones before others; false: none was met. The broker is up. */
bool inquiry_choose(struct world *w, struct job_id *ret_job);
/* The answer, until the next question. A refusal is a violation. */
const Rota__WhyResult *inquiry_why(struct world *w, struct txn *txn, struct job_id job);
