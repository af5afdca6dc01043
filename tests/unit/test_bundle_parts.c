/* test_bundle_parts.c: the judgements of the bundle runner that need no sandbox: what a line on fd
 * 3 may say, which of npm's settings reach a build, which URLs carry an object, and what a tool's
 * last words mean. They decide whose fault a failed build is, and whether a secret can leak into
 * one. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/clock.h>
#include <carry.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <feedback.h>
#include <npmrc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <verdict.h>
#include <words.h>

/* ---- feedback ---- */

static double last_share;
static unsigned shares;

static void on_share(void *arg, double share, const char *message)
{
    last_share = share;
    shares++;
}

static struct feedback heard(const char *line)
{
    struct feedback f = {.progress = on_share};
    feedback_line(&f, line, strlen(line), false);
    return f;
}

static void an_error_line_gives_name_and_place(void **state)
{
    struct feedback f = heard("{\"type\":\"error\",\"name\":\"BUNDLE_SYNTAX\",\"text\":\"no\","
                              "\"file\":\"src/a.ts\",\"line\":3,\"column\":7}");
    assert_int_equal(f.error, E_BUNDLE_SYNTAX);
    assert_string_equal(f.file, "src/a.ts");
    assert_int_equal(f.line, 3);
    assert_int_equal(f.column, 7);
}

static void no_app_can_blame_the_machine(void **state)
{
    unsigned believed = 0;
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        char line[200];
        const struct error_row *row = error_row((enum error_code)code);
        snprintf(line, sizeof line, "{\"type\":\"error\",\"name\":\"%s\"}", row->name);
        struct feedback f = heard(line);
        assert_true(f.error == E_BUNDLE_FAILED || f.error == (enum error_code)code);
        assert_false(error_row(f.error)->retryable);
        assert_true(error_row(f.error)->class == ERROR_USER ||
                    error_row(f.error)->class == ERROR_LIMIT);
        believed += f.error == (enum error_code)code;
    }
    assert_true(believed > 10);
    assert_int_equal(heard("{\"type\":\"error\"}").error, E_BUNDLE_FAILED);
    assert_int_equal(heard("{\"type\":\"error\",\"name\":\"NO_SUCH\"}").error, E_BUNDLE_FAILED);
    print_message("%u of %d names believed\n", believed, ERROR_CODE_COUNT - 1);
}

static void tools_and_wishes_are_heard(void **state)
{
    struct feedback f = heard("{\"type\":\"tools\",\"hermesc\":\"/w/app/node_modules/h/hermesc\","
                              "\"compose\":\"/etc/passwd\",\"versions\":{\"metro\":\"0.84.6\","
                              "\"react-native\":\"0.86.3\",\"hermesc\":7}}");
    assert_string_equal(f.hermesc, "/w/app/node_modules/h/hermesc");
    assert_string_equal(f.compose, "");
    assert_string_equal(f.metro, "0.84.6");
    assert_string_equal(f.react_native, "0.86.3");
    assert_string_equal(f.hermesc_version, "");
    f = heard("{\"type\":\"done\",\"engines\":\"^22.13.0 || \\u001b[31m>=24\"}");
    assert_true(f.is_done);
    assert_null(strchr(f.engines, 27));
}

static void the_first_error_counts(void **state)
{
    struct feedback f = heard("{\"type\":\"error\",\"name\":\"METRO_CONFIG\",\"text\":\"a\"}");
    const char *second = "{\"type\":\"error\",\"name\":\"BUNDLE_SYNTAX\",\"text\":\"b\"}";
    feedback_line(&f, second, strlen(second), false);
    assert_int_equal(f.error, E_METRO_CONFIG);
    assert_string_equal(f.text, "a");
}

static void texts_come_without_control_characters(void **state)
{
    struct feedback f = heard(
        "{\"type\":\"error\",\"name\":\"METRO_CONFIG\",\"text\":\"a\\u001b[31mb\\u0007\\nc\"}");
    for (const char *p = f.text; *p; p++)
        assert_true((unsigned char)*p >= 0x20);
}

