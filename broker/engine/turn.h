/* turn.h: what the parts of one turn share. Private to the engine. */
#pragma once

#include "engine/cache.h"
#include "engine/engine.h"
#include "store/keys.h"

#include <stdarg.h>

/* Where the walk for spent rows stands. */
struct sweep {
    struct key_buf from;
    size_t from_n;
    uint64_t next_ms; /* broker time; nothing to do before */
};

enum { ABUSE_KEY_MAX = 64 };

/* Where the purge of what is kept against abuse stands (abuse_purge.c). */
struct abuse_purge {
    uint8_t from[ABUSE_KEY_MAX];
    size_t from_n, walk;
    uint64_t next_ms; /* broker time; nothing to do before */
};

struct engine {
    struct engine_config config;
    struct cache cache;
    uint64_t broker_offset_ms;    /* broker time = boot time + this */
    uint64_t opened_ms;           /* broker time of the start */
    uint64_t fold_ms, publish_ms; /* broker time of the last slice and of the last publish */
    uint64_t turns;
    struct sweep sweep, going;
    struct abuse_purge abuse_purge;
    uint64_t erase_ms;             /* broker time of the next slice of an erasure */
    uint64_t bulk_ms;              /* broker time; no slice of a bulk act before */
    uint64_t trail_next_ms;        /* broker time; nothing of the trail is old enough before */
    uint64_t checkpoint_after_seq; /* one did not fit: not tried again before this event */
    bool has_more;                 /* the turn stopped handing out jobs at its limit */
    uint64_t full_ms;              /* broker time of a turn that found no room; 0: the last did */
    struct touched *touched; /* workers that changed in this turn, in the arena of its effects */
    uint64_t key_uses_ms;    /* broker time of the next slice of key_use.c */
    const struct use *key_uses_taken; /* the slice of this turn, in the arena of its effects */
    size_t key_uses_n;
};

/* A worker to show on the board, or to take off it, after the commit. */
struct touched {
    struct touched *next;
    uint16_t pool;
    char worker[WORKER_NAME_MAX + 1];
};

/* One turn in progress. Handlers validate fully before their first put. */
struct turn {
    struct engine *engine;
    struct cache *cache;
    struct undo *undo;
    struct txn *txn;
    struct effects *fx;
    struct now now;
    uint64_t bt_ms;       /* broker time */
    unsigned granted;     /* jobs handed out in this turn */
    unsigned asides;      /* jobs that decisions have set aside or brought back in this turn */
    unsigned gated;       /* accounts that decisions have found without a dispatch token */
    struct cursor *ready; /* opened by the first dispatch, closed before the commit */
    /* the request at hand */
    struct inbound *in;
    struct principal who;
    bool is_trial;              /* acts on jobs are judged and not done: a bulk act's dry run */
    size_t member;              /* of its list of publishes */
    const Rota__Origin *origin; /* NULL: the pipe's peer */
    const char *text; /* what to say with the error, in the arena; NULL: the catalogue's words */
};

/* A handler's result: 0 (its reply is filled), below 0 a fault of the store, an enum error_code, or
 * one of these. */
enum turn_result {
    TURN_PARKED = ERROR_CODE_COUNT, /* answered later */
    TURN_VET,                       /* its objects must be looked at first */
    TURN_FULL,                      /* the store has no room: this turn must be undone */
};

/* Outcomes of the store as results of a handler: STORE_FULL -> TURN_FULL, others are faults here.
 */
MUST_USE int turn_store(int store_result);

/* Refuses with the catalogue's error, which is not E_OK, and these words. A macro, so that every
 * caller's compiler knows that the result is above 0. */
#define turn_refuse(...) turn_refusal(turn_refuse_as(__VA_ARGS__))
__attribute__((format(printf, 3, 4))) int turn_refuse_as(struct turn *t, enum error_code code,
                                                         const char *format, ...);
static inline int turn_refusal(int code)
{
    if (code <= 0)
        __builtin_unreachable();
    return code;
}

/* 0, or the refusal when the objects that the request names were looked at and found wrong. */
int turn_vetted(struct turn *t);
/* Arena text; "" without memory: for what is only shown. */
char *turn_str(struct turn *t, struct span s);
/* Moves a text into the arena, out of a page that a put may move; -ENOMEM. */
MUST_USE int turn_keep(struct turn *t, struct span *text);
char *turn_job(struct turn *t, struct job_id id);

/* Effects. */
void effect_reply(struct turn *t, const struct reply_to *to, Rota__Reply *reply);
void effect_error(struct turn *t, const struct reply_to *to, enum error_code code,
                  const char *text);
