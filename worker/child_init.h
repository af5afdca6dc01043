/* child_init.h: what runs between clone() and execve(): the init of the namespace and the way into
 * the program. Everything here runs in a copy of a process with many threads, so it calls nothing
 * but system calls: no memory is taken, no lock, no stdio. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What comes back through the status pipe. Small enough that a write is whole. */
enum init_word { INIT_READY = 1, INIT_NO_EXEC, INIT_ENDED, INIT_FAILED };
struct init_note {
    enum init_word word;
    int value; /* READY: 1 if /proc is its own; NO_EXEC, FAILED: errno; ENDED: the wait status */
};

/* Prepared before the clone, read inside it. */
struct init_plan {
    const char *const *argv; /* NULL: only look whether the namespaces work */
    const char *const *env;
    const char *dir;
    int in_fd, out_fd, line_fd; /* the program's 0, 1 and 2, 3; line_fd -1: none */
    const int *pass;
    size_t pass_n;
    const int *join; /* cgroup.procs files */
    size_t join_n;
    int status_fd;  /* init_notes go here */
    int life_fd;    /* hangs up when the parent is gone */
    bool maps_user; /* in a user namespace of its own: map uid and gid to themselves */
    uid_t uid;
    gid_t gid;
};

/* Pid 1 of the namespace. Never returns. */
__attribute__((noreturn)) void init_main(const struct init_plan *plan);

/* clone() as fork(): no memory is shared. 0 in the child; the pid, or -1 and errno in the parent.
 */
pid_t init_clone(unsigned long flags, int *ret_pidfd);
