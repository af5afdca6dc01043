/* bundle_kit.c: the stand-in for the broker is four answers; everything else is the real thing. A
 * watcher thread reads the build's state as the agent's heartbeat would and raises the stop when it
 * is due. */
#undef NDEBUG
#include "bundle_kit.h"
#include "../unit/folder.h"

#include <assert.h>
#include <base/auto.h>
#include <base/clock.h>
#include <base/file.h>
#include <build.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <seal.h>
#include <sign.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* ---- the broker's four answers ---- */

static struct {
    struct kit *kit;
    uint8_t secret_key[SIGN_SECRET_BYTES];
} broker;

/* A runner asks on the thread of its build. */
static _Thread_local struct {
    const struct kit_order *order;
    struct build *build;
    char sealed[KIT_PATH_MAX]; /* the archive as the broker would have it */
    struct seal seal;
} asking;

void kit_object(const struct kit *k, Rota__ObjectKind kind, char path[KIT_PATH_MAX])
{
    snprintf(path, KIT_PATH_MAX, "%.400s/incoming/%d", k->folder, (int)kind);
}

static char *joined(const char *head, const char *rest)
{
    char *text = NULL;
    assert(asprintf(&text, "%s%s", head, rest) > 0);
    return text;
}

static Rota__SignResult *sign_result(char *url)
{
    Rota__SignResult *s = calloc(1, sizeof *s);
    assert(s);
    rota__sign_result__init(s);
    s->url = url;
    return s;
}

static void answer_download(Rota__Reply *reply)
{
    const char *url = asking.order->source_url;
    reply->result_case = ROTA__REPLY__RESULT_SIGN_DOWNLOAD;
    reply->sign_download = sign_result(url ? joined("", url) : joined("file://", asking.sealed));
    uint8_t *key = malloc(SEAL_KEY_BYTES);
    assert(key);
    memcpy(key, asking.seal.key, SEAL_KEY_BYTES);
    key[0] ^= asking.order->seal == KIT_OTHER_KEY;
    reply->sign_download->source_key = (ProtobufCBinaryData){SEAL_KEY_BYTES, key};
}

static void answer_upload(const Rota__SignUpload *ask, Rota__Reply *reply)
{
    char path[KIT_PATH_MAX];
    assert(ask->lease && ask->sha256.len == 32 && ask->size > 0);
    kit_object(broker.kit, ask->kind, path);
    unlink(path); /* of an earlier run */
    reply->result_case = ROTA__REPLY__RESULT_SIGN_UPLOAD;
    reply->sign_upload = sign_result(joined("file://", path));
}

static void answer_attest(const Rota__Attest *ask, Rota__Reply *reply)
{
    struct statement s = {.environment = "development",
                          .job = asking.build->job,
                          .account = asking.build->account,
                          .app = asking.build->app,
                          .platform = asking.build->platform,
                          .kind = "bundle",
                          .size = ask->artifact->size};
    char text[STATEMENT_LEN_MAX];
    memcpy(s.sha256, ask->artifact->sha256.data, 32);
    memcpy(s.blake2b, ask->artifact->blake2b.data, 32);
    sign_key_id(broker.kit->public_key, s.key_id);
    assert(statement_text(&s, text) == 0);
    Rota__Attestation *a = calloc(1, sizeof *a);
    Rota__AttestResult *result = calloc(1, sizeof *result);
    assert(a && result);
    rota__attestation__init(a);
    rota__attest_result__init(result);
    a->statement = joined("", text);
    a->key_id = joined("", s.key_id);
    a->signature.data = malloc(SIGN_BYTES);
    a->signature.len = SIGN_BYTES;
    assert(a->signature.data);
    sign_statement(broker.secret_key, text, a->signature.data);
    result->attestation = a;
    reply->result_case = ROTA__REPLY__RESULT_ATTEST;
    reply->attest = result;
}

int rota_call(struct rota_client *client, Rota__Request *request, uint32_t timeout_ms,
              Rota__Reply **ret_reply)
{
    (void)client;
    (void)timeout_ms;
    Rota__Reply *reply = calloc(1, sizeof *reply);
    assert(reply);
    rota__reply__init(reply);
    if (request->op_case == ROTA__REQUEST__OP_SIGN_DOWNLOAD)
        answer_download(reply);
    else if (request->op_case == ROTA__REQUEST__OP_SIGN_UPLOAD)
        answer_upload(request->sign_upload, reply);
    else
        answer_attest(request->attest, reply);
    *ret_reply = reply;
    return 0;
}

