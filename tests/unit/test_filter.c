/* test_filter.c: the filter of system calls, loaded into a process of our own: each call that it
 * takes away answers with the filter's errno, whoever asks, and what builds need still works. Most
 * of these calls fail for a build anyway, for want of rights; so that the filter itself is seen,
 * the calls are made with arguments that the kernel would answer in another way. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/auto.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <filter.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRAM_MAX = 64 * 1024 };

static void filter_load(enum filter_kind kind)
{
    static struct sock_filter code[PROGRAM_MAX / sizeof(struct sock_filter)];
    AUTO_FD fd = -1;
    assert_int_equal(filter_open(kind, &fd), 0);
    ssize_t n = read(fd, code, sizeof code);
    assert_true(n > 0 && (size_t)n < sizeof code && (size_t)n % sizeof *code == 0);
    struct sock_fprog program = {(unsigned short)((size_t)n / sizeof *code), code};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Runs `what` in a child under the filter; 0 when it found nothing wrong. */
static int under(enum filter_kind kind, int (*what)(enum filter_kind kind))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        filter_load(kind);
        int wrong = what(kind);
        fflush(NULL);
        _exit(wrong);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define HIGH (1ul << 40) /* bits that the kernel drops and a careless filter compares */

static const struct {
    const char *name;
    long call, a, b, c;
    int error;
    bool is_tool_only;
} refused[] = {
    {"ptrace", SYS_ptrace, -1, 1, 0, EPERM, false},
    {"process_vm_readv", SYS_process_vm_readv, 1, 0, 0, EPERM, false},
    {"process_vm_writev", SYS_process_vm_writev, 1, 0, 0, EPERM, false},
    {"kcmp", SYS_kcmp, 1, 1, 99, EPERM, false},
    {"keyctl", SYS_keyctl, 99, 0, 0, EPERM, false},
    {"add_key", SYS_add_key, 0, 0, 0, EPERM, false},
    {"request_key", SYS_request_key, 0, 0, 0, EPERM, false},
    {"bpf", SYS_bpf, 99, 0, 0, EPERM, false},
    {"perf_event_open", SYS_perf_event_open, 0, 0, 0, EPERM, false},
    {"userfaultfd", SYS_userfaultfd, -1, 0, 0, EPERM, false},
    {"io_uring_setup", SYS_io_uring_setup, 0, 0, 0, EPERM, false},
    {"io_uring_enter", SYS_io_uring_enter, -1, 0, 0, EPERM, false},
    {"mount", SYS_mount, 0, 0, 0, EPERM, false},
    {"umount2", SYS_umount2, 0, -1, 0, EPERM, false},
    {"pivot_root", SYS_pivot_root, 0, 0, 0, EPERM, false},
    {"fsopen", SYS_fsopen, 0, -1, 0, EPERM, false},
    {"open_tree", SYS_open_tree, -1, 0, -1, EPERM, false},
    {"move_mount", SYS_move_mount, -1, 0, -1, EPERM, false},
    {"chroot", SYS_chroot, 0, 0, 0, EPERM, false},
    {"unshare", SYS_unshare, 0, 0, 0, EPERM, false},
    {"setns", SYS_setns, -1, 0, 0, EPERM, false},
    {"open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0, EPERM, false},
    {"memfd_create", SYS_memfd_create, 0, 0, 0, EPERM, false},
    {"shmget", SYS_shmget, 0, 0, 0, EPERM, false},
    {"semget", SYS_semget, 0, -1, 0, EPERM, false},
    {"init_module", SYS_init_module, 0, 0, 0, EPERM, false},
    {"finit_module", SYS_finit_module, -1, 0, 0, EPERM, false},
    {"kexec_load", SYS_kexec_load, 0, 99, 0, EPERM, false},
    {"reboot", SYS_reboot, 0, 0, 0, EPERM, false},
    {"swapon", SYS_swapon, 0, -1, 0, EPERM, false},
    {"quotactl", SYS_quotactl, -1, 0, 0, EPERM, false},
    {"syslog", SYS_syslog, 99, 0, 0, EPERM, false},
    {"clock_settime", SYS_clock_settime, 99, 0, 0, EPERM, false},
    {"sethostname", SYS_sethostname, 0, -1, 0, EPERM, false},
    {"clone, new user namespace", SYS_clone, CLONE_NEWUSER, 0, 0, EPERM, false},
    {"clone, new user namespace, high bits", SYS_clone, HIGH | CLONE_NEWUSER, 0, 0, EPERM, false},
    {"clone, new mount namespace", SYS_clone, CLONE_NEWNS | CLONE_FS, 0, 0, EPERM, false},
    {"clone3", SYS_clone3, 0, 0, 0, ENOSYS, false},
    {"ioctl TIOCSTI", SYS_ioctl, -1, TIOCSTI, 0, EPERM, false},
    {"ioctl TIOCSTI, high bits", SYS_ioctl, -1, HIGH | TIOCSTI, 0, EPERM, false},
    {"ioctl TIOCLINUX", SYS_ioctl, -1, TIOCLINUX, 0, EPERM, false},
    {"personality", SYS_personality, 0x0040000, 0, 0, EPERM, false},
    {"personality, high bits", SYS_personality, HIGH, 0, 0, EPERM, false},
    {"socket, vsock", SYS_socket, AF_VSOCK, -1, 0, 0, false},
    {"socket, alg", SYS_socket, AF_ALG, -1, 0, 0, false},
    {"socket, packet", SYS_socket, AF_PACKET, -1, 0, 0, false},
    {"socket, high bits", SYS_socket, HIGH | AF_VSOCK, -1, 0, 0, false},
    {"socket, inet", SYS_socket, AF_INET, -1, 0, EPERM, true},
    {"socketpair", SYS_socketpair, AF_UNIX, -1, 0, EPERM, true},
};

/* For sockets: a tool's are denied as a call, Node's by their family. */
static int error_of(size_t i, enum filter_kind kind)
{
    return refused[i].error ? refused[i].error : kind == FILTER_TOOL ? EPERM : EAFNOSUPPORT;
}

static int all_refused(enum filter_kind kind)
{
    int wrong = 0, asked = 0;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (refused[i].is_tool_only && kind != FILTER_TOOL)
            continue;
        errno = 0;
        long r = syscall(refused[i].call, refused[i].a, refused[i].b, refused[i].c, 0, 0, 0);
        int e = errno;
        asked++;
        if (r != -1 || e != error_of(i, kind)) {
            printf("%s: %ld, %s\n", refused[i].name, r, strerror(e));
            wrong++;
        }
    }
    printf("%s: %d calls made, %d refused\n", kind == FILTER_TOOL ? "tool" : "node", asked,
           asked - wrong);
    return wrong;
}

