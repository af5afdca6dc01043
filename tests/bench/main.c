/* main.c: rota-bench: one scenario, one line of figures with a verdict. */
#include "bench.h"

#include <base/exit.h>
#include <base/option.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define O(kind, member, ...) OPTION_##kind(struct settings, member, __VA_ARGS__)

static const struct option_row rows[] = {
    O(STR, rotad, "rotad", "PATH", NULL,
      "start this rotad on a new environment under the current folder, and remove it afterwards"),
    O(STR, url, "url", "URL", NULL, "or: the broker to load, as ipc:///PATH or tcp://HOST:PORT"),
    O(STR, key_file, "key-file", "FILE", NULL,
      "with --url: an operator key; the second line names the environment"),
    O(STR, environment, "environment", "NAME", NULL, "instead of the key file's second line"),
    O(STR, tls_ca, "tls-ca", "FILE", NULL, "authority of a tls+tcp broker (PEM)"),
    O(STR, tls_cert_key, "tls-cert-key", "FILE", NULL, "our own certificate and key (PEM)"),
    O(U64, in_flight, "in-flight", "N", 64, 1, 8192, "calls that wait for an answer at once"),
    O(U64, accounts, "accounts", "N", 1, 1, ACCOUNTS_MAX,
      "accounts bench-0001, ... that jobs are published for in turn"),
    O(U64, seconds, "seconds", "S", 3, 1, 3600, "how long publish, cycle and look run"),
    O(U64, jobs, "jobs", "N", 100000, 1, 100000000,
      "restart, look: jobs in the queue at first; idle: jobs to deliver, at most 1,000"),
    O(U64, rate, "rate", "N", 5000, 1, 1000000, "look: publishes a second meanwhile"),
    O(U64, bulk, "bulk", "N", 1, 1, BULK_MAX, "publish: jobs in one message"),
    O(FLAG, no_keys, "no-keys", "publish without idempotency keys"),
    O(FLAG, json, "json", "print JSON"),
};

static const struct option_spec spec = {
    .program = "rota-bench",
    .usage = "SCENARIO (--rotad PATH | --url URL --key-file FILE) [OPTION]...",
    .about = "Loads a broker and says what it held. Scenarios: publish (durable publishes), cycle "
             "(publish, lease, finish), idle (publish to delivery), restart (kill -9 under load), "
             "look (why, status and next on a deep queue). "
             "Never loads an environment named production.",
    .rows = rows,
    .n = ARRAY_LEN(rows),
};

static const struct scenario scenarios[] = {
    {"publish", publish_run, false}, {"cycle", cycle_run, false}, {"idle", idle_run, false},
    {"restart", restart_run, true},  {"look", look_run, false},
};

static const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

static void interrupt(int signal)
{
    load_interrupted = 1;
}

static void signals_init(void)
{
    struct sigaction action = {.sa_handler = interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int fault_say(int fault)
{
    char trace[512];
    fprintf(stderr, "rota-bench: %s (%s)\n", strerror(-fault), err_trace(trace, sizeof trace));
    return EXIT_IO;
}

static int run(const struct scenario *scenario, const struct settings *settings)
{
    struct bench b = {.settings = settings};
    b.figures.system = "rota";
    b.figures.scenario = scenario->name;
    figures_count(&b.figures, "accounts", settings->accounts);
    figures_count(&b.figures, "in_flight", settings->in_flight);
    figures_count(&b.figures, "bulk", settings->bulk);
    int r = bench_open(&b);
    if (r == 0)
        r = scenario->run(&b);
    bench_close(&b);
    if (r == 0)
        r = figures_print(&b.figures, settings->json);
    if (r != 0)
        return r < 0 ? fault_say(r) : r;
    return b.figures.fails ? EXIT_JOB_FAILED : EXIT_OK;
}

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "rota-bench: %s%s. Try rota-bench --help.\n", what, value);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    int n = 0;
    AUTO_FREE char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest || sodium_init() < 0)
        return EXIT_IO;
    int r = option_parse(&spec, argc, argv, &settings, rest, &n);
    if (r < 0)
        return fault_say(r);
    if (r != 0)
        return r == OPTION_HELP ? EXIT_OK : r == OPTION_CONFIG ? EXIT_CONFIG : EXIT_USAGE;
    if (n != 1)
        return usage("one scenario is needed", "");
    const struct scenario *scenario = scenario_find(rest[0]);
    if (!scenario)
        return usage("there is no scenario ", rest[0]);
    if (scenario->needs_broker && !settings.rotad)
        return usage(rest[0], " kills its broker, so it needs --rotad");
    signals_init();
    return run(scenario, &settings);
}
