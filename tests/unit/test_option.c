/* test_option.c: shows that one table feeds flags, environment, drop-ins and file, in that order of
 * strength, and that a mistake in any of them is refused with its place instead of being ignored.
 */
#undef NDEBUG
#include <base/auto.h>
#include <base/file.h>
#include <base/option.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
    const char *data, *config;
    uint64_t lease_ms;
    bool json;
    struct option_list listen;
};

static const struct option_row rows[] = {
    OPTION_STR(struct settings, data, "data", "DIR", "/var/lib/rota", "where the database lives"),
    OPTION_STR(struct settings, config, "config", "FILE", "/no/such/rota.conf", "configuration"),
    OPTION_U64(struct settings, lease_ms, "lease-ms", "MS", 30000, 1000, 1800000, "silence"),
    OPTION_FLAG(struct settings, json, "json", "print JSON"),
    OPTION_LIST(struct settings, listen, "listen", "URL", "address"),
};
static const struct option_spec spec = {
    .program = "rotad",
    .usage = "--data DIR --listen URL...",
    .about = "The broker.",
    .rows = rows,
    .n = ARRAY_LEN(rows),
    .file_option = "config",
};

static char folder[] = "/tmp/rota-option-XXXXXX";
static char file[64], dropins[64], first[80], second[80], told[80];
static char *rest[32];
static int rest_n;
static struct settings got;

/* Runs the parser on the words behind "rotad"; what it says on stderr lands in `said`. */
static char said[4096];