static void dangerous_calls_are_refused(void **state)
{
    assert_int_equal(under(FILTER_NODE, all_refused), 0);
    assert_int_equal(under(FILTER_TOOL, all_refused), 0);
}

static void *thread_run(void *arg)
{
    *(int *)arg = 7;
    return NULL;
}

static int all_works(enum filter_kind kind)
{
    pthread_t thread;
    int said = 0, status = 0, ends[2];
    if (pthread_create(&thread, NULL, thread_run, &said) != 0 || pthread_join(thread, NULL) != 0 ||
        said != 7)
        return 1; /* clone3 falls back to clone */
    pid_t pid = fork();
    if (pid == 0)
        execl("/bin/true", "true", NULL);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return 2;
    if (syscall(SYS_personality, 0) < 0)
        return 3;
    AUTO_FD file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 4;
    if (kind == FILTER_TOOL)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return 5;
    AUTO_FD inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    AUTO_FD link = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    return inet < 0 || link < 0 ? 6 : 0;
}

static void what_builds_need_works(void **state)
{
    assert_int_equal(under(FILTER_NODE, all_works), 0);
    assert_int_equal(under(FILTER_TOOL, all_works), 0);
}

static char last[128];
static void rule_note(void *arg, const char *rule)
{
    size_t *n = arg;
    snprintf(last, sizeof last, "%s", rule);
    (*n)++;
}

static void rules_are_told_in_words(void **state)
{
    size_t node = 0, tool = 0;
    size_t said = filter_rules(FILTER_NODE, rule_note, &node);
    assert_int_equal(said, node);
    assert_non_null(strstr(last, "netlink"));
    said = filter_rules(FILTER_TOOL, rule_note, &tool);
    assert_int_equal(said, tool);
    assert_true(node > 70);
    assert_true(tool > node);
    printf("rules: %zu for Node, %zu for tools\n", node, tool);
}

static void every_program_reads_from_its_beginning(void **state)
{
    char one[64], two[64];
    AUTO_FD a = -1;
    AUTO_FD b = -1;
    assert_int_equal(filter_open(FILTER_NODE, &a), 0);
    assert_int_equal(filter_open(FILTER_NODE, &b), 0);
    assert_int_equal(read(a, one, sizeof one), sizeof one);
    assert_int_equal(read(b, two, sizeof two), sizeof two);
    assert_memory_equal(one, two, sizeof one);
}

static int make(void **state)
{
    return filters_make();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dangerous_calls_are_refused),
        cmocka_unit_test(what_builds_need_works),
        cmocka_unit_test(rules_are_told_in_words),
        cmocka_unit_test(every_program_reads_from_its_beginning),
    };
    return cmocka_run_group_tests(tests, make, NULL);
}
