/* work.h: one bundle build on its way through the phases. One thread, the slot's.
 *
 * A phase function returns 0 to go on, WORK_ENDED when the result says how the build ended, or a
 * fault. */
#pragma once

#include "ahead.h"
#include "cache.h"
#include "facts.h"
#include "feedback.h"
#include "managers.h"
#include "platform.h"
#include "routes.h"
#include "sandbox.h"
#include "space.h"
#include "spec.h"
#include "tools.h"
#include "words.h"

#include <base/err.h>
#include <runner.h>

enum { WORK_ENDED = 1 };

enum { WORK_ENV_MAX = 64, WORK_NAME_MAX = 64, WORK_FILE_MAX = 128, LOG_BYTES_MAX = 8 << 20 };

/* What check() found; the same for all builds. */
struct setup {
    struct space_root root;
    struct tools tools;
    struct cgroups cgroups;
    struct routes routes;
    struct managers managers;
    uint64_t heap_mib;
    struct cache cache;        /* fd -1: there is none */
    uint8_t driver_sha256[32]; /* of worker/js */
};

struct phase;
struct standby;

/* What a build leaves behind; `path` is below the space. */
struct product {
    Rota__ObjectKind kind;
    char path[WORK_FILE_MAX];
    const char *name; /* on download */
    int fd;
};

enum { PRODUCTS_MAX = 5 };

struct work {
    struct build *build;
    struct build_result *result;
    const struct setup *setup;
    struct space *space;
    struct limits limits;
    const struct platform *platform;
    struct spec spec;                  /* what the job asks for */
    const struct node_at *node;        /* that the app asks for; NULL: the worker's own */
    char name[32];                     /* of the slot */
    char ahead_name[40];               /* of a step beside the slot's own */
    char heap[48];                     /* "--max-old-space-size=3072" */
    const char *env[WORK_ENV_MAX + 1]; /* the app's variables that are no secrets */

    const struct phase *phase;
    uint32_t percent_from; /* where the phase begins */
    uint32_t percent;      /* the most that was told */

    struct feedback feedback; /* of the running step */
    struct words words;
    uint64_t fetched;  /* answers of the registry so far */
    uint64_t packages; /* that the lockfile names */
    uint64_t modules;

    const struct manager_program *manager; /* of the app; set by verify */
    const char *side; /* "", or "ahead/": the folders of the space that its steps see */
    char install_root[SPEC_PATH_MAX + 8];  /* "/w/app", or the folder of it with the lockfile */
    uint8_t deps_sha256[32];      /* of all that an install depends on; zeroes: not known */
    bool uses_private_registry;   /* nothing of it may be kept */
    struct modules *node_modules; /* modules.h; NULL until they are there */
    struct layer *layer;          /* layer.h; NULL: none fits */
    struct standby *standby;      /* standby.h; NULL: Metro is started when its phase begins */
    struct ahead *composer;       /* begun beside hermesc; NULL: not yet */

    uint64_t asides;   /* .npmrc files that the source brought */
    struct app_rc *rc; /* app_rc.h: what counts of them; holds tokens */
    bool is_rc_refused;
    void (*on_rc)(void *arg, const char *line); /* while they are read */
    const struct source_ref *git;               /* while it is fetched */
    struct host git_host;
    char refused[300]; /* the proxy of the last step refused this HOST:PORT; empty: nothing */
    char away[300];    /* and could not reach this one, which is allowed: "HOST:PORT (WHY)" */

    char bundle_name[WORK_NAME_MAX]; /* "index.android.bundle" */
    char bytecode_name[WORK_NAME_MAX];
    char map_name[WORK_NAME_MAX];
    char file_words[WORD_COUNT][WORK_FILE_MAX]; /* the command words that are files of the build */
    char hermesc[FEEDBACK_PATH_MAX + 1], compose[FEEDBACK_PATH_MAX + 1];

    struct facts facts; /* for the provenance */

    struct product product[PRODUCTS_MAX];
    size_t products;
    int log_fd; /* the build's own log, in memory */
    uint64_t log_bytes;
};

/* `share` (0 to 1) of the running phase is done. Never goes back. */
void work_share(struct work *w, double share, const char *message);

/* A line into the job's log. */
__attribute__((format(printf, 2, 3))) void work_say(struct work *w, const char *format, ...);

/* A build of the operator's own, whose products fill what all accounts share, and which delivers
 * nothing else. */
bool work_is_heat(const struct work *w);

/* The names and limits that a work has by its slot, its settings and `tier`. */
void work_fit(struct work *w, const char *tier);

/* The Node that steps of this build run on. */
const struct node_at *work_node(const struct work *w);

/* Runs a step in the sandbox and judges its end. `source_fd`: for unpack, else -1. */
MUST_USE int work_step(struct work *w, enum step_id id, int source_fd);

/* The same in two parts: the step is started before its last input is there, which `rest_fd`, a
 * file, then gives it. work_begin() may run beside other steps. */
MUST_USE int work_begin(struct work *w, enum step_id id, struct ahead **ret_ahead);
MUST_USE int work_finish(struct work *w, enum step_id id, struct ahead *a, int rest_fd);

/* WORK_ENDED with the result saying so when the build must stop; else 0. */
MUST_USE int work_go_on(struct work *w);

/* ---- the phases, one file each ---- */
MUST_USE int phase_fetch(struct work *w);
MUST_USE int phase_verify(struct work *w);
MUST_USE int phase_install(struct work *w);
MUST_USE int phase_bundle(struct work *w);
MUST_USE int phase_compile(struct work *w);
MUST_USE int phase_map(struct work *w);
MUST_USE int phase_hash(struct work *w);
MUST_USE int phase_upload(struct work *w);
MUST_USE int phase_attest(struct work *w);

/* Stores the log of a build that failed, as well as it goes. */
void log_keep(struct work *w);
