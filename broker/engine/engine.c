/* engine.c: an engine opens, closes, and begins a new environment. */
#include "engine/keyring.h"

#include "apikey.h"
#include "store/keys.h"

#include <errno.h>
#include <stdlib.h>

enum { TIER_ENTERPRISE = 0 };

/* ---- a new environment ---- */

static int init_pool(struct txn *txn, uint16_t number, const char *name)
{
    struct key_buf k;
    struct pool_row pool = {
        .c = ROTATION_FRESH.c, .n_max = ROTATION_N_DEFAULT, .name = span_str(name)};
    struct class_row class = {.pool = number};
    int r = row_put(txn, &pool_row_type, key_u16(&k, number), &pool);
    if (r == 0)
        r = row_put(txn, &class_row_type, span_str(name), &class);
    return r;
}

static int init_account(struct txn *txn, uint64_t number, const char *id, uint64_t wall_ms)
{
    struct key_buf k;
    struct account_row account = {
        .tier = TIER_ENTERPRISE, .created_ms = wall_ms, .id = span_str(id)};
    struct account_id_row at = {number};
    int r = row_put(txn, &account_row_type, key_u64(&k, number), &account);
    if (r == 0)
        r = row_put(txn, &account_id_row_type, span_str(id), &at);
    return r;
}

static int init_key(struct txn *txn, const uint8_t *hash_key, const char *text, uint64_t wall_ms)
{
    struct key_row row = {.serial = 1,
                          .account = 1,
                          .role = ROTA__ROLE__OPERATOR,
                          .created_ms = wall_ms,
                          .prefix = span_of(text, APIKEY_PREFIX_LEN),
                          .name = span_str("first operator")};
    return key_write(txn, hash_key, text, &row);
}

static int init_rows(struct txn *txn, const char *environment, const uint8_t *hash_key,
                     uint64_t wall_ms, const char *credential)
{
    struct meta_row name = {span_str(environment)};
    struct hot_row hot = {
        .account_number = 1, .key_serial = 1, .pool_number = 2, .epoch = 1, .broker_ms = wall_ms};
    int r = row_put(txn, &meta_row_type, span_str("environment"), &name);
    if (r == 0)
        r = row_put(txn, &hot_row_type, hot_key(), &hot);
    if (r == 0)
        r = init_pool(txn, 1, "bundle");
    if (r == 0)
        r = init_pool(txn, 2, "task");
    if (r == 0)
        r = addons_init(txn);
    if (r == 0)
        r = init_account(txn, 1, "local", wall_ms);
    if (r == 0)
        r = init_key(txn, hash_key, credential, wall_ms);
    return r;
}

int engine_init(struct store *s, const char *environment, const uint8_t hash_key[32],
                uint64_t wall_ms, char *ret_credential)
{
    AUTO(txn) txn = NULL;
    apikey_make(strcmp(environment, "production") == 0, ret_credential);
    int r = store_begin(s, &txn);
    if (r == 0)
        r = init_rows(txn, environment, hash_key, wall_ms, ret_credential);
    if (r == 0)
        r = store_commit(&txn);
    if (r > 0)
        return err_raise(-ENOSPC);
    return r < 0 ? err_pass(r) : 0;
}

/* ---- opening ---- */

static int check_environment(struct txn *txn, const char *environment)
{
    struct meta_row row;
    int r = row_get(txn, &meta_row_type, span_str("environment"), &row);
    if (r < 0)
        return err_pass(r);
    if (r != 0 || row.value.n != strlen(environment) ||
        memcmp(row.value.p, environment, row.value.n) != 0)
        return ENGINE_WRONG_ENVIRONMENT;
    return 0;
}

/* What the event log must hold before the first turn. */
static int log_open(struct engine *e, struct txn *txn, struct now now)
{
    struct effects fx;
    int r = effects_init(&fx);
    if (r < 0)
        return err_pass(r);
    struct turn t = {
        .engine = e, .cache = &e->cache, .undo = e->cache.undo, .txn = txn, .fx = &fx, .now = now};
    r = checkpoint_open(&t);
    effects_deinit(&fx);
    return r;
}

