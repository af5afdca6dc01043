/* alarm.h: what falls due, soonest first: a binary heap of nodes that live in the caller's structs.
 *
 * Changes go through the journal. The heap grows between turns alone (alarms_tend), for the same
 * reason as map.h. An alarm may be set earlier than its owner is really due: whoever is woken
 * looks, and sets it anew; so a heartbeat, which only moves a deadline back, costs nothing here.
 * Single thread.      */
#pragma once

#include <base/err.h>
#include <base/undo.h>
#include <stddef.h>
#include <stdint.h>

enum alarm_kind { ALARM_LEASE, ALARM_POLL, ALARM_WORKER, ALARM_RATE };

struct alarm {
    uint64_t at_ms; /* broker time */
    size_t place;   /* in the heap, from 1; 0: not set */
    enum alarm_kind kind;
};

struct alarms {
    struct alarm **heap; /* [1 .. count] */
    size_t count, cap;
};

MUST_USE int alarms_init(struct alarms *a);
void alarms_deinit(struct alarms *a);

/* The journal is empty here: makes room for `more` alarms beyond those that are set. */
MUST_USE int alarms_tend(struct alarms *a, size_t more);

/* Sets or moves. */
void alarm_set(struct alarms *a, struct alarm *alarm, uint64_t at_ms, struct undo *u);
void alarm_clear(struct alarms *a, struct alarm *alarm, struct undo *u);

/* The soonest, or NULL. */
static inline struct alarm *alarms_first(const struct alarms *a)
{
    return a->count ? a->heap[1] : NULL;
}
