/* child.h: runs one program to its end: in a pid namespace of its own, fed, read, and killed as a
 * whole.
 *
 * The program gets stdin from `input`, its stdout and stderr come back as `output`, and what it
 * writes on fd 3 comes back line by line. It is a session and a process group of its own; no other
 * descriptor, no signal state and no environment but `env` reaches it. Its parent is a tiny init,
 * pid 1 of the new namespace, which reaps orphans; when the program has ended, when the run is
 * stopped, or when the agent's thread dies, init dies, and the kernel kills everything inside. When
 * child_run() returns, nothing that was started is left.
 *
 * A sandbox tool that makes its own namespaces (bubblewrap) is run the same way: one more pid
 * namespace around it costs nothing and makes the kill certain. Any thread; blocks. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_LINE_MAX = 8192, CHILD_PASS_MAX = 16 };

struct child_spec {
    const char *const *argv; /* argv[0] is a path, never searched for; NULL-terminated */
    const char *const *env;  /* "NAME=value", NULL-terminated */
    const char *dir;         /* working directory, or NULL */
    const void *input;       /* for stdin, then end of file */
    size_t input_bytes;
    int stop_fd;          /* readable: kill; -1: none */
    uint64_t deadline_ms; /* clock_boot_ms() at which it is killed; 0: none */
    /* Stopped, or at its deadline: the program's process group gets SIGTERM, and everything is
     * killed when it has ended, or so long after; 0: killed at once. */
    uint64_t grace_ms;

    /* Called on the thread of child_run(). NULL: stdout and stderr go to /dev/null; fd 3 is closed.
     * A line comes without its newline, NUL-terminated; one longer than CHILD_LINE_MAX comes cut,
     * with is_cut set, and its rest is dropped. */
    void (*output)(void *arg, const void *p, size_t n);
    void (*line)(void *arg, const char *line, size_t n, bool is_cut);
    void *arg;

    /* Called about every tick_ms with init's pid, as we see it; not 0: kill. NULL: never. */
    int (*tick)(void *arg, pid_t init);
    uint64_t tick_ms;

    /* Descriptors of cgroup.procs files: init joins each before it starts anything. Borrowed. */
    const int *join;
    size_t join_n;

    /* Further descriptors of ours: pass[i] appears in the child as 4 + i. Borrowed. */
    int pass[CHILD_PASS_MAX];
    size_t pass_n;
};

enum child_outcome {
    CHILD_STOPPED = 1, /* stop_fd was raised: killed */
    CHILD_DEADLINE,    /* the deadline came: killed */
    CHILD_TICK,        /* tick() said so: killed */
    CHILD_NO_EXEC,     /* argv[0] could not be started: *ret_end.exec_errno */
};

struct child_end {
    int status; /* exit status, or -1 when a signal ended it */
    int signal; /* or 0 */
    int exec_errno;
};

/* 0: it ended by itself, see *ret_end. <0: it could not be started, or its pipes failed (killed).
 */
MUST_USE int child_run(const struct child_spec *spec, struct child_end *ret_end);

/* Makes an empty namespace and leaves it again. 0: works, *ret_has_proc says whether /proc can be
 * its own there; <0: this machine does not allow it. */
MUST_USE int child_probe(bool *ret_has_proc);
