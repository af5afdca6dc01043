/* keyring.c: API keys are made, shown once, and revoked at once. */
#include "engine/turn.h"

#include "apikey.h"
#include "store/keys.h"

#include <errno.h>
#include <sodium.h>

static Rota__Key *key_message(struct turn *t, const struct key_row *row, struct span account)
{
    Rota__Key *m = arena_alloc(t->fx->arena, sizeof *m);
    if (!m)
        return NULL;
    rota__key__init(m);
    m->serial = row->serial;
    m->prefix = turn_str(t, row->prefix);
    m->account = turn_str(t, account);
    m->name = turn_str(t, row->name);
    m->role = (Rota__Role)row->role;
    m->created_ms = row->created_ms;
    m->revoked_ms = row->revoked_ms;
    return m;
}

static int key_event(struct turn *t, Rota__EventKind kind, const struct key_row *row)
{
    Rota__Event *event = event_new(t, kind);
    if (event) {
        event->account_number = row->account;
        event->key_serial = row->serial;
    }
    return event_append(t, event);
}

int key_write(struct txn *txn, const uint8_t *hash_key, const char *text, const struct key_row *row)
{
    struct key_serial_row serial;
    struct key_buf k;
    apikey_hash(hash_key, text, serial.hash);
    int r = row_put(txn, &key_row_type, span_of(serial.hash, sizeof serial.hash), row);
    if (r == 0)
        r = row_put(txn, &key_serial_row_type, key_u32(&k, row->serial), &serial);
    return r;
}

int turn_key_create(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__KeyCreate *q = request->key_create;
    const struct engine_config *config = &t->engine->config;
    struct account *a;
    uint64_t number;
    enum error_code code = auth_account(t->txn, &t->who, q->account, &number);
    if (code != E_OK)
        return turn_refuse(t, code, "account \"%s\": %s", q->account, error_row(code)->text);
    if (q->role <= ROTA__ROLE__ROLE_NONE || q->role > ROTA__ROLE__GATEWAY)
        return turn_refuse(t, E_ROLE_UNKNOWN, "no role %d", (int)q->role);
    char *text = arena_alloc(t->fx->arena, APIKEY_TEXT_LEN + 1);
    Rota__KeyCreateResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = text && result ? turn_store(cache_account(t->cache, t->txn, number, &a))
                           : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    rota__key_create_result__init(result);
    apikey_make(strcmp(config->environment, "production") == 0, text);
    SET(t->undo, t->cache->hot.key_serial, t->cache->hot.key_serial + 1);
    t->cache->hot_dirty = true;
    struct key_row row = {.serial = t->cache->hot.key_serial,
                          .account = number,
                          .role = (uint8_t)q->role,
                          .created_ms = t->now.wall_ms,
                          .prefix = span_of(text, APIKEY_PREFIX_LEN),
                          .name = span_str(q->name)};
    r = key_write(t->txn, config->hash_key, text, &row);
    if (r == 0)
        r = key_event(t, ROTA__EVENT_KIND__EVENT_KEY_CREATED, &row);
    result->key = key_message(t, &row, span_str(a->id));
    result->credential = text;
    reply->key_create = result;
    return r == 0 && !result->key ? err_raise(-ENOMEM) : turn_store(r);
}

/* The serial that a prefix stands for; a prefix shared by several keys is refused. */
static int serial_of_prefix(struct turn *t, const char *prefix, uint32_t *ret_serial)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    unsigned found = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_KEY, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct key_row row;
        int decoded = row_decode(&key_row_type, key, value, &row);
        if (decoded < 0)
            return err_pass(decoded);
        if (row.revoked_ms || row.prefix.n != strlen(prefix) ||
            memcmp(row.prefix.p, prefix, row.prefix.n) != 0)
            continue;
        *ret_serial = row.serial;
        found++;
    }
    if (r < 0)
        return err_pass(r);
    if (found > 1)
        return turn_refuse(t, E_FIELD_INVALID, "%u keys begin with %s: name the serial", found,
                           prefix);
    return found ? 0 : turn_refuse(t, E_KEY_UNKNOWN, "no living key begins with \"%.12s\"", prefix);
}

int turn_key_revoke(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__KeyRevoke *q = request->key_revoke;
    struct key_serial_row at;
    struct key_row row;
    struct account *a;
    struct key_buf k;
    uint32_t serial = q->serial;
    if (t->engine->revoked_n == ARRAY_LEN(t->engine->revoked))
        return turn_refuse(t, E_OVERLOADED, "too many keys are being revoked at once");
    int r = serial ? 0 : serial_of_prefix(t, q->prefix, &serial);
    if (r != 0)
        return r;
    r = row_get(t->txn, &key_serial_row_type, key_u32(&k, serial), &at);
    if (r == STORE_MISSING)
        return turn_refuse(t, E_KEY_UNKNOWN, "no key has serial %u", serial);
    struct span hash = span_of(at.hash, sizeof at.hash);
    if (r == 0)
        r = row_get(t->txn, &key_row_type, hash, &row);
    if (r == 0)
        r = cache_account(t->cache, t->txn, row.account, &a);
    if (r != 0)
        return turn_store(r);
    row.prefix = span_of(turn_str(t, row.prefix), row.prefix.n);
    row.name = span_of(turn_str(t, row.name), row.name.n);
    if (!row.revoked_ms) {
        row.revoked_ms = t->now.wall_ms;
        r = turn_store(row_put(t->txn, &key_row_type, hash, &row));
        if (r == 0)
            r = key_event(t, ROTA__EVENT_KIND__EVENT_KEY_REVOKED, &row);
        workers_drop_key(t, serial);
        t->engine->revoked[t->engine->revoked_n++] = serial;
    }
    reply->key_revoke = arena_alloc(t->fx->arena, sizeof *reply->key_revoke);
    if (r != 0 || !reply->key_revoke)
        return r ? r : err_raise(-ENOMEM);
    rota__key_revoke_result__init(reply->key_revoke);
    reply->key_revoke->key = key_message(t, &row, span_str(a->id));
    return reply->key_revoke->key ? 0 : err_raise(-ENOMEM);
}
