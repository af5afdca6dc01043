/* test_plan.c: what `rota-worker --explain` prints is what the sandbox would run: for each step of
 * the plan, every mount, variable, limit and word of the command that stands in bubblewrap's
 * command line stands in the text, and the text has none that does not. An explanation that differs
 * would have an operator trust a wall that is not there. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <cmocka.h>
#include <explain.h>
#include <phase.h>
#include <sandbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DEFINE_FREEP(arena)

static const struct runner_settings settings = {.workspace_bytes = 123456789};

static char *explained(const char *phase, int *ret)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    assert_non_null(to);
    *ret = explain(&settings, phase, to);
    fclose(to);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at++)
        if ((at == text || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}

static size_t lines_with(const char *text, const char *begin)
{
    size_t n = 0;
    for (const char *at = text; *at;) {
        n += strncmp(at, begin, strlen(begin)) == 0;
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return n;
}

static const char *const *line_of(const struct step *step, struct arena *arena)
{
    static const struct tools tools = {.bwrap = "bwrap",
                                       .always = "TOOLS",
                                       .net = "AUTHORITIES",
                                       .has_cafile = true,
                                       .has_extra_ca = true,
                                       .npm_cli = "/rota/npm/bin/npm-cli.js"};
    static const struct space space = {.path = "JOB", .fd = -1};
    struct limits limits = limits_of("P3", settings.workspace_bytes);
    struct sandbox_run run = {
        .tools = &tools, .space = &space, .step = step, .limits = &limits, .net = "NET"};
    if (step->is_proxy)
        limits = limits_of_proxy(limits);
    run.extra = explain_extra(step, &run.extra_n);
    for (enum word i = WORD_NONE; i < WORD_COUNT; i++)
        run.words[i] = plan_word(i);
    const char *const *v = NULL;
    assert_int_equal(sandbox_line(&run, arena, &v), 0);
    return v;
}

struct counts {
    size_t mounts, env, net;
};

static void option_compare(const char *const *v, const char *text, struct counts *c)
{
    char want[512] = "";
    if (strcmp(*v, "--bind") == 0)
        snprintf(want, sizeof want, "mount rw %s %s", v[1], v[2]);
    else if (strncmp(*v, "--ro-bind", 9) == 0)
        snprintf(want, sizeof want, "mount ro %s %s", v[1], v[2]);
    else if (strcmp(*v, "--setenv") == 0)
        snprintf(want, sizeof want, "env %s=%s", v[1], v[2]);
    else if (strcmp(*v, "--share-net") == 0)
        c->net++;
    if (*want && !has_line(text, want))
        fail_msg("not explained: %s", want);
    c->env += strncmp(want, "env", 3) == 0;
    c->mounts += strncmp(want, "mount", 5) == 0;
}

static void command_compare(const char *const *v, const char *text)
{
    char want[1024] = "command";
    for (v += 3; strcmp(*v, "--") != 0; v++) {
        char limit[128];
        snprintf(limit, sizeof limit, "rlimit %s", *v);
        assert_true(has_line(text, limit));
    }
    for (v++; *v; v++) {
        size_t used = strlen(want);
        snprintf(want + used, sizeof want - used, " %s", *v);
    }
    if (!has_line(text, want))
        fail_msg("not explained: %s", want);
}

static void step_compare(const struct step *step)
{
    int r;
    AUTO(arena) arena = NULL;
    assert_int_equal(arena_new((size_t)256 * 1024, &arena), 0);
    AUTO_FREE char *text = explained(step->name, &r);
    assert_int_equal(r, 0);
    struct counts c = {0};
    const char *const *v = line_of(step, arena);
    for (; strcmp(*v, "--") != 0; v++)
        option_compare(v, text, &c);
    command_compare(v, text);
    assert_int_equal(lines_with(text, "mount ro ") + lines_with(text, "mount rw "), c.mounts);
    assert_int_equal(lines_with(text, "env "), c.env);
    assert_int_equal(lines_with(text, "option "), 0);
    assert_int_equal(lines_with(text, step->is_proxy  ? "network host"
                                      : step->has_net ? "network proxy"
                                                      : "network no"),
                     1);
    assert_int_equal(c.net, step->is_proxy); /* --share-net */
    assert_int_equal(lines_with(text, "limit "), 4);
    printf("%s: %zu mounts, %zu variables, %zu rules\n", step->name, c.mounts, c.env,
           lines_with(text, "deny "));
}

