/* build.h: the agent's end of a struct build: the stop, the newest progress, the log.
 *
 * A host lives as long as one job: made by the slot before run(), freed after the job was reported.
 * It tells the agent through `changed` that a heartbeat is worth sending; `send` carries log
 * chunks. Tests of a runner make one with their own two functions and need no agent. */
#pragma once

#include "runner.h"

#include <base/auto.h>

enum { BUILD_MESSAGE_MAX = 160 };

struct build_host_config {
    void (*changed)(void *arg);                      /* any thread; must not block; may be NULL */
    int (*send)(void *arg, const void *p, size_t n); /* as of joblog.h; may block */
    void *arg;
};

MUST_USE int build_host_new(const struct build_host_config *config, struct build_host **ret_host);
/* Drops what of the log was not sent. */
struct build_host *build_host_free(struct build_host *host);
DEFINE_FREEP(build_host)

/* Becomes readable with the first build_stop_raise() and stays so. */
int build_host_stop_fd(const struct build_host *host);

/* The first reason stays: a build that was cancelled is not timed out a moment later. Except that a
 * lost lease beats all, because nothing may be reported any more. Any thread. */
void build_stop_raise(struct build_host *host, enum build_stop why);
enum build_stop build_stop_read(const struct build_host *host);

struct build_state {
    char phase[BUILD_PHASE_MAX + 1];
    uint32_t percent;
    char message[BUILD_MESSAGE_MAX + 1];
};
void build_state_read(const struct build_host *host, struct build_state *ret_state);

/* Sends the rest of the log and returns when it was answered or given up. */
void build_log_finish(struct build_host *host);
