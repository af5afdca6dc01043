/* plan.h: every program that runs in a sandbox, as a table: what it sees, which
 * network it has, which system calls it is refused, and its command. Pure data. */
#pragma once

#include "errors.h"
#include "filter.h"

#include <stdbool.h>
#include <stddef.h>

enum step_id {
    STEP_PROBE,
    STEP_UNPACK,
    STEP_VERIFY,
    STEP_CLONE,
    STEP_NPMRC,
    STEP_PROXY,
    STEP_INSTALL, /* npm */
    STEP_INSTALL_YARN,
    STEP_INSTALL_BERRY,
    STEP_INSTALL_PNPM,
    STEP_SETTLE,
    STEP_KEEP,
    STEP_BUNDLE,
    STEP_STANDBY, /* STEP_BUNDLE, begun before its build */
    STEP_MERGE,
    STEP_COMPILE,
    STEP_COMPOSE,
    STEP_PACK,
    STEP_COUNT
};

/* Words of a command that differ from build to build; `@NAME` in the table. */
enum word {
    WORD_NONE,
    WORD_MANAGER,      /* the package manager's program */
    WORD_INSTALL_ROOT, /* where its lockfile lies: /w/app, or a folder of it */
    WORD_ROOT,         /* the app's folder below the source, or "." */
    WORD_ENTRY,        /* as the job names it, or nothing */
    WORD_HEAP,         /* --max-old-space-size=… */
    WORD_PLATFORM,     /* android, ios */
    WORD_BUNDLE,       /* the bundle's file name */
    WORD_BUNDLE_FILE,
    WORD_BYTECODE_FILE,
    WORD_PACKAGER_MAP_FILE,
    WORD_MAP_FILE,
    WORD_GIT_URL,
    WORD_GIT_REF,
    WORD_HERMESC, /* as the app's own modules named them */
    WORD_COMPOSE,
    WORD_COUNT
};

struct step_mount {
    const char *from; /* below the space; "" is all of it */
    const char *at;   /* inside */
    bool is_writable;
};

struct step_arg {
    const char *text; /* or */
    enum word word;
};

enum { STEP_MOUNTS_MAX = 6, STEP_ARGS_MAX = 12, STEP_ENV_MAX = 10 };

struct step {
    const char *name;
    const char *phase; /* of phase.c; the probe's is "check" */
    enum filter_kind filter;
    bool has_net;            /* through the proxy, and /net (proxy.h); no address else */
    bool is_proxy;           /* has the host's network, and nothing of any app */
    bool has_modules;        /* node_modules at their places, read-only (modules.h) */
    bool has_modules_cache;  /* and node_modules/.cache, which the app's own code may fill */
    bool has_layer;          /* shared transforms, read-only (layer.h) */
    bool is_ahead;           /* begins before its last input is there, which comes on fd 6 */
    bool must_say_done;      /* speaks on fd 3; exit 0 without a "done" there is a failure */
    enum error_code failure; /* what an exit code that nobody explained means */
    struct step_mount mounts[STEP_MOUNTS_MAX]; /* up to the first without `at` */
    struct step_arg args[STEP_ARGS_MAX];       /* up to the first empty one */
    const char *env[STEP_ENV_MAX][2];          /* besides what all steps have */
};

extern const struct step steps[STEP_COUNT];

/* What stands for a word where there is no build: "@PLATFORM". */
const char *plan_word(enum word word);
