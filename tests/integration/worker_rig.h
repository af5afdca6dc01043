/* worker_rig.h: a real rotad and real rota-workers in a folder of their own, for one test program.
 *
 * Every helper ends the program with a message when it cannot do what it says; then all processes
 * that it started are killed, and the logs of rotad and the workers are shown. */
#pragma once

#undef NDEBUG
#include "client.h"

#include <assert.h>
#include <base/clock.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

enum { RIG_WORKERS_MAX = 64, RIG_PATH = 128 };

struct rig {
    char dir[64], url[RIG_PATH], key_file[RIG_PATH], runner[RIG_PATH], lock[RIG_PATH],
        trace[RIG_PATH];
    char key[256];
    bool gives_key_by_environment; /* as ROTA_KEY, in place of --key-file */
    uint64_t lease_ms;
    pid_t rotad;
    pid_t worker[RIG_WORKERS_MAX];
    size_t workers;
    struct rota_client *client;
};

/* argv: PROGRAM ROTAD ROTA-WORKER. */
void rig_open(struct rig *r, char **argv, uint64_t lease_ms);
void rig_close(struct rig *r);

void rotad_start(struct rig *r);
void rotad_kill(struct rig *r);
/* A new client, which is not still waiting between two tries to reach a rotad that was away. */
void client_renew(struct rig *r);

/* What runs for each job: /bin/sh with `script`; $LOCK and $TRACE name two files of the test. */
void rig_script(struct rig *r, const char *script);

/* Starts a worker named `name` with the given further options, NULL-terminated. */
pid_t worker_start(struct rig *r, const char *name, const char *const *options);
/* Its exit code, or 128 + signal; fails after `ms`. */
int worker_wait(struct rig *r, pid_t pid, uint64_t ms);
/* Drains it; it ends with 0. */
void worker_stop(struct rig *r, pid_t pid);
/* By -9. The broker may hand it one more job before it sees the death. */
void worker_kill(struct rig *r, pid_t pid);

/* Publishes a task for account local. */
void job_publish(struct rig *r, uint64_t timeout_ms, char ret_job[32]);
void job_cancel(struct rig *r, const char *job);
/* Waits until the job is in `state`, at least at `attempt`, and `phase` (NULL: any); the
 * milliseconds that it took. *ret_job, if wanted, is the caller's. */
uint64_t job_wait(struct rig *r, const char *job, Rota__State state, uint32_t attempt,
                  const char *phase, uint64_t ms, Rota__Reply **ret_reply);
/* The whole log of a job, as far as it is kept; NUL-terminated. */
void job_log(struct rig *r, const char *job, char *text, size_t size);

Rota__Reply *rig_call(struct rig *r, Rota__Request *request);

/* True when a process holds the lock of `flock $LOCK`. */
bool lock_is_held(const struct rig *r);
/* How many lines a script has written to $TRACE. */
unsigned trace_lines(const struct rig *r);
/* True when the file's first 64 KiB hold `word`. */
bool file_has(const char *path, const char *word);
/* Waits until the log of the workers named `name` holds `word`. */
void log_wait(const struct rig *r, const char *name, const char *word, uint64_t ms);

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            rig_fail();                                                                            \
        }                                                                                          \
    } while (0)
__attribute__((noreturn)) void rig_fail(void);
