/* engine.h: the turn. Takes the requests that arrived during the last commit, applies them and
 * whatever fell due inside one write transaction, commits, and hands back what the world should
 * hear: persist, then speak.
 *
 * Deterministic: time and randomness are arguments, so a day of broker life can be replayed. Knows
 * no socket and no file but the store. Queue thread only. */
#pragma once

#include "engine/auth.h"
#include "engine/board.h"
#include "host.h"
#include "net/inbox.h"
#include "rota.pb-c.h"
#include "store/store.h"

#include <base/arena.h>
#include <base/id.h>

enum { TURN_JOBS_MAX = 2000, TURN_BYTES_MAX = 4 << 20 };

enum { KEPT_SUCCEEDED = 1000, KEPT_FAILED = 5000 };
#define KEPT_MS (90ull * 24 * 3600 * 1000)

struct now {
    uint64_t wall_ms; /* Unix time; may step */
    uint64_t boot_ms; /* since boot; never steps */
};

/* Who keeps the keys of sealed sources, which stand in no database. A key is kept before the commit
 * of its job, so that no job is acknowledged that nobody could build; what was kept for a turn that
 * came to nothing is dropped again. <0: a fault, and the turn is one as well. `keep` NULL: nobody.
 */
struct source_keeper {
    int (*keep)(void *arg, struct job_id job, const uint8_t *key);
    int (*drop)(void *arg, struct job_id job);
    int (*flush)(void *arg);
    void *arg;
};

struct engine_config {
    struct store *store; /* borrowed, as are auth and board */
    struct auth *auth;
    struct board *board;
    const char *environment;
    const uint8_t *hash_key;           /* 32 bytes, for new keys */
    uint64_t lease_ms;                 /* silence after which a lease is lost */
    const struct host_list *git_hosts; /* borrowed; where a source git: may come from; NULL: none */
    void (*random)(void *arg, void *p, size_t n);
    void *random_arg;
    struct source_keeper source_keeper;
    bool store_is_remote;    /* artifacts have URLs that workers on every host can use */
    uint64_t kept_succeeded; /* newest ended jobs an account keeps; 0: KEPT_SUCCEEDED */
    uint64_t kept_failed;    /* the same for those that did not succeed; 0: KEPT_FAILED */
    uint64_t kept_ms;        /* and no longer than this after their end; 0: KEPT_MS */
    bool checks_aborts; /* after each abort compare the cache with a fresh load (tests, debug) */
};

struct engine;

enum engine_outcome { ENGINE_WRONG_ENVIRONMENT = 1 };

/* Loads the cache; every lease gets a full fresh window. <0: the store failed. */
MUST_USE int engine_open(const struct engine_config *config, struct now now,
                         struct engine **ret_engine);
struct engine *engine_free(struct engine *e);
DEFINE_FREEP(engine)

/* Makes an empty store an environment: its name, account "local" (enterprise), classes bundle and
 * task, the first operator key (credential: APIKEY_TEXT_LEN + 1 bytes, the caller wipes it). One
 * transaction. */
MUST_USE int engine_init(struct store *s, const char *environment, const uint8_t hash_key[32],
                         uint64_t wall_ms, char *ret_credential);

/* What the world should hear after a commit. Everything lives in `arena` until effects_reset(). */
struct effect_reply {
    struct effect_reply *next;
    struct reply_to to;
    Rota__Reply *reply;
};
struct effect_job {
    struct effect_job *next;
    struct job_id job;
    uint64_t account;
    bool has_ended;
};
struct effect_object {
    struct effect_object *next;
    uint8_t kind; /* Rota__ObjectKind */
    uint8_t sha256[32];
    uint64_t account; /* its number, for the news that it is gone */
    char account_id[ACCOUNT_ID_MAX + 1];
};
struct effect_source {
    struct effect_source *next;
    struct job_id job;
    uint8_t *key; /* in the arena; NULL: the job needs its source no more, its key goes */
};
struct effect_pipe {
    struct effect_pipe *next;
    uint32_t pipe;
};
struct effects {
    struct arena *arena;
    struct effect_reply *replies, **replies_end;
    struct effect_job *jobs;            /* changed: wake their watchers */
    struct effect_object *objects_gone; /* nothing refers to them any more: delete */
    struct effect_source *sources;      /* keys that came, and keys to destroy */
    struct effect_pipe *known;          /* pipes that showed a good credential */
    bool keys_changed;                  /* some key may do less: its watches must be looked at */
    uint64_t erased;                    /* number of an account that is gone; 0: none */
    uint64_t last_seq;                  /* of the event log: wake its watchers when it rose */
};
MUST_USE int effects_init(struct effects *fx);
void effects_reset(struct effects *fx);
void effects_deinit(struct effects *fx);

/* One turn over `requests` (a list as inbox_take() gives it; stays the caller's). A request whose
 * objects must first be looked at on disk comes back with wants_vetting set, unanswered and without
 * effect. <0: the store failed in a way that only a restart heals (exit 74); nothing may be spoken.
 */
MUST_USE int engine_turn(struct engine *e, struct now now, struct inbound *requests,
                         struct effects *fx);

/* How long the loop may sleep before something falls due; at most `most_ms`. 1 or less: run a turn
 * now, even an empty one (0: the last turn stopped at its limit of jobs). */
uint32_t engine_idle_ms(const struct engine *e, struct now now, uint32_t most_ms);

/* Writes what is otherwise written now and then, for a clean shutdown. As engine_turn(). */
MUST_USE int engine_save(struct engine *e, struct now now, struct effects *fx);

/* Answers every parked poll with nothing, for a clean shutdown. */
void engine_drain(struct engine *e, struct effects *fx);

/* Do workers of this class take sealed sources alone? */
bool class_wants_seal(struct span class);

/* May the job still need what was uploaded for it? In doubt, yes. Any thread that has a snapshot.
 */
bool source_is_wanted(struct txn *txn, struct job_id job);

/* Debug and tests: 0 when the cache equals what a fresh load of the store gives. */
MUST_USE int engine_check(struct engine *e);
