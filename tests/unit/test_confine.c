/* test_confine.c: rota-box sets the limits that it is told and becomes the program; a program
 * cannot raise them again, and a limit that cannot be set ends it all. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <base/exit.h>
#include <cmocka.h>
#include <confine.h>
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

static void what_cannot_be_set_ends_it(void **state)
{
    static const char *const bad[] = {"core", "core=", "core=x", "stack=1", "nofile=7x", "=1"};
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
        cmocka_unit_test(what_cannot_be_set_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
