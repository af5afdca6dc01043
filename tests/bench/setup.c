/* setup.c: from the settings to a broker that is ready for a load: a process of our own or the one
 * at --url, the key, a client whose pipes are open, and the accounts. */
#include "bench.h"

#include <base/exit.h>
#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { KEY_FILE_BYTES_MAX = 4096, RUNNING_MAX = 10000, SETUP_IN_FLIGHT = 64 };

static int say(int exit_code, const char *what, const char *hint)
{
    fprintf(stderr, "rota-bench: %s\n  %s\n", what, hint);
    return exit_code;
}

void reply_freep(Rota__Reply **reply)
{
    *reply = rota_reply_free(*reply);
}

int bench_call(struct bench *b, Rota__Request *request, Rota__Reply **ret_reply)
{
    int r = rota_call(b->client, request, CALL_MS, ret_reply);
    if (r < 0)
        return err_pass(r);
    const Rota__Error *error = (*ret_reply)->error;
    if (!error)
        return 0;
    fprintf(stderr, "rota-bench: %s (%s)\n  %s\n", error->text, error->name, error->hint);
    return EXIT_UNAVAILABLE;
}

/* The first line is the key, the second names the environment. */
static int key_read(struct bench *b, const char *path)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = file_read_secret(path, KEY_FILE_BYTES_MAX, &text, &n);
    if (r < 0)
        return say(EXIT_CONFIG, path, strerror(-r));
    char *rest = text, *key = strsep(&rest, "\r\n");
    while (rest && (*rest == '\n' || *rest == '\r'))
        rest++;
    const char *named = rest ? strsep(&rest, "\r\n") : "";
    const char *wanted = b->settings->environment;
    b->credential = strdup(key);
    b->environment = strdup(wanted && *wanted ? wanted : named);
    sodium_memzero(text, n);
    return b->credential && b->environment ? 0 : err_raise(-ENOMEM);
}

static int environment_check(const struct bench *b)
{
    if (!b->environment[0])
        return say(EXIT_CONFIG, "the environment's name is not known",
                   "pass --environment, or a key file whose second line names it");
    if (strcmp(b->environment, "production") == 0)
        return say(EXIT_NOT_ALLOWED, "this is a production environment",
                   "a load tool never runs there: use a broker of its own with --rotad");
    return 0;
}

int bench_connect(struct bench *b)
{
    struct rota_client_config config = {
        .url = b->url,
        .environment = b->environment,
        .credential = b->credential,
        .tls_ca_file = b->settings->tls_ca,
        .tls_cert_key_file = b->settings->tls_cert_key,
    };
    b->client = rota_client_free(b->client);
    int r = rota_client_new(&config, &b->client);
    if (r == -EINVAL)
        return say(EXIT_CONFIG, "this address cannot be used",
                   "use ipc:///PATH, tcp://HOST:PORT, or tls+tcp://HOST:PORT with --tls-ca");
    return r < 0 ? err_pass(r) : 0;
}

/* ---- a broker of our own ---- */

static int broker_open(struct bench *b)
{
    int r = broker_new(b->settings->rotad, &b->broker);
    if (r == 0)
        r = broker_start(b->broker);
    if (r == 0)
        r = broker_wait(b->broker);
    if (r == BROKER_NO_DISK)
        return say(EXIT_CONFIG, "the current folder lies in memory, where a flush costs nothing",
                   "run in a folder on a disk");
    if (r == BROKER_FAILED)
        return say(EXIT_UNAVAILABLE, "rotad did not start", "its log stands above");
    if (r < 0)
        return err_pass(r);
    fprintf(stderr, "rota-bench: rotad %d in %s\n", (int)b->broker->pid, b->broker->dir);
    return 0;
}

static int place_find(struct bench *b)
{
    const struct settings *s = b->settings;
    if (!s->rotad) {
        if (!s->url || !s->key_file)
            return say(EXIT_USAGE, "where is the broker?",
                       "pass --rotad PATH for one of its own, or --url and --key-file");
        b->url = s->url;
        return key_read(b, s->key_file);
    }
    int r = broker_open(b);
    if (r != 0)
        return r;
    b->url = b->broker->url;
    return key_read(b, b->broker->key_file);
}

