/* serve.c: brings everything up in order, runs the loop, takes it down in reverse.
 *
 * Signals are blocked in all threads and waited for by one, so no code ever runs inside a handler.
 * Start: keys and database first (the usual reasons to refuse), then memory, then sockets; "ready"
 * is said when each listener has answered. Stop: the loop drains, then the readers and the artifact
 * thread end, then the sockets close, and the database last. */
#include "edge/serve.h"

#include "edge/artifacts_up.h"
#include "edge/loop.h"
#include "edge/notify.h"
#include "edge/readers.h"
#include "edge/vet.h"
#include "edge/wake.h"
#include "store/keys.h"
#include "store/rows.h"

#include <assert.h>
#include <base/clock.h>
#include <base/exit.h>
#include <base/file.h>
#include <base/log.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Room that publishes leave for finishes and cancels: an eighth, at most this. */
enum { RESERVE_BYTES_MAX = 64 << 20 };

static int exit_of_fault(const char *what)
{
    char why[300];
    log_error("start.failed", "what=\"%s\" why=\"%s\"", what, err_trace(why, sizeof why));
    return EXIT_IO;
}

static int refuse(int code, const char *why, const char *hint)
{
    log_error("start.refused", "why=\"%s\" hint=\"%s\"", why, hint);
    return code;
}

/* Each connection is a descriptor. */
static void limits_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warn("limits.kept", "nofile=%llu", (unsigned long long)limit.rlim_cur);
}

/* ---- the store and what stands on it ---- */

static int environment_read(struct edge *edge)
{
    AUTO(txn) txn = NULL;
    struct meta_row row;
    int r = store_snapshot(edge->store, &txn);
    if (r == 0)
        r = row_get(txn, &meta_row_type, span_str("environment"), &row);
    if (r < 0)
        return exit_of_fault("read the environment's name");
    if (r > 0 || row.value.n > ENVIRONMENT_MAX)
        return refuse(EXIT_CONFIG, "the database is no environment",
                      "make one with rotad init --data DIR --key-file FILE");
    memcpy(edge->environment, row.value.p, row.value.n);
    return EXIT_OK;
}

static uint64_t reserve_bytes(const struct settings *s)
{
    uint64_t all = s->quota_bytes && s->quota_bytes < s->map_bytes ? s->quota_bytes : s->map_bytes;
    return all / 8 < RESERVE_BYTES_MAX ? all / 8 : RESERVE_BYTES_MAX;
}

static int store_up(struct edge *edge)
{
    const struct settings *s = edge->settings;
    struct store_config config = {.dir = s->data,
                                  .map_bytes = s->map_bytes,
                                  .quota_bytes = s->quota_bytes,
                                  .reserve_bytes = reserve_bytes(s)};
    int r = store_open(&config, &edge->store);
    if (r == STORE_BUSY)
        return refuse(EXIT_TRY_AGAIN, "another rotad serves this --data",
                      "one environment has one broker: stop the other, or use another --data");
    if (r == STORE_MISSING)
        return refuse(EXIT_CONFIG, "there is no environment in this --data",
                      "make one with rotad init --data DIR --key-file FILE");
    if (r == STORE_FORMAT)
        return refuse(EXIT_CONFIG, "the database is none of ours, or of a newer rotad",
                      "check --data, or update rotad");
    if (r)
        return exit_of_fault("open the database");
    return environment_read(edge);
}

static void wake_readers(void *arg)
{
    struct edge *edge = arg;
    inbox_wake(edge->inbox, LANE_READ);
}

static bool account_is_gone(void *arg, uint64_t account)
{
    struct account_row row;
    struct key_buf k;
    return row_get(arg, &account_row_type, key_u64(&k, account), &row) == STORE_MISSING;
}

/* Keys of accounts that were erased while a crash came between go now. */
static int app_keys_up(struct edge *edge)
{
    AUTO(txn) txn = NULL;
    int r = app_keys_open(edge->settings->data, &edge->app_keys);
    if (r == 0)
        r = store_snapshot(edge->store, &txn);
    if (r == 0)
        r = app_keys_sweep(edge->app_keys, account_is_gone, txn);
    return r;
}

static bool source_is_gone(void *arg, struct job_id job)
{
    return !source_is_wanted(arg, job);
}

/* Keys of jobs that were never committed, or have ended, while a crash came between go now. */
static int source_keys_up(struct edge *edge)
{
    AUTO(txn) txn = NULL;
    size_t gone = 0;
    int r = source_keys_open(edge->settings->data, &edge->source_keys);
    if (r == 0)
        r = store_snapshot(edge->store, &txn);
    if (r == 0)
        r = source_keys_sweep(edge->source_keys, source_is_gone, txn, &gone);
    if (gone)
        log_info("source_keys.swept", "destroyed=%zu", gone);
    return r;
}

