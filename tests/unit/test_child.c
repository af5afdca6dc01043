/* test_child.c: a program that a worker started never outlives its run, sees nothing that it was
 * not given, and its end is told as it was. These are what cancel, timeout and crash of a worker
 * stand on: a build that survives them would write into somebody else's build, or eat the machine.
 *
 * Real processes. That one is gone is seen without asking for its number: every process of a run
 * holds the writing end of a pipe (descriptor 4), and the kernel says end of file when the last one
 * is dead. */
#undef NDEBUG
#include "child.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

struct heard {
    char out[65536];
    size_t out_n, out_total;
    char lines[64][64];
    size_t lines_n, cut_n, longest;
};

static void on_output(void *arg, const void *p, size_t n)
{
    struct heard *h = arg;
    size_t room = sizeof h->out - 1 - h->out_n, take = n < room ? n : room;
    memcpy(h->out + h->out_n, p, take);
    h->out_n += take;
    h->out[h->out_n] = '\0';
    h->out_total += n;
}

static void on_line(void *arg, const char *line, size_t n, bool is_cut)
{
    struct heard *h = arg;
    assert_int_equal(strlen(line), n);
    h->longest = n > h->longest ? n : h->longest;
    h->cut_n += is_cut;
    if (h->lines_n < ARRAY_LEN(h->lines))
        snprintf(h->lines[h->lines_n], sizeof h->lines[0], "%s", line);
    h->lines_n++;
}

static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};

static int run(const char *script, struct child_spec s, struct heard *h, struct child_end *end)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    memset(h, 0, sizeof *h);
    *end = (struct child_end){0};
    s.argv = argv;
    s.env = s.env ? s.env : env;
    s.output = on_output;
    s.line = on_line;
    s.arg = h;
    return child_run(&s, end);
}

/* A pipe whose writing end goes into the run and nowhere else. */
struct witness {
    int read_fd, write_fd;
};

static struct witness witness_open(void)
{
    int fd[2];
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    return (struct witness){fd[0], fd[1]};
}

/* True when within `ms` no process holds the writing end any more. */
static bool all_gone(int read_fd, int ms)
{
    char byte;
    struct pollfd p = {.fd = read_fd, .events = POLLIN};
    while (poll(&p, 1, ms) == 1)
        if (read(read_fd, &byte, 1) == 0)
            return true;
    return false;
}

static struct heard heard;
static struct child_end end;

static void ends_are_told_as_they_were(void **state)
{
    static const struct {
        const char *script;
        int status, signal;
    } row[] = {{"exit 0", 0, 0},          {"exit 75", 75, 0},       {"exit 255", 255, 0},
               {"kill -SEGV $$", -1, 11}, {"kill -KILL $$", -1, 9}, {"kill -TERM $$", -1, 15}};
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        assert_int_equal(run(row[i].script, (struct child_spec){.stop_fd = -1}, &heard, &end), 0);
        assert_int_equal(end.status, row[i].status);
        assert_int_equal(end.signal, row[i].signal);
    }
    printf("ends: %zu exit codes and signals told right\n", ARRAY_LEN(row));
}

static void stdin_stdout_stderr_and_lines_travel(void **state)
{
    const char *script = "cat; echo to-err >&2; echo one >&3; printf 'two\\nthree' >&3";
    struct child_spec s = {.stop_fd = -1, .input = "from the agent\n", .input_bytes = 15};
    assert_int_equal(run(script, s, &heard, &end), 0);
    assert_string_equal(heard.out, "from the agent\nto-err\n");
    assert_int_equal(heard.lines_n, 3);
    assert_string_equal(heard.lines[0], "one");
    assert_string_equal(heard.lines[2], "three"); /* the last line needs no newline */
}

static void a_line_that_is_too_long_comes_cut(void **state)
{
    const char *script = "head -c 100000 /dev/zero | tr '\\0' x >&3; echo >&3; echo next >&3";
    assert_int_equal(run(script, (struct child_spec){.stop_fd = -1}, &heard, &end), 0);
    assert_int_equal(heard.lines_n, 2);
    assert_int_equal(heard.cut_n, 1);
    assert_int_equal(heard.longest, CHILD_LINE_MAX);
    assert_string_equal(heard.lines[1], "next");
}

