/* test_registry_rc.c: what an app's .npmrc may say, and what becomes of it.
 *
 * Why it matters: the file comes from strangers and is read beside the operator's own settings. A
 * line too many could send packages or a token to another host, or switch off what keeps an install
 * from running code; and a secret that stands in it must be refused without being repeated. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <app_rc.h>
#include <base/auto.h>
#include <cmocka.h>
#include <registry_rc.h>
#include <routes.h>
#include <stdio.h>
#include <string.h>

#define SECRET "s3cr3t-in-the-clear"

static int read_line(const char *line, struct rc_row *row)
{
    return registry_rc_read(span_str(line), row);
}

static void settings_of_the_list_pass(void **state)
{
    static const struct {
        const char *line, *key, *value;
        enum rc_kind kind;
    } rows[] = {
        {"", "", "", RC_NOTHING},
        {"   # a comment = x", "", "", RC_NOTHING},
        {"; //h/:_authToken=" SECRET, "", "", RC_NOTHING},
        {"legacy-peer-deps=true", "legacy-peer-deps", "true", RC_SETTING},
        {"  legacy-peer-deps = \"true\" \r", "legacy-peer-deps", "true", RC_SETTING},
        {"legacy-peer-deps", "legacy-peer-deps", "true", RC_SETTING},
        {"node-linker=hoisted", "node-linker", "hoisted", RC_SETTING},
        {"public-hoist-pattern[]=*eslint*", "public-hoist-pattern[]", "*eslint*", RC_SETTING},
        {"registry=https://r.example/npm/", "registry", "https://r.example/npm/", RC_REGISTRY},
        {"@corp:registry=https://r.example:8443", "@corp:registry", "https://r.example:8443",
         RC_REGISTRY},
        {"//r.example/npm/:_authToken=${NPM_TOKEN}", "//r.example/npm/:_authToken", "${NPM_TOKEN}",
         RC_TOKEN},
        {"save-exact=true", "save-exact", "", RC_LEFT_OUT},
        {"cafile=/etc/passwd", "cafile", "", RC_LEFT_OUT},
        {"ignore-scripts=false", "ignore-scripts", "", RC_LEFT_OUT},
        {"script-shell=/bin/sh", "script-shell", "", RC_LEFT_OUT},
        {"https-proxy=http://evil.example", "https-proxy", "", RC_LEFT_OUT},
        {"globalconfig=/w/app/x", "globalconfig", "", RC_LEFT_OUT},
        {"git=/w/app/evil", "git", "", RC_LEFT_OUT},
        {"strict-ssl=false", "strict-ssl", "", RC_LEFT_OUT},
        {"node-options=--require x", "node-options", "", RC_LEFT_OUT},
        {"pnpmfile=x.js", "pnpmfile", "", RC_LEFT_OUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rc_row row;
        int r = read_line(rows[i].line, &row);
        if (r != 0 || row.kind != rows[i].kind || strcmp(row.key, rows[i].key) != 0 ||
            strcmp(row.value, rows[i].value) != 0)
            fail_msg("`%s`: %d, kind %d, `%s` = `%s`", rows[i].line, r, (int)row.kind, row.key,
                     row.value);
    }
    printf("%zu lines read\n", ARRAY_LEN(rows));
}

static void what_is_wrong_is_refused_without_its_value(void **state)
{
    static const struct {
        const char *line;
        int outcome;
    } rows[] = {
        {"//r.example/:_authToken=" SECRET, RC_SECRET},
        {"//r.example/:_authToken=x${NAME}", RC_SECRET},
        {"//r.example/:_authToken=${NAME}" SECRET, RC_SECRET},
        {"//r.example/:_authToken=${}", RC_SECRET},
        {"//r.example/:_authToken=${9A}", RC_SECRET},
        {"//r.example/:_authToken=${A-B}", RC_SECRET},
        {"//r.example/:_authToken", RC_SECRET},
        {"_authToken=" SECRET, RC_SECRET},
        {"_auth=" SECRET, RC_SECRET},
        {"//r.example/:_password=" SECRET, RC_SECRET},
        {"//r.example/:username=" SECRET, RC_SECRET},
        {"//r.example/:certfile=/x", RC_SECRET},
        {"key=" SECRET, RC_SECRET},
        {"//user@r.example/:_authToken=${NAME}", RC_SECRET},
        {"registry=http://r.example/", RC_WRONG},
        {"registry=https://user:" SECRET "@r.example/", RC_WRONG},
        {"registry=https://R.example/", RC_WRONG},
        {"registry=https://r.example/?x", RC_WRONG},
        {"registry=https://r.example/a/../b", RC_WRONG},
        {"registry=https://${HOST}/", RC_WRONG},
        {"registry=file:///etc", RC_WRONG},
        {"registry=//r.example/", RC_WRONG},
        {"@corp:registry=" SECRET, RC_WRONG},
        {"legacy-peer-deps=yes please", RC_WRONG},
        {"node-linker=../x", RC_WRONG},
        {"hoist-pattern[]=a b", RC_WRONG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rc_row row;
        int r = read_line(rows[i].line, &row);
        if (r != rows[i].outcome || row.kind != RC_NOTHING)
            fail_msg("`%s`: %d", rows[i].line, r);
        assert_null(memmem(&row, sizeof row, SECRET, sizeof SECRET - 1));
    }
    char with_nul[] = "registry=https://r.example/x";
    struct rc_row row;
    with_nul[12] = 0;
    assert_int_equal(registry_rc_read(span_of(with_nul, sizeof with_nul - 1), &row), RC_WRONG);
    char long_one[RC_VALUE_MAX + 64];
    int n = snprintf(long_one, sizeof long_one, "registry=https://r.example/");
    memset(long_one + n, 'a', sizeof long_one - (size_t)n);
    assert_int_equal(registry_rc_read(span_of(long_one, sizeof long_one), &row), RC_WRONG);
    printf("%zu lines refused\n", ARRAY_LEN(rows) + 2);
}

/* ---- the agent's half ---- */

