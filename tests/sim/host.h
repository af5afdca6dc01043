/* host.h: the broker as a process: an engine on a simulated store, an inbox, and its death.
 *
 * Dead, it has neither engine nor store; what it committed lies on the store's disk. */
#pragma once

#include "engine/engine.h"
#include "prop/random.h"
#include "sim/store_sim.h"

struct message;

struct sim_host {
    char dir[32];
    char credential[64];
    uint8_t hash_key[32];
    uint64_t lease_ms;
    struct random random; /* the engine's own */
    struct random looks;  /* whether an uploaded object is good */
    uint64_t kept;        /* ended jobs of a kind that an account keeps; 0: as many as ever */
    struct store *store;
    struct auth *auth;
    struct board *board;
    struct engine *engine;
    struct effects fx;
    struct message *inbox, **inbox_end;
    uint64_t turn_ms;       /* world time of the turn it needs; UINT64_MAX: dead */
    bool dies_after_commit; /* the next turn commits and is never spoken of */
    uint64_t faults;        /* of the store, as of its death */
};

void host_init(struct sim_host *h, uint64_t seed);
void host_deinit(struct sim_host *h);

/* 0, or what went wrong: it is dead again. The first boot makes the environment. */
int host_boot(struct sim_host *h, struct now now);
void host_kill(struct sim_host *h);
static inline bool host_is_up(const struct sim_host *h)
{
    return h->engine != NULL;
}

void host_take(struct sim_host *h, struct message *m); /* into the inbox */
/* One turn over the inbox; what it leaves there had to be looked at first and is ready for the next
 * one. Effects are in h->fx. Below 0: what the broker would end with 74 for; nothing may be spoken.
 */
int host_turn(struct sim_host *h, struct now now);
/* Faults of the store that have hit so far, over all its lives; and of them those that a broker
 * dies of. */
uint64_t host_faults(const struct sim_host *h);
uint64_t host_deadly_faults(const struct sim_host *h);