/* A secret of the agent in a descriptor, a variable or a signal mask would be the customer's. */
static void nothing_of_ours_reaches_the_program(void **state)
{
    AUTO_FD secret = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    assert_true(secret >= 0);
    setenv("ROTA_KEY", "secret", 1);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    const char *script = "ls /proc/self/fd | tr '\\n' ' '; env | sort | tr '\\n' ' ';"
                         "grep -E 'Sig(Blk|Ign)' /proc/self/status";
    assert_int_equal(run(script, (struct child_spec){.stop_fd = -1}, &heard, &end), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* 0 to 3 were given, 4 is ls reading the folder; sh sets PWD and _ by itself. */
    assert_non_null(strstr(heard.out, "0 1 2 3 4 "));
    assert_null(strstr(heard.out, " 5 "));
    assert_null(strstr(heard.out, "ROTA"));
    assert_non_null(strstr(heard.out, "SigBlk:\t0000000000000000"));
    assert_non_null(strstr(heard.out, "SigIgn:\t0000000000000000"));
    unsetenv("ROTA_KEY");
}

static void the_program_is_alone_in_its_namespace(void **state)
{
    const char *script =
        "echo $$ $PPID $(cut -d' ' -f5,6 /proc/self/stat); ls /proc | grep -c '^[0-9]'";
    assert_int_equal(run(script, (struct child_spec){.stop_fd = -1}, &heard, &end), 0);
    int pid = 0, parent = 0, group = 0, session = 0, seen = 0;
    assert_int_equal(sscanf(heard.out, "%d %d %d %d %d", &pid, &parent, &group, &session, &seen),
                     5);
    assert_int_equal(pid, 2);
    assert_int_equal(parent, 1);
    assert_int_equal(group, 2);
    assert_int_equal(session, 2);
    assert_true(seen <= 5); /* init, sh, and what counts */
    printf("namespace: pid %d, parent %d, session %d, %d processes in its /proc\n", pid, parent,
           session, seen);
}

/* Orphans become init's; an init that does not reap would let a build fill the process table. */
static void orphans_are_reaped(void **state)
{
    const char *script = "i=0; while [ $i -lt 50 ]; do (true & ) ; i=$((i+1)); done; sleep 0.3;"
                         "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    assert_int_equal(run(script, (struct child_spec){.stop_fd = -1}, &heard, &end), 0);
    assert_string_equal(heard.out, "0\n");
}

static const char *const tree =
    "(setsid sh -c 'trap \"\" TERM HUP; sleep 1000' &) ; (setsid setsid sleep 1000 &); "
    "sh -c 'sleep 1000 & sleep 1000 & wait' & echo started >&3; ";

static void what_a_program_leaves_behind_is_gone_when_it_ends(void **state)
{
    struct witness w = witness_open();
    char script[512];
    snprintf(script, sizeof script, "%s sleep 0.2; exit 3", tree);
    struct child_spec s = {.stop_fd = -1, .pass = {w.write_fd}, .pass_n = 1};
    assert_int_equal(run(script, s, &heard, &end), 0);
    assert_int_equal(end.status, 3);
    close(w.write_fd);
    assert_true(all_gone(w.read_fd, 0)); /* at once: not a moment later */
    close(w.read_fd);
}

static void *stop_later(void *arg)
{
    poll(NULL, 0, 300);
    assert_int_equal(eventfd_write(*(int *)arg, 1), 0);
    return NULL;
}

static void a_stop_kills_the_whole_tree(void **state)
{
    struct witness w = witness_open();
    AUTO_FD stop = eventfd(0, EFD_CLOEXEC);
    char script[512];
    snprintf(script, sizeof script, "trap '' TERM INT; %s wait; sleep 1000", tree);
    struct child_spec s = {.stop_fd = stop, .pass = {w.write_fd}, .pass_n = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_later, &stop), 0);
    uint64_t began_ms = clock_boot_ms();
    assert_int_equal(run(script, s, &heard, &end), CHILD_STOPPED);
    uint64_t ms = clock_boot_ms() - began_ms;
    pthread_join(thread, NULL);
    assert_int_equal(heard.lines_n, 1);
    close(w.write_fd);
    assert_true(all_gone(w.read_fd, 0));
    assert_true(ms < 2000);
    printf("stop: tree of 8 gone %llu ms after the stop\n", (unsigned long long)ms - 300);
    close(w.read_fd);
}

