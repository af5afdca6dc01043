/* test_confine.c: rota-box sets the limits that it is told and becomes the program; a program
 * cannot raise them again, nor leave its processors, and a limit that cannot be set ends it all. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/exit.h>
#include <cmocka.h>
#include <confine.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int confined(char **args)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(box_confine(args));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define ARGS(...) ((char *[]){__VA_ARGS__, NULL})

static void limits_hold_hard_and_soft(void **state)
{
    assert_int_equal(confined(ARGS((char *)"core=0", (char *)"nofile=77", (char *)"fsize=512000",
                                   (char *)"--", (char *)"/bin/bash", (char *)"-c",
                                   (char *)"[ $(ulimit -Hn) = 77 ] && [ $(ulimit -Sn) = 77 ] && "
                                           "[ $(ulimit -Hc) = 0 ] && [ $(ulimit -Hf) = 500 ]")),
                     0);
}

/* What the confined shell may run on, as the kernel writes it. */
static void runs_on(const char *word, const char *want)
{
    char script[256];
    snprintf(script, sizeof script,
             "while read -r name list; do [ $name = Cpus_allowed_list: ] && break; done "
             "</proc/self/status; [ $list = %s ] || { echo \"%s gives $list\"; exit 1; }",
             want, word);
    char copy[64];
    snprintf(copy, sizeof copy, "%s", word);
    assert_int_equal(confined(ARGS(copy, (char *)"--", (char *)"/bin/bash", (char *)"-c", script)),
                     0);
}

/* The first two processors that we may use, as a list, and how many there are. */
static int processors(char first[16], char second[16], char both[40])
{
    cpu_set_t may;
    int n = 0, at[2] = {-1, -1};
    assert_int_equal(sched_getaffinity(0, sizeof may, &may), 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &may) && n++ < 2)
            at[n - 1] = i;
    snprintf(first, 16, "%d", at[0]);
    snprintf(second, 16, "%d", at[1]);
    snprintf(both, 40, "%d%s%d", at[0], at[1] == at[0] + 1 ? "-" : ",", at[1]);
    return n;
}

static void slots_get_processors_of_their_own(void **state)
{
    char first[16], second[16], both[40], script[64];
    int n = processors(first, second, both);
    if (n < 2)
        skip();
    runs_on("cpus=1:0", first);
    runs_on("cpus=1:1", second);
    runs_on("cpus=2:0", both);
    snprintf(script, sizeof script, "cpus=1:%d", n); /* one slot more than processors */
    runs_on(script, first);
    if (n == 2)
        runs_on("cpus=2:7", both);
    printf("%d processors: slots 0 and 1 of one each have %s and %s\n", n, first, second);
}

/* Few processors are no reason to fail, and bars it from none. */
static void a_machine_with_fewer_is_used_whole(void **state)
{
    assert_int_equal(confined(ARGS((char *)"cpus=9999:3", (char *)"--", (char *)"/bin/true")), 0);
}

static void a_program_cannot_leave_its_processors(void **state)
{
    static char script[] = "import os, sys\n"
                           "had = os.sched_getaffinity(0)\n"
                           "for pid in (0, os.getpid(), os.getppid()):\n"
                           "    try:\n"
                           "        os.sched_setaffinity(pid, range(os.cpu_count()))\n"
                           "        sys.exit(1)\n"
                           "    except PermissionError:\n"
                           "        pass\n"
                           "sys.exit(os.sched_getaffinity(0) != had)\n";
    assert_int_equal(confined(ARGS((char *)"cpus=1:0", (char *)"--", (char *)"/usr/bin/python3",
                                   (char *)"-c", script)),
                     0);
}

static void what_cannot_be_set_ends_it(void **state)
{
    static const char *const bad[] = {"core",      "core=",    "core=x",    "stack=1",
                                      "nofile=7x", "=1",       "cpus=2",    "cpus=:1",
                                      "cpus=",     "cpus=0:1", "cpus=2:1x", "cpus=2:"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(
            confined(ARGS((char *)(uintptr_t)bad[i], (char *)"--", (char *)"/bin/true")), EXIT_IO);
    assert_int_equal(confined(ARGS((char *)"core=0")), EXIT_USAGE);
    assert_int_equal(confined(ARGS((char *)"--", (char *)"/no/such/program")), 127);
    assert_int_equal(confined(ARGS((char *)"--", (char *)"/etc/passwd")), 126);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_hard_and_soft),
        cmocka_unit_test(slots_get_processors_of_their_own),
        cmocka_unit_test(a_machine_with_fewer_is_used_whole),
        cmocka_unit_test(a_program_cannot_leave_its_processors),
        cmocka_unit_test(what_cannot_be_set_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
