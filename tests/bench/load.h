/* load.h: calls kept in flight: slots, each with at most one call, each driven by the scenario's
 * step from reply to reply.
 *
 * Steps run on the threads of nng, one at a time for each slot, so what a slot owns needs no lock.
 * What steps of different slots share is the scenario's to guard. */
#pragma once

#include "client.h"
#include "histogram.h"

#include <signal.h>

struct load;

struct slot {
    struct load *load;
    unsigned index;
    void *arg;        /* the load's */
    void *own;        /* the scenario's, own_bytes, zeroed */
    uint64_t sent_ns; /* when the call in flight left */
    uint64_t jobs;    /* counted by the step */
    struct histogram latency_us;
};

/* Looks at the reply to the slot's call (NULL: the beginning) and starts the next one with
 * slot_call(). False: this slot has ended. */
typedef bool load_step(struct slot *s, const Rota__Reply *reply);

struct load_config {
    struct rota_client *client;
    unsigned in_flight;
    double seconds; /* then load_is_over(); 0: the step knows when */
    load_step *step;
    void *arg;
    size_t own_bytes;
};

MUST_USE int load_start(const struct load_config *config, struct load **ret_load);
/* Waits until every slot has ended. */
void load_wait(struct load *l);
struct load *load_free(struct load *l); /* after load_wait() */
DEFINE_FREEP(load)

/* For steps: time is up, or the user interrupted. */
bool load_is_over(const struct load *l);
/* Sends; false when the call could not even be started, which ends the slot. */
bool slot_call(struct slot *s, Rota__Request *request, uint32_t timeout_ms);
/* A step met a refusal; the first one's name is kept. */
void slot_refused(struct slot *s, const Rota__Error *error);
/* Time since `since_ns` into the slot's histogram. */
void slot_timed(struct slot *s, uint64_t since_ns);

/* After load_wait(). */
struct load_result {
    uint64_t jobs, refused;
    char refusal[41]; /* of the first one */
    double seconds;   /* from the first call to the last reply */
    struct histogram latency_us;
};
void load_result(const struct load *l, struct load_result *ret_result);
struct slot *load_slot(struct load *l, unsigned index);

/* Set by the handler of SIGINT and SIGTERM; ends every load. */
extern volatile sig_atomic_t load_interrupted;
