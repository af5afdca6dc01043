/* test_private.c: what private_no_core() says holds for the process and for what it starts, and the
 * agent is closed to others of its user.
 *
 * Why it matters: a core dump is a copy of all memory on a disk, with keys and sources in it. */
#undef NDEBUG
#include "private.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In a child, so that this process stays as it was. */
static int status_of(int (*in_child)(void))
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(in_child());
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int cores_on(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_CORE, &all);
}

static int dies(void)
{
    abort();
}

static int dies_with_a_core(void)
{
    cores_on();
    return dies();
}

static int dies_in_private(void)
{
    cores_on();
    return private_no_core() < 0 ? 1 : dies();
}

static int starts_one_that_dies(void)
{
    cores_on();
    if (private_no_core() < 0)
        return 1;
    int status = status_of(dies);
    return WIFSIGNALED(status) && !WCOREDUMP(status) ? 0 : 1;
}

static void no_core_is_left(void **state)
{
    (void)state;
    char dir[] = "/tmp/rota-core-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    int control = status_of(dies_with_a_core), status = status_of(dies_in_private);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_false(WCOREDUMP(status));
    status = status_of(starts_one_that_dies);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    printf("a core without it: %s; with it: no, nor of a child\n",
           WCOREDUMP(control) ? "yes" : "no (this machine keeps none)");
    assert_int_equal(chdir("/"), 0);
    char *const argv[] = {(char *)"rm", (char *)"-rf", dir, NULL};
    pid_t child = fork();
    if (child == 0)
        execvp(argv[0], argv);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static int limit_is_kept(void)
{
    struct rlimit limit, more = {4096, 4096};
    return private_no_core() < 0 || getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur != 1 ||
           limit.rlim_max != 1 || (geteuid() != 0 && setrlimit(RLIMIT_CORE, &more) == 0);
}

static int a_stricter_one_is_kept(void)
{
    struct rlimit none = {0, 0}, limit;
    return setrlimit(RLIMIT_CORE, &none) < 0 || private_no_core() < 0 ||
           getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max != 0;
}

static int nobody_looks(void)
{
    return private_no_look() < 0 || prctl(PR_GET_DUMPABLE) != 0;
}

static void limits_and_marks_are_as_said(void **state)
{
    (void)state;
    assert_int_equal(status_of(limit_is_kept), 0);
    assert_int_equal(status_of(a_stricter_one_is_kept), 0);
    assert_int_equal(status_of(nobody_looks), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_core_is_left),
        cmocka_unit_test(limits_and_marks_are_as_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
