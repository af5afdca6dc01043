/* test_watchdog.c: the watchdog sees all that a child started, whoever its parent is by now, and
 * nothing of anybody else; and a child whose tick says so is killed. Real processes. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/clock.h>
#include <child.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <watchdog.h>

#define MIB (1024ull * 1024)

static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};

struct looks {
    struct watchdog_seen most;
    unsigned n;
    uint64_t memory_most;
    uint32_t tasks_most;
};

static int look(void *arg, pid_t init)
{
    struct looks *l = arg;
    struct watchdog_seen seen = {0};
    assert_int_equal(watchdog_look("/proc", init, &seen), 0);
    l->n++;
    if (seen.memory_bytes > l->most.memory_bytes)
        l->most.memory_bytes = seen.memory_bytes;
    if (seen.tasks > l->most.tasks)
        l->most.tasks = seen.tasks;
    if (seen.processes > l->most.processes)
        l->most.processes = seen.processes;
    return (l->memory_most && seen.memory_bytes > l->memory_most) ||
           (l->tasks_most && seen.tasks > l->tasks_most);
}

static int run(const char *const *argv, struct looks *l)
{
    const struct child_spec spec = {.argv = argv,
                                    .env = env,
                                    .stop_fd = -1,
                                    .deadline_ms = clock_boot_ms() + 20000,
                                    .tick = look,
                                    .tick_ms = 50,
                                    .arg = l};
    struct child_end end;
    return child_run(&spec, &end);
}

static void all_that_was_started_is_seen(void **state)
{
    /* Five sleepers: two of them orphans in sessions of their own. */
    const char *const argv[] = {"/bin/sh", "-c",
                                "(setsid sleep 1 &); (setsid sleep 1 &); sleep 1 & sleep 1 & "
                                "sleep 1; true",
                                NULL};
    struct looks l = {0};
    assert_int_equal(run(argv, &l), 0);
    printf("sleepers: %u processes seen at most, %u looks\n", l.most.processes, l.n);
    assert_int_equal(l.most.processes, 7); /* with init and sh */
}

static void threads_and_memory_count(void **state)
{
    const char *const argv[] = {
        "/usr/bin/python3", "-c",
        "import threading,time\n"
        "held=bytearray(b'x'*(200<<20))\n"
        "t=[threading.Thread(target=time.sleep,args=(0.6,)) for _ in range(20)]\n"
        "[x.start() for x in t]\n",
        NULL};
    struct looks l = {0};
    assert_int_equal(run(argv, &l), 0);
    printf("python: %llu MiB and %u tasks seen at most\n",
           (unsigned long long)(l.most.memory_bytes / MIB), l.most.tasks);
    assert_true(l.most.memory_bytes >= 200 * MIB && l.most.memory_bytes < 500 * MIB);
    assert_int_equal(l.most.tasks, 22);
}

static void what_holds_too_much_is_killed(void **state)
{
    const char *const argv[] = {"/usr/bin/python3", "-c",
                                "import time\n"
                                "held=[]\n"
                                "while True: held.append(b'x'*(8<<20)); time.sleep(0.01)\n",
                                NULL};
    struct looks l = {.memory_most = 128 * MIB};
    uint64_t from_ms = clock_boot_ms();
    assert_int_equal(run(argv, &l), CHILD_TICK);
    printf("memory: killed at %llu MiB of 128 after %llu ms\n",
           (unsigned long long)(l.most.memory_bytes / MIB),
           (unsigned long long)(clock_boot_ms() - from_ms));
    assert_true(l.most.memory_bytes < 512 * MIB);
}

static void what_is_gone_holds_nothing(void **state)
{
    struct watchdog_seen seen = {.tasks = 9};
    assert_int_equal(watchdog_look("/proc", 0x3fffffff, &seen), 0);
    assert_int_equal(seen.tasks, 0);
    assert_int_equal(seen.memory_bytes, 0);
    assert_true(watchdog_look("/nonexistent", 1, &seen) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_was_started_is_seen),
        cmocka_unit_test(threads_and_memory_count),
        cmocka_unit_test(what_holds_too_much_is_killed),
        cmocka_unit_test(what_is_gone_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