static void tools_lie_in_the_app(void **state)
{
    struct feedback f = heard("{\"type\":\"tools\",\"hermesc\":\"/w/app/x/hermesc\","
                              "\"compose\":\"/usr/bin/true\"}");
    assert_string_equal(f.hermesc, "/w/app/x/hermesc");
    assert_string_equal(f.compose, "");
    assert_string_equal(heard("{\"type\":\"tools\",\"hermesc\":\"/w/app/../x\"}").hermesc, "");
}

static void nonsense_is_ignored(void **state)
{
    static const char *const lines[] = {"",
                                        "[",
                                        "7",
                                        "null",
                                        "{}",
                                        "{\"type\":7}",
                                        "{\"type\":\"new\"}",
                                        "\xff\xfe",
                                        "{\"type\":\"progress\",\"share\":7}",
                                        "{\"type\":\"progress\",\"share\":-1}"};
    shares = 0;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct feedback f = heard(lines[i]);
        assert_int_equal(f.error, E_OK);
        assert_false(f.is_done);
    }
    assert_int_equal(shares, 0);
    heard("{\"type\":\"progress\",\"share\":0.25,\"done\":1,\"total\":4}");
    assert_int_equal(shares, 1);
    assert_true(last_share == 0.25);
}

/* ---- npm's settings ---- */

static void settings_come_through_and_secrets_do_not(void **state)
{
    struct npmrc rc;
    assert_int_equal(npmrc_write("npm warn something\n"
                                 "cafile=/etc/ca.pem\n"
                                 "registry=https://r.example/npm/\n"
                                 "proxy=null\n"
                                 "https-proxy=http://user:secret@p.example:1\n"
                                 "noproxy=\n"
                                 "//r.example/:_authToken=secret\n"
                                 "_auth=secret\n"
                                 "strict-ssl=true\n"
                                 "script-shell=/bin/evil\n",
                                 &rc),
                     0);
    assert_non_null(strstr(rc.text, "\nregistry=https://r.example/npm/\n"));
    assert_non_null(strstr(rc.text, "\ncafile=/net/cafile\n"));
    assert_non_null(strstr(rc.text, "\nstrict-ssl=true\n"));
    assert_non_null(strstr(rc.text, "ignore-scripts=true\n"));
    assert_string_equal(rc.cafile, "/etc/ca.pem");
    assert_null(strstr(rc.text, "secret"));
    assert_null(strstr(rc.text, "p.example"));
    assert_null(strstr(rc.text, "evil"));
    /* The operator's own proxy is for the agent's to ask; a build knows one on its loopback. */
    assert_non_null(strstr(rc.text, "\nhttps-proxy=http://127.0.0.1:3128\n"));
    assert_non_null(strstr(rc.text, "\nproxy=http://127.0.0.1:3128\n"));
    assert_non_null(strstr(rc.text, "\nnoproxy=\n"));
    assert_string_equal(rc.proxy, "http://user:secret@p.example:1");
    assert_string_equal(rc.registry, "https://r.example/npm/");
}

static void no_cafile_gives_none(void **state)
{
    struct npmrc rc;
    assert_int_equal(npmrc_write("cafile=null\nregistry=https://r.example/\n", &rc), 0);
    assert_string_equal(rc.cafile, "");
    assert_null(strstr(rc.text, "cafile"));
}

/* ---- URLs ---- */