Rota__Reply *rota_reply_free(Rota__Reply *reply)
{
    rota__reply__free_unpacked(reply, NULL);
    return NULL;
}

/* ---- the agent's side ---- */

void kit_idle(const struct kit *k, uint32_t slot, bool is_warm)
{
    runner_bundle.idle(&k->settings, slot, is_warm);
}

struct watcher {
    struct build_host *host;
    const struct kit_order *order;
    struct kit_seen *seen;
    atomic_bool is_over;
    uint64_t from_ms, stopped_ms;
    bool has_percent[101], has_bundle_percent[101];
    uint32_t percent;
};

static void watch_state(struct watcher *w, const struct build_state *s)
{
    w->seen->falls += s->percent < w->percent;
    w->percent = s->percent;
    w->has_percent[s->percent] = true;
    if (strcmp(s->phase, "bundle") == 0)
        w->has_bundle_percent[s->percent] = true;
}

static void watch_stop(struct watcher *w, const struct build_state *s)
{
    const char *phase = w->order->stop_phase;
    if (!w->order->stop_after_ms || w->stopped_ms)
        return;
    if (!w->from_ms && (!phase || strcmp(s->phase, phase) == 0))
        w->from_ms = clock_boot_ms();
    if (w->from_ms && clock_boot_ms() >= w->from_ms + w->order->stop_after_ms) {
        w->stopped_ms = clock_boot_ms();
        build_stop_raise(w->host, w->order->stop_why);
    }
}

static void *watch(void *arg)
{
    struct watcher *w = arg;
    while (!atomic_load(&w->is_over)) {
        struct build_state s;
        build_state_read(w->host, &s);
        watch_state(w, &s);
        watch_stop(w, &s);
        poll(NULL, 0, 20);
    }
    return NULL;
}

static int log_take(void *arg, const void *p, size_t n)
{
    struct kit_seen *seen = arg;
    size_t room = KIT_LOG_MAX - seen->log_n;
    memcpy(seen->log + seen->log_n, p, n < room ? n : room);
    seen->log_n += n < room ? n : room;
    seen->log[seen->log_n] = 0;
    return 0;
}

