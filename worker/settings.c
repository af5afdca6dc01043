/* settings.c: the option table of rota-worker and what follows from it.
 *
 * The credential is no option: an argument could be read by everybody on the machine. It comes from
 * the key file, which nobody else may read, or from ROTA_KEY, which is taken out of our own
 * environment as soon as it is read. */
#include "settings.h"

#include "text.h"

#include <base/exit.h>
#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { KEY_FILE_BYTES_MAX = 4096, CLASSES_MAX = 16 };

#define TIB (1024ull * 1024 * 1024 * 1024)
#define GIB (1024ull * 1024 * 1024)
#define MIB (1024ull * 1024)

static const struct option_row rows[] = {
    OPTION_STR(struct worker_settings, url, "url", "URL", NULL,
               "the broker: ipc:///PATH, tcp://HOST:PORT or tls+tcp://HOST:PORT"),
    OPTION_STR(struct worker_settings, key_file, "key-file", "FILE", NULL,
               "file with the key in its first line and the environment's name in its second; mode "
               "0600. Instead: ROTA_KEY"),
    OPTION_STR(struct worker_settings, environment, "environment", "NAME", NULL,
               "the broker's environment; default: the key file's second line"),
    OPTION_U64(struct worker_settings, slots, "slots", "N", 2, 1, AGENT_SLOTS_MAX,
               "jobs at one time"),
    OPTION_STR(struct worker_settings, pool, "pool", "NAME", NULL,
               "pool to serve; default: the name of the first class"),
    OPTION_LIST(struct worker_settings, class, "class", "NAME",
                "class to serve; may be repeated; default: bundle and heat, or task with exec:"),
    OPTION_STR(struct worker_settings, runner, "runner", "RUNNER", "bundle",
               "bundle, or exec:PATH to run PATH for each job"),
    OPTION_FLAG(struct worker_settings, exec_host, "exec-host",
                "exec: PATH runs without a sandbox and sees what the worker sees; for programs and "
                "jobs that you trust"),
    OPTION_LIST(
        struct worker_settings, exec_read, "exec-read", "PATH",
        "exec: a file or folder of this machine that PATH may read, as /in/NAME; may be repeated"),
    OPTION_U64(struct worker_settings, idle_exit, "idle-exit", "SECONDS", 0, 0, 604800,
               "leave after so long without a job, unless the pool is heated; 0: never"),
    OPTION_U64(struct worker_settings, drain_report, "drain-report", "SECONDS", 60, 10, 604800,
               "draining, and no job runs any more: how long to try to report to a broker that is "
               "away; then leave with 75"),
    OPTION_STR(struct worker_settings, name, "name", "NAME", NULL,
               "this worker's name, unique in its pool; default: host name and process id"),
    OPTION_U64(struct worker_settings, workspace_bytes, "workspace-bytes", "N", 4 * GIB, 64 * MIB,
               TIB, "size limit of one job's workspace in memory"),
    OPTION_STR(struct worker_settings, cache_dir, "cache-dir", "DIR", NULL,
               "what builds leave for later ones: packages, shared transforms, bytecode; none: "
               "nothing; default: /var/cache/rota for root, else the user's cache folder"),
    OPTION_U64(struct worker_settings, cache_bytes, "cache-bytes", "N", 8 * GIB, MIB, 1024 * TIB,
               "size limit of that folder; what was not used for the longest time goes first"),
    OPTION_LIST(
        struct worker_settings, allow_registry, "allow-registry", "HOST[:PORT]",
        "registry that an app's .npmrc or .yarnrc.yml may name; may be repeated; default: "
        "only the one of this machine's npm configuration. A private address must be listed "
        "as such"),
    OPTION_LIST(struct worker_settings, git_host, "git-host", "HOST[:PORT]",
                "host that sources git: may come from; may be repeated; default: github.com, "
                "gitlab.com"),
    OPTION_STR(struct worker_settings, cgroup, "cgroup", "FOLDER", NULL,
               "cgroup v1: the folder below each controller that was made for this worker; without "
               "it, or a cgroup v2 of its own, a watchdog keeps the limits"),
    OPTION_FLAG(struct worker_settings, allow_swap, "allow-swap",
                "work although memory of builds, and so sources, could be written to a swap area "
                "that is not encrypted"),
    OPTION_STR(struct worker_settings, explain, "explain", "PHASE", NULL,
               "print what the programs of a phase may see and use (all: of every phase), and end"),
    OPTION_STR(struct worker_settings, tls_ca, "tls-ca", "FILE", NULL,
               "tls+tcp: PEM file of the authority that signed the broker's certificate"),
    OPTION_STR(
        struct worker_settings, tls_cert_key, "tls-cert-key", "FILE", NULL,
        "tls+tcp: PEM file with our own certificate and key, for a broker that asks for one"),
    OPTION_STR(struct worker_settings, config, "config", "FILE", NULL,
               "configuration file: NAME = VALUE of any option here"),
};