static void only_plain_file_urls_are_carried(void **state)
{
    static const struct {
        const char *url;
        int outcome;
        const char *path;
    } rows[] = {
        {"file:///a/b", 0, "/a/b"},
        {"file:///a%20b/%c3%a4", 0, "/a b/\xc3\xa4"},
        {"https://h/a", CARRY_SCHEME, NULL},
        {"http://h/a", CARRY_SCHEME, NULL},
        {"s3://h/a", CARRY_SCHEME, NULL},
        {"/a/b", CARRY_SCHEME, NULL},
        {"", CARRY_SCHEME, NULL},
        {"file://host/a", CARRY_BAD_URL, NULL},
        {"file://", CARRY_BAD_URL, NULL},
        {"file:///a/../b", CARRY_BAD_URL, NULL},
        {"file:///a/%2e%2e/b", CARRY_BAD_URL, NULL},
        {"file:///a/..", CARRY_BAD_URL, NULL},
        {"file:///a%00b", CARRY_BAD_URL, NULL},
        {"file:///a%0ab", CARRY_BAD_URL, NULL},
        {"file:///a%4", CARRY_BAD_URL, NULL},
        {"file:///a%zz", CARRY_BAD_URL, NULL},
        {"file:///a?b", CARRY_BAD_URL, NULL},
        {"file:///a#b", CARRY_BAD_URL, NULL},
    };
    char path[CARRY_PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(carry_path(rows[i].url, path), rows[i].outcome);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
    }
    print_message("%zu URLs judged\n", ARRAY_LEN(rows));
}

static void a_put_is_new_whole_and_exact(void **state)
{
    char top[] = "/tmp/rota-carry-XXXXXX", url[128], path[64], link_path[64];
    int back = -1;
    struct stat st;
    assert_non_null(mkdtemp(top));
    snprintf(path, sizeof path, "%s/object", top);
    snprintf(link_path, sizeof link_path, "%s/link", top);
    snprintf(url, sizeof url, "file://%s", path);
    AUTO_FD fd = memfd_create("product", MFD_CLOEXEC);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    struct carry c = {.url = url, .size = 8, .stop_fd = -1};
    assert_int_equal(carry_get(&c, &back), CARRY_GONE);
    assert_int_equal(carry_put(&c, fd), 0); /* it has grown since it was hashed */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8);
    assert_int_equal(carry_put(&c, fd), CARRY_FAILED); /* never over another object */
    assert_string_equal(c.why, strerror(EEXIST));
    assert_int_equal(unlink(path), 0);
    c.size = 99;
    assert_int_equal(carry_put(&c, fd), CARRY_FAILED); /* it has shrunk */
    assert_int_equal(stat(path, &st), -1);             /* and nothing is left */
    assert_int_equal(symlink("/etc/passwd", link_path), 0);
    snprintf(url, sizeof url, "file://%s", link_path);
    assert_int_equal(carry_get(&c, &back), CARRY_FAILED);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(top), 0);
}

static void a_flood_of_lines_is_not_read(void **state)
{
    enum { LINES = 200000 };
    struct feedback f = {.progress = on_share};
    static const char line[] = "{\"type\":\"progress\",\"share\":0.5}",
                      other[] = "{\"type\":\"x\"}";
    uint64_t from_ms = clock_boot_ms();
    shares = 0;
    for (int i = 0; i < LINES; i++)
        feedback_line(&f, line, sizeof line - 1, false);
    uint64_t seconds = (clock_boot_ms() - from_ms) / 1000 + 2;
    printf("progress flood: %d lines, %u read\n", LINES, shares);
    assert_true(shares >= 100 && shares <= 100 * seconds);
    for (int i = 0; i < LINES; i++)
        feedback_line(&f, other, sizeof other - 1, false);
    static const char done[] = "{\"type\":\"done\"}";
    feedback_line(&f, done, sizeof done - 1, false);
    assert_false(f.is_done); /* who says more than any tool does is not heard any more */
}

/* ---- words ---- */

static unsigned fetched, log_lines;
static size_t log_bytes;

static void on_fetched(void *arg)
{
    fetched++;
}

static void on_log(void *arg, const char *line, size_t n)
{
    log_lines++;
    log_bytes += n;
}