static int run(const char *const words[])
{
    char *argv[32] = {(char *)"rotad"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    int saved = dup(STDERR_FILENO), to = open(told, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && to >= 0);
    dup2(to, STDERR_FILENO);
    memset(&got, 0xee, sizeof got);
    int r = option_parse(&spec, argc, argv, &got, rest, &rest_n);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(to, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = 0;
    close(to);
    unlink(told);
    return r;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void put(const char *path, const char *text)
{
    assert_int_equal(file_write(path, 0600, text, strlen(text)), 0);
}

static int each_setup(void **state)
{
    (void)state;
    unsetenv("ROTA_DATA");
    unsetenv("ROTA_LEASE_MS");
    unsetenv("ROTA_CONFIG");
    unsetenv("ROTA_JSON");
    unsetenv("ROTA_LISTEN");
    unlink(file);
    unlink(first);
    unlink(second);
    return 0;
}

static void test_the_table_gives_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(RUN(), 0);
    assert_string_equal(got.data, "/var/lib/rota");
    assert_int_equal(got.lease_ms, 30000);
    assert_false(got.json);
    assert_int_equal(got.listen.n, 0);
    assert_int_equal(rest_n, 0);
}

static void test_flags_take_their_value_either_way(void **state)
{
    (void)state;
    assert_int_equal(RUN("--data", "/a", "--lease-ms=5000", "--json", "--listen", "ipc:///x",
                         "--listen=tcp://127.0.0.1:1"),
                     0);
    assert_string_equal(got.data, "/a");
    assert_int_equal(got.lease_ms, 5000);
    assert_true(got.json);
    assert_int_equal(got.listen.n, 2);
    assert_string_equal(got.listen.item[0], "ipc:///x");
    assert_string_equal(got.listen.item[1], "tcp://127.0.0.1:1");
}

static void test_what_is_no_option_is_handed_back(void **state)
{
    (void)state;
    assert_int_equal(RUN("publish", "--json", "-", "job", "--", "--data", "x"), 0);
    static const char *const want[] = {"publish", "-", "job", "--data", "x"};
    assert_int_equal(rest_n, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(rest[i], want[i]);
    assert_string_equal(got.data, "/var/lib/rota");
    assert_true(got.json);
}

static void test_flag_beats_environment_beats_dropin_beats_file(void **state)
{
    (void)state;
    put(file,
        "# comment\ndata = \"/file\"\nlease-ms = 2000\nlisten = {\"ipc:///f1\", \"ipc:///f2\"}\n"
        "json = yes\n");
    assert_int_equal(RUN("--config", file), 0);
    assert_string_equal(got.data, "/file");
    assert_int_equal(got.lease_ms, 2000);
    assert_int_equal(got.listen.n, 2);
    assert_true(got.json);
    put(second, "data = /second\n");
    put(first, "data = /first\nlease-ms = 3000\nlisten = {ipc:///d}\n");
    assert_int_equal(RUN("--config", file), 0);
    assert_string_equal(got.data, "/second"); /* 20-b comes after 10-a */
    assert_int_equal(got.lease_ms, 3000);
    assert_int_equal(got.listen.n, 1); /* a list replaces the one below it */
    assert_string_equal(got.listen.item[0], "ipc:///d");
    setenv("ROTA_DATA", "/environment", 1);
    setenv("ROTA_LEASE_MS", "4000", 1);
    setenv("ROTA_JSON", "no", 1);
    assert_int_equal(RUN("--config", file), 0);
    assert_string_equal(got.data, "/environment");
    assert_int_equal(got.lease_ms, 4000);
    assert_false(got.json);
    assert_int_equal(RUN("--config", file, "--data", "/flag", "--listen", "ipc:///flag"), 0);
    assert_string_equal(got.data, "/flag");
    assert_int_equal(got.listen.n, 1);
    assert_string_equal(got.listen.item[0], "ipc:///flag");
    setenv("ROTA_CONFIG", file, 1);
    unsetenv("ROTA_DATA");
    assert_int_equal(RUN("x"), 0);
    assert_string_equal(got.data, "/second"); /* the environment may name the file */
    assert_int_equal(rest_n, 1);
}

static void test_a_wrong_flag_is_a_usage_error(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *says;
    } cases[] = {
        {{"--dta", "x"}, "--dta: no such option"},
        {{"--data"}, "--data: needs a value"},
        {{"-d"}, "-d: no such option"},
        {{"--lease-ms", "999"}, "\"999\" is not a number from 1000 to 1800000"},
        {{"--lease-ms", "1800001"}, "not a number from"},
        {{"--lease-ms", "12x"}, "not a number from"},
        {{"--lease-ms", "-5"}, "not a number from"},
        {{"--lease-ms", ""}, "not a number from"},
        {{"--lease-ms", "99999999999999999999"}, "not a number from"},
        {{"--json=maybe"}, "neither yes nor no"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(run(cases[i].words), OPTION_USAGE);
        if (!strstr(said, cases[i].says))
            fail_msg("case %zu said: %s", i, said);
    }
    printf("%zu wrong flags told\n", ARRAY_LEN(cases));
}

static void test_a_wrong_file_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *says;
    } cases[] = {
        {"data = /x\n\nlaese-ms = 5\n", 3, "laese-ms"},
        {"lease-ms = 10\n", 1, "not a number from 1000"},
        {"\n\njson = perhaps\n", 3, "neither yes nor no"},
        {"data = /x\ndata\n", 0, ""},
        {"listen = {\"ipc:///a\"\n", 0, ""},
        {"section { data = /x }\n", 1, "section"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char place[100];
        put(file, cases[i].text);
        int r = RUN("--config", file);
        if (r != OPTION_CONFIG)
            fail_msg("case %zu gave %d", i, r);
        snprintf(place, sizeof place, "rotad: %s:%d:", file, cases[i].line);
        if ((cases[i].line && !strstr(said, place)) || !strstr(said, cases[i].says))
            fail_msg("case %zu said: %s", i, said);
        assert_true(said[0] != 0);
    }
    printf("%zu wrong files told\n", ARRAY_LEN(cases));
}

static void test_a_file_that_was_named_must_be_there(void **state)
{
    (void)state;
    assert_int_equal(RUN("--config", "/no/such/file"), OPTION_CONFIG);
    assert_non_null(strstr(said, "/no/such/file"));
    setenv("ROTA_LEASE_MS", "soon", 1);
    assert_int_equal(RUN(), OPTION_CONFIG);
    assert_non_null(strstr(said, "ROTA_LEASE_MS"));
}

static void test_a_list_has_an_end(void **state)
{
    (void)state;
    const char *words[OPTION_LIST_MAX + 2] = {0};
    for (int i = 0; i < 31; i++)
        words[i] = "--listen=ipc:///x";
    assert_int_equal(run(words), 0);
    assert_int_equal(got.listen.n, 31);
    char text[2000] = "listen = {";
    size_t n = strlen(text);
    for (int i = 0; i < OPTION_LIST_MAX + 1; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%sipc:///%d", i ? ", " : "", i);
    snprintf(text + n, sizeof text - n, "}\n");
    put(file, text);
    assert_int_equal(RUN("--config", file), OPTION_CONFIG);
    assert_non_null(strstr(said, "at most 32"));
}

static void test_help_shows_every_row(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    assert_non_null(to);
    option_help(&spec, to);
    fclose(to);
    static const char *const want[] = {"Usage: rotad --data DIR", "--data DIR",
                                       "--lease-ms MS",           "1000 to 1800000, default: 30000",
                                       "default: /var/lib/rota",  "--json",
                                       "may be repeated",         "--version"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        if (!strstr(text, want[i]))
            fail_msg("no \"%s\" in:\n%s", want[i], text);
    free(text);
}

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    snprintf(file, sizeof file, "%s/rota.conf", folder);
    snprintf(dropins, sizeof dropins, "%s/rota.conf.d", folder);
    snprintf(first, sizeof first, "%s/10-a.conf", dropins);
    snprintf(second, sizeof second, "%s/20-b.conf", dropins);
    snprintf(told, sizeof told, "%s/stderr", folder);
    return mkdir(dropins, 0700);
}

static int group_teardown(void **state)
{
    each_setup(state);
    rmdir(dropins);
    return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_setup(f, each_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_table_gives_the_defaults),
        TEST(test_flags_take_their_value_either_way),
        TEST(test_what_is_no_option_is_handed_back),
        TEST(test_flag_beats_environment_beats_dropin_beats_file),
        TEST(test_a_wrong_flag_is_a_usage_error),
        TEST(test_a_wrong_file_is_told_with_its_line),
        TEST(test_a_file_that_was_named_must_be_there),
        TEST(test_a_list_has_an_end),
        TEST(test_help_shows_every_row),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
