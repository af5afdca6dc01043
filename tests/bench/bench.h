/* bench.h: what the scenarios of rota-bench share: settings, the broker that they load, accounts
 * that they publish for, and jobs of one size.
 *
 *   publish   (W1) durable publishes, so many in flight: jobs a second
 *   cycle     (W2) publish, lease, finish: finished jobs a second
 *   idle      (W3) one publisher, one waiting worker: time from publish to delivery
 *   restart   (W5) kill -9 under load, then: first lease, and is what was acknowledged there?
 *   look      (W6) why, status, next and stats on a deep queue under publishes
 */
#pragma once

#include "broker.h"
#include "client.h"
#include "figures.h"
#include "load.h"

#include <stdatomic.h>

enum {
    SPEC_BYTES = 1024, /* of each job, as the bodies of other queues' benches */
    ACCOUNTS_MAX = 100000,
    BULK_MAX = 150, /* jobs in a message: what 200 KiB hold */
    KEY_TEXT_MAX = 27,
    ACCOUNT_NAME_MAX = 32,
    CALL_MS = 30000,
};

struct settings {
    const char *url, *key_file, *environment, *tls_ca, *tls_cert_key, *rotad;
    uint64_t in_flight, accounts, seconds, jobs, bulk, rate;
    bool json, no_keys;
};

struct bench {
    const struct settings *settings;
    struct broker *broker; /* NULL: not ours */
    const char *url;
    char *credential, *environment;
    struct rota_client *client;
    char spec[SPEC_BYTES + 1];
    _Atomic uint64_t next_account;
    struct figures figures;
};

/* A scenario fills bench->figures; <0: a fault, >0: an exit code, said on stderr. */
struct scenario {
    const char *name;
    int (*run)(struct bench *b);
    bool needs_broker; /* one of our own, that it may kill */
};
int publish_run(struct bench *b);
int cycle_run(struct bench *b);
int idle_run(struct bench *b);
int restart_run(struct bench *b);
int look_run(struct bench *b);

/* ---- setup.c ---- */

/* Broker, key, client, accounts. >0: an exit code, said on stderr. */
MUST_USE int bench_open(struct bench *b);
void bench_close(struct bench *b);
/* A new client, for a broker that was started again. */
MUST_USE int bench_connect(struct bench *b);

/* One call that must succeed: 0 and the reply, or an exit code, said on stderr. */
MUST_USE int bench_call(struct bench *b, Rota__Request *request, Rota__Reply **ret_reply);
void reply_freep(Rota__Reply **reply);
#define AUTO_REPLY __attribute__((cleanup(reply_freep))) Rota__Reply *

/* ---- jobs.c ---- */

/* "bench-0001" and on, from turn 0. */
void account_name(uint64_t turn, char name[ACCOUNT_NAME_MAX]);

/* One publish and the texts that it borrows. */
struct job_text {
    char account[ACCOUNT_NAME_MAX];
    char key[KEY_TEXT_MAX];
};
/* The next account in turn, class task, SPEC_BYTES of spec, a key unless --no-keys. */
void job_fill(struct bench *b, struct job_text *text, Rota__Publish *ret_publish);

/* Ids that were acknowledged to one slot. */
struct acked {
    char (*ids)[32];
    size_t n, room;
};

/* Publishes until time is up, or until `jobs` are taken when that is not 0. The plan must live as
 * long as its load. */
struct publish_plan {
    struct bench *bench;
    unsigned in_flight, bulk;
    double seconds;
    uint64_t jobs;
    struct acked *acked;    /* one for each slot, or NULL */
    _Atomic uint64_t taken; /* private */
};
MUST_USE int publish_start(struct publish_plan *plan, struct load **ret_load);
/* The same, and waits. */
MUST_USE int publish_all(struct publish_plan *plan, struct load_result *ret_result);

/* Fills a lease call of the slot's own worker with a new nonce. */
struct lease_text {
    char worker[48];
    char *class[1];
    uint8_t nonce[16];
};
void lease_fill(struct lease_text *text, unsigned index, uint32_t wait_ms, Rota__Lease *ret_lease);

/* ---- counts around a run ---- */

struct counts {
    uint64_t turns, flushes, live;
    uint64_t broker_cpu_ns, own_cpu_ns; /* the broker's only when it is ours */
};
MUST_USE int counts_read(struct bench *b, struct counts *ret_counts);
/* Between the two: turns, jobs a turn, flushes, flushes a turn, and processor time a job of both
 * sides, which says what a machine with other disks would do. */
void counts_figure(struct bench *b, const struct counts *before, const struct counts *after,
                   uint64_t jobs);
/* What every scenario with a load says: speed, refusals. */
void load_figure(struct bench *b, const struct load_result *result);