void effect_job(struct turn *t, struct job_id job, uint64_t account, bool has_ended);
void effect_object_gone(struct turn *t, uint8_t kind, uint64_t number, const uint8_t sha256[32],
                        const char *account);
/* The job has this key, or (NULL) needs its source no more. */
MUST_USE int effect_source(struct turn *t, struct job_id job, uint8_t *key);
Rota__Reply *reply_new(struct turn *t, uint32_t result_case);
Rota__Error *error_new(struct turn *t, enum error_code code, const char *text); /* E_OK: NULL */

/* Events: fills seq and time, appends. event_new() is initialised. Every event of a job but its
 * dispatch says its account's tier, own cap and bars (event_account()): so whoever reads the log
 * from a checkpoint on knows each account at its first event. */
Rota__Event *event_new(struct turn *t, Rota__EventKind kind);
void event_account(Rota__Event *event, const struct account *a);
MUST_USE int event_append(struct turn *t, Rota__Event *event);

/* checkpoint.c: from time to time the log says where everything stands. The last of a turn's
 * chores, as it must be the state that the turn leaves behind. */
MUST_USE int checkpoint_some(struct turn *t);
/* At the start, once the cache is loaded: the log begins with one; and when the caps that ship are
 * others than those of its last one, it is told. */
MUST_USE int checkpoint_open(struct turn *t);

/* durations.c: a run has come to its end. */
void durations_note(struct turn *t, const struct lease *l);

/* Handlers, one per TURN operation; `reply` has its result_case set and its member NULL. */
typedef int turn_handler(struct turn *t, const Rota__Request *request, Rota__Reply *reply);
turn_handler turn_publish, turn_publish_many, turn_lease, turn_finish, turn_finish_and_lease,
    turn_lease_release, turn_heartbeat, turn_cancel, turn_heat, turn_account_set, turn_app_set,
    turn_preset_set, turn_schedule_set, turn_var_set, turn_account_erase, turn_pause_set,
    turn_key_create, turn_key_revoke, turn_key_usage, turn_member_set, turn_member_remove,
    turn_bulk_start, turn_bulk_stop, turn_hold, turn_job_release, turn_retry, turn_move,
    turn_limits_set, turn_addon_set, turn_addon_grant, turn_review_get, turn_review_decide,
    turn_address_list, turn_fetched, turn_source_pin;

/* apps.c: the app a job names; an operator's publish makes it (when `makes`). */
struct app_facts {
    uint32_t number;
    uint8_t platforms;
    uint64_t family; /* abuse_parts.h */
};
MUST_USE int app_find(struct turn *t, struct account *a, const char *name, bool makes,
                      struct app_facts *ret_app);
/* A key that is good for one app only must not touch another: 0 or E_KEY_APP. */
MUST_USE int app_allowed(struct turn *t, const char *name);
enum platform { PLATFORM_NONE, PLATFORM_ANDROID, PLATFORM_IOS };
enum platform platform_by_name(const char *name); /* PLATFORM_NONE: no such */
const char *platform_name(uint8_t platform);
/* The bits of a list of names; E_PLATFORM_UNKNOWN. */
int platforms_bits(struct turn *t, char **names, size_t n, uint8_t *ret_bits);

/* pools.c */
MUST_USE int class_allowed(struct turn *t, const char *name); /* is it for this key? */
MUST_USE int class_check(struct turn *t, const char *name);   /* may it be published to? */
MUST_USE int class_for_publish(struct turn *t, const char *name, struct pool **ret_pool);
MUST_USE int pool_for_worker(struct turn *t, const char *pool, char **classes, size_t n,
                             struct pool **ret_pool);

/* workers.c */
MUST_USE int worker_seen(struct turn *t, struct pool *p, const char *name, char **classes, size_t n,
                         struct worker **ret_worker);
void worker_touch(struct turn *t, const struct worker *w); /* the board must show it anew */
void worker_beat(struct turn *t, struct worker *w);        /* answers its parked heartbeat now */
void worker_alarm(struct turn *t,
                  struct worker *w); /* its heartbeat's time is up, or it is silent */
void workers_forget_pipe(struct turn *t, uint32_t pipe); /* parked calls of a pipe that is gone */
void workers_drop_key(struct turn *t, uint32_t key_serial); /* revoked: answers its parked calls */

/* dispatch.c */
MUST_USE int lease_check(struct turn *t, const Rota__Lease *q, struct pool **ret_pool);
MUST_USE int lease_park(struct turn *t, const Rota__Lease *q, struct pool *p,
                        struct poll **ret_poll);
MUST_USE int dispatch_all(struct turn *t); /* hands out jobs; answers polls that do not wait */
void poll_answer(struct turn *t, struct poll *p, Rota__LeaseResult *result);
Rota__FinishAndLeaseResult *finish_and_lease_result(struct turn *t, Rota__State state,
                                                    enum error_code finish_error);
