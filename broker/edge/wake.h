/* wake.h: from no workers to some: an operator's program is run when a pool has work and nobody to
 * do it, or fewer warm slots than it is heated to.
 *
 * A thread of its own looks at the board a few times a second and never at the database. A pool's
 * command is run at most once at a time and at most every `every_ms`, and less and less often while
 * that brings no worker. */
#pragma once

#include "edge/wake_run.h"
#include "engine/board.h"

struct wake_config {
    struct board *board;
    const char *program; /* an absolute path; both outlive the waker */
    uint64_t every_ms;   /* the shortest time between two runs for one pool */
};

enum {
    WAKE_SLOTS_MAX = 10000, /* asked for at once */
    WAKE_PAUSE_PARTS = 20,  /* the longest pause, in `every_ms` */
    WAKE_RUN_MS_MAX = 60000 /* a command that runs for longer is killed */
};

struct waker;
MUST_USE int waker_start(const struct wake_config *config, struct waker **ret_waker);
/* Waits for the thread; a command that still runs is left to itself. */
struct waker *waker_free(struct waker *waker);
DEFINE_FREEP(waker)

/* What a pool lacks at this moment; slots_wanted 0: nothing. Pure. */
struct wake_need wake_need(const struct board_pool *pool, const struct board_crew *crew,
                           const struct board_totals *totals, uint64_t wall_ms);
