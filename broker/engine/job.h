/* job.h: one job in the hand of a turn, and the one way it goes from state to state. Private to the
 * engine. Queue thread.
 *
 *   publish -> READY <-> LEASED -> SUCCEEDED | FAILED | TIMED_OUT
 *      |         ^  ^       |
 *      |         |  |       +-> DELAYED  an infrastructure fault backs off, attempts left
 *      |         |  |       +-> DEAD     the last attempt met one
 *      +-> DELAYED |        +-> CANCELLED  once its worker let go, or its lease ran out
 *      |     (run-at, jobs it waits for, backoff)
 *      +-> HELD ---+        hold, and release back to where it would be
 *   any waiting state -> CANCELLED;  DEAD, FAILED, TIMED_OUT, CANCELLED -> READY by a retry, or
 *   DELAYED while jobs that must succeed first have not ended
 *
 * An accepted job is in exactly one of ready, delayed (with or without jobs it waits for), held,
 * lease and done. job_move() is the only function that takes it from one to another: it checks the
 * table of moves, changes the rows, the counts of its account, quota and kept totals, and appends
 * the event, so that no path can forget one. */
#pragma once

#include "engine/turn.h"

/* What stands in the job's row and is needed after the next put: copied, spans in the turn's
 * arena only where a caller asks for them. */
struct job {
    struct job_id id;
    Rota__State state; /* any; STATE_NONE: being born */
    struct account *account;
    struct pool *pool, *home; /* that it is in now, and that it was published to */
    struct tally *tally;
    struct lease *lease; /* LEASED */
    uint32_t app;
    uint8_t platform;
    uint8_t priority, priority_home; /* in force, and as published */
    uint8_t attempt;                 /* attempts that were started */
    uint8_t attempts_max;
    bool supersedes, is_charged, is_refunded;
    uint32_t key_serial;
    uint64_t published_ms, finished_ms;
    uint16_t charge_month; /* that pays for it; 0: the month of its publish */
    struct span commit;    /* arena: of a git source, what all attempts build; empty: not known */
    uint64_t due_ms;       /* DELAYED, with a row in `delayed` */
    uint8_t due_clock;
    uint16_t waits;         /* DELAYED: jobs it still waits for */
    struct span after;      /* arena: the ids it was published to wait for, 16 bytes each */
    uint64_t since_ms;      /* DELAYED, HELD */
    struct span reason, by; /* DELAYED, HELD: arena */
};

/* 0 and *ret_job, or STORE_MISSING. Reads `job`, then lease, state and done as far as needed. */
MUST_USE int job_load(struct turn *t, struct job_id id, struct job *ret_job);
/* One that must be there: its absence is a fault. */
MUST_USE int job_load_known(struct turn *t, struct job_id id, struct job *ret_job);
/* The same for a request: parses the id; JOB_UNKNOWN also for another account's job. */
MUST_USE int job_load_for(struct turn *t, const char *text, struct job *ret_job);

/* One move. Spans need live only until job_move() returns. */
struct step {
    Rota__State to;
    Rota__EventKind why;
    struct span reason, by;
    struct span error_name, error_text, error_hint;
    struct span facts;       /* into an ended state: packed Rota__Finish */
    uint64_t artifact_bytes; /* likewise */
    uint64_t due_ms;         /* to DELAYED: 0 while it only waits for other jobs */
    uint8_t due_clock;
    uint16_t waits;
    bool forgives;     /* this attempt does not count: the worker gave it back untouched */
    bool refunds;      /* into CANCELLED: its quota is given back although it was started */
    struct pool *pool; /* NULL: the same */
    uint8_t priority;  /* 0: the same */
};
/* The catalogue's words for an error; E_OK: none. */
struct step step_of(Rota__State to, Rota__EventKind why, enum error_code code);

/* Stays where it is; for a caller that changes pool, priority or what it waits for. */
struct step step_stay(const struct job *j, Rota__EventKind why);

/* Leased jobs lose their lease; a job that comes back to READY keeps its place, which is its id's.
 * The move must be in the table: callers check what a request may ask for, and say so in its own
 * words. A handler's result. */
MUST_USE int job_move(struct turn *t, struct job *j, const struct step *s);
bool job_may(Rota__State from, Rota__State to);
bool job_has_ended(Rota__State s);
/* Is it given back what the job took of its month's quota? */
bool job_is_refund(const struct job *j, const struct step *s);

/* What was uploaded for the job alone goes, and with it the key that opens it. */
MUST_USE int source_release(struct turn *t, const struct job *j);

/* READY -> LEASED happens in dispatch.c, which has the lease to make; this is its half: the row of
 * `ready` goes, the counts change. */
MUST_USE int job_leave_ready(struct turn *t, struct tally *tally, struct span ready_key);

/* supersede.c: who stands for an app, platform and ref. */
MUST_USE int supersede_forget(struct turn *t, const struct job *j);

/* Jobs that wait for this one are told, a slice a turn (follow.c). */
MUST_USE int follow_ended(struct turn *t, struct job_id parent);
MUST_USE int follow_some(struct turn *t);
/* Writes the rows of a job that waits; takes them away when it stops waiting. */
MUST_USE int follow_begin(struct turn *t, struct job_id child, const struct job_id *parents,
                          size_t n);
MUST_USE int follow_forget(struct turn *t, const struct job *child);
/* For one that is tried again: those of its parents that it must wait for (AFTER_MAX at most), or
 * E_DEPENDENCY_FAILED. */
MUST_USE int follow_again(struct turn *t, const struct job *child, struct job_id *ret_waits,
                          size_t *ret_n);

/* Jobs whose time has come, a slice a turn (delayed.c). */
MUST_USE int delayed_some(struct turn *t);
uint64_t delayed_due_ms(const struct engine *e, struct now now); /* broker time; UINT64_MAX */
void delayed_note(struct turn *t, uint8_t clock, uint64_t due_ms);

/* acts.c: what people may do with a job, one by one or in bulk: each refuses what its state does
 * not allow, in its own words. */
MUST_USE int act_cancel(struct turn *t, struct job *j, const char *reason);
MUST_USE int act_hold(struct turn *t, struct job *j, const char *reason);
MUST_USE int act_release(struct turn *t, struct job *j);
MUST_USE int act_retry(struct turn *t, struct job *j);
MUST_USE int act_move(struct turn *t, struct job *j, const char *pool, uint32_t priority);
