/* bundle_kit.h: runs the bundle runner without a broker: what runs is the real sandbox, npm, Metro
 * and hermesc; what stands in are the four calls to the broker, answered in this process out of one
 * folder.
 *
 * A program that links this must not link librota: rota_call() is defined here. */
#pragma once

#include <base/err.h>
#include <runner.h>

enum { KIT_PATH_MAX = 512, KIT_LOG_MAX = 1 << 20, KIT_PERCENTS_MAX = 101 };

struct kit {
    char folder[KIT_PATH_MAX]; /* mkdtemp; objects land in incoming/ */
    struct runner_settings settings;
    char said[RUNNER_SAID_MAX];
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

/* Runs the runner's check(). Once in a process, before there are threads. Ends the program with a
 * word on stderr when this machine cannot run it. */
void kit_open(struct kit *k, uint64_t workspace_bytes);
/* The same with a cache in a folder of the host; kit_open() has none. */
void kit_open_cached(struct kit *k, uint64_t workspace_bytes, const char *cache_dir,
                     uint64_t cache_bytes);
void kit_close(struct kit *k); /* removes the folder */
void kit_remove(const char *folder);

enum kit_seal {
    KIT_SEALED,
    KIT_OTHER_KEY, /* the broker's answer has another key than the one it was sealed with */
    KIT_NOT_SEALED,
};

struct kit_order {
    const char *archive; /* path of a tar.gz or tar.zst */
    const char *platform;
    const char *spec; /* NULL: none */
    uint32_t slot;
    uint64_t stop_after_ms; /* 0: never */
    const char
        *stop_phase; /* stop_after_ms runs from the beginning of this phase; NULL: from the start */
    enum build_stop stop_why;
    enum kit_seal seal;
    const char *source;     /* NULL: upload:<the sealed archive's hash> */
    const char *source_url; /* NULL: the archive's */
    const char *account;    /* NULL: "local" */
    const char *class;      /* NULL: "bundle" */
};

struct kit_seen {
    uint64_t ms;                        /* the whole run() */
    uint64_t ms_after_stop;             /* from the stop to the end of run() */
    unsigned percents, bundle_percents; /* distinct ones, in all and within the phase bundle */
    unsigned falls;                     /* how often a percent was below one before */
    char log[KIT_LOG_MAX + 1];
    size_t log_n;
};

/* Fault or no fault as the runner said. Several at one time, from threads of their own, when their
 * slots differ. */
MUST_USE int kit_run(struct kit *k, const struct kit_order *order, struct build_result *ret,
                     struct kit_seen *ret_seen);

/* What the agent does with a slot that has no job. */
void kit_idle(const struct kit *k, uint32_t slot, bool is_warm);

/* Where an artifact of the last run landed. */
void kit_object(const struct kit *k, Rota__ObjectKind kind, char path[KIT_PATH_MAX]);

/* Processes that builds left behind, and mounts of jobs in our namespace. */
unsigned kit_leftovers(void);

/* Prints the outcome as one line. */
void kit_print(const char *name, const struct build_result *r, const struct kit_seen *seen);
