/* engine_life.h: what the deeds of engine_random.c share: the engine, what is known of it, and
 * counts. */
#pragma once

#include "unit/engine_calls.h"

enum { ACCOUNTS = 12, LEASES_MAX = 64, JOBS_KNOWN = 24 };

struct life {
    struct engine_kit k;
    uint64_t random;
    struct kit_lease leases[LEASES_MAX];
    size_t leases_n;
    uint64_t accepted, refused, dispatched, finished, restarts, numbers, beats, trips, many, keys;
    uint64_t audited, replays, sources, pauses, acts, later, breakers, asides_most;
    uint64_t pair_numbers; /* last dispatch of the pool of two classes */
    char jobs[JOBS_KNOWN][40];
    size_t jobs_n;
    char credential[64]; /* of a worker's key, when there is one */
    uint32_t key_serial;
    char some_job[40];
};

unsigned life_pick(struct life *l, unsigned n); /* below n */
const char *account_name(unsigned i);           /* static, until the next call */
/* A dispatch never takes an account above its cap. */
void check_cap(struct life *l, const char *id);
struct kit_lease take_lease(struct life *l);

/* engine_deeds.c */
void do_publish_source(struct life *l);
void do_publish_many(struct life *l);
void check_sources(struct life *l);
void do_both(struct life *l);
void do_heartbeat(struct life *l);
void do_park_and_go(struct life *l);
void do_heat(struct life *l);
void do_app(struct life *l);
void do_key(struct life *l);

/* engine_rules.c */
void note_job(struct life *l, const char *job); /* one to be acted on later */
void do_pause(struct life *l);
void do_resume(struct life *l);
void do_pair_publish(struct life *l);
void do_pair_run(struct life *l);
void do_minute(struct life *l);
void do_act(struct life *l);
void do_publish_later(struct life *l);
void check_not_paused(struct life *l, const char *pool, const char *class, const char *account,
                      Rota__Tier tier);
void check_asides(struct life *l);
