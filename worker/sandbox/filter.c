/* filter.c: denied.def and the rows below become one program for each kind, by libseccomp.
 *
 * The kernel looks at the low 32 bits of most of these arguments and a filter sees all 64, so rules
 * compare under a mask where high bits could hide a value. clone3() takes its flags by pointer, so
 * no filter can read them: it answers ENOSYS, and C libraries fall back to clone(). Programs of
 * another architecture (i386, x32) are killed: their numbers mean other calls. */
#include "filter.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROGRAM_BYTES_MAX = 256 * 1024, FAMILY_LAST = 63, RULE_TEXT_MAX = 64 };

static const struct {
    const char *name;
    bool is_tool_only;
} denied[] = {
#define DENY(name)      {#name, false},
#define DENY_TOOL(name) {#name, true},
#include "denied.def"
#undef DENY
#undef DENY_TOOL
};

#define LOW_32 0xffffffffu
#define NEW_NAMESPACE(flag)                                                                        \
    {                                                                                              \
        "clone", "clone with " #flag, EPERM, 0, SCMP_CMP_MASKED_EQ, flag, flag                     \
    }
#define TERMINAL(request)                                                                          \
    {                                                                                              \
        "ioctl", "ioctl " #request, EPERM, 1, SCMP_CMP_MASKED_EQ, LOW_32, request                  \
    }

static const struct {
    const char *name, *words;
    int error;
    unsigned arg;
    enum scmp_compare how;
    scmp_datum_t a, b; /* MASKED_EQ: mask and value */
} conditions[] = {
    NEW_NAMESPACE(CLONE_NEWUSER),
    NEW_NAMESPACE(CLONE_NEWNS),
    NEW_NAMESPACE(CLONE_NEWPID),
    NEW_NAMESPACE(CLONE_NEWNET),
    NEW_NAMESPACE(CLONE_NEWIPC),
    NEW_NAMESPACE(CLONE_NEWUTS),
    NEW_NAMESPACE(CLONE_NEWCGROUP),
    {"clone3", "clone3 (as if the kernel had none)", ENOSYS, 0, SCMP_CMP_GE, 0, 0},
    TERMINAL(TIOCSTI),
    TERMINAL(TIOCLINUX),
    {"personality", "personality other than 0", EPERM, 0, SCMP_CMP_NE, 0, 0},
};

/* vsock and its like know no network namespace: a socket of theirs would lead out. */
static const int families_allowed[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static struct {
    void *bytes;
    size_t n;
} programs[FILTER_COUNT]; /* written once, before there are threads */

static bool is_here(const char *call)
{
    return seccomp_syscall_resolve_name(call) >= 0;
}

static bool is_denied(size_t i, enum filter_kind kind)
{
    return (!denied[i].is_tool_only || kind == FILTER_TOOL) && is_here(denied[i].name);
}

static bool is_family_allowed(int family)
{
    for (size_t i = 0; i < ARRAY_LEN(families_allowed); i++)
        if (families_allowed[i] == family)
            return true;
    return false;
}

/* ---- the programs ---- */

static int family_deny(scmp_filter_ctx ctx, enum scmp_compare how, int family)
{
    struct scmp_arg_cmp cmp = {.arg = 0, .op = how, .datum_a = (scmp_datum_t)family};
    return seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &cmp);
}

static int families_deny(scmp_filter_ctx ctx)
{
    int r = family_deny(ctx, SCMP_CMP_GT, FAMILY_LAST);
    for (int family = 0; r == 0 && family <= FAMILY_LAST; family++)
        if (!is_family_allowed(family))
            r = family_deny(ctx, SCMP_CMP_EQ, family);
    return r;
}

static int rules_add(scmp_filter_ctx ctx, enum filter_kind kind)
{
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(denied); i++)
        if (is_denied(i, kind))
            r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
                                 seccomp_syscall_resolve_name(denied[i].name), 0);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(conditions); i++) {
        struct scmp_arg_cmp cmp = {conditions[i].arg, conditions[i].how, conditions[i].a,
                                   conditions[i].b};
        if (is_here(conditions[i].name))
            r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((unsigned)conditions[i].error),
                                       seccomp_syscall_resolve_name(conditions[i].name), 1, &cmp);
    }
    return r == 0 && kind == FILTER_NODE ? families_deny(ctx) : r;
}

static int program_take(scmp_filter_ctx ctx, enum filter_kind kind)
{
    AUTO_FD fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    int r = seccomp_export_bpf(ctx, fd);
    if (r < 0)
        return err_raise(r);
    off_t n = lseek(fd, 0, SEEK_END);
    if (n <= 0 || n > PROGRAM_BYTES_MAX)
        return err_raise(-EFBIG);
    void *bytes = malloc((size_t)n);
    if (!bytes)
        return err_raise(-ENOMEM);
    if (pread(fd, bytes, (size_t)n, 0) != n) {
        free(bytes);
        return err_raise(-EIO);
    }
    free(programs[kind].bytes);
    programs[kind].bytes = bytes;
    programs[kind].n = (size_t)n;
    return 0;
}

int filters_make(void)
{
    for (enum filter_kind kind = 0; kind < FILTER_COUNT; kind++) {
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        if (!ctx)
            return err_raise(-ENOMEM);
        int r = rules_add(ctx, kind);
        r = r < 0 ? err_raise(r) : program_take(ctx, kind);
        seccomp_release(ctx);
        if (r < 0)
            return err_pass(r);
    }
    return 0;
}

/* A file of its own each time: bubblewrap reads from where the last reader stopped. */
int filter_open(enum filter_kind kind, int *ret_fd)
{
    AUTO_FD fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    int r = write_all(fd, programs[kind].bytes, programs[kind].n);
    if (r < 0)
        return err_pass(r);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* ---- in words ---- */

size_t filter_rules(enum filter_kind kind, void (*each)(void *arg, const char *rule), void *arg)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(denied); i++)
        if (is_denied(i, kind)) {
            each(arg, denied[i].name);
            n++;
        }
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (is_here(conditions[i].name)) {
            each(arg, conditions[i].words);
            n++;
        }
    if (kind == FILTER_NODE) {
        each(arg, "socket of a family other than unix, inet, inet6, netlink");
        n++;
    }
    return n;
}
