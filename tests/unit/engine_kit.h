/* engine_kit.h: an engine on a real store in a temporary folder, with a clock in the test's hands:
 * the turn without sockets. A call goes through the wire form and back, like a real one. */
#pragma once

#undef NDEBUG
#include "store_kit.h"

#include "engine/engine.h"
#include "engine/job.h"

struct engine_kit {
    char dir[64];
    char credential[64];
    uint8_t hash_key[32];
    uint64_t map_bytes, lease_ms, random;
    uint64_t quota_bytes; /* of the store; 0: none. Takes effect with the next open */
    struct now now;
    struct store *store;
    struct auth *auth;
    struct board *board;
    struct engine *engine;
    struct effects fx;
    uint64_t request_id;
    struct source_keeper source_keeper; /* takes effect with the next open */
    bool may_fail; /* a turn's fault is noted in `fault` and not asserted: a process would end with
                      74 */
    int fault;
};

void engine_kit_setup(struct engine_kit *k, uint64_t map_bytes);
void engine_kit_open(struct engine_kit *k);
void engine_kit_close(struct engine_kit *k); /* as by kill -9: nothing is said */
void engine_kit_teardown(struct engine_kit *k);
void engine_kit_restart(struct engine_kit *k);

/* For cmocka: a kit of its own for each test, with a roomy store or one of 8 MiB. */
int engine_kit_begin(void **state);
int engine_kit_begin_small(void **state);
int engine_kit_end(void **state);
#define ENGINE_CASE(f) cmocka_unit_test_setup_teardown(f, engine_kit_begin, engine_kit_end)

/* One request of the next turn; `as` NULL: the operator. */
struct inbound *kit_request(struct engine_kit *k, Rota__Request *request, const char *as);
/* Runs a turn over the list; its effects stay in k->fx until the next. */
void kit_turn(struct engine_kit *k, struct inbound *requests);
/* The reply of that request in the last turn; NULL: none. */
Rota__Reply *kit_reply(struct engine_kit *k, uint64_t request_id);
/* One request, one turn, its reply (NULL: parked, or the turn failed). */
Rota__Reply *kit_call(struct engine_kit *k, Rota__Request *request, const char *as);
/* "" or the error's name. */
const char *kit_error(const Rota__Reply *reply);

/* The common calls, as the operator. They assert that they are accepted unless they return a reply.
 */
/* Without a quota of builds, so that tests of other things may publish as they like. */
void kit_account(struct engine_kit *k, const char *id, Rota__Tier tier, uint32_t running_max);
Rota__Reply *kit_publish(struct engine_kit *k, const char *account, const char *key);
/* A lease call that does not wait; false: nothing, or refused when faults are allowed. */
struct kit_lease {
    char job[40], account[ACCOUNT_ID_MAX + 1];
    Rota__LeaseRef ref;
    Rota__Tier tier;
    uint32_t attempt;
};
bool kit_lease(struct engine_kit *k, const char *worker, struct kit_lease *ret_lease);
Rota__Reply *kit_finish(struct engine_kit *k, struct kit_lease *l, Rota__Outcome outcome);
/* With what the job left, as if the objects had been looked at and were there. */
Rota__Reply *kit_finish_left(struct engine_kit *k, struct kit_lease *l, Rota__Outcome outcome,
                             Rota__Artifact **artifacts, size_t n);
Rota__Reply *kit_cancel(struct engine_kit *k, const char *job);
void kit_state(struct engine_kit *k, const char *job, Rota__State expected);
void kit_pass(struct engine_kit *k, uint64_t ms);
/* Cache = store, and every job in exactly one of ready, lease, done. */
void kit_check(struct engine_kit *k);
uint64_t kit_rows(struct engine_kit *k, enum table t);
