/* audit.h: the scheduling rule applied a second time, by anybody who has the event log.
 *
 * Takes the events one by one, in order and without a gap. From the first whole checkpoint on it
 * keeps a book of its own: per account what is ready and what runs, caps and bars, per pool the
 * rotation and the rings. What each event says is entered into the book, and each dispatch is
 * compared with what the book says should have happened: the eligible set, the tier by the rule,
 * the account at the head of the ring, its cap, the number, c and n. Later checkpoints are compared
 * with the book, too. The rule is written out here from its definition (docs/SCHEDULING.md); no
 * code is shared with the broker.
 *
 * Accounts enter and leave the rings in the order of the events: whoever an event makes eligible
 * goes to the tail when its event is read. When the tier table changes (EVENT_LIMITS_SET) those
 * whom that makes eligible enter in the order of their account numbers.
 *
 * Taken as they come, because only a clock could tell: when a rate limit stops and frees somebody
 * (EVENT_BARS) and when a delayed job falls due. Not looked at: which of its own jobs an account's
 * turn goes to. Pure; any thread, one at a time. */
#pragma once

#include "rota.pb-c.h"

#include <base/auto.h>
#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>

struct audit;

MUST_USE int audit_new(struct audit **ret_audit);
struct audit *audit_free(struct audit *a);
DEFINE_FREEP(audit)

enum audit_outcome { AUDIT_DEVIATION = 1 };

/* The next event, with its account_number. AUDIT_DEVIATION: the log is not what the rule would
 * have made; audit_text() says how. The first deviation ends the audit. */
MUST_USE int audit_event(struct audit *a, const Rota__Event *event);

/* The deviation in words: the event, what the rule says and what the log says. Until audit_free();
 * "" while there is none. */
const char *audit_text(const struct audit *a);

struct audit_counts {
    uint64_t events;      /* that were checked */
    uint64_t passed_over; /* before the checkpoint from which it began */
    uint64_t dispatches, checkpoints;
    uint64_t begun_seq, last_seq; /* 0: not begun */
    uint64_t accounts;            /* in the book */
    uint64_t deviation_seq;       /* 0: none */
};
void audit_counts(const struct audit *a, struct audit_counts *ret_counts);

/* ---- looking into the book ---- */

struct audit_place {
    uint64_t place, size; /* in the ring of its tier and pool; place from 1, 0: in no ring */
    uint64_t number;      /* last dispatch of the pool */
    uint8_t tier;
    bool is_served; /* neither the pool nor the tier is barred */
};
/* Where the account stands in a pool's ring. false: the book knows no such pool or account, or has
 * not begun. Walks the ring. */
bool audit_place(const struct audit *a, const char *pool, uint64_t account,
                 struct audit_place *ret_place);
/* The same without walking: place is 0 or 1, size is 0. */
bool audit_stands(const struct audit *a, const char *pool, uint64_t account,
                  struct audit_place *ret_place);
