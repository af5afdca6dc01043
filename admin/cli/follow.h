/* follow.h: stays with a job until it is over, across restarts of the broker. Main thread. */
#pragma once

#include "cli.h"

struct follow {
    const char *job;
    uint64_t deadline_boot_ms; /* 0: none */
    /* Runs at every change that was seen, the last included; not 0 ends the wait with that code. */
    int (*changed)(void *arg, const Rota__Job *job);
    void *arg;
};

/* 0 and the last reply (its watch->job is over), or the exit code, said: 124 at the deadline. */
MUST_USE int follow_job(struct cli *cli, const struct follow *f, Rota__Reply **ret_reply);

/* Milliseconds left until the deadline, at most `most_ms`. */
uint32_t follow_left_ms(uint64_t deadline_boot_ms, uint32_t most_ms);

/* Is this the kind of refusal that a restart of the broker brings and takes away again? */
int follow_is_passing(const Rota__Error *error);

/* Sits out a moment before the next try. */
void follow_pause(uint32_t ms);
