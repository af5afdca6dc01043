/* test_wake.c: when a pool's workers are sent for, and what the program that starts them is told.
 * It matters because with no workers at all nothing but this brings the first one, and because a
 * need that is none would start machines for nothing. */
#undef NDEBUG
#include "edge/wake.h"
#include "rota.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_MS = 1000000, SOON_MS = NOW_MS + 1, WORK = 7 };

static struct wake_need need_of(uint64_t ready, struct board_crew crew, uint32_t heat_slots,
                                uint64_t heat_until_ms)
{
    struct board_pool pool = {.ready = {0, ready, 0, 0},
                              .ring = {0, ready > 0, 0, 0},
                              .heat_slots = heat_slots,
                              .heat_until_ms = heat_until_ms};
    struct board_totals totals = {0};
    return wake_need(&pool, &crew, &totals, NOW_MS);
}

static void workers_are_sent_for_when_there_is_work_and_nobody(void **state)
{
    static const struct {
        uint64_t ready;
        struct board_crew crew;
        uint32_t heat_slots;
        uint64_t heat_until_ms;
        uint32_t wanted;
    } cases[] = {
        {0, {0}, 0, 0, 0},
        {WORK, {0}, 0, 0, WORK},
        {WORK, {.draining = 3}, 0, 0, WORK},            /* they take no more */
        {WORK, {.workers = 1, .slots = 1}, 0, 0, 0},    /* busy, but there */
        {0, {0}, 4, SOON_MS, 4},                        /* heated */
        {0, {.workers = 1, .slots = 3}, 4, SOON_MS, 4}, /* too few of them */
        {0, {.workers = 2, .slots = 4}, 4, SOON_MS, 0},
        {0, {0}, 4, NOW_MS, 0}, /* the heat is over */
        {WORK, {0}, 4, SOON_MS, WORK},
        {1, {0}, 4, SOON_MS, 4},
        {100000, {0}, 0, 0, WAKE_SLOTS_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wake_need need =
            need_of(cases[i].ready, cases[i].crew, cases[i].heat_slots, cases[i].heat_until_ms);
        assert_int_equal(need.slots_wanted, cases[i].wanted);
        assert_int_equal(need.slots, cases[i].crew.slots);
        assert_int_equal(need.backlog, cases[i].ready);
    }
    printf("%zu needs\n", sizeof cases / sizeof *cases);
}

/* Jobs that no worker could start wake none. */
static void jobs_behind_a_bar_wake_nobody(void **state)
{
    struct board_pool pool = {.ready = {0, 5, 0, 9}, .ring = {0, 2, 0, 0}};
    struct board_totals totals = {0};
    struct board_crew none = {0};
    assert_int_equal(wake_need(&pool, &none, &totals, NOW_MS).backlog, 5); /* P3: at their caps */
    totals.tier[1].bars = ROTA__BAR__BAR_PAUSED;
    assert_int_equal(wake_need(&pool, &none, &totals, NOW_MS).slots_wanted, 0);
    totals.tier[1].bars = 0;
    pool.bars = ROTA__BAR__BAR_PAUSED;
    assert_int_equal(wake_need(&pool, &none, &totals, NOW_MS).slots_wanted, 0);
}

static char *file_text(const char *path)
{
    static char text[4096];
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void script_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
}

static void the_program_is_told_and_knows_nothing_else(void **state)
{
    char dir[] = "/tmp/rota-wake-XXXXXX", script[64], out[64];
    struct wake_need need = {.backlog = 12, .slots = 1, .slots_wanted = 4};
    int status;
    pid_t pid;
    assert_non_null(mkdtemp(dir));
    snprintf(script, sizeof script, "%s/wake", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    script_write(script, "#!/bin/sh\nenv >\"$TMPDIR/out\"\necho \"args=$#\" >>\"$TMPDIR/out\"\n"
                         "ls /proc/self/fd | tr '\\n' ' ' >>\"$TMPDIR/out\"\nexit 3\n");
    assert_int_equal(setenv("TMPDIR", dir, 1), 0);
    assert_int_equal(setenv("ROTA_KEY", "hush", 1), 0);
    assert_int_equal(wake_run(script, "bundle", &need, &pid), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    const char *text = file_text(out);
    assert_non_null(strstr(text, "ROTA_POOL=bundle\n"));
    assert_non_null(strstr(text, "ROTA_BACKLOG=12\n"));
    assert_non_null(strstr(text, "ROTA_SLOTS_NOW=1\n"));
    assert_non_null(strstr(text, "ROTA_SLOTS_WANTED=4\n"));
    assert_non_null(strstr(text, "PATH="));
    assert_non_null(strstr(text, "args=0\n"));
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "\n0 1 2 3 ")); /* 3: ls itself */
    assert_null(strstr(text, " 4 "));
    unlink(out);
    unlink(script);
    rmdir(dir);
}

static void a_program_is_a_file_that_may_be_run(void **state)
{
    static const struct {
        const char *path;
        bool is_good;
    } cases[] = {{"/bin/sh", true},      {"sh", false},   {"bin/sh", false},      {"", false},
                 {"/etc/passwd", false}, {"/bin", false}, {"/nonexistent", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(wake_program_is_good(cases[i].path), cases[i].is_good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_sent_for_when_there_is_work_and_nobody),
        cmocka_unit_test(jobs_behind_a_bar_wake_nobody),
        cmocka_unit_test(the_program_is_told_and_knows_nothing_else),
        cmocka_unit_test(a_program_is_a_file_that_may_be_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
