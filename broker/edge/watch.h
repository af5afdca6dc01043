/* watch.h: watches that wait for something to happen.
 *
 * A watch is entered before its snapshot is taken, so a commit between the two is never missed: it
 * marks the watch as stale, and watch_settle() says so. Bounded: beyond WATCHES_MAX the one parked
 * longest is woken and answers with what is (its client asks again). Any thread. */
#pragma once

#include "net/inbox.h"

#include <base/auto.h>
#include <base/err.h>
#include <base/id.h>
#include <stdbool.h>
#include <stdint.h>

enum { WATCHES_MAX = 16384 };

struct watch {
    struct inbound *in; /* the request, the watch's own */
    struct job_id job;  /* zero: the event log */
    uint64_t from;      /* event log: what would be news */
    uint64_t until_ms;  /* boot time: then it is answered in any case */
    /* private */
    struct watch *prev, *next;
    struct watch *woken_next;
    bool is_parked, is_woken, is_stale;
};

struct watches;
/* `wake` runs when a parked watch becomes due; it must not block. */
MUST_USE int watches_new(void (*wake)(void *arg), void *arg, struct watches **ret_watches);
struct watches *watches_free(struct watches *ws);
DEFINE_FREEP(watches)

/* Enters a watch; takes `in` on success. -ENOMEM. */
MUST_USE int watch_begin(struct watches *ws, struct inbound *in, struct job_id job,
                         uint64_t until_ms, struct watch **ret_watch);

/* Nothing new in the snapshot: parks it. False: something changed meanwhile, look again. */
bool watch_settle(struct watches *ws, struct watch *w, uint64_t from);

/* It was answered. Frees the request too. */
void watch_end(struct watches *ws, struct watch *w);

/* A parked watch that was woken or whose time is up, or NULL; the caller looks and settles or ends
 * it. */
struct watch *watch_due(struct watches *ws, uint64_t now_ms);

/* How long until the next one's time is up, at most `most_ms`. */
uint32_t watch_idle_ms(struct watches *ws, uint64_t now_ms, uint32_t most_ms);

void watch_wake_job(struct watches *ws, struct job_id job);
void watch_wake_events(struct watches *ws, uint64_t last_seq);
void watch_wake_all(struct watches *ws);

/* The pipe is gone: nobody waits there any more. */
void watch_forget_pipe(struct watches *ws, uint32_t pipe);
