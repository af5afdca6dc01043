/* world.h: a broker, its workers, its clients, what lies between them, and time, in one thread from
 * a seed.
 *
 * Everything that happens is an event of the agenda; the clock jumps to the next one. A step is one
 * turn of the broker: all that is due happens, the turn runs over what has arrived, its answers go
 * out, and every invariant is looked at (invariants.h). Nothing here reads a real clock or a real
 * random source, so a seed tells the same life again.
 *
 * To add to it:
 *   a deed of clients   a row in deeds.c: what is asked, what may be answered
 *   an invariant        a row in invariants.c
 *   what bars a start   a row in starts.c
 *   a blow of fate      a row in fate.c: a crash, a fault of the store, a cut, a jump of the clock
 *   a kind of event     a row in history.c, when it moves a job or says what holds
 *   a place for jobs    a row in census.c */
#pragma once

#include "prop/random.h"
#include "sim/agenda.h"
#include "sim/bounds.h"
#include "sim/clock.h"
#include "sim/history.h"
#include "sim/host.h"
#include "sim/inquiry.h"
#include "sim/ledger.h"
#include "sim/link.h"
#include "sim/paces.h"
#include "sim/queue.h"
#include "sim/still.h"

enum stat {
#define STAT(NAME, text) STAT_##NAME,
#include "sim/stats.def"
#undef STAT
    STATS
};

/* Somebody who talks with the broker. Lives in the struct of its kind. */
struct actor {
    const struct actor_kind *kind;
    char name[16];
    uint32_t pipe;    /* of the connection it has now */
    uint64_t wake_ms; /* when it will be woken; UINT64_MAX: not */
    struct link link;
};
struct actor_kind {
    void (*wake)(struct world *w, struct actor *a);
    /* A reply to a request of its present connection. */
    void (*hear)(struct world *w, struct actor *a, const Rota__Reply *reply);
    struct actor *(*free)(struct actor *a);
};

/* What is known of a request: its number is its place in the list. */
struct asked {
    struct actor *actor;
    uint32_t op_tag;
    struct about {
        struct job_id job;   /* that it ends or cancels; zero: none */
        uint64_t token;      /* of the lease that it ends; 0: none */
        const char *account; /* that it publishes for; NULL: none, or several. Static */
    } about;
    struct about granted; /* the first job of the lease that answered it */
    unsigned arrived, answered;
};

enum {
    ACTORS_MAX = 32,
    ACCOUNTS_MAX = 12,
    POOLS = 2,
    CLASSES = 3,
    DRY_MAX = 64,
    INVARIANTS_MAX = 32
};

/* What a world is like; the rest follows from its seed. */
struct world_kind {
    bool is_verbose;
    bool is_steady; /* no faults, the same work all the time: eta.h */
    unsigned steps; /* before all is brought to its end */
};

struct world {
    uint64_t seed;
    struct world_kind kind;
    unsigned step;
    const char *looking_at;          /* the invariant; NULL: none */
    bool is_ending;                  /* no new jobs, no faults: all must come to its end */
    bool is_fresh;                   /* nothing was in the last turn's way: what was due is done */
    uint64_t looked[INVARIANTS_MAX]; /* writes of the store when each was looked at last */
    uint64_t turn_bt_ms, turn_wall_ms; /* of the last turn, whatever became of it */
    struct random random;
    struct sim_clock clock;
    struct agenda agenda;
    struct sim_host host;
    struct history history;
    struct ledger ledger;
    struct queue queue;
    struct paces paces;
    struct bounds bounds;
    struct inquiry inquiry;
    struct still still;
    const char *dry[DRY_MAX]; /* accounts that were told in this turn that their quota is used up */
    size_t dry_n;
    struct actor *actors[ACTORS_MAX];
    unsigned actors_n, accounts_n;
    uint32_t pipes; /* number of the last connection */
    struct asked *asked;
    uint64_t asked_n, asked_cap;
    unsigned storm_permille;           /* how rough this seed is */
    unsigned rule_permille;            /* how often its operators step in */
    bool has_side;                     /* the last account is erased now and then */
    uint64_t broken_until_ms[CLASSES]; /* each run of that class fails by its infrastructure */
    uint64_t stats[STATS];
};

/* A world at its beginning: its accounts exist, its broker runs. */
struct world *world_new(uint64_t seed, struct world_kind kind);
struct world *world_free(struct world *w);

void world_step(struct world *w);
/* Its steps, and then its end: calms everything and goes on until each job has ended. */
void world_live(struct world *w);

/* ---- for those who live in it ---- */

static inline unsigned world_below(struct world *w, unsigned n)
{
    return random_below(&w->random, n);
}
static inline bool world_chance(struct world *w, unsigned permille)
{
    return permille && random_below(&w->random, 1000) < permille;
}
const char *world_account(unsigned i); /* "a0" .. */
const char *world_pool(unsigned i);
const char *world_class(unsigned i);
unsigned world_pool_of(unsigned class);
/* A day after this Unix time, as the clock has it or ever had it? */
bool world_day_has_passed(const struct world *w, uint64_t wall_ms);

void world_add(struct world *w, struct actor *a, const struct actor_kind *kind, const char *name);
/* Wakes it at `at_ms` or before. */
void world_wake(struct world *w, struct actor *a, uint64_t at_ms);
/* A connection of its own from here on. The broker hears that the old one is gone when `is_told`.
 */
void world_reconnect(struct world *w, struct actor *a, bool is_told);
struct asked *world_asked(struct world *w, uint64_t request_id);
/* Gives the request its number, key and environment, packs and checks it. */
struct message *world_pack(struct world *w, struct actor *a, Rota__Request *request,
                           struct about about);

/* The job of one of the rows of this table, any; false: it has none, or the broker is down. */
bool world_find(struct world *w, enum table t, struct job_id *ret_job);

/* The broker dies here and now and is back `down_ms` later. */
void world_kill(struct world *w, uint64_t down_ms);

/* Answers every parked call with nothing, as a broker that ends in good order does. */
void world_drain(struct world *w);

/* Events. */
void world_arrives(struct world *w, struct event *e);
void world_answers(struct world *w, struct event *e);

/* Prints seed, step, time and these words, and ends the process with 1. */
__attribute__((format(printf, 2, 3), noreturn)) void world_violated(const struct world *w,
                                                                    const char *format, ...);

#define world_trace(w, ...)                                                                        \
    do {                                                                                           \
        if ((w)->kind.is_verbose)                                                                  \
            world_say((w), __VA_ARGS__);                                                           \
    } while (0)
__attribute__((format(printf, 2, 3))) void world_say(const struct world *w, const char *format,
                                                     ...);
