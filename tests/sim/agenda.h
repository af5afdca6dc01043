/* agenda.h: what will happen, soonest first; what is due in the same millisecond happens in the
 * order in which it was noted, so that a run can be told again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct actor;
struct message;

struct event {
    uint64_t at_ms;
    uint64_t order; /* set by agenda_add() */
    void (*happen)(struct world *w, struct event *e);
    struct actor *actor;
    struct message *message; /* the event's: happen() passes it on or frees it */
};

struct agenda {
    struct event *heap;
    size_t n, cap;
    uint64_t order;
};

void agenda_add(struct agenda *a, struct event e);
/* The soonest that is due at `now_ms`; false: none. */
bool agenda_take(struct agenda *a, uint64_t now_ms, struct event *ret_event);
/* When the soonest is due; UINT64_MAX: nothing will happen. */
uint64_t agenda_next_ms(const struct agenda *a);
void agenda_deinit(struct agenda *a); /* frees the messages, too */
