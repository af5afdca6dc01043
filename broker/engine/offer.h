/* offer.h: one publish on its way in. Private to the engine. Queue thread.
 *
 * A publish is looked at in the order of the plan: who, account, limits, abuse, source; each rule
 * is one row of the table in admission.c and refuses in its own words. Nothing is written before
 * the last of them has agreed, so whatever is refused leaves no trace in any counter. */
#pragma once

#include "engine/job.h"
#include "source_ref.h"

enum {
    AFTER_MAX = 16,
    PRIORITY_DEFAULT = 5,
    PRIORITY_LAST = 9,
    ATTEMPTS_MOST = 10,
    SPEC_DEPTH_MAX = 8
};

struct offer {
    const Rota__Publish *asked; /* as it came; what "the same body" means */
    const Rota__Publish *q;     /* what was asked for */
    struct account *account;
    struct pool *pool; /* known once class_for_publish() was called */
    const char *class;
    struct app_facts app;
    enum platform platform;
    uint64_t timeout_ms;
    struct source_ref source;
    uint64_t source_bytes;
    uint64_t run_at_ms; /* Unix time; 0: at once */
    struct job_id after[AFTER_MAX];
    size_t after_n; /* all that were named */
    struct job_id waits[AFTER_MAX];
    size_t waits_n;  /* of them, those that have not yet ended */
    bool is_charged; /* takes a build of the month's quota */
    uint8_t request_hash[32];
};

/* Whose it is; what comes before the answer to a repeated one. Writes nothing. 0 or an E_ code. */
MUST_USE int offer_open(struct turn *t, const Rota__Publish *q, struct offer *ret_offer);
/* Everything else that can be refused. Writes nothing. 0, an E_ code or TURN_VET. */
MUST_USE int offer_check(struct turn *t, struct offer *o);
/* Class and app are made, the job is written. */
MUST_USE int offer_accept(struct turn *t, struct offer *o, Rota__PublishResult *result);

/* One job, refused without a trace or accepted; t->who is the publisher. */
MUST_USE int publish_one(struct turn *t, const Rota__Publish *q, Rota__PublishResult *result);

/* The job takes the place of the one that stands for its app, platform and ref. */
MUST_USE int supersede_publish(struct turn *t, const struct offer *o, const struct job *j,
                               Rota__PublishResult *result);
