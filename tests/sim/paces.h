/* paces.h: at most n starts in a time, of all, of a tier, of an account: no window of the log has
 * more than n + n * its length / the time.
 *
 * Counted in broker time, as of the turn that made them. Other numbers begin new windows. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;

enum pace_scope { PACE_ALL, PACE_TIER, PACE_ACCOUNT };
enum { PACE_STARTS_MAX = 128 }; /* older ones are no longer compared */

struct pace {
    enum pace_scope scope;
    uint64_t number; /* tier or account */
    uint64_t at_ms[PACE_STARTS_MAX];
    size_t n, looked_n;
};

struct paces {
    struct pace *all;
    size_t n, cap;
};

/* A start in the turn that is being read. */
void paces_note(struct world *w, uint64_t account, uint8_t tier);
/* Other numbers hold for this account; 0: for everybody. */
void paces_renew(struct world *w, uint64_t account);
/* Compares with the rates in force. */
void paces_look(struct world *w, struct txn *txn);
void paces_deinit(struct paces *p);
