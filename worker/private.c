/* private.c: two settings of the kernel. */
#include "private.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Not 0: the limit is ignored where the kernel pipes cores to a program, but for this one value,
 * which means "never" there as well (core(5), fs/coredump.c); and a file of one byte is too small
 * for any core. */
enum { CORE_BYTES = 1 };

int private_no_core(void)
{
    struct rlimit had;
    if (getrlimit(RLIMIT_CORE, &had) < 0)
        return err_raise(-errno);
    /* One who was told 0 may not go up to 1. */
    rlim_t want = had.rlim_max < CORE_BYTES ? had.rlim_max : CORE_BYTES;
    struct rlimit limit = {want, want};
    return setrlimit(RLIMIT_CORE, &limit) < 0 ? err_raise(-errno) : 0;
}

int private_no_look(void)
{
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? err_raise(-errno) : 0;
}
