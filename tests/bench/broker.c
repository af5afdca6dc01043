/* broker.c: the process of a broker.
 *
 * The child asks the kernel to die with us, so a bench that is killed leaves no broker behind. Its
 * log goes to a file that is shown only when something goes wrong. */
#include "broker.h"

#include "disk.h"

#include <assert.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { READY_FD = 3, READY_MS_MAX = 60000, STOP_MS_MAX = 10000, LOG_BYTES_MAX = 1 << 20 };

static void log_show(const struct broker *b)
{
    char path[PATH_MAX + 8];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/log", b->dir);
    if (file_read(path, LOG_BYTES_MAX, &text, &n) == 0)
        fprintf(stderr, "%s", text);
}

/* In the child: only calls that are safe between fork and exec. */
_Noreturn static void child_run(const struct broker *b, char **argv, int log_fd, int ready_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    if (ready_fd >= 0)
        dup2(ready_fd, READY_FD);
    execv(b->rotad, argv);
    static const char text[] = "rota-bench: rotad cannot be started\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(127);
}

static int spawn(struct broker *b, char **argv, int ready_fd)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/log", b->dir);
    AUTO_FD log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        return err_raise(-errno);
    assert(log_fd != READY_FD || ready_fd < 0);
    pid_t pid = fork();
    if (pid < 0)
        return err_raise(-errno);
    if (pid == 0)
        child_run(b, argv, log_fd, ready_fd);
    b->pid = pid;
    return 0;
}

/* The exit status, or -1 for any other end. */
static int reap(struct broker *b)
{
    int status = 0;
    while (waitpid(b->pid, &status, 0) < 0)
        assert(errno == EINTR);
    b->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int folders_make(struct broker *b)
{
    char here[PATH_MAX - 32];
    if (!getcwd(here, sizeof here))
        return err_raise(-errno);
    if (!disk_is_real(here))
        return BROKER_NO_DISK;
    snprintf(b->dir, sizeof b->dir, "%s/rota-bench-XXXXXX", here);
    if (!mkdtemp(b->dir)) {
        b->dir[0] = 0;
        return err_raise(-errno);
    }
    snprintf(b->socket_dir, sizeof b->socket_dir, "/tmp/rota-bench-XXXXXX");
    if (!mkdtemp(b->socket_dir)) {
        b->socket_dir[0] = 0;
        return err_raise(-errno);
    }
    snprintf(b->url, sizeof b->url, "ipc://%s/rotad.sock", b->socket_dir);
    snprintf(b->key_file, sizeof b->key_file, "%s/key", b->dir);
    return 0;
}

static int environment_make(struct broker *b)
{
    char data[PATH_MAX + 8];
    snprintf(data, sizeof data, "%s/data", b->dir);
    char *argv[] = {
        (char *)"rotad", (char *)"init",       (char *)"--data", data, (char *)"--environment",
        (char *)"bench", (char *)"--key-file", b->key_file,      NULL};
    int r = spawn(b, argv, -1);
    if (r < 0)
        return err_pass(r);
    if (reap(b) == 0)
        return 0;
    log_show(b);
    return BROKER_FAILED;
}

int broker_new(const char *rotad, struct broker **ret_broker)
{
    AUTO(broker) b = calloc(1, sizeof *b);
    if (!b)
        return err_raise(-ENOMEM);
    b->rotad = rotad;
    b->ready_fd = -1;
    int r = folders_make(b);
    if (r == 0)
        r = environment_make(b);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    *ret_broker = TAKE(b);
    return 0;
}

/* SIGTERM first, so that a broker whose shutdown hangs is seen here and not only in production. */
static void broker_stop(struct broker *b)
{
    AUTO_FD fd = pidfd_open(b->pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    kill(b->pid, SIGTERM);
    if (fd < 0 || poll(&p, 1, STOP_MS_MAX) != 1) {
        fprintf(stderr, "rota-bench: rotad did not end within %d ms of SIGTERM\n", STOP_MS_MAX);
        kill(b->pid, SIGKILL);
    }
    reap(b);
}

static void folder_drop(const char *path)
{
    if (path[0] && disk_remove(path) < 0)
        fprintf(stderr, "rota-bench: %s could not be removed\n", path);
}

struct broker *broker_free(struct broker *b)
{
    if (!b)
        return NULL;
    if (b->pid)
        broker_stop(b);
    if (b->ready_fd >= 0)
        close(b->ready_fd);
    folder_drop(b->dir);
    folder_drop(b->socket_dir);
    free(b);
    return NULL;
}

int broker_start(struct broker *b)
{
    char data[PATH_MAX + 8];
    assert(!b->pid);
    snprintf(data, sizeof data, "%s/data", b->dir);
    char *argv[] = {(char *)"rotad", (char *)"--data",     data,        (char *)"--listen",
                    b->url,          (char *)"--ready-fd", (char *)"3", NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_raise(-errno);
    int r = spawn(b, argv, ends[1]);
    close(ends[1]);
    if (r < 0) {
        close(ends[0]);
        return err_pass(r);
    }
    if (b->ready_fd >= 0)
        close(b->ready_fd);
    b->ready_fd = ends[0];
    return 0;
}

int broker_wait(struct broker *b)
{
    char line[16];
    struct pollfd p = {.fd = b->ready_fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, READY_MS_MAX);
    while (n < 0 && errno == EINTR);
    if (n == 1 && read(b->ready_fd, line, sizeof line) > 0)
        return 0;
    log_show(b);
    return BROKER_FAILED;
}

void broker_kill(struct broker *b)
{
    assert(b->pid);
    kill(b->pid, SIGKILL);
    reap(b);
}

uint64_t broker_anon_kib(const struct broker *b)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)b->pid);
    FILE *file = b->pid ? fopen(path, "re") : NULL;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

uint64_t broker_cpu_ns(const struct broker *b)
{
    clockid_t clock;
    struct timespec t;
    if (!b->pid || clock_getcpuclockid(b->pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
