/* broker_kit.c: starts rotad with a pipe for its "ready" word, so that nothing here waits by the
 * clock. */
#include "broker_kit.h"
#include "../unit/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_FD = 9, AWAIT_CALLS_MAX = 20000 };

void rig_init(struct rig *rig, const char *rotad)
{
    *rig = (struct rig){.rotad = rotad};
    const char *tmp = getenv("TMPDIR");
    snprintf(rig->dir, sizeof rig->dir, "%s/rota-broker-XXXXXX",
             tmp && strlen(tmp) < 30 ? tmp : "/tmp");
    assert(mkdtemp(rig->dir));
    snprintf(rig->data, sizeof rig->data, "%s/data", rig->dir);
    snprintf(rig->socket, sizeof rig->socket, "%s/rotad.sock", rig->dir);
    snprintf(rig->url, sizeof rig->url, "ipc://%s", rig->socket);
    snprintf(rig->key_file, sizeof rig->key_file, "%s/key", rig->dir);
    snprintf(rig->log, sizeof rig->log, "%s/log", rig->dir);
    const char *const args[] = {"init", "--data",     rig->data,     "--environment",
                                "test", "--key-file", rig->key_file, NULL};
    assert_int_equal(rig_run(rig, args, NULL, 0), 0);
}

/* In the child: becomes rotad, its stderr in `log`. */
static _Noreturn void become(const struct rig *rig, const char *const *args, const char *log)
{
    char *argv[RIG_ARGS_MAX + 2] = {(char *)(uintptr_t)rig->rotad};
    size_t n = 1;
    for (; args[n - 1] && n <= RIG_ARGS_MAX; n++)
        argv[n] = (char *)(uintptr_t)args[n - 1];
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    dup2(fd, STDOUT_FILENO);
    execv(rig->rotad, argv);
    _exit(127);
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int rig_run(struct rig *rig, const char *const *args, char *text, size_t n)
{
    char log[128];
    int status;
    snprintf(log, sizeof log, "%s/run.log", rig->dir);
    unlink(log);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0)
        become(rig, args, log);
    assert(waitpid(pid, &status, 0) == pid);
    if (text) {
        FILE *f = fopen(log, "r");
        assert(f);
        size_t got = fread(text, 1, n - 1, f);
        text[got] = '\0';
        fclose(f);
    }
    return code_of(status);
}

bool rig_try(struct rig *rig, const char *const *args, int *ret_code)
{
    const char *all[RIG_ARGS_MAX + 1] = {"--data", rig->data,    "--listen",
                                         rig->url, "--ready-fd", "9"};
    size_t n = 6;
    for (; args && *args && n < RIG_ARGS_MAX; args++)
        all[n++] = *args;
    int ready[2];
    assert(pipe(ready) == 0);
    rig->pid = fork();
    assert(rig->pid >= 0);
    if (rig->pid == 0) {
        close(ready[0]);
        dup2(ready[1], READY_FD);
        if (ready[1] != READY_FD)
            close(ready[1]);
        become(rig, all, rig->log);
    }
    close(ready[1]);
    char word[6];
    ssize_t got = read(ready[0], word, sizeof word);
    close(ready[0]);
    if (got != sizeof word || memcmp(word, "ready\n", sizeof word) != 0) {
        int status;
        assert(waitpid(rig->pid, &status, 0) == rig->pid);
        rig->pid = 0;
        *ret_code = code_of(status);
        return false;
    }
    if (!rig->root)
        rig->root = rig_client(rig, NULL);
    return true;
}

void rig_start(struct rig *rig, const char *const *args)
{
    int code;
    assert(rig_try(rig, args, &code));
}

int rig_stop(struct rig *rig, int signal)
{
    int status;
    assert(rig->pid > 0);
    if (signal)
        kill(rig->pid, signal);
    assert(waitpid(rig->pid, &status, 0) == rig->pid);
    rig->pid = 0;
    return code_of(status);
}

void rig_deinit(struct rig *rig)
{
    rig->root = rota_client_free(rig->root);
    if (rig->pid)
        rig_stop(rig, SIGKILL);
    folder_remove(rig->dir);
}

struct rota_client *rig_client(struct rig *rig, const char *credential)
{
    char key[KEY_MAX] = "";
    struct rota_client *c = NULL;
    if (!credential) {
        FILE *f = fopen(rig->key_file, "r");
        assert(f && fgets(key, sizeof key, f));
        fclose(f);
        key[strcspn(key, "\n")] = '\0';
    }
    struct rota_client_config config = {.url = rig->url,
                                        .environment = "test",
                                        .credential = credential ? credential : key,
                                        .timeout_ms = 20000,
                                        .retries_max = ROTA_NO_RETRY};
    assert(rota_client_new(&config, &c) == 0);
    return c;
}

Rota__Reply *call(struct rota_client *c, Rota__Request *request)
{
    Rota__Reply *reply = NULL;
    assert(rota_call(c, request, 0, &reply) == 0);
    assert(reply);
    return reply;
}

