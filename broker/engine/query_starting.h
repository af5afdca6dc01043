/* query_starting.h: is nobody there to run a job, and is somebody on the way? Private to query*.c.
 */
#pragma once

#include "engine/query_parts.h"

enum { SEEN_LATELY_MS = 600000 }; /* a worker that spoke so lately is expected back */

struct starting {
    const char *reason;  /* NO_WORKER or, when one is on the way, WORKER_STARTING; static */
    bool is_expected;    /* then */
    uint64_t since_ms;   /* Unix time, as all here: since when the job waits for one; without one on
                            the way, since when there is none. 0: not known */
    uint64_t seen_ms;    /* the last word of a worker; 0: none since the broker began */
    uint64_t woken_ms;   /* the wake command was run for them; 0: it was not */
    uint32_t heat_slots; /* that are to be kept warm */
};

/* False: a worker that takes jobs is connected. Looks at the board alone. */
bool query_starting(const struct query *q, uint16_t pool, uint64_t waits_since_ms,
                    struct starting *ret_starting);