/* Broker time goes on from where it was, or from Unix time if that is later. */
static int load(struct engine *e, struct txn *txn, struct now now)
{
    struct hot_row hot;
    int r = check_environment(txn, e->config.environment);
    if (r != 0)
        return r;
    r = row_get(txn, &hot_row_type, hot_key(), &hot);
    if (r != 0)
        return r < 0 ? err_pass(r) : err_raise(-EBADMSG);
    uint64_t bt_ms = hot.broker_ms > now.wall_ms ? hot.broker_ms : now.wall_ms;
    e->broker_offset_ms = bt_ms - now.boot_ms;
    e->opened_ms = bt_ms;
    r = keys_index(txn);
    if (r == 0)
        r = cache_load(&e->cache, txn, bt_ms, e->config.lease_ms);
    if (r < 0)
        return err_pass(r);
    r = log_open(e, txn, now);
    if (r == 0)
        r = turn_store(cache_flush(&e->cache, txn));
    return r == TURN_FULL ? err_raise(-ENOSPC) : r;
}

static void show_all(struct engine *e, struct now now)
{
    struct effects fx;
    if (effects_init(&fx) < 0)
        return;
    struct turn t = {.engine = e, .cache = &e->cache, .fx = &fx, .now = now};
    size_t bucket;
    for (struct map_node *n = map_begin(&e->cache.leases, &bucket); n;
         n = map_after(&e->cache.leases, n, &bucket)) {
        const struct lease *l = CONTAINER(n, lease, by_job);
        effect_job(&t, l->job, l->account->number, false);
        worker_touch(&t, l->worker);
    }
    turn_show(e, &fx, now.boot_ms + e->broker_offset_ms);
    effects_deinit(&fx);
}

int engine_open(const struct engine_config *config, struct now now, struct engine **ret_engine)
{
    AUTO(engine) e = calloc(1, sizeof *e);
    AUTO(txn) txn = NULL;
    if (!e)
        return err_raise(-ENOMEM);
    e->config = *config;
    e->config.kept_succeeded = config->kept_succeeded ? config->kept_succeeded : KEPT_SUCCEEDED;
    e->config.kept_failed = config->kept_failed ? config->kept_failed : KEPT_FAILED;
    e->config.kept_ms = config->kept_ms ? config->kept_ms : KEPT_MS;
    int r = cache_init(&e->cache);
    if (r == 0)
        r = store_begin(config->store, &txn);
    if (r == 0)
        r = load(e, txn, now);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    r = store_commit(&txn);
    if (r != 0) /* full, or unknown: not an outcome of opening */
        return r < 0 ? err_pass(r) : err_raise(r == STORE_FULL ? -ENOSPC : -EIO);
    cache_committed(&e->cache);
    show_all(e, now);
    *ret_engine = TAKE(e);
    return 0;
}

struct engine *engine_free(struct engine *e)
{
    if (e) {
        cache_deinit(&e->cache);
        free(e);
    }
    return NULL;
}

/* ---- closing and checking ---- */

void engine_drain(struct engine *e, struct effects *fx)
{
    struct turn t = {.engine = e, .cache = &e->cache, .undo = e->cache.undo, .fx = fx};
    size_t bucket;
    for (struct map_node *n = map_begin(&e->cache.workers, &bucket); n;
         n = map_after(&e->cache.workers, n, &bucket)) {
        struct worker *w = CONTAINER(n, worker, by_name);
        if (w->poll)
            poll_answer(&t, w->poll, NULL);
        worker_beat(&t, w);
    }
    undo_keep(e->cache.undo);
}

int engine_check(struct engine *e)
{
    struct cache fresh;
    AUTO(txn) txn = NULL;
    int r = cache_init(&fresh);
    if (r == 0)
        r = store_snapshot(e->config.store, &txn);
    if (r == 0)
        r = cache_load(&fresh, txn, e->cache.hot.broker_ms, e->config.lease_ms);
    if (r == 0)
        r = cache_compare(&e->cache, &fresh);
    if (r == 0)
        r = key_uses_compare(&e->cache, txn);
    if (r == 0)
        r = usage_compare(&e->cache, txn);
    cache_deinit(&fresh);
    return r < 0 ? err_pass(r) : r;
}