static int memory_up(struct edge *edge)
{
    char spool_dir[PATH_MAX];
    const struct settings *s = edge->settings;
    snprintf(spool_dir, sizeof spool_dir, "%s/spool", s->data);
    int r = auth_new(edge->environment, edge->keys.hash_key, &edge->auth);
    if (r == 0)
        r = board_new(&edge->board);
    if (r == 0)
        r = inbox_new(&edge->inbox);
    if (r == 0)
        r = watches_new(wake_readers, edge, &edge->watches);
    if (r == 0)
        r = spool_open(spool_dir, clock_wall_ms(), &edge->spool);
    if (r == 0)
        r = app_keys_up(edge);
    _Static_assert((int)APP_KEYS_REFUSED == (int)SOURCE_KEYS_REFUSED, "one answer for both");
    if (r == 0)
        r = source_keys_up(edge);
    if (r == APP_KEYS_REFUSED)
        return EXIT_CONFIG;
    return r < 0 ? exit_of_fault("set up the folders of the environment") : EXIT_OK;
}

/* A few bytes for each job: the pool spares most of the system calls. Queue thread only. */
static void random_fill(void *arg, void *p, size_t n)
{
    static uint8_t pool[4096];
    static size_t used = sizeof pool;
    (void)arg;
    assert(n <= sizeof pool);
    if (n > sizeof pool - used) {
        randombytes_buf(pool, sizeof pool);
        used = 0;
    }
    memcpy(p, pool + used, n);
    used += n;
}

static int key_keep(void *arg, struct job_id job, const uint8_t *key)
{
    return source_keys_put(arg, job, key);
}

static int key_drop(void *arg, struct job_id job)
{
    return source_keys_destroy(arg, job);
}

static int keys_flush(void *arg)
{
    return source_keys_flush(arg);
}

static int engine_up(struct edge *edge, struct engine **ret_engine)
{
    struct engine_config config = {
        .store = edge->store,
        .auth = edge->auth,
        .board = edge->board,
        .environment = edge->environment,
        .hash_key = edge->keys.hash_key,
        .lease_ms = edge->settings->lease_ms,
        .store_is_remote = artifacts_are_remote(edge->artifacts),
        .git_hosts = &edge->settings->git_hosts,
        .random = random_fill,
        .source_keeper = {key_keep, key_drop, keys_flush, edge->source_keys},
        .kept_succeeded = edge->settings->keep_succeeded,
        .kept_failed = edge->settings->keep_failed,
        .kept_ms = edge->settings->keep_days * 24 * 3600 * 1000,
        .checks_aborts = ROTA_DEBUG,
    };
    int r = engine_open(&config, loop_now(), ret_engine);
    if (r > 0)
        return refuse(EXIT_CONFIG, "the database belongs to another environment", "check --data");
    return r < 0 ? exit_of_fault("load the queue") : EXIT_OK;
}

/* ---- the sockets ---- */

static void note(void *arg, const char *event, const char *text)
{
    (void)arg;
    log_warn(event, "%s", text);
}

static void relisten_limit(void *arg)
{
    log_error("listener.worn_out", "hint=\"too many listens: draining, start rotad again\"");
    edge_stop(arg, EXIT_TRY_AGAIN);
}

static const struct {
    int outcome, exit;
    const char *why, *hint;
} listen_rows[] = {
    {ENDPOINT_URL, EXIT_CONFIG, "this is no address to listen on",
     "ipc:///PATH (in a folder that exists), tcp://ADDR:PORT or tls+tcp://ADDR:PORT"},
    {ENDPOINT_PLAIN_TCP, EXIT_CONFIG, "plain tcp is for loopback only: keys travel in the clear",
     "use tls+tcp://, or --allow-plain-tcp in a network you trust"},
    {ENDPOINT_IN_USE, EXIT_TRY_AGAIN, "somebody listens there already", "choose another address"},
    {ENDPOINT_TLS, EXIT_CONFIG, "the TLS files cannot be used",
     "check --tls-cert, --tls-key and --tls-client-ca"},
};

static int listen_refuse(int outcome, const char *url)
{
    for (size_t i = 0; i < ARRAY_LEN(listen_rows); i++) {
        if (listen_rows[i].outcome != outcome)
            continue;
        log_error("listen.refused", "url=%s why=\"%s\" hint=\"%s\"", url, listen_rows[i].why,
                  listen_rows[i].hint);
        return listen_rows[i].exit;
    }
    char why[200];
    log_error("listen.failed", "url=%s why=\"%s\"", url, err_trace(why, sizeof why));
    return EXIT_CONFIG;
}

static int sockets_up(struct edge *edge)
{
    const struct settings *s = edge->settings;
    struct endpoint_config config = {
        .inbox = edge->inbox,
        .tls_cert_file = s->tls_cert,
        .tls_key_file = s->tls_key,
        .tls_client_ca_file = s->tls_client_ca,
        .allow_plain_tcp = s->allow_plain_tcp,
        .no_self_probe = s->no_self_probe,
        .note = note,
        .relisten_limit = relisten_limit,
        .arg = edge,
    };
    int r = endpoint_new(&config, &edge->endpoint);
    if (r < 0)
        return exit_of_fault("set up the sockets");
    for (size_t i = 0; i < s->listen.n; i++) {
        r = endpoint_listen(edge->endpoint, s->listen.item[i]);
        if (r)
            return listen_refuse(r, s->listen.item[i]);
    }
    return EXIT_OK;
}

