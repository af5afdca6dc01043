/* confine.c: the limits are set here, inside the sandbox, and not by the agent: the kernel counts
 * the processes of a user per user namespace, so only in here does `nproc` count this build's
 * alone. Soft and hard limit are the same, so the program cannot raise them. */
#include "confine.h"

#include <base/auto.h>
#include <base/exit.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_NOT_FOUND = 127, EXIT_NOT_STARTED = 126 };

static const struct {
    const char *name;
    __rlimit_resource_t which;
} names[] = {
    {"core", RLIMIT_CORE},
    {"fsize", RLIMIT_FSIZE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
};

static bool limit_set(const char *arg)
{
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