static void each_step_is_explained_as_it_runs(void **state)
{
    for (size_t i = 0; i < STEP_COUNT; i++)
        step_compare(&steps[i]);
}

static void rules_are_as_many_as_said(void **state)
{
    int r;
    char want[64];
    AUTO_FREE char *text = explained("metro", &r);
    snprintf(want, sizeof want, "filter %zu rules", lines_with(text, "deny "));
    assert_true(has_line(text, want));
    assert_true(lines_with(text, "deny ") > 70);
}

static void every_step_belongs_to_a_phase(void **state)
{
    for (size_t i = 0; i < STEP_COUNT; i++) {
        bool is_known = i == STEP_PROBE && strcmp(steps[i].phase, "check") == 0;
        for (size_t p = 0; p < phases_n; p++)
            is_known = is_known || strcmp(phases[p].name, steps[i].phase) == 0;
        assert_true(is_known);
    }
}

static size_t steps_of(const char *phase)
{
    size_t n = 0;
    for (size_t i = 0; i < STEP_COUNT; i++)
        n += strcmp(steps[i].phase, phase) == 0;
    return n;
}

/* Whoever has the host's network sees no file of any app and no token, and whoever sees a file of
 * one has a forwarder and a loopback address of its own. */
static void one_step_has_the_hosts_network_and_nothing_else(void **state)
{
    unsigned proxies = 0, forwarded = 0;
    for (size_t i = 0; i < STEP_COUNT; i++) {
        int r;
        AUTO_FREE char *text = explained(steps[i].name, &r);
        bool has_files = lines_with(text, "mount ro JOB") + lines_with(text, "mount rw JOB") > 0;
        bool has_net_folder = has_line(text, "mount ro NET /net");
        proxies += steps[i].is_proxy;
        forwarded += steps[i].has_net;
        assert_false(steps[i].is_proxy && (has_files || has_net_folder || steps[i].has_net));
        assert_int_equal(has_net_folder, steps[i].has_net);
        assert_int_equal(lines_with(text, "command /rota/box forward /net/proxy.sock 3128 -- "),
                         steps[i].has_net);
        assert_int_equal(has_line(text, "mount ro /etc/resolv.conf /etc/resolv.conf"),
                         steps[i].is_proxy);
    }
    assert_int_equal(proxies, 1);
    assert_true(forwarded >= 2);
    printf("%u steps reach a list of hosts, through 1 proxy\n", forwarded);
}

static void phases_and_all_are_found_and_others_not(void **state)
{
    int r;
    AUTO_FREE char *install = explained("install", &r);
    assert_int_equal(lines_with(install, "step "), steps_of("install"));
    AUTO_FREE char *all = explained("all", &r);
    assert_int_equal(r, 0);
    assert_int_equal(lines_with(all, "step "), STEP_COUNT);
    assert_int_equal(lines_with(all, "network host"), 1);
    AUTO_FREE char *none = explained("nonsense", &r);
    assert_int_equal(r, RUNNER_UNUSABLE);
    assert_string_equal(none, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_is_explained_as_it_runs),
        cmocka_unit_test(rules_are_as_many_as_said),
        cmocka_unit_test(every_step_belongs_to_a_phase),
        cmocka_unit_test(one_step_has_the_hosts_network_and_nothing_else),
        cmocka_unit_test(phases_and_all_are_found_and_others_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
