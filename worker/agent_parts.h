/* agent_parts.h: what the files of the agent share: its state and its few steps.
 *
 *   slot:  FREE -> HANDED -> BUSY -> FREE      handed by the agent's thread (or by the slot that
 * brought the job with its finish), the rest by its own thread. A free one that is held is handed
 * none.
 *
 * `lock` guards everything below it, and is never held over a call that waits. The inbox has a lock
 * of its own, taken last, because replies arrive on threads of nng at any moment. */
#pragma once

#include "agent.h"
#include "build.h"

#include <base/id.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    LEASE_WAIT_MS = 20000,
    CALL_SLACK_MS = 10000, /* beyond a long poll's wait */
    REPORT_CALL_MS = 5000, /* one try; the next follows until it is answered */
    LAST_TRY_MS = 1000,    /* a try that begins when the time for repetitions is over */
    BACKOFF_MS_MIN = 250,
    BACKOFF_MS_MAX = 5000,
    HEART_GAP_MS = 200,       /* at most five a second */
    HEART_FLYING_MAX = 8,     /* a broker that answers nothing is not asked more */
    HURRY_MS = 10000,         /* what a hurried shutdown may still spend on reporting */
    LEASE_MS_ASSUMED = 30000, /* until the broker said */
    NONCE_BYTES = 16,
    /* Of a leave: the last try of a report, then that of the withdrawn lease call. */
    LAST_TRIES_MS = 2 * LAST_TRY_MS,
};

enum slot_state { SLOT_FREE, SLOT_HANDED, SLOT_BUSY, SLOT_ENDING };

struct agent;

struct slot {
    struct agent *agent;
    uint32_t index;
    pthread_t thread;
    bool has_thread;
    enum slot_state state;
    bool is_held;             /* its last job has left something: see agent_config */
    Rota__LeasedJob *job;     /* unless FREE: the slot's own copy */
    struct build_host *host;  /* unless FREE */
    uint64_t deadline_ms;     /* clock_boot_ms() */
    uint64_t first_heartbeat; /* the first whose answer can know this lease */
    /* The job whose report was given up, or empty. One at most: a worker that gives up leaves. */
    char unreported[JOB_ID_TEXT_LEN + 1];
};

/* The one lease poll. It is taken while a call that leases is under way, by the agent's thread or,
 * for a finish_and_lease, by a slot. After a call whose answer got lost the nonce stays: the same
 * nonce gets the same jobs, a new one would strand them. */
struct lease_poll {
    bool is_taken, is_asked; /* asked: by the agent's thread, an answer will come to its inbox */
    bool has_nonce, is_withdrawn;
    uint8_t nonce[NONCE_BYTES];
    uint32_t jobs_max;
    uint64_t seq;
    uint64_t asked_ms, retry_ms;
    uint32_t failures, early; /* in a row */
};

struct heart {
    uint64_t seq; /* of the newest that was sent */
    bool is_parked;
    uint32_t flying;
    uint64_t next_ms;
    uint32_t failures;
    atomic_bool is_changed;
};

enum call_kind { CALL_LEASE, CALL_HEARTBEAT, CALL_RELEASE };

struct call {
    struct call *next;
    struct agent *agent;
    enum call_kind kind;
    uint64_t seq;
    Rota__Reply *reply;
};

struct agent {
    const struct agent_config *config;
    char **class;
    int wake_fd;

    pthread_mutex_t inbox_lock;
    struct call *inbox;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a slot was handed a job, or everybody should look up */
    struct slot slot[AGENT_SLOTS_MAX];
    struct lease_poll poll;
    struct heart heart;
    uint32_t releasing; /* CALL_RELEASE under way */
    bool is_draining, is_hurried, is_closing, is_away;
    uint64_t give_up_ms; /* leaving: clock_boot_ms() after which nothing is repeated; 0: never */
    uint32_t signals;
    int exit_code;
    uint64_t lease_ms;
    uint64_t heat_until_ms; /* Unix time */
    uint64_t busy_ms;       /* when a slot last was not free, or the pool was heated */
    bool was_heated;        /* when that was last looked at */
    uint64_t due_ms;        /* when the loop must look again */
};

/* ---- agent.c ---- */
void agent_wake(struct agent *a);
/* The loop looks again at `at_ms` or before. */
void agent_due(struct agent *a, uint64_t at_ms);
void agent_drain(struct agent *a, const char *why);
/* An answer that no repetition heals: the agent leaves, with the code that fits. */
void agent_refused(struct agent *a, const char *what, const Rota__Error *error);
/* Notes whether the broker is there, and says so once. */
void agent_heard(struct agent *a, const Rota__Reply *reply);
/* How long a try may last that is given `most_ms`: not past the end of repetitions, except that a
 * last one gets LAST_TRY_MS. With the lock held. */
uint32_t agent_try_ms(const struct agent *a, uint32_t most_ms);
uint32_t agent_free_slots(const struct agent *a);
/* Those of them that may be handed a job. */
uint32_t agent_open_slots(const struct agent *a);
struct slot *agent_slot_of(struct agent *a, const char *job);

/* Starts a call whose answer comes to the inbox as (kind, seq). False: it could not be started. */
bool agent_call(struct agent *a, enum call_kind kind, uint64_t seq, Rota__Request *request,
                uint32_t timeout_ms);
/* BACKOFF_MS_MIN doubled `failures` times, up to BACKOFF_MS_MAX, less up to a half at random. */
uint64_t backoff_ms(uint32_t failures);
/* True when the same request may get another answer a little later. */
bool is_passing(const Rota__Error *error);

/* ---- lease.c: with the lock held ---- */
void lease_step(struct agent *a, uint64_t now_ms);
void lease_answered(struct agent *a, const struct call *c, uint64_t now_ms);
/* Gives each job to a free slot, or back to the broker when there is none or we leave. */
void lease_hand_out(struct agent *a, const Rota__LeaseResult *result, uint64_t now_ms);
void lease_fill(const struct agent *a, Rota__Lease *ret_lease);

/* ---- heartbeat.c: with the lock held ---- */
void heart_step(struct agent *a, uint64_t now_ms);
void heart_answered(struct agent *a, const struct call *c, uint64_t now_ms);

/* ---- slot.c: without the lock ---- */
MUST_USE int slot_start(struct agent *a, uint32_t index);
void slot_join(struct slot *s);

/* ---- report.c: without the lock, on the slot's thread ---- */
int report_log(void *slot, const void *p, size_t n);
/* `why`: what stopped the build, as it was when the runner returned. */
void report_result(struct slot *s, enum build_stop why, const struct build_result *result);
