/* explain.c: the sandbox's command line with placeholders for what differs from build to build, put
 * into words by a table. TOOLS, NET and AUTHORITIES are folders of
 * the agent's own, JOB is the job's tmpfs. An
 * option that the table does not know is printed as it stands: nothing is hidden. */
#include "explain.h"

#include "sandbox.h"

#include <base/auto.h>
#include <inttypes.h>
#include <string.h>

enum { ARENA_BYTES = 256 * 1024 };

DEFINE_FREEP(arena)

static const struct option_words {
    const char *option;
    int args;
    const char *words; /* NULL: says nothing about what a program sees */
} options[] = {
    {"--ro-bind", 2, "mount ro"},
    {"--ro-bind-try", 2, "mount ro"},
    {"--bind", 2, "mount rw"},
    {"--proc", 1, "mount proc"},
    {"--dev", 1, "mount dev"},
    {"--symlink", 2, "link"},
    {"--dir", 1, "folder"},
    {"--remount-ro", 1, "sealed"},
    {"--setenv", 2, "env"},
    {"--clearenv", 0, NULL},
    {"--share-net", 0, NULL},
    {"--json-status-fd", 1, NULL},
    {"--seccomp", 1, NULL},
    {"--chdir", 1, "starts in"},
    {"--uid", 1, "uid"},
    {"--gid", 1, "gid"},
    {"--hostname", 1, "hostname"},
    {"--cap-drop", 1, "no capabilities"},
    {"--unshare-user", 0, NULL},
    {"--unshare-all", 0, NULL},
    {"--die-with-parent", 0, NULL},
    {"--disable-userns", 0, "no user namespaces inside"},
    {"--new-session", 0, NULL},
};

static const struct option_words *words_of(const char *option)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (strcmp(options[i].option, option) == 0)
            return &options[i];
    return NULL;
}

static const char *const *option_print(const char *const *v, FILE *to)
{
    const struct option_words *w = words_of(*v);
    if (!w) {
        fprintf(to, "option %s\n", *v);
        return v + 1;
    }
    if (w->words && strcmp(w->words, "env") == 0)
        fprintf(to, "env %s=%s\n", v[1], v[2]);
    else if (w->words && w->args == 2)
        fprintf(to, "%s %s %s\n", w->words, v[1], v[2]);
    else if (w->words)
        fprintf(to, "%s%s%s\n", w->words, w->args ? " " : "", w->args ? v[1] : "");
    return v + 1 + w->args;
}

static void command_print(const char *const *v, FILE *to)
{
    for (v += 2; *v && strcmp(*v, "--") != 0; v++) /* behind "rota-box confine" */
        fprintf(to, "rlimit %s\n", *v);
    fprintf(to, "command");
    for (v += *v != NULL; *v; v++)
        fprintf(to, " %s", *v);
    fprintf(to, "\n");
}

static void limits_print(const struct runner_settings *s, const struct step *step, FILE *to)
{
    for (size_t i = 0; limits_tier(i); i++) {
        struct limits l = limits_of(limits_tier(i), s->workspace_bytes);
        if (step->is_proxy)
            l = limits_of_proxy(l);
        fprintf(to,
                "limit %s memory_bytes=%" PRIu64 " workspace_bytes=%" PRIu64
                " tasks=%u cpus=%u wall_ms=%" PRIu64 "\n",
                limits_tier(i), l.memory_bytes, l.workspace_bytes, l.tasks, l.cpus, l.wall_ms);
    }
}

static void rule_print(void *arg, const char *rule)
{
    fprintf(arg, "deny %s\n", rule);
}

static void rule_count(void *arg, const char *rule)
{
    (void)arg;
    (void)rule;
}

static const struct sandbox_mount modules_extra[] = {
    {"MODULES/node_modules", "/w/app/node_modules", false},
    {"JOB/modules-cache", "/w/app/node_modules/.cache", true},
    {"CACHE/layer", "/layer/PLATFORM", false},
};
static const struct sandbox_mount keep_extra[] = {{"CACHE/new", "/w/keep", true}};

static bool is_keep(const struct step *step)
{
    return step == &steps[STEP_KEEP] || step == &steps[STEP_MERGE];
}

const struct sandbox_mount *explain_extra(const struct step *step, size_t *ret_n)
{
    /* Each further mount is for fewer steps than the one before. */
    size_t modules = 1u + step->has_modules_cache + step->has_layer;
    *ret_n = is_keep(step) ? ARRAY_LEN(keep_extra) : step->has_modules ? modules : 0;
    return is_keep(step) ? keep_extra : modules_extra;
}

int explain_step(const struct runner_settings *s, const struct step *step, FILE *to)
{
    static const struct tools tools = {.bwrap = "bwrap",
                                       .always = "TOOLS",
                                       .net = "AUTHORITIES",
                                       .has_cafile = true,
                                       .has_extra_ca = true,
                                       .npm_cli = "/rota/npm/bin/npm-cli.js"};
    static const struct space space = {.path = "JOB", .fd = -1};
    struct limits limits = limits_of(NULL, s->workspace_bytes);
    if (step->is_proxy)
        limits = limits_of_proxy(limits);
    struct sandbox_run run = {
        .tools = &tools, .space = &space, .step = step, .limits = &limits, .net = "NET"};
    AUTO(arena) arena = NULL;
    const char *const *v = NULL;
    run.extra = explain_extra(step, &run.extra_n);
    for (enum word i = WORD_NONE; i < WORD_COUNT; i++)
        run.words[i] = plan_word(i);
    int r = arena_new(ARENA_BYTES, &arena);
    if (r == 0)
        r = sandbox_line(&run, arena, &v);
    if (r < 0)
        return err_pass(r);
    fprintf(to, "step %s, phase %s\nnetwork %s\n", step->name, step->phase,
            step->is_proxy  ? "host: the addresses of its list"
            : step->has_net ? "proxy: loopback of its own, and behind it the proxy's list"
                            : "no");
    for (v++; *v && strcmp(*v, "--") != 0;)
        v = option_print(v, to);
    if (*v)
        command_print(v + 1, to);
    if (step->is_ahead)
        fprintf(to, "begins ahead of its time and waits for its last input on fd 6\n");
    limits_print(s, step, to);
    if (step->has_modules || is_keep(step))
        fprintf(to, "cache dir=%s bytes_max=%" PRIu64 "\n",
                s->cache_dir ? s->cache_dir : "(the default)", s->cache_bytes);
    fprintf(to, "filter %zu rules\n", filter_rules(step->filter, rule_count, NULL));
    filter_rules(step->filter, rule_print, to);
    return 0;
}

int explain(const struct runner_settings *s, const char *phase, FILE *to)
{
    unsigned printed = 0;
    for (size_t i = 0; i < STEP_COUNT; i++) {
        const struct step *step = &steps[i];
        if (strcmp(phase, "all") != 0 && strcmp(phase, step->phase) != 0 &&
            strcmp(phase, step->name) != 0)
            continue;
        fprintf(to, "%s", printed++ ? "\n" : "");
        int r = explain_step(s, step, to);
        if (r < 0)
            return err_pass(r);
    }
    return printed ? 0 : RUNNER_UNUSABLE;
}