/* ---- signals ---- */

static sigset_t signals_block(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

static void reload(struct edge *edge)
{
    signer_reload(edge->signer);
    artifacts_reload(edge->artifacts);
}

/* SIGHUP reads the signing key and the bucket's credentials anew. Ends with the process, or by
 * SIGTERM from the main thread once everything else is down. */
static void *signals_main(void *arg)
{
    struct edge *edge = arg;
    sigset_t set = signals_block();
    int got = 0, r = sigwait(&set, &got);
    for (; r == 0 && got == SIGHUP; r = sigwait(&set, &got))
        reload(edge);
    if (r == 0 && atomic_load(&edge->stop) == STOP_NONE) {
        log_info("stop.asked", "signal=%s", got == SIGINT ? "INT" : "TERM");
        edge_stop(edge, EXIT_OK);
    }
    return NULL;
}

/* ---- up, run, down ---- */

static int waker_up(struct edge *edge, struct waker **ret_waker)
{
    const struct settings *s = edge->settings;
    const struct wake_config config = {
        .board = edge->board, .program = s->wake_command, .every_ms = s->wake_every * 1000};
    return s->wake_command ? waker_start(&config, ret_waker) : 0;
}

static int run(struct edge *edge, struct engine *engine)
{
    const struct settings *s = edge->settings;
    AUTO(readers) readers = NULL;
    AUTO(waker) waker = NULL;
    int r = vet_start(edge, &edge->vet);
    if (r == 0)
        r = readers_start(edge, &readers);
    if (r == 0)
        r = waker_up(edge, &waker);
    if (r == 0)
        r = endpoint_start(edge->endpoint);
    if (r < 0)
        return exit_of_fault("start the threads");
    if (s->ready_fd != READY_FD_NONE)
        notify_fd((int)s->ready_fd);
    notify_systemd("READY=1");
    log_info("ready", "environment=%s data=%s version=%s", edge->environment, s->data,
             ROTA_VERSION);
    int code = loop_run(edge, engine);
    artifacts_stop(edge->artifacts); /* nobody waits for a store that is away */
    notify_systemd("STOPPING=1");
    return code;
}

static int threads_up_and_run(struct edge *edge)
{
    AUTO(engine) engine = NULL;
    pthread_t signals;
    int code = engine_up(edge, &engine);
    if (code == EXIT_OK)
        code = sockets_up(edge);
    if (code != EXIT_OK)
        return code;
    if (pthread_create(&signals, NULL, signals_main, edge))
        return exit_of_fault("start the threads");
    code = run(edge, engine);
    edge->vet = vet_free(edge->vet);
    edge_stop(edge, code);   /* so that the thread of signals ends without a word */
    kill(getpid(), SIGTERM); /* blocked everywhere, so it goes to the thread that waits for it */
    pthread_join(signals, NULL);
    return code;
}

static int serve(const struct settings *s)
{
    struct edge edge = {.settings = s, .stop = STOP_NONE, .started_boot_ms = clock_boot_ms()};
    signals_block();
    limits_raise();
    if (s->wake_command && !wake_program_is_good(s->wake_command))
        return refuse(EXIT_CONFIG, "--wake-command is no program that can be run",
                      "name it by its absolute path, and make it executable for rotad's user");
    int r = keys_load(s->data, &edge.keys);
    if (r == 0)
        r = signer_new(s->data, &edge.keys, &edge.signer);
    if (r < 0)
        exit_of_fault("read the keys");
    int code = r ? EXIT_CONFIG : store_up(&edge);
    if (code == EXIT_OK)
        code = memory_up(&edge);
    if (code == EXIT_OK)
        code = artifacts_up(&edge);
    if (code == EXIT_OK)
        code = threads_up_and_run(&edge);
    edge.endpoint = endpoint_free(edge.endpoint);
    edge.watches = watches_free(edge.watches);
    edge.inbox = inbox_free(edge.inbox);
    edge.artifacts = artifacts_free(edge.artifacts);
    edge.app_keys = app_keys_free(edge.app_keys);
    edge.source_keys = source_keys_free(edge.source_keys);
    edge.spool = spool_free(edge.spool);
    edge.board = board_free(edge.board);
    edge.auth = auth_free(edge.auth);
    edge.store = store_free(edge.store);
    edge.signer = signer_free(edge.signer);
    keys_wipe(&edge.keys);
    log_info("stopped", "code=%d", code);
    return code;
}

int serve_main(int argc, char **argv)
{
    struct settings s = {0};
    int r = settings_parse(argc, argv, &s);
    if (r == OPTION_HELP)
        return EXIT_OK;
    if (r)
        return r == OPTION_USAGE ? EXIT_USAGE : EXIT_CONFIG;
    return serve(&s);
}
