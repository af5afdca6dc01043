/* test_runner_exec.c: the contract of --runner exec:PATH, word for word, with real programs: what
 * the program is given, what its exit means, what becomes of its progress and its output. Operators
 * write their runners against this, in whatever language. */
#undef NDEBUG
#include "build.h"

#include <assert.h>
#include <base/clock.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct {
    pthread_mutex_t lock;
    char log[1 << 20];
    size_t log_n;
    unsigned changes, chunks;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_change(void *arg)
{
    pthread_mutex_lock(&seen.lock);
    seen.changes++;
    pthread_mutex_unlock(&seen.lock);
}

static int on_log(void *arg, const void *p, size_t n)
{
    assert_true(n > 0 && n <= 32768);
    pthread_mutex_lock(&seen.lock);
    size_t room = sizeof seen.log - 1 - seen.log_n, take = n < room ? n : room;
    memcpy(seen.log + seen.log_n, p, take);
    seen.log_n += take;
    seen.log[seen.log_n] = '\0';
    seen.chunks++;
    pthread_mutex_unlock(&seen.lock);
    return 0;
}

static char folder[] = "/tmp/rota-test-XXXXXX";
static char program[64];
static struct build_state last;

/* Runs `script` as a runner program; `stop_ms` > 0 raises a cancel after so long. */
static struct build_result run(const char *script)
{
    FILE *f = fopen(program, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fchmod(fileno(f), 0755), 0);
    assert_int_equal(fclose(f), 0);
    seen.log_n = seen.changes = seen.chunks = 0;
    seen.log[0] = '\0';
    const struct build_host_config config = {.changed = on_change, .send = on_log};
    AUTO(build_host) host = NULL;
    assert_int_equal(build_host_new(&config, &host), 0);
    const struct runner_settings settings = {.path = program, .is_on_host = true};
    struct build b = {.host = host,
                      .settings = &settings,
                      .job = "job_0123",
                      .account = "acme; rm -rf /",
                      .tier = "P2",
                      .attempt = 2,
                      .spec = "{\"a\": 1}",
                      .spec_bytes = 8,
                      .stop_fd = build_host_stop_fd(host)};
    struct build_result result = {0};
    assert_int_equal(runner_exec.run(&b, &result), 0);
    build_log_finish(host);
    build_state_read(host, &last);
    return result;
}

static void the_program_gets_the_job_and_nothing_else(void **state)
{
    setenv("ROTA_KEY", "the key", 1);
    struct build_result r = run("cat; echo; tr '\\0' '\\n' </proc/$$/environ | sort");
    unsetenv("ROTA_KEY");
    assert_int_equal(r.outcome, BUILD_SUCCEEDED);
    assert_string_equal(
        seen.log,
        "{\"a\": 1}\n"
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "ROTA_ACCOUNT=acme; rm -rf /\nROTA_ATTEMPT=2\nROTA_JOB_ID=job_0123\nROTA_TIER=P2\n");
    assert_int_equal(r.phases, 1);
    assert_string_equal(r.phase[0].name, "run");
}