/* A nonce that has got jobs before gets the same ones at once. */
MUST_USE int poll_settle(struct turn *t, struct poll *p);
void poll_drop(struct turn *t, struct poll *p); /* unanswered */
void poll_alarm(struct turn *t, struct poll *p);

/* jobs.c; what a step is: job.h. */
struct step;
struct job;
#define SUPERSEDED_BY "SUPERSEDED by " /* begins the reason of a job that a newer one replaced */
MUST_USE int lease_move(struct turn *t, struct lease *l, const struct step *s);
/* An infrastructure fault: to where the step says (READY at once, DELAYED with a backoff that is
 * filled in here) while attempts are left, else dead. */
MUST_USE int job_again(struct turn *t, struct lease *l, struct step *s);
MUST_USE int lease_end_cancelled(struct turn *t, struct lease *l);
/* Writes the wish and tells the worker; the job ends when it let go. */
MUST_USE int job_cancel_leased(struct turn *t, struct lease *l, const char *reason);
MUST_USE int lease_lost(struct turn *t, struct lease *l);
MUST_USE int lease_alarm(struct turn *t, struct lease *l);
/* Broker time: silence, or the job's timeout and the grace behind it, whichever comes first. */
uint64_t lease_due_ms(const struct lease *l);
MUST_USE int lease_save(struct turn *t, struct lease *l, struct span cancel_reason);
/* finish.c. E_… when the lease is not the caller's; *ret_lease, or *ret_state when the job has
 * ended under it. */
MUST_USE int lease_by_ref(struct turn *t, const Rota__LeaseRef *ref, struct lease **ret_lease,
                          Rota__State *ret_state);
MUST_USE int job_parse(struct turn *t, const char *text, struct job_id *ret_id);

/* objects.c: how many jobs refer to an object of the artifact store, and what it takes of the
 * account's storage. */
MUST_USE int object_hold(struct turn *t, uint8_t kind, struct account *a, const uint8_t sha256[32],
                         uint64_t size);
MUST_USE int object_release(struct turn *t, uint8_t kind, struct account *a,
                            const uint8_t sha256[32]);
/* One that was uploaded and is not wanted: deleted, unless a job refers to it. */
MUST_USE int object_unheld(struct turn *t, uint8_t kind, const struct account *a,
                           const uint8_t sha256[32]);
/* The news that objects were deleted, or are referred to again. */
MUST_USE int objects_settled(struct turn *t, const struct object_settled *list, size_t n);
/* Asks anew for what was to be deleted and was not: after a start, and every ten minutes. */
MUST_USE int going_some(struct turn *t);

/* bars.c: the one place that changes bars: RAM, row, rings and event. */
MUST_USE int account_bar(struct turn *t, struct account *a, Rota__Bar bit, bool on);
MUST_USE int tier_bar(struct turn *t, uint8_t tier, Rota__Bar bit, bool on);
MUST_USE int pool_bar(struct turn *t, struct pool *p, Rota__Bar bit, bool on);

/* pauses.c: pauses whose end has come, a slice a turn. */
MUST_USE int pauses_some(struct turn *t);
/* What was paused is gone (an account that is erased): so is its pause. */
MUST_USE int pause_forget(struct turn *t, Rota__PauseScope scope, const char *name);

/* trail.c: what an operator (or an account's own admin) did by the request at hand; `detail` holds
 * no secret. */
__attribute__((format(printf, 3, 4))) MUST_USE int trail_note(struct turn *t, const char *target,
                                                              const char *format, ...);
/* Entries older than 400 days go, a slice a turn. */
MUST_USE int trail_some(struct turn *t);

/* account_rows.c: for a change of an account's row. Reads it with its texts in the arena: a store
 * result. */
MUST_USE int account_row_read(struct turn *t, uint64_t number, struct account_row *ret_row);
MUST_USE int account_row_write(struct turn *t, uint64_t number, const struct account_row *row);

/* fold.c */
enum { FOLD_QUIET_MS = 50 }; /* no publish for so long: the tail is folded, however short */
uint64_t fold_due_ms(const struct engine *e, uint64_t bt_ms); /* broker time; UINT64_MAX: never */
MUST_USE int fold_make_room(struct turn *t);                  /* for one more */
void fold_add(struct turn *t, struct job_id id, uint64_t account, uint32_t app);
MUST_USE int fold_some(struct turn *t);

/* sweep.c */
MUST_USE int sweep_some(struct turn *t);

/* Shows what changed on the board, after the commit. */
void turn_show(struct engine *e, struct effects *fx, uint64_t bt_ms);
