/* worker_rig.c: starts and ends the processes, and asks the broker what became of a job. Waits are
 * long polls (watch) and descriptors; where another process can only be looked at, it looks every
 * 10 ms.  */
#include "worker_rig.h"
#include "../unit/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rig *current;
static const char *rotad_path, *worker_path;

/* ---- processes ---- */

static int show(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    size_t n = strlen(path);
    char line[512];
    FILE *f = n > 4 && strcmp(path + n - 4, ".log") == 0 ? fopen(path, "r") : NULL;
    if (!f)
        return 0;
    fprintf(stderr, "---- %s\n", path);
    while (fgets(line, sizeof line, f))
        fputs(line, stderr);
    fclose(f);
    return 0;
}

void rig_fail(void)
{
    struct rig *r = current;
    if (r) {
        nftw(r->dir, show, 8, FTW_PHYS);
        rig_close(r);
    }
    exit(1);
}

/* A child of the test with its stderr in a file; it dies with the test. */
static pid_t start(const char *log, int keep_fd, const char *const *argv)
{
    pid_t pid = fork();
    CHECK(pid >= 0, "fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    if (keep_fd >= 0)
        dup2(keep_fd, 3);
    syscall(SYS_close_range, keep_fd >= 0 ? 4 : 3, ~0u, 0);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static int reap(pid_t pid, uint64_t ms)
{
    int status = 0;
    uint64_t until_ms = clock_boot_ms() + ms;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        CHECK(got == 0 && clock_boot_ms() < until_ms, "process %d did not end within %llu ms",
              (int)pid, (unsigned long long)ms);
        poll(NULL, 0, 10);
    }
}

void rotad_start(struct rig *r)
{
    char data[RIG_PATH], log[RIG_PATH], lease[32], line[16] = "";
    snprintf(data, sizeof data, "%s/data", r->dir);
    snprintf(log, sizeof log, "%s/rotad.log", r->dir);
    snprintf(lease, sizeof lease, "%llu", (unsigned long long)r->lease_ms);
    int ready[2];
    CHECK(pipe(ready) == 0, "pipe");
    const char *const argv[] = {rotad_path,   "--data", data,         "--listen", r->url,
                                "--lease-ms", lease,    "--ready-fd", "3",        NULL};
    r->rotad = start(log, ready[1], argv);
    close(ready[1]);
    struct pollfd p = {.fd = ready[0], .events = POLLIN};
    CHECK(poll(&p, 1, 20000) == 1 && read(ready[0], line, sizeof line - 1) > 0, "rotad not ready");
    CHECK(strncmp(line, "ready", 5) == 0, "rotad said \"%s\"", line);
    close(ready[0]);
}

void rotad_kill(struct rig *r)
{
    kill(r->rotad, SIGKILL);
    reap(r->rotad, 5000);
    r->rotad = 0;
}

static void client_open(struct rig *r)
{
    FILE *f = fopen(r->key_file, "r");
    CHECK(f && fgets(r->key, sizeof r->key, f), "no key file");
    fclose(f);
    r->key[strcspn(r->key, "\n")] = '\0';
    const struct rota_client_config config = {
        .url = r->url, .environment = "development", .credential = r->key, .timeout_ms = 20000};
    CHECK(rota_client_new(&config, &r->client) == 0, "client");
}

void client_renew(struct rig *r)
{
    r->client = rota_client_free(r->client);
    client_open(r);
}

void rig_open(struct rig *r, char **argv, uint64_t lease_ms)
{
    memset(r, 0, sizeof *r);
    rotad_path = argv[1];
    worker_path = argv[2];
    CHECK(rotad_path && worker_path, "usage: %s ROTAD ROTA-WORKER", argv[0]);
    r->lease_ms = lease_ms;
    snprintf(r->dir, sizeof r->dir, "/tmp/rota-worker-XXXXXX");
    CHECK(mkdtemp(r->dir), "mkdtemp");
    current = r;
    char data[RIG_PATH], log[RIG_PATH];
    snprintf(r->url, sizeof r->url, "ipc://%s/sock", r->dir);
    snprintf(r->key_file, sizeof r->key_file, "%s/key", r->dir);
    snprintf(r->runner, sizeof r->runner, "%s/runner", r->dir);
    snprintf(r->lock, sizeof r->lock, "%s/lock", r->dir);
    snprintf(r->trace, sizeof r->trace, "%s/trace", r->dir);
    snprintf(data, sizeof data, "%s/data", r->dir);
    snprintf(log, sizeof log, "%s/init.log", r->dir);
    const char *const init[] = {rotad_path,   "init",      "--data", data,
                                "--key-file", r->key_file, NULL};
    CHECK(reap(start(log, -1, init), 20000) == 0, "rotad init failed");
    rotad_start(r);
    client_open(r);
}

void rig_close(struct rig *r)
{
    current = NULL;
    for (size_t i = 0; i < r->workers; i++)
        if (r->worker[i] > 0 && kill(r->worker[i], SIGKILL) == 0)
            waitpid(r->worker[i], NULL, 0);
    r->client = rota_client_free(r->client);
    if (r->rotad > 0 && kill(r->rotad, SIGKILL) == 0)
        waitpid(r->rotad, NULL, 0);
    folder_remove(r->dir);
}

void rig_script(struct rig *r, const char *script)
{
    char next[RIG_PATH + 8];
    snprintf(next, sizeof next, "%s.next", r->runner);
    FILE *f = fopen(next, "w");
    CHECK(f, "%s", next);
    fprintf(f, "#!/bin/sh\nLOCK=%s TRACE=%s DIR=%s\n%s\n", r->lock, r->trace, r->dir, script);
    CHECK(fchmod(fileno(f), 0755) == 0 && fclose(f) == 0, "%s", next);
    CHECK(rename(next, r->runner) == 0, "%s", next);
    unlink(r->trace);
}

pid_t worker_start(struct rig *r, const char *name, const char *const *options)
{
    char log[RIG_PATH], runner[RIG_PATH + 8];
    const char *argv[32] = {worker_path, "--url",    r->url, "--name",
                            name,        "--runner", runner, "--exec-host"};
    size_t n = 8;
    snprintf(log, sizeof log, "%s/%s.log", r->dir, name);
    snprintf(runner, sizeof runner, "exec:%s", r->runner);
    if (r->gives_key_by_environment) {
        setenv("ROTA_KEY", r->key, 1);
        setenv("ROTA_ENVIRONMENT", "development", 1);
    } else {
        argv[n++] = "--key-file";
        argv[n++] = r->key_file;
    }
    while (options && *options && n < 31)
        argv[n++] = *options++;
    CHECK(r->workers < RIG_WORKERS_MAX, "too many workers");
    pid_t pid = start(log, -1, argv);
    r->worker[r->workers++] = pid;
    unsetenv("ROTA_KEY");
    unsetenv("ROTA_ENVIRONMENT");
    return pid;
}

static void worker_forget(struct rig *r, pid_t pid)
{
    for (size_t i = 0; i < r->workers; i++)
        if (r->worker[i] == pid)
            r->worker[i] = 0;
}

int worker_wait(struct rig *r, pid_t pid, uint64_t ms)
{
    int code = reap(pid, ms);
    worker_forget(r, pid);
    return code;
}

void worker_stop(struct rig *r, pid_t pid)
{
    kill(pid, SIGTERM);
    CHECK(worker_wait(r, pid, 20000) == 0, "a drain ends with 0");
}

void worker_kill(struct rig *r, pid_t pid)
{
    kill(pid, SIGKILL);
    worker_wait(r, pid, 5000);
}

/* ---- the broker's view ---- */

Rota__Reply *rig_call(struct rig *r, Rota__Request *request)
{
    Rota__Reply *reply = NULL;
    CHECK(rota_call(r->client, request, 0, &reply) == 0, "no memory");
    CHECK(!reply->error, "%s: %s", reply->error->name, reply->error->text);
    return reply;
}

void job_publish(struct rig *r, uint64_t timeout_ms, char ret_job[32])
{
    char key[27];
    rota_idempotency_key(key);
    Rota__Publish p = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    p.app = (char *)"test";
    p.class_ = (char *)"task";
    p.spec = (ProtobufCBinaryData){2, (uint8_t *)"{}"};
    p.timeout_ms = timeout_ms;
    p.idempotency_key = key;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &p;
    Rota__Reply *reply = rig_call(r, &request);
    snprintf(ret_job, 32, "%s", reply->publish->job);
    rota_reply_free(reply);
}

void job_cancel(struct rig *r, const char *job)
{
    Rota__Cancel c = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    c.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &c;
    rota_reply_free(rig_call(r, &request));
}

static Rota__Reply *job_watch(struct rig *r, const char *job, uint64_t version, uint64_t wait_ms)
{
    Rota__Watch w = ROTA__WATCH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    w.job = (char *)job;
    w.version = version;
    w.wait_ms = (uint32_t)(wait_ms < 2000 ? wait_ms : 2000);
    request.op_case = ROTA__REQUEST__OP_WATCH;
    request.watch = &w;
    return rig_call(r, &request);
}

uint64_t job_wait(struct rig *r, const char *job, Rota__State state, uint32_t attempt,
                  const char *phase, uint64_t ms, Rota__Reply **ret_reply)
{
    uint64_t began_ms = clock_boot_ms(), now_ms, version = 0;
    for (;;) {
        now_ms = clock_boot_ms();
        uint64_t left_ms = began_ms + ms > now_ms ? began_ms + ms - now_ms : 0;
        Rota__Reply *reply = job_watch(r, job, version, left_ms);
        const Rota__Job *j = reply->watch->job;
        CHECK(j, "watch gave no job");
        if (j->state == state && j->attempt >= attempt &&
            (!phase || strcmp(j->phase, phase) == 0)) {
            if (ret_reply)
                *ret_reply = reply;
            else
                rota_reply_free(reply);
            return clock_boot_ms() - began_ms;
        }
        CHECK(left_ms > 0,
              "%s is in state %d, attempt %u, phase \"%s\" after %llu ms, not in %d %u", job,
              (int)j->state, j->attempt, j->phase, (unsigned long long)ms, (int)state, attempt);
        version = reply->watch->version;
        rota_reply_free(reply);
    }
}

void job_log(struct rig *r, const char *job, char *text, size_t size)
{
    Rota__LogRead read = ROTA__LOG_READ__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    size_t n = 0;
    read.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_LOG_READ;
    request.log_read = &read;
    for (bool goes_on = true; goes_on;) {
        Rota__Reply *reply = rig_call(r, &request);
        const Rota__LogReadResult *got = reply->log_read;
        size_t take = got->data.len < size - 1 - n ? got->data.len : size - 1 - n;
        if (take > 0)
            memcpy(text + n, got->data.data, take);
        n += take;
        goes_on = take > 0;
        read.offset = got->next;
        rota_reply_free(reply);
    }
    text[n] = '\0';
}

bool lock_is_held(const struct rig *r)
{
    int fd = open(r->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0, "%s", r->lock);
    bool is_held = flock(fd, LOCK_EX | LOCK_NB) < 0;
    close(fd);
    return is_held;
}

unsigned trace_lines(const struct rig *r)
{
    FILE *f = fopen(r->trace, "r");
    unsigned n = 0;
    for (int c; f && (c = fgetc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

bool file_has(const char *path, const char *word)
{
    static char bytes[1 << 16];
    FILE *f = fopen(path, "r");
    CHECK(f, "%s", path);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return memmem(bytes, n, word, strlen(word)) != NULL;
}

void log_wait(const struct rig *r, const char *name, const char *word, uint64_t ms)
{
    char path[RIG_PATH];
    uint64_t until_ms = clock_boot_ms() + ms;
    snprintf(path, sizeof path, "%s/%s.log", r->dir, name);
    while (!file_has(path, word)) {
        CHECK(clock_boot_ms() < until_ms, "%s.log has no \"%s\" after %llu ms", name, word,
              (unsigned long long)ms);
        poll(NULL, 0, 10);
    }
}