static const struct option_spec spec = {
    .program = "rota-worker",
    .usage =
        "--url URL --key-file FILE [--slots N] [--pool NAME] [--class NAME]... [--runner RUNNER]",
    .about =
        "Takes jobs from rotad, runs them, and reports progress and results. SIGTERM lets running "
        "jobs end and takes no more; a second SIGTERM kills them, and they go back to the queue.",
    .rows = rows,
    .n = ARRAY_LEN(rows),
    .file_option = "config",
};

static int complain(int exit_code, const char *what, const char *hint)
{
    fprintf(stderr, "rota-worker: %s\n  %s\n", what, hint);
    return exit_code;
}

int settings_read(int argc, char **argv, struct worker_settings *ret_settings, bool *ret_done)
{
    char **rest AUTO_FREE = calloc((size_t)argc + 1, sizeof *rest);
    int rest_n = 0;
    if (!rest)
        return complain(EXIT_TRY_AGAIN, "out of memory", "free some");
    int r = option_parse(&spec, argc, argv, ret_settings, rest, &rest_n);
    *ret_done = r == OPTION_HELP;
    if (r == OPTION_HELP)
        return 0;
    if (r == OPTION_USAGE)
        return EXIT_USAGE;
    if (r != 0)
        return EXIT_CONFIG;
    if (rest_n > 0)
        return complain(EXIT_USAGE, "takes no arguments besides options", "see rota-worker --help");
    if (!ret_settings->url && !ret_settings->explain)
        return complain(EXIT_USAGE, "no --url", "say where the broker is: --url ipc:///PATH");
    return 0;
}

/* ---- the runner ---- */

static const struct {
    const struct runner *runner;
} runners[] = {{&runner_exec}, {&runner_bundle}};

static int runner_choose(struct worker_settings *s)
{
    const char *colon = strchr(s->runner, ':');
    size_t n = colon ? (size_t)(colon - s->runner) : strlen(s->runner);
    for (size_t i = 0; i < ARRAY_LEN(runners); i++) {
        const struct runner *r = runners[i].runner;
        if (strlen(r->name) == n && strncmp(r->name, s->runner, n) == 0)
            s->chosen = r;
    }
    bool wants_path = s->chosen == &runner_exec;
    if (!s->chosen || wants_path != (colon && colon[1]))
        return complain(EXIT_USAGE, "no such --runner", "use bundle, or exec:PATH");
    if (!wants_path && (s->exec_host || s->exec_read.n))
        return complain(EXIT_USAGE, "--exec-host and --exec-read are for --runner exec:PATH",
                        "leave them out, or name the program: --runner exec:PATH");
    s->for_runner = (struct runner_settings){.path = wants_path ? colon + 1 : NULL,
                                             .is_on_host = s->exec_host,
                                             .read = s->exec_read.item,
                                             .read_n = s->exec_read.n,
                                             .environment = s->environment,
                                             .workspace_bytes = s->workspace_bytes,
                                             .registries = s->allow_registry.item,
                                             .registries_n = s->allow_registry.n,
                                             .git_hosts = s->git_host.item,
                                             .git_hosts_n = s->git_host.n,
                                             .cache_dir = s->cache_dir,
                                             .cache_bytes = s->cache_bytes,
                                             .cgroup = s->cgroup,
                                             .allow_swap = s->allow_swap,
                                             .slots = s->slots};
    return 0;
}