static void npm_lines_become_progress(void **state)
{
    static struct words w = {.line = on_log, .fetched = on_fetched};
    static const char text[] =
        "npm http fetch GET 200 x\nadded 2 packages\nnpm http fetch GET 200 y\n"
        "no newline";
    fetched = log_lines = 0;
    words_begin(&w);
    for (size_t i = 0; i < sizeof text - 1; i++)
        words_add(&w, text + i, 1);
    words_end(&w);
    assert_int_equal(fetched, 2);
    assert_int_equal(log_lines, 2);
    assert_string_equal(w.tail, "added 2 packages\nno newline");
}

static void a_flood_keeps_the_newest(void **state)
{
    static struct words w = {.line = on_log, .fetched = on_fetched};
    char line[100];
    log_bytes = 0;
    words_begin(&w);
    for (int i = 0; i < 100000; i++)
        words_add(&w, line, (size_t)snprintf(line, sizeof line, "line %d\n", i));
    words_add(&w, "\0last", 5);
    words_end(&w);
    assert_true(strlen(w.tail) <= WORDS_TAIL_MAX);
    assert_non_null(strstr(w.tail, "line 99999\n"));
    assert_non_null(strstr(w.tail, " last"));
    assert_true(log_bytes > 1000000);
}

/* ---- verdict: what ended it ---- */