/* Runs `script` with a grace and a stop after 300 ms; the milliseconds from the stop to the end. */
static uint64_t run_with_grace(const char *script, uint64_t grace_ms)
{
    struct witness w = witness_open();
    AUTO_FD stop = eventfd(0, EFD_CLOEXEC);
    struct child_spec s = {
        .stop_fd = stop, .grace_ms = grace_ms, .pass = {w.write_fd}, .pass_n = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_later, &stop), 0);
    uint64_t began_ms = clock_boot_ms();
    assert_int_equal(run(script, s, &heard, &end), CHILD_STOPPED);
    uint64_t ms = clock_boot_ms() - began_ms;
    pthread_join(thread, NULL);
    close(w.write_fd);
    assert_true(all_gone(w.read_fd, 0));
    close(w.read_fd);
    return ms - 300;
}

/* The host is not put back by a kill: a program that locked, mounted or rented something must be
 * able to undo it, and what it says meanwhile is heard. */
static void within_its_grace_a_program_cleans_up(void **state)
{
    uint64_t ms = run_with_grace("trap 'sleep 0.2; echo cleaned; echo undone >&3; exit 0' TERM; "
                                 "echo on; sleep 1000 & wait",
                                 5000);
    assert_string_equal(heard.out, "on\ncleaned\n");
    assert_int_equal(heard.lines_n, 1);
    assert_string_equal(heard.lines[0], "undone");
    assert_in_range(ms, 150, 3000);
    printf("grace: of 5000 ms a program took %llu to clean up\n", (unsigned long long)ms);
}

/* Its children stand in its group, and hear of it too; those that left it die with the rest. */
static void one_that_will_not_go_is_killed_when_the_grace_is_over(void **state)
{
    char script[640];
    snprintf(script, sizeof script,
             "sh -c 'trap \"echo child\" TERM; sleep 1000 & wait; wait' & trap '' TERM; %s"
             "wait; sleep 1000",
             tree);
    uint64_t ms = run_with_grace(script, 600);
    assert_string_equal(heard.out, "child\n");
    assert_in_range(ms, 550, 2000);
    printf("grace: 600 ms, all killed after %llu\n", (unsigned long long)ms);
}

static void without_a_grace_nothing_is_asked(void **state)
{
    uint64_t ms = run_with_grace("trap 'echo asked' TERM; echo on; sleep 1000 & wait; wait", 0);
    assert_string_equal(heard.out, "on\n");
    assert_true(ms < 1500);
}

static void a_deadline_kills_an_endless_loop(void **state)
{
    uint64_t began_ms = clock_boot_ms();
    struct child_spec s = {.stop_fd = -1, .deadline_ms = began_ms + 400};
    assert_int_equal(run("while :; do :; done", s, &heard, &end), CHILD_DEADLINE);
    uint64_t ms = clock_boot_ms() - began_ms;
    assert_in_range(ms, 400, 1500);
    printf("deadline: 400 ms, ended after %llu ms\n", (unsigned long long)ms);
}

static void a_flood_of_output_ends_with_the_stop(void **state)
{
    uint64_t began_ms = clock_boot_ms();
    struct child_spec s = {.stop_fd = -1, .deadline_ms = began_ms + 500};
    assert_int_equal(run("yes | tee /dev/fd/3", s, &heard, &end), CHILD_DEADLINE);
    assert_true(clock_boot_ms() - began_ms < 2500);
    printf("flood: %zu bytes and %zu lines in 500 ms\n", heard.out_total, heard.lines_n);
    assert_true(heard.out_total > 1000000);
}