static int name_make(struct worker_settings *s)
{
    char host[256] = "", text[320];
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "%.48s-%d", host[0] ? host : "worker", (int)getpid());
    text_word(s->name ? s->name : text, s->worker, sizeof s->worker);
    if (s->worker[0] == '\0' || (s->name && strcmp(s->name, s->worker) != 0))
        return complain(EXIT_USAGE, "--name is no name",
                        "use at most 64 of a-z A-Z 0-9 . _ -, the first a letter or digit");
    return 0;
}

int settings_complete(struct worker_settings *s)
{
    int r = runner_choose(s);
    if (r == 0)
        r = name_make(s);
    if (r != 0)
        return r;
    if (s->class.n > CLASSES_MAX)
        return complain(EXIT_USAGE, "more than 16 --class", "start another worker for the rest");
    for (size_t i = 0; i < s->class.n; i++)
        s->classes[s->classes_n++] = s->class.item[i];
    for (size_t i = 0; s->class.n == 0 && s->chosen->class[i]; i++)
        s->classes[s->classes_n++] = s->chosen->class[i];
    if (!s->pool)
        s->pool = s->classes[0];
    return 0;
}

/* ---- the key ---- */

static char *line_take(char **text)
{
    char *line = *text;
    char *end = line + strcspn(line, "\n");
    *text = *end ? end + 1 : end;
    while (end > line && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return line;
}

static int key_file_read(struct worker_settings *s)
{
    char *text = NULL;
    size_t n = 0;
    int r = file_read_secret(s->key_file, KEY_FILE_BYTES_MAX, &text, &n);
    char what[512];
    if (r == -EPERM) {
        snprintf(what, sizeof what, "%s can be read by others", s->key_file);
        return complain(EXIT_CONFIG, what,
                        "chmod 600 it, and change the key if others use this machine");
    }
    if (r < 0) {
        snprintf(what, sizeof what, "%s cannot be read: %s", s->key_file, strerror(-r));
        return complain(EXIT_CONFIG, what,
                        "--key-file names the file that `rota key create` or `rotad init` wrote");
    }
    char *at = text;
    s->credential = strdup(line_take(&at));
    s->environment_owned = strdup(line_take(&at));
    sodium_memzero(text, n);
    free(text);
    return s->credential && s->environment_owned ? 0 : EXIT_TRY_AGAIN;
}

static int key_environment_read(struct worker_settings *s)
{
    char *key = getenv("ROTA_KEY");
    if (!key || !key[0])
        return complain(EXIT_CONFIG, "no key", "set --key-file, ROTA_KEY_FILE or ROTA_KEY");
    s->credential = strdup(key);
    sodium_memzero(key, strlen(key));
    unsetenv("ROTA_KEY");
    return s->credential ? 0 : EXIT_TRY_AGAIN;
}

int settings_read_key(struct worker_settings *s)
{
    int r = s->key_file ? key_file_read(s) : key_environment_read(s);
    if (r != 0)
        return r;
    if (!s->environment)
        s->environment = s->environment_owned;
    s->for_runner.environment = s->environment;
    if (!s->environment || !s->environment[0])
        return complain(
            EXIT_CONFIG, "the broker's environment is not known",
            "set --environment or ROTA_ENVIRONMENT, or put it into the key file's second line");
    return 0;
}

void settings_forget_key(struct worker_settings *s)
{
    if (s->credential)
        sodium_memzero(s->credential, strlen(s->credential));
    free(s->credential);
    s->credential = NULL;
}