static void causes_of_death_are_told_apart(void **state)
{
    static const struct {
        int outcome, status;
        const char *said;
        enum build_outcome how;
        enum error_code error;
    } rows[] = {
        {SANDBOX_STOPPED, -1, "", BUILD_STOPPED, E_OK},
        {SANDBOX_DEADLINE, -1, "", BUILD_FAILED, E_TIMED_OUT},
        {SANDBOX_MEMORY, -1, "", BUILD_FAILED, E_OUT_OF_MEMORY},
        {SANDBOX_MEMORY, 0, "bundled\n", BUILD_FAILED, E_OUT_OF_MEMORY},
        {SANDBOX_TASKS, 134, "", BUILD_FAILED, E_PIDS_LIMIT},
        {0, 134, "JavaScript heap out of memory\n", BUILD_FAILED, E_OUT_OF_MEMORY},
        {0, 70, "ENOSPC: no space left\n", BUILD_FAILED, E_WORKSPACE_FULL},
        {0, 70, "EFBIG: file too large\n", BUILD_FAILED, E_WORKSPACE_FULL},
        {0, 139, "", BUILD_FAULT, E_BUILD_CRASHED},
        {0, 137, "", BUILD_FAULT, E_BUILD_CRASHED},
        {0, 1, "", BUILD_FAILED, E_COMPILE_FAILED},
        {SANDBOX_BROKEN, -1, "bwrap: no\n", BUILD_FAULT, E_SANDBOX_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct build_result result;
        static struct work w;
        result = (struct build_result){0};
        w = (struct work){.result = &result, .words = {.line = on_log}};
        words_begin(&w.words);
        words_add(&w.words, rows[i].said, strlen(rows[i].said));
        words_end(&w.words);
        assert_int_equal(verdict_step(&w, &steps[STEP_COMPILE], rows[i].outcome, rows[i].status),
                         WORK_ENDED);
        assert_int_equal(result.outcome, rows[i].how);
        assert_int_equal(result.error, rows[i].error);
    }
    printf("%zu ends told apart\n", ARRAY_LEN(rows));
}

static void what_terminals_obey_is_cut_out(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\033[31mred\033[0m\n", "red\n"},
        {"\033]0;title\007text\n", "text\n"},
        {"\033]8;;http://h.example\033\\link\033]8;;\033\\\n", "link\n"},
        {"\033[2J\033[H\033cgone?\n", "gone?\n"},
        {"\033P+q544e\033\\dcs\n", "dcs\n"},
        {"a\rb\bc\x7f\n", "a b c \n"},
        {"line\r\n", "line\n"},
        {"\xc2\x9b"
         "31m\n",
         " 31m\n"},
        {"bad \xff\x9b utf-8\n", "bad ?? utf-8\n"},
        {"gr\xc3\xbc\xc3\x9f\n", "gr\xc3\xbc\xc3\x9f\n"},
        {"open end \033[", "open end "},
    };
    static struct words w = {.line = on_log, .fetched = on_fetched};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        words_begin(&w);
        words_add(&w, rows[i].in, strlen(rows[i].in));
        words_end(&w);
        assert_string_equal(w.tail, rows[i].out);
    }
}

static void the_gist_is_npms_own_words(void **state)
{
    char gist[200];
    verdict_gist("npm warn old\nnpm error code EUSAGE\nnpm error\nnpm error out of step\n"
                 "npm error A complete log of this run can be found in: x\n",
                 gist, sizeof gist);
    assert_string_equal(gist, "code EUSAGE; out of step");
    verdict_gist("info x\nerror Your lockfile needs to be updated\ninfo Visit it\n", gist,
                 sizeof gist);
    assert_string_equal(gist, "Your lockfile needs to be updated");
    verdict_gist("Progress\n\u2009ERR_PNPM_OUTDATED_LOCKFILE  out of date\n\nRun it\n", gist,
                 sizeof gist);
    assert_string_equal(gist, "ERR_PNPM_OUTDATED_LOCKFILE  out of date");
    verdict_gist("one\ntwo\nthree\nfour\n", gist, sizeof gist);
    assert_string_equal(gist, "two; three; four");
    verdict_gist("", gist, sizeof gist);
    assert_string_equal(gist, "");
}

static bool sees(const struct step *step, const char *from)
{
    for (size_t i = 0; i < STEP_MOUNTS_MAX && step->mounts[i].at; i++)
        if (strcmp(step->mounts[i].from, from) == 0)
            return true;
    return false;
}

/* A step that begins ahead of its time must not reach what others write meanwhile: a standby what
 * fetches and installs of a build that it may not fit, the composer what hermesc writes. */
static void what_begins_ahead_writes_alone(void **state)
{
    (void)state;
    unsigned compared = 0;
    for (size_t a = 0; a < STEP_COUNT; a++)
        for (size_t b = 0; steps[a].is_ahead && b < STEP_COUNT; b++)
            for (size_t i = 0; b != a && i < STEP_MOUNTS_MAX && steps[a].mounts[i].at; i++) {
                assert_false(steps[a].mounts[i].is_writable &&
                             sees(&steps[b], steps[a].mounts[i].from));
                compared++;
            }
    assert_true(compared > 100);
    assert_false(steps[STEP_COMPILE].has_modules_cache || steps[STEP_COMPOSE].has_modules_cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_begins_ahead_writes_alone),
        cmocka_unit_test(an_error_line_gives_name_and_place),
        cmocka_unit_test(no_app_can_blame_the_machine),
        cmocka_unit_test(tools_and_wishes_are_heard),
        cmocka_unit_test(the_first_error_counts),
        cmocka_unit_test(texts_come_without_control_characters),
        cmocka_unit_test(tools_lie_in_the_app),
        cmocka_unit_test(nonsense_is_ignored),
        cmocka_unit_test(a_flood_of_lines_is_not_read),
        cmocka_unit_test(settings_come_through_and_secrets_do_not),
        cmocka_unit_test(no_cafile_gives_none),
        cmocka_unit_test(only_plain_file_urls_are_carried),
        cmocka_unit_test(a_put_is_new_whole_and_exact),
        cmocka_unit_test(npm_lines_become_progress),
        cmocka_unit_test(a_flood_keeps_the_newest),
        cmocka_unit_test(causes_of_death_are_told_apart),
        cmocka_unit_test(what_terminals_obey_is_cut_out),
        cmocka_unit_test(the_gist_is_npms_own_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