static const struct build_var vars[] = {{"NPM_TOKEN=t0k3n", true},
                                        {"PLAIN=open", false},
                                        {"NPM=x", true},
                                        {"BREAK=a\nregistry=x", true},
                                        {"NEST=${HOME}", true}};

struct given {
    struct routes routes;
    struct build build;
    struct build_result result;
    struct app_rc *rc;
};

static void given_open(struct given *g)
{
    static const char *const listed[] = {"r.example", "127.0.0.1:4873"};
    static const struct runner_settings settings = {.registries = listed, .registries_n = 2};
    static const struct npmrc rc = {.registry = "https://main.example/npm/"};
    char why[ROUTES_WHY_MAX];
    *g = (struct given){.build = {.var = vars, .vars = ARRAY_LEN(vars)}};
    assert_int_equal(routes_read(&settings, &rc, &g->routes, why), 0);
    g->rc = calloc(1, sizeof *g->rc);
    assert_non_null(g->rc);
}

static int add(struct given *g, const char *line)
{
    return app_rc_add(g->rc, line, &g->routes, &g->build, &g->result);
}

static void a_token_reaches_its_line_alone(void **state)
{
    struct given g;
    given_open(&g);
    assert_int_equal(add(&g, "@corp:registry=https://r.example/npm/"), 0);
    assert_int_equal(add(&g, "//r.example/npm/:_authToken=${NPM_TOKEN}"), 0);
    assert_int_equal(add(&g, "@two:registry=https://127.0.0.1:4873"), 0);
    assert_int_equal(add(&g, "@corp:registry=https://r.example/other/"), 0);
    assert_int_equal(add(&g, "registry=https://main.example/npm/"), 0);
    assert_int_equal(add(&g, "legacy-peer-deps=true"), 0);
    assert_string_equal(g.rc->text, "@corp:registry=https://r.example/npm/\n"
                                    "//r.example/npm/:_authToken=t0k3n\n"
                                    "@two:registry=https://127.0.0.1:4873\n"
                                    "@corp:registry=https://r.example/other/\n"
                                    "registry=https://main.example/npm/\n"
                                    "legacy-peer-deps=true\n");
    assert_int_equal(g.rc->hosts.n, 3);
    assert_int_equal(routes_reach(&g.routes, &g.rc->hosts.host[0]), ROUTE_PRIVATE);
    assert_int_equal(routes_reach(&g.routes, &g.rc->hosts.host[1]), ROUTE_ANY);
    assert_int_equal(routes_reach(&g.routes, &g.rc->hosts.host[2]), ROUTE_ANY);
    g.rc = app_rc_free(g.rc);
}

