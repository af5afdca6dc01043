/* abuse_kit.h: accounts that look like one person, or not: publishes from addresses, finishes with
 * bundles, and what the reviews say. */
#pragma once

#include "pause_kit.h"

/* A key for this role, for the account ("" : the operator's own). */
struct kit_key {
    char credential[64];
};
void kit_key(struct engine_kit *k, Rota__Role role, const char *account, struct kit_key *ret_key);

void kit_app(struct engine_kit *k, const char *account, const char *app);

/* Publishes class task through a gateway that says this of its client; "" or the error's name. */
const char *kit_publish_from(struct engine_kit *k, const struct kit_key *gateway,
                             const char *account, const char *app, const char *address);
/* By the account's own key, from this end of a connection ("": IPC). */
const char *kit_publish_peer(struct engine_kit *k, const struct kit_key *key, const char *app,
                             const char *address, bool is_loopback);
/* The reply of the last of these. */
Rota__PublishResult *kit_published(struct engine_kit *k);

/* The next job of the worker succeeds, with a bundle whose SHA-256 is 32 times `hash`. */
void kit_build(struct engine_kit *k, uint8_t hash);
void kit_finish_bundle(struct engine_kit *k, struct kit_lease *lease, uint8_t hash);

/* ---- reviews ---- */

/* As stored, its evidence in a mask of enum abuse_signal; all zero when there is none. */
struct kit_review {
    uint64_t review, prior, replaced_by, cites;
    char account[ACCOUNT_ID_MAX + 1];
    Rota__ReviewState state;
    unsigned score, signals, points;
    bool at_finish;
    char job[40], reviewer[64], reason[64];
    size_t made;
};
struct kit_review kit_review(struct engine_kit *k, uint64_t review);
/* The account's newest. */
struct kit_review kit_review_of(struct engine_kit *k, const char *account);
const char *kit_decide(struct engine_kit *k, uint64_t review, Rota__ReviewState decision,
                       const char *reviewer, const char *reason);
uint64_t kit_account_number(struct engine_kit *k, const char *id);
/* How the read lane shows a job. */
void kit_job_shown(struct engine_kit *k, const char *job, Rota__State state, const char *reason,
                   const char *by);

/* Rows of `signal` of one kind, each of them twice and in agreement. */
uint64_t kit_signals(struct engine_kit *k, uint8_t kind);

/* ---- a farm: one address, one app, one bundle, one afternoon ---- */

#define FARM_ADDRESS "203.0.113.7"
enum { FARM_HASH = 7 };

struct kit_farm {
    struct engine_kit *k;
    struct kit_key gateway;
};
const char *farm_id(unsigned i); /* static: four of them stay */
void farm_begin(struct kit_farm *f, struct engine_kit *k);
const char *farm_publish(struct kit_farm *f, unsigned i); /* "" or the error's name */
void farm_member(struct kit_farm *f, unsigned i);         /* made, and published once */
void farm_build(struct kit_farm *f, unsigned i);          /* and built */
/* The fourth is held. Its review. */
struct kit_review farm_held(struct kit_farm *f, struct engine_kit *k);

/* As stored, and the same in RAM. */
uint8_t kit_bars(struct engine_kit *k, const char *account);
/* How many reviews the list shows, by pages of `limit`; it shows no names. */
unsigned kit_reviews(struct engine_kit *k, Rota__ReviewState state, const char *account,
                     uint32_t limit);
