/* settings.h: what rota-worker was told: options, environment, file, key file. */
#pragma once

#include "agent.h"

#include <base/option.h>

struct worker_settings {
    bool exec_host, allow_swap;
    struct option_list exec_read;
    const char *url, *key_file, *environment, *pool, *runner, *name, *tls_ca, *tls_cert_key,
        *config, *cgroup, *cache_dir, *explain;
    struct option_list class, allow_registry, git_host;
    uint64_t slots, idle_exit, drain_report, workspace_bytes, cache_bytes;

    /* Worked out of the above by settings_complete(). */
    const struct runner *chosen;
    struct runner_settings for_runner;
    char worker[65];
    const char *classes[OPTION_LIST_MAX];
    size_t classes_n;
    char *credential; /* wiped and freed by settings_forget_key() */
    char *environment_owned;
};

/* Each answers 0, or an exit code after it said on stderr what is wrong; `settings` stays as it is
 * for as long as the process. */
MUST_USE int settings_read(int argc, char **argv, struct worker_settings *ret_settings,
                           bool *ret_done);
MUST_USE int settings_complete(struct worker_settings *settings);
MUST_USE int settings_read_key(struct worker_settings *settings);
void settings_forget_key(struct worker_settings *settings);