static void a_program_that_cannot_start_says_why(void **state)
{
    static const struct {
        const char *path, *dir;
        int error;
    } row[] = {{"/no/such/program", NULL, ENOENT},
               {"/etc/passwd", NULL, EACCES},
               {"/bin/true", "/no/such/folder", ENOENT}};
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        const char *const argv[] = {row[i].path, NULL};
        struct child_spec s = {.argv = argv, .env = env, .dir = row[i].dir, .stop_fd = -1};
        assert_int_equal(child_run(&s, &end), CHILD_NO_EXEC);
        assert_int_equal(end.exec_errno, row[i].error);
    }
}

/* The worker itself dies by -9: nobody is left to kill anything, so the kernel must. */
static void a_worker_killed_takes_its_children_along(void **state)
{
    struct witness w = witness_open();
    char script[512];
    snprintf(script, sizeof script, "%s wait; sleep 1000", tree);
    AUTO_FD ready = eventfd(0, 0);
    pid_t worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) {
        struct child_spec s = {.stop_fd = -1, .pass = {w.write_fd}, .pass_n = 1};
        eventfd_write(ready, 1);
        _exit(run(script, s, &heard, &end) == 0 ? 0 : 1);
    }
    eventfd_t n;
    assert_int_equal(eventfd_read(ready, &n), 0);
    close(w.write_fd);
    poll(NULL, 0, 400);
    assert_false(all_gone(w.read_fd, 0));
    uint64_t began_ms = clock_boot_ms();
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_true(all_gone(w.read_fd, 2000));
    printf("worker -9: children gone after %llu ms\n",
           (unsigned long long)(clock_boot_ms() - began_ms));
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    close(w.read_fd);
}

/* Without root the pid namespace needs a user namespace; the program keeps its uid in it. */
static void it_works_without_root(void **state)
{
    if (geteuid() != 0) {
        printf("without root: every test of this file ran so\n");
        return;
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
            setresuid(65534, 65534, 65534) < 0)
            _exit(9);
        prctl(PR_SET_DUMPABLE, 1); /* as after an exec: else /proc/self is still root's */
        int r = run("test $(id -u) = 65534 && test $$ = 2", (struct child_spec){.stop_fd = -1},
                    &heard, &end);
        _exit(r == 0 ? end.status : 8);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void many_at_one_time_leave_nothing(void **state)
{
    enum { ROUNDS = 40 };
    uint64_t began_ms = clock_boot_ms();
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(run("exit 0", (struct child_spec){.stop_fd = -1}, &heard, &end), 0);
        assert_int_equal(end.status, 0);
    }
    printf("cost: %.1f ms a run\n", (double)(clock_boot_ms() - began_ms) / ROUNDS);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie of ours either */
    AUTO_FD lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(lowest < 16); /* nor a descriptor */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_told_as_they_were),
        cmocka_unit_test(stdin_stdout_stderr_and_lines_travel),
        cmocka_unit_test(a_line_that_is_too_long_comes_cut),
        cmocka_unit_test(nothing_of_ours_reaches_the_program),
        cmocka_unit_test(the_program_is_alone_in_its_namespace),
        cmocka_unit_test(orphans_are_reaped),
        cmocka_unit_test(what_a_program_leaves_behind_is_gone_when_it_ends),
        cmocka_unit_test(a_stop_kills_the_whole_tree),
        cmocka_unit_test(within_its_grace_a_program_cleans_up),
        cmocka_unit_test(one_that_will_not_go_is_killed_when_the_grace_is_over),
        cmocka_unit_test(without_a_grace_nothing_is_asked),
        cmocka_unit_test(a_deadline_kills_an_endless_loop),
        cmocka_unit_test(a_flood_of_output_ends_with_the_stop),
        cmocka_unit_test(a_program_that_cannot_start_says_why),
        cmocka_unit_test(a_worker_killed_takes_its_children_along),
        cmocka_unit_test(it_works_without_root),
        cmocka_unit_test(many_at_one_time_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
