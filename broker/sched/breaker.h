/* breaker.h: stops the jobs of a class while its infrastructure is broken, so that they wait
 * instead of using up their attempts.
 *
 * Fed with how each run of the class ended; asked before each start. Runs are named by their lease
 * token, so that one that began before the fault, and ends long after, is not taken for the probe.
 * Pure and storable: fixed integers, no clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_FAULTS = 8, BREAKER_OPEN_MS = 60000, BREAKER_OPEN_MS_MAX = 1800000 };

/*           8th fault in a row           time is over, a run starts: the probe
 *   CLOSED ────────────────────► OPEN ───────────────────────────────────────► HALF_OPEN
 *     ▲                           ▲ ▲                                           │ │ │
 *     │                           │ └──────── void: another may try at once ────┘ │ │
 *     │                           └── fault: open twice as long, 30 min at most ──┘ │
 *     └───────────────────── good: as new ──────────────────────────────────────────┘  */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* Durable. All zero: closed. */
struct breaker {
    uint64_t until_ms; /* no start before; 0 when closed */
    uint64_t probe;    /* token of the run that tries, when half open */
    uint32_t open_ms;  /* how long it is open this time; 0 when closed */
    uint8_t state;     /* enum breaker_state */
    uint8_t faults;    /* in a row, when closed */
};

/* May a run of the class start now? A clock that was set back does not keep the breaker open: an
 * end further away than it can stay open counts as passed. */
bool breaker_may(const struct breaker *b, uint64_t now_ms);

/* The run `token` (not 0) starts; breaker_may() said so in this turn. */
void breaker_start(struct breaker *b, uint64_t token);

/* The run `token` ended. Every run that was started is told once, by one of these:
 *   fault  the infrastructure failed it, its lost lease included
 *   good   the infrastructure did its part; a build that fails by its own fault is good, too
 *   void   neither is known: it was cancelled or put back, or this worker lacks what the app needs
 * Only the probe's end counts while the breaker is not closed. */
void breaker_fault(struct breaker *b, uint64_t token, uint64_t now_ms);
void breaker_good(struct breaker *b, uint64_t token);
void breaker_void(struct breaker *b, uint64_t token);

/* "closed", "open", "half-open"; "" for a state that is none. */
const char *breaker_word(uint8_t state);

/* Could these values have been written by us? For records read back. */
bool breaker_is_valid(const struct breaker *b);
