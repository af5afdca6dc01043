/* audit_kit.h: an event log in the hands of a test: taken from an engine, changed, and checked. */
#pragma once

#include "why_kit.h"

#include "audit/audit.h"

enum { EVENTS_MAX = 4000 };

struct audit_log {
    Rota__Event *event[EVENTS_MAX];
    size_t n;
};

/* Adds a copy of the event; for kit_events(), with a struct audit_log. */
void audit_note(void *arg, const Rota__Event *event);
void audit_log_free(struct audit_log *log);
/* Feeds all from event `from` on to a new audit: 0 or AUDIT_DEVIATION. */
int audit_check(const struct audit_log *log, size_t from, struct audit_counts *ret_counts);
/* The engine writes a checkpoint, as if the last one were long ago. */
void audit_checkpoint(struct engine_kit *k);
