/* log_audit.h: the event log of a store, as it lies there, given to the audit; and the promises
 * that `why` makes, held against what the log says happened (SCHEDULING.md, A2).
 *
 * Works on any store behind store.h. What is wrong ends the process through assert, but for a
 * deviation of the audit, which the caller may expect. Single thread. */
#pragma once

#include "audit/audit.h"
#include "engine/board.h"
#include "store/store.h"

#include <base/id.h>

/* A bound that was stated: at most so many other dispatches of the pool come before the job. */
struct pledge {
    struct pledge *next;
    struct job_id job;
    uint64_t account, number, bound; /* number: the pool's last dispatch when it was stated */
    uint8_t tier;
    char pool[POOL_NAME_MAX + 1];
};

struct log_audit {
    struct audit *audit;
    uint64_t seq; /* last event that was read */
    struct pledge *pledges;
    bool is_off; /* a deviation was found: audit_text(); nothing more is read */
    /* what became of bounds: kept to the letter, or void because something that they depend on
     * changed: somebody stepped in, the account reached its cap, a job entered ahead */
    uint64_t asked, stated, kept, voided;
    uint64_t tightest; /* the smallest distance of a kept one from its bound */
};

void log_audit_begin(struct log_audit *l);
void log_audit_end(struct log_audit *l);

/* Reads on to the end of the log. false: the audit has found a deviation. */
bool log_audit_read(struct log_audit *l, struct store *s);

/* Asks why the job waits, at this time. When a bound is stated it must be the formula of the place
 * that the audit's own ring has for the account, and it is watched from here on. The log has been
 * read to its end. */
void log_audit_ask(struct log_audit *l, struct store *s, struct board *b, uint64_t wall_ms,
                   uint64_t boot_ms, const char *job);
