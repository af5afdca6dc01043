/* test_space.c: a freed workspace is gone, and one that is not is noticed: a process of the job
 * that lives on, a descriptor of ours that was forgotten, a mount that stayed. The next job of the
 * slot would meet it, or the machine would lose the memory, and nobody would be told.
 *
 * Real mounts and processes. Each case runs in a process of its own, because entering namespaces
 * cannot be undone. */
#undef NDEBUG
#include "space.h"

#include <remains.h>

#include <assert.h>
#include <base/clock.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 64 << 20 };

static struct space_root root;

static struct space *space_make(const char *name)
{
    struct space *s = NULL;
    assert(space_new(&root, name, BYTES, geteuid(), &s) == 0);
    return s;
}

static void nothing_is_left(void)
{
    struct stat st;
    char path[SPACE_PATH_MAX];
    enum { ROUNDS = 20 };
    uint64_t began_ms = clock_boot_ms();
    for (int i = 0; i < ROUNDS; i++) {
        struct space *s = space_make("slot-0");
        snprintf(path, sizeof path, "%s", s->path);
        assert(!space_free(s));
        assert(lstat(path, &st) < 0);
        assert(!remains_are_there());
    }
    printf("space: made, freed and looked for in %.1f ms\n",
           (double)(clock_boot_ms() - began_ms) / ROUNDS);
}

/* In the folder, or with a file of it open: as `open_name` says. Ready when the pipe says so. */
static pid_t squatter_start(const struct space *s, const char *open_name)
{
    int ready[2];
    char byte;
    assert(pipe(ready) == 0);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        int fd = open_name ? openat(s->fd, open_name, O_CREAT | O_RDWR, 0600) : 0;
        if (fd < 0 || (!open_name && chdir(s->path) < 0) || close(s->fd) < 0)
            _exit(1);
        if (write(ready[1], "x", 1) == 1)
            poll(NULL, 0, -1);
        _exit(1);
    }
    assert(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void a_process_is_found_until_it_is_gone(void)
{
    static const char *const opened[] = {NULL, "tmp/file"};
    for (size_t i = 0; i < ARRAY_LEN(opened); i++) {
        struct space *other = space_make("slot-1");
        pid_t of_other = squatter_start(other, NULL);
        struct space *s = space_make("slot-0");
        pid_t pid = squatter_start(s, opened[i]);
        space_free(s);
        assert(remains_are_there());
        assert(remains_are_there()); /* still */
        kill(pid, SIGKILL);
        assert(waitpid(pid, NULL, 0) == pid);
        assert(!remains_are_there()); /* the other slot's is none of ours */
        kill(of_other, SIGKILL);
        assert(waitpid(of_other, NULL, 0) == of_other);
        space_free(other);
        assert(!remains_are_there());
    }
}

/* Not in the folder and nothing open: only its list of mounts tells. */
static void a_process_that_only_sees_it_mounted_is_found(void)
{
    int ready[2];
    char byte;
    struct space *s = space_make("slot-0");
    assert(pipe(ready) == 0);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(s->path, "/mnt", NULL, MS_BIND, NULL) < 0 ||
            close(s->fd) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        poll(NULL, 0, -1);
        _exit(1);
    }
    assert(read(ready[0], &byte, 1) == 1);
    space_free(s);
    assert(remains_are_there());
    kill(pid, SIGKILL);
    assert(waitpid(pid, NULL, 0) == pid);
    assert(!remains_are_there());
    close(ready[0]);
    close(ready[1]);
}

/* As a child that another slot is just starting. */
static void what_goes_by_itself_at_once_is_no_remains(void)
{
    struct space *s = space_make("slot-0");
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        poll(NULL, 0, 30);
        _exit(0);
    }
    space_free(s);
    assert(!remains_are_there());
    assert(waitpid(pid, NULL, 0) == pid);
}

static void a_descriptor_of_ours_is_found(void)
{
    struct space *s = space_make("slot-0");
    int fd = -1;
    assert(space_file(s, &fd) == 0);
    space_free(s);
    assert(remains_are_there());
    close(fd);
    assert(!remains_are_there());
}

/* Each look takes one of them away. */
static void a_mount_that_stayed_is_found_and_taken_away(void)
{
    struct stat st;
    struct space *s = space_make("slot-0");
    char path[SPACE_PATH_MAX];
    snprintf(path, sizeof path, "%s", s->path);
    for (int i = 0; i < 3; i++)
        assert(mount("over", path, "tmpfs", 0, "size=1m") == 0);
    space_free(s);
    assert(lstat(path, &st) == 0);
    assert(remains_are_there());
    assert(remains_are_there());
    assert(!remains_are_there());
    assert(lstat(path, &st) < 0);
}

static int in_a_process(void (*test)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char why[SPACE_WHY_MAX] = "";
        int r = space_enter(&root, why);
        if (r != 0)
            fprintf(stderr, "space: %s\n", why);
        if (r == 0)
            test();
        fflush(stdout);
        _exit(r == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void (*const cases[])(void) = {
    nothing_is_left,
    a_process_is_found_until_it_is_gone,
    a_process_that_only_sees_it_mounted_is_found,
    what_goes_by_itself_at_once_is_no_remains,
    a_descriptor_of_ours_is_found,
    a_mount_that_stayed_is_found_and_taken_away,
};

static void what_a_job_leaves_is_found(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(in_a_process(cases[i]), 0);
    printf("space: %zu kinds of remains looked for\n", ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_job_leaves_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
