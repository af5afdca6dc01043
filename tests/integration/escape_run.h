/* escape_run.h: one sandbox with the attacker in it, and what became of it. Rows print "held" or
 * "ESCAPED" and are counted. Aborts on faults of its own. One thread. */
#pragma once

#include "escape_host.h"

#include <cgroup.h>
#include <feedback.h>
#include <sandbox.h>
#include <toolpath.h>
#include <words.h>

struct escape_place;

struct escape_ran {
    struct escape_place *place;
    bool does_say; /* its lines are attempts */
    int outcome, status;
    uint64_t ms, bytes, lines, progress;
    char log[64 * 1024];
    size_t log_n;
    struct words words;
    struct feedback feedback;
    unsigned attempts, worked;
};

struct escape_row {
    const char *name, *mode;
    int outcome;            /* 0: it ended by itself */
    int status;             /* of that; -1: any but 0 */
    uint64_t memory_mib;    /* 0: P3's */
    uint64_t workspace_mib; /* 0: 64 */
    uint32_t cpus;          /* 0: the plan's */
    uint64_t stop_ms;       /* 0: never */
    uint64_t wall_ms;       /* 0: the plan's */
    const char *says;       /* in the log */
    bool (*check)(const struct escape_ran *r, const struct space *s, const char **ret_why);
};

/* One a process. */
struct escape_place {
    const char *apps;
    struct tools tools;
    struct space_root root;
    struct escape_host host;
    struct cgroups groups;          /* of kind NONE: by the watchdog */
    unsigned (*groups_left)(void);  /* NULL: there are none */
    void (*said)(const char *line); /* of the attacker's log; or NULL */
    unsigned rows_n, rows_good;
};

enum { GONE_MS_MAX = 2000 };

/* Ends the program when there can be no sandbox here. */
void escape_open(struct escape_place *p, const char *apps);
void escape_row_run(struct escape_place *p, const struct escape_row *row);
void escape_note(struct escape_place *p, const char *name, bool is_good, const char *why);

/* The parts of a row, for one that goes another way. */
struct space *escape_space(struct escape_place *p, const struct escape_row *row);
void escape_go(struct escape_place *p, const struct escape_row *row, const struct space *s,
               struct escape_ran *r);
/* Processes of sandboxes that are left; whoever was left behind has us as parent. */
unsigned escape_children_left(const struct escape_place *p);
