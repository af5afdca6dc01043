/* confine.c: the limits are set here, inside the sandbox, and not by the agent: the kernel counts
 * the processes of a user per user namespace, so only in here does `nproc` count this build's
 * alone. Soft and hard limit are the same, so the program cannot raise them.
 *
 * Processors are an affinity, which each process may change for itself: a filter of one call takes
 * that away. It cannot be the sandbox's own filter, which is there before us. */
#include "confine.h"

#include <base/auto.h>
#include <base/exit.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_NOT_FOUND = 127, EXIT_NOT_STARTED = 126, CPUS_MAX = 8192 };

static const struct {
    const char *name;
    __rlimit_resource_t which;
} names[] = {
    {"core", RLIMIT_CORE},
    {"fsize", RLIMIT_FSIZE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
};

/* Sets lie side by side among the processors that we may use, so that slots share none as long as
 * there are enough. */
static bool cpus_choose(size_t want, size_t slot)
{
    cpu_set_t may[CPUS_MAX / CPU_SETSIZE], chosen[CPUS_MAX / CPU_SETSIZE];
    if (sched_getaffinity(0, sizeof may, may) < 0)
        return false;
    size_t n = (size_t)CPU_COUNT_S(sizeof may, may);
    if (n <= want)
        return true;
    size_t from = slot % (n / want) * want, at = 0;
    CPU_ZERO_S(sizeof chosen, chosen);
    for (size_t cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (!CPU_ISSET_S(cpu, sizeof may, may))
            continue;
        if (at >= from && at < from + want)
            CPU_SET_S(cpu, sizeof chosen, chosen);
        at++;
    }
    return sched_setaffinity(0, sizeof chosen, chosen) == 0;
}

/* Calls of other architectures end the process already, by the sandbox's filter. */
static bool cpus_keep(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* "COUNT:SLOT" */
static bool cpus_set(const char *value)
{
    unsigned want = 0, slot = 0;
    int end = 0;
    if (sscanf(value, "%4u:%9u%n", &want, &slot, &end) != 2 || value[end] || want == 0)
        return false;
    return cpus_choose(want, slot) && cpus_keep();
}

static bool limit_set(const char *arg)
{
    if (strncmp(arg, "cpus=", 5) == 0)
        return cpus_set(arg + 5);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i].name);
        if (strncmp(arg, names[i].name, n) != 0 || arg[n] != '=')
            continue;
        char *end = NULL;
        struct rlimit had;
        rlim_t want = strtoull(arg + n + 1, &end, 10);
        if (*end || end == arg + n + 1 || getrlimit(names[i].which, &had) < 0)
            return false;
        if (had.rlim_max != RLIM_INFINITY && had.rlim_max < want)
            want = had.rlim_max;
        struct rlimit limit = {want, want};
        return setrlimit(names[i].which, &limit) == 0;
    }
    return false;
}

int box_confine(char **args)
{
    for (; *args && strcmp(*args, "--") != 0; args++)
        if (!limit_set(*args)) {
            fprintf(stderr, "rota-box: the limit %s cannot be set\n", *args);
            return EXIT_IO;
        }
    if (!*args || !args[1])
        return EXIT_USAGE;
    execv(args[1], args + 1);
    fprintf(stderr, "%s cannot be started: %s\n", args[1], strerror(errno));
    return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_STARTED;
}