static void the_agent_judges_again(void **state)
{
    static const struct {
        const char *line;
        enum error_code error;
        const char *says;
    } rows[] = {
        {"registry=https://evil.example/", E_REGISTRY_NOT_ALLOWED, "evil.example:443"},
        {"@a:registry=https://r.example:8443/", E_REGISTRY_NOT_ALLOWED, "r.example:8443"},
        {"//evil.example/:_authToken=${NPM_TOKEN}", E_REGISTRY_NOT_ALLOWED, "evil.example"},
        {"//127.0.0.1:4874/:_authToken=${NPM_TOKEN}", E_REGISTRY_NOT_ALLOWED, "127.0.0.1:4874"},
        {"//r.example/:_authToken=${NONE}", E_NPMRC_VARIABLE, "NONE"},
        {"//r.example/:_authToken=${NPM_}", E_NPMRC_VARIABLE, "NPM_"},
        {"//r.example/:_authToken=${PLAIN}", E_NPMRC_VARIABLE, "no secret"},
        {"//r.example/:_authToken=${BREAK}", E_NPMRC_VARIABLE, "BREAK"},
        {"//r.example/:_authToken=${NEST}", E_NPMRC_VARIABLE, "NEST"},
        {"//r.example/:_authToken=" SECRET, E_NPMRC_SECRET, "_authToken"},
        {"registry=http://r.example/", E_NPMRC_INVALID, "registry"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct given g;
        given_open(&g);
        assert_int_equal(add(&g, rows[i].line), APP_RC_REFUSED);
        if (g.result.error != rows[i].error || !strstr(g.result.text, rows[i].says))
            fail_msg("`%s`: %s", rows[i].line, g.result.text);
        assert_null(strstr(g.result.text, "t0k3n"));
        assert_null(strstr(g.result.text, SECRET));
        assert_null(strstr(g.result.text, "open"));
        assert_string_equal(g.rc->text, "");
        assert_false(error_row(g.result.error)->retryable);
        g.rc = app_rc_free(g.rc);
    }
    printf("%zu lines refused by the agent\n", ARRAY_LEN(rows));
}

/* Lines out of .yarnrc.yml: judged as the others, told by their own file's name, and nothing where
 * the manager is not Yarn 2 or later. */
static void the_lines_of_yarns_file_know_where_they_are_from(void **state)
{
    struct given g;
    given_open(&g);
    assert_int_equal(add(&g, "registry=https://main.example/npm/"), 0);
    assert_int_equal(add(&g, RC_OF_YARN), 0);
    assert_int_equal(add(&g, "registry=https://r.example/npm"), 0);
    assert_int_equal(add(&g, "//r.example/npm/:_authToken=${NPM_TOKEN}"), 0);
    assert_string_equal(g.rc->text, "registry=https://main.example/npm/\n"
                                    "registry=https://r.example/npm\n"
                                    "//r.example/npm/:_authToken=t0k3n\n");
    assert_int_equal(add(&g, "registry=https://evil.example/"), APP_RC_REFUSED);
    assert_non_null(strstr(g.result.text, "the app's .yarnrc.yml names the registry evil.example"));
    assert_int_equal(add(&g, "//r.example/:_authToken=${PLAIN}"), APP_RC_REFUSED);
    assert_non_null(strstr(g.result.text, "the app's .yarnrc.yml names ${PLAIN}"));
    g.rc = app_rc_free(g.rc);
    given_open(&g);
    g.rc->is_yarn_unread = true;
    assert_int_equal(add(&g, "registry=https://main.example/npm/"), 0);
    assert_int_equal(add(&g, RC_OF_YARN), 0);
    assert_int_equal(add(&g, "registry=https://evil.example/"), 0);
    assert_int_equal(add(&g, "//r.example/npm/:_authToken=${NPM_TOKEN}"), 0);
    assert_string_equal(g.rc->text, "registry=https://main.example/npm/\n");
    assert_int_equal(g.rc->hosts.n, 1);
    assert_false(g.rc->has_token);
    g.rc = app_rc_free(g.rc);
}

static void the_text_has_a_bound(void **state)
{
    struct given g;
    unsigned lines = 0;
    given_open(&g);
    while (add(&g, "hoist-pattern[]=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") == 0)
        lines++;
    assert_int_equal(g.result.error, E_NPMRC_INVALID);
    assert_true(lines > 100 && strlen(g.rc->text) <= APP_RC_TEXT_MAX);
    g.rc = app_rc_free(g.rc);
}

static void a_list_with_a_slip_is_refused_at_start(void **state)
{
    static const char *const bad[] = {"https://r.example", "R.example", "r.example:x", "::1", ""};
    static const struct npmrc rc = {.registry = "https://main.example/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct routes routes;
        char why[ROUTES_WHY_MAX] = "";
        const struct runner_settings a = {.registries = &bad[i], .registries_n = 1};
        assert_int_equal(routes_read(&a, &rc, &routes, why), ROUTES_INVALID);
        assert_non_null(strstr(why, "--allow-registry"));
        const struct runner_settings b = {.git_hosts = &bad[i], .git_hosts_n = 1};
        assert_int_equal(routes_read(&b, &rc, &routes, why), ROUTES_INVALID);
        assert_non_null(strstr(why, "--git-host"));
    }
}

static void hosts_reach_as_far_as_they_were_named(void **state)
{
    static const char *const git[] = {"git.corp.example", "10.0.0.7:3000"};
    static const struct runner_settings listed = {.git_hosts = git, .git_hosts_n = 2}, none = {0};
    static const struct npmrc rc = {.registry = "http://10.1.1.1:4873/"};
    struct routes routes;
    char why[ROUTES_WHY_MAX];
    struct host h = {.name = "github.com", .port = 443};
    assert_int_equal(routes_read(&none, &rc, &routes, why), 0);
    assert_true(routes.registry_is_plain && routes.registry.port == 4873);
    assert_true(routes_has_git(&routes, &h));
    assert_int_equal(routes_reach(&routes, &h), ROUTE_PUBLIC);
    assert_int_equal(routes_reach(&routes, &routes.registry), ROUTE_ANY);
    /* An app's tokens go to no registry in the clear. */
    assert_false(routes_has_registry(&routes, &routes.registry));
    assert_int_equal(routes_read(&listed, &rc, &routes, why), 0);
    assert_false(routes_has_git(&routes, &h));
    assert_int_equal(routes_reach(&routes, &routes.git_hosts.host[0]), ROUTE_PRIVATE);
    assert_int_equal(routes_reach(&routes, &routes.git_hosts.host[1]), ROUTE_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_the_list_pass),
        cmocka_unit_test(what_is_wrong_is_refused_without_its_value),
        cmocka_unit_test(a_token_reaches_its_line_alone),
        cmocka_unit_test(the_agent_judges_again),
        cmocka_unit_test(the_lines_of_yarns_file_know_where_they_are_from),
        cmocka_unit_test(the_text_has_a_bound),
        cmocka_unit_test(a_list_with_a_slip_is_refused_at_start),
        cmocka_unit_test(hosts_reach_as_far_as_they_were_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