/* ---- accounts ---- */

struct accounts {
    struct bench *bench;
    _Atomic uint64_t next;
};

struct maker {
    bool makes_app; /* the account stands, its app comes next */
    char account[ACCOUNT_NAME_MAX];
};

/* The largest tier without limits, so that no cap binds: the load measures the queue. */
static bool account_send(struct slot *s)
{
    struct maker *m = s->own;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    set.account = m->account;
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = ROTA__TIER__P0;
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
    set.builds_unlimited = true;
    set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    set.running_max = RUNNING_MAX;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = &set;
    return slot_call(s, &request, CALL_MS);
}

static bool app_send(struct slot *s)
{
    struct maker *m = s->own;
    Rota__AppSet set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    set.account = m->account;
    set.app = (char *)"bench";
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &set;
    return slot_call(s, &request, CALL_MS);
}

static bool account_step(struct slot *s, const Rota__Reply *reply)
{
    struct accounts *a = s->arg;
    struct maker *m = s->own;
    if (reply && reply->error) {
        slot_refused(s, reply->error);
        return false;
    }
    m->makes_app = reply && !m->makes_app;
    if (m->makes_app)
        return app_send(s);
    uint64_t i = atomic_fetch_add(&a->next, 1);
    if (i >= a->bench->settings->accounts || load_interrupted)
        return false;
    account_name(i, m->account);
    return account_send(s);
}

static int accounts_make(struct bench *b)
{
    struct accounts accounts = {.bench = b};
    AUTO(load) load = NULL;
    struct load_result result;
    struct load_config config = {
        .client = b->client,
        .in_flight = SETUP_IN_FLIGHT,
        .step = account_step,
        .arg = &accounts,
        .own_bytes = sizeof(struct maker),
    };
    int r = load_start(&config, &load);
    if (r < 0)
        return err_pass(r);
    load_wait(load);
    load_result(load, &result);
    return result.refused ? say(EXIT_UNAVAILABLE, "accounts could not be made", result.refusal) : 0;
}

/* ---- pipes ---- */

static bool ping_step(struct slot *s, const Rota__Reply *reply)
{
    Rota__Ping ping = ROTA__PING__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PING;
    request.ping = &ping;
    if (reply && reply->error)
        slot_refused(s, reply->error);
    return !reply && slot_call(s, &request, CALL_MS);
}

/* As many calls at once as the load will make, so that its pipes stand before the clock runs. */
static int pipes_open(struct bench *b)
{
    AUTO(load) load = NULL;
    struct load_result result;
    struct load_config config = {
        .client = b->client,
        .in_flight = (unsigned)b->settings->in_flight,
        .step = ping_step,
    };
    int r = load_start(&config, &load);
    if (r < 0)
        return err_pass(r);
    load_wait(load);
    load_result(load, &result);
    return result.refused ? say(EXIT_UNAVAILABLE, "the broker does not answer", result.refusal) : 0;
}

/* A JSON object of SPEC_BYTES whose text does not compress, the same in every run. */
static void spec_make(struct bench *b)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t x = 2463534242u;
    int n = snprintf(b->spec, sizeof b->spec, "{\"bench\":\"");
    for (int i = n; i < SPEC_BYTES - 2; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        b->spec[i] = letters[x % 64];
    }
    memcpy(b->spec + SPEC_BYTES - 2, "\"}", 3);
}

int bench_open(struct bench *b)
{
    spec_make(b);
    int r = place_find(b);
    if (r == 0)
        r = environment_check(b);
    if (r == 0)
        r = bench_connect(b);
    if (r == 0)
        r = pipes_open(b);
    if (r == 0)
        r = accounts_make(b);
    return r < 0 ? err_pass(r) : r;
}

void bench_close(struct bench *b)
{
    b->client = rota_client_free(b->client);
    b->broker = broker_free(b->broker);
    if (b->credential)
        sodium_memzero(b->credential, strlen(b->credential));
    free(b->credential);
    free(b->environment);
}
