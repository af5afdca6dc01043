/* agent.h: takes leases, keeps them alive, runs the builds, reports what came out.
 *
 * One thread owns the conversation: it keeps at most one lease poll for all free slots and one
 * parked heartbeat for all leases outstanding, neither of which ever blocks it. Each slot has a
 * thread that runs one job at a time and reports its end. A broker that goes away stops nothing:
 * builds go on, and what they have to say is said again until it is answered; only a worker that
 * drains has an end of its patience. */
#pragma once

#include "resources.h"
#include "runner.h"

struct agent_config {
    struct rota_client *client; /* borrowed for the rest of the process; see agent_run() */
    const struct runner *runner;
    const struct runner_settings *settings;
    const char *worker, *pool;
    const char *const *class;
    size_t class_n;
    uint32_t slots;
    uint64_t idle_exit_ms; /* 0: never */
    /* Draining, and no build runs any more: it leaves within so long, whatever could be reported;
     * at least 10,000, which a try under way and the last ones may take. */
    uint64_t drain_report_ms;
    const struct resources *resources; /* that every heartbeat declares; NULL: nothing */
    /* Asked on a slot's thread when its build has ended, and then every second while it says yes:
     * is something of the job still there? Until it is gone the slot takes no job. NULL: nothing
     * can be. */
    bool (*remains)(void);
    int signal_fd; /* a signalfd of SIGTERM and SIGINT: the first drains, the second hurries; -1:
                      none */
};

enum { AGENT_SLOTS_MAX = 64 };

/* Works until it was drained, idle for long enough or refused. *ret_exit: the exit code;
 * EXIT_TRY_AGAIN: drained, but the broker took no report of some jobs, which the log names.
 * <0: it could not start. Once a process: the client and its parked calls stay open, and the end of
 * the process closes them without a wait. */
MUST_USE int agent_run(const struct agent_config *config, int *ret_exit);