/* Seals the archive, as `rota publish` does. */
static void source_seal(const struct kit *k, const struct kit_order *o, char source[128])
{
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    char hex[65];
    snprintf(asking.sealed, sizeof asking.sealed, "%.400s/sealed-%u", k->folder, o->slot);
    if (o->seal == KIT_NOT_SEALED)
        snprintf(asking.sealed, sizeof asking.sealed, "%s", o->archive);
    AUTO_FD fd = open(o->archive, O_RDONLY | O_CLOEXEC);
    assert(fd >= 0 && hash_file(fd, sha256, blake2b, &size) == 0);
    seal_derive(span_str("the kit's secret"), sha256, &asking.seal);
    if (o->seal != KIT_NOT_SEALED) {
        AUTO_FD to = open(asking.sealed, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert(to >= 0 && seal_fd(&asking.seal, fd, to) == 0);
        assert(hash_file(to, sha256, blake2b, &size) == 0 && size > 0);
    }
    snprintf(source, 128, "upload:%s", sodium_bin2hex(hex, sizeof hex, sha256, sizeof sha256));
}

static unsigned count(const bool has[101])
{
    unsigned n = 0;
    for (int i = 0; i <= 100; i++)
        n += has[i];
    return n;
}

static int run_watched(struct build *b, struct watcher *w, struct build_result *ret)
{
    pthread_t thread;
    assert(pthread_create(&thread, NULL, watch, w) == 0);
    int r = runner_bundle.run(b, ret);
    uint64_t now_ms = clock_boot_ms();
    atomic_store(&w->is_over, true);
    pthread_join(thread, NULL);
    w->seen->ms_after_stop = w->stopped_ms ? now_ms - w->stopped_ms : 0;
    return r;
}

int kit_run(struct kit *k, const struct kit_order *order, struct build_result *ret,
            struct kit_seen *seen)
{
    char source[128];
    Rota__LeaseRef lease = ROTA__LEASE_REF__INIT;
    AUTO(build_host) host = NULL;
    *seen = (struct kit_seen){0};
    *ret = (struct build_result){0};
    struct build_host_config config = {.send = log_take, .arg = seen};
    assert(build_host_new(&config, &host) == 0);
    source_seal(k, order, source);
    lease.job = (char *)"job_00000000000000000000000000";
    struct build b = {.host = host,
                      .settings = &k->settings,
                      .job = lease.job,
                      .account = order->account ? order->account : "local",
                      .app = "hello",
                      .class = order->class ? order->class : "bundle",
                      .tier = "P0",
                      .platform = order->platform,
                      .source = order->source ? order->source : source,
                      .slot = order->slot,
                      .spec = order->spec,
                      .spec_bytes = order->spec ? strlen(order->spec) : 0,
                      .attempt = 1,
                      .attempts_max = 3,
                      .lease = &lease,
                      .stop_fd = build_host_stop_fd(host)};
    broker.kit = k;
    asking.order = order;
    asking.build = &b;
    struct watcher w = {.host = host, .order = order, .seen = seen};
    uint64_t from_ms = clock_boot_ms();
    int r = run_watched(&b, &w, ret);
    seen->ms = clock_boot_ms() - from_ms;
    build_log_finish(host);
    seen->percents = count(w.has_percent);
    seen->bundle_percents = count(w.has_bundle_percent);
    return r;
}

/* ---- opening and closing ---- */

void kit_open(struct kit *k, uint64_t workspace_bytes)
{
    kit_open_cached(k, workspace_bytes, "none", 0);
}

void kit_open_cached(struct kit *k, uint64_t workspace_bytes, const char *cache_dir,
                     uint64_t cache_bytes)
{
    char path[KIT_PATH_MAX];
    *k = (struct kit){.settings = {.environment = "development",
                                   .workspace_bytes = workspace_bytes,
                                   .cache_dir = cache_dir,
                                   .cache_bytes = cache_bytes,
                                   .slots = 2}};
    assert(sodium_init() >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    crypto_sign_keypair(k->public_key, broker.secret_key);
    int r = runner_bundle.check(&k->settings, k->said);
    if (r != 0) {
        fprintf(stderr, "the runner cannot run here: %s\n", r < 0 ? strerror(-r) : k->said);
        exit(1);
    }
    const char *tmp = getenv("TMPDIR");
    snprintf(k->folder, sizeof k->folder, "%.400s/rota-kit-XXXXXX", tmp ? tmp : "/tmp");
    assert(mkdtemp(k->folder));
    snprintf(path, sizeof path, "%.400s/incoming", k->folder);
    assert(mkdir(path, 0700) == 0);
}

void kit_remove(const char *folder)
{
    folder_remove(folder);
}

void kit_close(struct kit *k)
{
    kit_remove(k->folder);
}

/* ---- looking ---- */

/* A line of our own mount table that shows a job's tmpfs. */
static unsigned mounts_left(void)
{
    unsigned n = 0;
    char line[4096];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, " rota-job ") != NULL;
    if (f)
        fclose(f);
    return n;
}

/* Orphans come to us as well, because we are their subreaper: whoever has us as its parent now has
 * been left behind. */
static bool is_child(const char *pid)
{
    char path[64], text[1024];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    const char *behind_name = strrchr(text, ')');
    return behind_name && sscanf(behind_name, ") %*c %d", &parent) == 1 && parent == getpid();
}

unsigned kit_leftovers(void)
{
    unsigned n = mounts_left();
    DIR *d = opendir("/proc");
    assert(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_child(e->d_name);
    closedir(d);
    return n;
}

void kit_print(const char *name, const struct build_result *r, const struct kit_seen *seen)
{
    static const char *const outcomes[] = {"stopped", "succeeded", "failed", "fault"};
    printf("%s: %s %s %s%s(%llu ms; %u percents, %u in bundle)", name, outcomes[r->outcome],
           r->error ? error_row(r->error)->name : "", r->text, *r->text ? " " : "",
           (unsigned long long)seen->ms, seen->percents, seen->bundle_percents);
    for (size_t i = 0; i < r->phases; i++)
        printf(" %s=%llu", r->phase[i].name, (unsigned long long)r->phase[i].ms);
    printf("\n");
    fflush(stdout);
}