static void exits_mean_what_the_contract_says(void **state)
{
    static const struct {
        const char *script;
        enum build_outcome outcome;
        enum error_code error;
        const char *text;
    } row[] = {
        {"exit 0", BUILD_SUCCEEDED, E_OK, ""},
        {"exit 75", BUILD_FAULT, E_RUNNER_FAULT,
         "the runner ended with 75: an infrastructure fault"},
        {"exit 1", BUILD_FAILED, E_RUNNER_FAILED, "the runner ended with exit status 1"},
        {"exit 127", BUILD_FAILED, E_RUNNER_FAILED, "the runner ended with exit status 127"},
        {"kill -9 $$", BUILD_FAILED, E_RUNNER_FAILED, "the runner was ended by signal 9 (Killed)"},
        {"kill -SEGV $$", BUILD_FAILED, E_RUNNER_FAILED,
         "the runner was ended by signal 11 (Segmentation fault)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct build_result r = run(row[i].script);
        assert_int_equal(r.outcome, row[i].outcome);
        assert_int_equal(r.error, row[i].error);
        assert_string_equal(r.text, row[i].text);
    }
    printf("exits: %zu of %zu as the contract says\n", ARRAY_LEN(row), ARRAY_LEN(row));
}

static void progress_lines_become_progress(void **state)
{
    run("cat >&3 <<'X'\n{\"phase\":\"pack\",\"percent\":10}\n"
        "{\"percent\":42.9,\"message\":\"half\\n way\"}\nX");
    assert_string_equal(last.phase, "pack"); /* what a line leaves out stays */
    assert_int_equal(last.percent, 42);
    assert_string_equal(last.message, "half  way");
    assert_int_equal(seen.changes, 2);
    run("echo '{\"phase\":\"../../x y\",\"percent\":1e300}' >&3");
    assert_string_equal(last.phase, "x-y"); /* a NAME of the protocol, whatever was sent */
    assert_int_equal(last.percent, 100);
}

static void bad_progress_lines_are_noted_once(void **state)
{
    struct build_result r = run("for i in 1 2 3 4 5; do echo 'not json' >&3; echo '[1]' >&3; "
                                "echo '{\"percent\":\"x\"}' >&3; echo '{\"phase\":{}}' >&3; done; "
                                "echo '{\"phase\":\"good\",\"percent\":7}' >&3");
    assert_int_equal(r.outcome, BUILD_SUCCEEDED);
    assert_string_equal(last.phase, "good");
    const char *note = strstr(seen.log, "[rota-worker: a progress line on fd 3 was ignored");
    assert_non_null(note);
    assert_null(strstr(note + 1, "[rota-worker"));
}

static void a_flood_of_progress_is_throttled(void **state)
{
    run("i=0; while [ $i -lt 20000 ]; do echo '{\"phase\":\"p'$i'\",\"percent\":1}'; i=$((i+1)); "
        "done >&3");
    printf("progress flood: 20000 lines, %u read\n", seen.changes);
    assert_in_range(seen.changes, 100, 1500);
    assert_string_equal(last.phase, "p19999"); /* and the last word counts */
}

static void a_flood_of_log_keeps_its_end_and_says_what_it_lost(void **state)
{
    uint64_t began_ms = clock_boot_ms();
    struct build_result r = run("yes 0123456789abcdef | head -c 20000000; echo; echo the end");
    uint64_t ms = clock_boot_ms() - began_ms;
    assert_int_equal(r.outcome, BUILD_SUCCEEDED);
    assert_string_equal(seen.log + seen.log_n - 8, "the end\n");
    assert_non_null(strstr(seen.log, "bytes of log dropped]"));
    assert_true(seen.log_n < sizeof seen.log - 1);
    printf("log flood: 20000000 bytes written, %zu sent in %u chunks, %llu ms\n", seen.log_n,
           seen.chunks, (unsigned long long)ms);
}

static void *cancel_later(void *host)
{
    poll(NULL, 0, 300);
    build_stop_raise(host, BUILD_CANCELLED);
    return NULL;
}

static void a_cancel_ends_it_as_stopped(void **state)
{
    FILE *f = fopen(program, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\ntrap '' TERM\nsleep 1000 & sleep 1000\n");
    assert_int_equal(fclose(f), 0);
    const struct build_host_config config = {.send = on_log};
    AUTO(build_host) host = NULL;
    assert_int_equal(build_host_new(&config, &host), 0);
    const struct runner_settings settings = {.path = program, .is_on_host = true};
    struct build b = {.host = host,
                      .settings = &settings,
                      .job = "job_0",
                      .account = "a",
                      .tier = "P0",
                      .stop_fd = build_host_stop_fd(host)};
    struct build_result result = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_later, host), 0);
    uint64_t began_ms = clock_boot_ms();
    assert_int_equal(runner_exec.run(&b, &result), 0);
    uint64_t ms = clock_boot_ms() - began_ms;
    pthread_join(thread, NULL);
    assert_int_equal(result.outcome, BUILD_STOPPED);
    assert_int_equal(build_stopped(&b), BUILD_CANCELLED);
    assert_in_range(ms, 300, 2300);
    build_stop_raise(host, BUILD_TIMED_OUT); /* the first reason stays, but for a lost lease */
    assert_int_equal(build_stopped(&b), BUILD_CANCELLED);
    build_stop_raise(host, BUILD_LOST);
    assert_int_equal(build_stopped(&b), BUILD_LOST);
}

static void the_check_says_what_it_found(void **state)
{
    char said[RUNNER_SAID_MAX];
    struct runner_settings s = {.path = "/bin/true", .is_on_host = true};
    assert_int_equal(runner_exec.check(&s, said), 0);
    printf("check: %s\n", said);
    assert_non_null(strstr(said, "pid-namespace=yes"));
    s.path = "/no/such";
    assert_int_equal(runner_exec.check(&s, said), RUNNER_UNUSABLE);
    s.path = "true"; /* never searched for */
    assert_int_equal(runner_exec.check(&s, said), RUNNER_UNUSABLE);
}

static int setup(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(program, sizeof program, "%s/runner", folder);
    return 0;
}

static int teardown(void **state)
{
    unlink(program);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_gets_the_job_and_nothing_else),
        cmocka_unit_test(exits_mean_what_the_contract_says),
        cmocka_unit_test(progress_lines_become_progress),
        cmocka_unit_test(bad_progress_lines_are_noted_once),
        cmocka_unit_test(a_flood_of_progress_is_throttled),
        cmocka_unit_test(a_flood_of_log_keeps_its_end_and_says_what_it_lost),
        cmocka_unit_test(a_cancel_ends_it_as_stopped),
        cmocka_unit_test(the_check_says_what_it_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