Rota__Reply *must(struct rota_client *c, Rota__Request *request)
{
    Rota__Reply *reply = call(c, request);
    if (reply->error) {
        print_error("operation %d: %s: %s\n", (int)request->op_case, reply->error->name,
                    reply->error->text);
        fail();
    }
    assert_int_equal(reply->result_case, request->op_case);
    return reply;
}

void must_fail(struct rota_client *c, Rota__Request *request, const char *name)
{
    Rota__Reply *reply = call(c, request);
    const Rota__Error *error = reply->error;
    bool is_due = error && strcmp(error->name, name) == 0 && error->text[0] && error->hint[0];
    if (!is_due)
        print_error("operation %d: %s, %s was due\n", (int)request->op_case,
                    error ? error->name : "went through", name);
    assert_true(is_due);
    rota_reply_free(reply);
}

void rig_account(struct rig *rig, const char *account, Rota__Tier tier, uint32_t running_max)
{
    Rota__Request r;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = (char *)(uintptr_t)account;
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = tier;
    if (running_max) {
        set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
        set.running_max = running_max;
    }
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
    set.builds_unlimited = true;
    rota_reply_free(must(rig->root, ASK(r, ACCOUNT_SET, account_set, &set)));
}

void rig_key(struct rig *rig, const char *account, Rota__Role role, char key[KEY_MAX],
             uint32_t *ret_serial)
{
    Rota__Request r;
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    create.account = (char *)(uintptr_t)account;
    create.name = (char *)(uintptr_t) "test";
    create.role = role;
    Rota__Reply *reply = must(rig->root, ASK(r, KEY_CREATE, key_create, &create));
    snprintf(key, KEY_MAX, "%s", reply->key_create->credential);
    if (ret_serial)
        *ret_serial = reply->key_create->key->serial;
    rota_reply_free(reply);
}

void publish_task(struct rota_client *c, const char *account, const char *app, char job[32])
{
    Rota__Request r;
    Rota__Publish p = ROTA__PUBLISH__INIT;
    p.account = (char *)(uintptr_t)account;
    p.app = (char *)(uintptr_t)app;
    p.class_ = (char *)(uintptr_t) "task";
    Rota__Reply *reply = must(c, ASK(r, PUBLISH, publish, &p));
    snprintf(job, 32, "%s", reply->publish->job);
    rota_reply_free(reply);
}

void kit_source(Rota__Publish *p, const char *source)
{
    static uint8_t key[32] = "the key of a source in some test";
    p->source = (char *)(uintptr_t)source;
    if (*source)
        p->source_key = (ProtobufCBinaryData){sizeof key, key};
}

void publish_source(struct rota_client *c, const char *account, const char *source, char job[32],
                    char error[40])
{
    Rota__Request r;
    Rota__Publish p = ROTA__PUBLISH__INIT;
    p.account = (char *)(uintptr_t)account;
    p.app = (char *)(uintptr_t) "app";
    p.platform = (char *)(uintptr_t) "android";
    kit_source(&p, source);
    Rota__Reply *reply = call(c, ASK(r, PUBLISH, publish, &p));
    snprintf(error, 40, "%s", reply->error ? reply->error->name : "");
    snprintf(job, 32, "%s", reply->error ? "" : reply->publish->job);
    rota_reply_free(reply);
}

Rota__LeasedJob *lease_one(struct rota_client *c, const char *pool, const char *worker,
                           uint32_t wait_ms, Rota__Reply **ret_reply)
{
    static uint64_t counter;
    uint64_t nonce[2] = {(uint64_t)getpid(), ++counter};
    char *class = (char *)(uintptr_t)pool;
    Rota__Request r;
    Rota__Lease lease = ROTA__LEASE__INIT;
    lease.worker = (char *)(uintptr_t)worker;
    lease.pool = class;
    lease.n_class_ = 1;
    lease.class_ = &class;
    lease.wait_ms = wait_ms;
    lease.nonce = (ProtobufCBinaryData){sizeof nonce, (uint8_t *)nonce};
    *ret_reply = must(c, ASK(r, LEASE, lease, &lease));
    return (*ret_reply)->lease->n_job ? (*ret_reply)->lease->job[0] : NULL;
}

Rota__State finish_ok(struct rota_client *c, Rota__LeaseRef *lease)
{
    Rota__Request r;
    Rota__Finish finish = ROTA__FINISH__INIT;
    finish.lease = lease;
    finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    Rota__Reply *reply = must(c, ASK(r, FINISH, finish, &finish));
    Rota__State state = reply->finish->state;
    rota_reply_free(reply);
    return state;
}

void await_state(struct rota_client *c, const char *job, Rota__State state)
{
    for (int i = 0; i < AWAIT_CALLS_MAX; i++) {
        Rota__Request r;
        Rota__Status status = ROTA__STATUS__INIT;
        status.job = (char *)(uintptr_t)job;
        Rota__Reply *reply = must(c, ASK(r, STATUS, status, &status));
        Rota__State now = reply->status->job->state;
        rota_reply_free(reply);
        if (now == state)
            return;
    }
    print_error("%s never came to state %d\n", job, (int)state);
    fail();
}
