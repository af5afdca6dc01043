/* runner.h: what stands between the agent, which holds the lease, and a runner, which does the
 * work.
 *
 * The agent gives a runner one leased job as a struct build, on a thread of its slot, and gets a
 * struct build_result back. The runner says how far it is with build_progress(), hands on what the
 * tools print with build_log(), and ends soon after build->stop_fd becomes readable: the agent
 * raises it for a cancel, a lost lease, the job's timeout and a hurried shutdown alike. Lease,
 * heartbeats, retries, finish and release are the agent's business and never the runner's. */
#pragma once

#include "client.h"
#include "errors.h"
#include "sign.h"

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- the job, as the runner sees it ---- */

enum build_stop {
    BUILD_GOES_ON = 0,
    BUILD_CANCELLED, /* by its owner: nothing of the job may be left after 2 s */
    BUILD_LOST,      /* the lease is somebody else's: the result will be dropped */
    BUILD_TIMED_OUT, /* timeout_ms after the grant */
    BUILD_SHUTDOWN,  /* the worker must leave now; the job goes back to ready */
};

/* Ways of the build into the agent; see build.h. */
struct build_host;

struct runner_settings;

/* An environment variable that the account set for its app. The value of a secret must reach no
 * log, no argument and no error. */
struct build_var {
    const char *text; /* "NAME=value" */
    bool is_secret;
};

/* Everything is borrowed and stays until run() returns. */
struct build {
    struct build_host *host;
    const struct runner_settings *settings;

    const char *job, *account, *app, *platform, *class;
    const char *source; /* proto/source_ref.h; may be empty */
    const char *commit; /* of a git source: what it is for this job, or empty: not fetched yet */
    const char *tier;   /* "P0" to "P3": the tier it was dispatched in */
    uint32_t attempt, attempts_max;
    const struct build_var *var;
    size_t vars;
    bool is_token_withheld; /* the app's ROTA_GIT_TOKEN is not for this job's source */
    const void *spec;       /* a JSON object, not NUL-terminated; may be empty */
    size_t spec_bytes;
    uint64_t timeout_ms;  /* from the grant */
    uint64_t deadline_ms; /* clock_boot_ms() at which the agent raises BUILD_TIMED_OUT */
    uint32_t slot;        /* 0 to slots - 1; no two builds at one time have the same */

    Rota__LeaseRef *lease; /* for sign_upload, sign_download and attest */
    struct rota_client *client;

    int stop_fd; /* readable (and stays so) once the build must end; never read from it */
};

/* Why the build must end, or BUILD_GOES_ON. Any thread. */
enum build_stop build_stopped(const struct build *b);

/* The job is in `phase`, `percent` of the whole is done (0 to 100). `message` may be NULL. As often
 * as the runner likes: the agent sends the newest at most 5 times a second. Any thread. */
void build_progress(struct build *b, const char *phase, uint32_t percent, const char *message);

/* Appends to the job's log. Never blocks: when the broker is away for long the oldest bytes that
 * were not sent yet go, and the log says how many. Any thread. */
void build_log(struct build *b, const void *p, size_t n);
__attribute__((format(printf, 2, 3))) void build_log_line(struct build *b, const char *format, ...);

/* ---- what came out ---- */

enum build_outcome {
    BUILD_STOPPED = 0, /* it ended because stop_fd was raised; the agent knows why */
    BUILD_SUCCEEDED,
    BUILD_FAILED, /* the user's fault, never retried: error says what and what to do */
    BUILD_FAULT,  /* ours or the machine's: the lease is released and the job tried again */
};

enum {
    BUILD_ARTIFACTS_MAX = 8,
    BUILD_PHASES_MAX = 16,
    BUILD_TEXT_MAX = 512,
    BUILD_HINT_MAX = 256,
    BUILD_NAME_MAX = 128,
    BUILD_PHASE_MAX = 32,
};

struct build_artifact {
    Rota__ObjectKind kind;
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    char name[BUILD_NAME_MAX + 1];
};

struct build_phase {
    char name[BUILD_PHASE_MAX + 1];
    uint64_t ms;
};

/* Zeroed by the agent before run(). Phase times count for every outcome that is reported. */
struct build_result {
    enum build_outcome outcome;
    enum error_code error; /* FAILED and FAULT: one of errors.def */
    char text[BUILD_TEXT_MAX + 1];
    char hint[BUILD_HINT_MAX + 1]; /* empty: the catalogue's */
    struct build_artifact artifact[BUILD_ARTIFACTS_MAX];
    size_t artifacts;
    struct build_phase phase[BUILD_PHASES_MAX];
    size_t phases;
    bool is_attested;
    char statement[STATEMENT_LEN_MAX];
    uint8_t signature[SIGN_BYTES];
    char key_id[SIGN_KEY_ID_LEN + 1];
};

/* Sets outcome (FAULT for an error of class INFRA, else FAILED), error and text; without `format`
 * the text is the catalogue's. */
__attribute__((format(printf, 3, 4))) void build_fail(struct build_result *r, enum error_code error,
                                                      const char *format, ...);
/* Appends; drops what does not fit, which BUILD_PHASES_MAX makes a mistake of the runner. */
void build_phase_add(struct build_result *r, const char *name, uint64_t ms);

/* ---- the runner ---- */

/* Options of rota-worker that runners read. */
struct runner_settings {
    const char *path;        /* exec:PATH; NULL for other runners */
    bool is_on_host;         /* exec: without a sandbox */
    const char *const *read; /* exec: what of the host the program may read */
    size_t read_n;
    const char *environment;       /* the broker's name */
    uint64_t workspace_bytes;      /* size limit of one job's workspace */
    const char *const *registries; /* HOST[:PORT] that an app's .npmrc or .yarnrc.yml may name */
    size_t registries_n;
    const char *const *git_hosts; /* HOST[:PORT] that sources may come from; none: the defaults */
    size_t git_hosts_n;
    const char *cache_dir; /* a folder, "none", or NULL: cache_choose.h */
    uint64_t cache_bytes;
    const char *cgroup; /* v1: the operator's folder below each controller, or NULL */
    bool allow_swap;    /* unencrypted swap is no reason to refuse */
    uint64_t slots;
};

enum { RUNNER_SAID_MAX = 700 };

enum runner_outcome { RUNNER_UNUSABLE = 1 };

struct runner {
    const char *name;         /* "bundle", "exec" */
    const char *const *class; /* offered when no --class is given; ends with NULL */

    /* Runs once at start on the main thread while the process has no other thread, so it may enter
     * namespaces. Writes into `said` what it found ("pid-namespace=yes …", one line, for the log),
     * or, with RUNNER_UNUSABLE, why this machine cannot run it and what to do. */
    int (*check)(const struct runner_settings *s, char said[RUNNER_SAID_MAX]);

    /* Prints what programs of `phase` ("all": of every phase) may see and use. RUNNER_UNUSABLE: no
     * such phase. NULL: the runner keeps nothing from its programs. */
    int (*explain)(const struct runner_settings *s, const char *phase, FILE *to);

    /* Does the job and fills *ret. Up to `slots` calls run at one time. <0: a fault that has no
     * name, reported as SANDBOX_FAILED. Leaves no process behind. */
    int (*run)(struct build *b, struct build_result *ret);

    /* The slot has no job: with `is_warm` its next one is to begin as fast as can be, without,
     * nothing is to wait for it. On the slot's thread, every few seconds, and last without. NULL:
     * there is nothing to be had ready. */
    void (*idle)(const struct runner_settings *s, uint32_t slot, bool is_warm);
};

extern const struct runner runner_exec;
extern const struct runner runner_bundle;
