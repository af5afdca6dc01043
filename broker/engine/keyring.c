/* keyring.c: keys are found, narrowed, revoked at once, and in the end forgotten. */
#include "engine/keyring.h"

#include <errno.h>

enum { FORGET_SLICE = 32 }; /* revoked keys that one new key lets go at most */

/* ---- rows ---- */

static int key_put(struct txn *txn, const uint8_t *hash, const struct key_row *row)
{
    struct key_of_row of = {.is_revoked = row->revoked_ms ? 1 : 0};
    struct key_buf k;
    int r = row_put(txn, &key_row_type, span_of(hash, APIKEY_HASH_BYTES), row);
    if (r == 0)
        r = row_put(txn, &key_of_row_type, key_of_key(&k, row->account, row->serial), &of);
    return r;
}

int key_write(struct txn *txn, const uint8_t *hash_key, const char *text, const struct key_row *row)
{
    struct key_serial_row serial;
    struct key_buf k;
    apikey_hash(hash_key, text, serial.hash);
    int r = key_put(txn, serial.hash, row);
    if (r == 0)
        r = row_put(txn, &key_serial_row_type, key_u32(&k, row->serial), &serial);
    return r;
}

static struct span held(struct turn *t, struct span text)
{
    return span_of(turn_str(t, text), text.n);
}

int key_read(struct turn *t, uint32_t serial, struct key_held *ret_key)
{
    struct key_serial_row at;
    struct key_row row;
    struct key_buf k;
    int r = row_get(t->txn, &key_serial_row_type, key_u32(&k, serial), &at);
    if (r == 0)
        r = row_get(t->txn, &key_row_type, span_of(at.hash, sizeof at.hash), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    memcpy(ret_key->hash, at.hash, sizeof ret_key->hash);
    row.prefix = held(t, row.prefix);
    row.name = held(t, row.name);
    row.member = held(t, row.member);
    row.app = held(t, row.app);
    ret_key->row = row;
    return 0;
}

int keys_index(struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    uint64_t keys, indexed;
    int r = txn_count(txn, TABLE_KEY_SERIAL, &keys);
    if (r == 0)
        r = txn_count(txn, TABLE_KEY_OF, &indexed);
    if (r != 0 || keys == indexed)
        return r;
    r = cursor_open(txn, TABLE_KEY_SERIAL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    for (; r == 0; r = cursor_next(cursor, &key, &value)) {
        struct key_serial_row at;
        struct key_row row;
        struct key_buf k;
        uint32_t serial = get_be32(key.p);
        r = row_decode(&key_serial_row_type, key, value, &at);
        if (r == 0)
            r = row_get(txn, &key_row_type, span_of(at.hash, sizeof at.hash), &row);
        if (r != 0)
            return r;
        struct key_of_row of = {.is_revoked = row.revoked_ms ? 1 : 0};
        r = row_put(txn, &key_of_row_type, key_of_key(&k, row.account, serial), &of);
        if (r != 0)
            return r;
    }
    return r == STORE_MISSING ? 0 : r;
}

/* ---- an account's keys ---- */

/* Serials of the account's keys, in the arena, those revoked in front; in each part oldest first.
 */
struct serials {
    uint32_t *item;
    size_t revoked, n;
};

static int serials_walk(struct turn *t, uint64_t account, bool revoked, struct serials *s)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct key_of_row of;
    int r = turn_store(cursor_open(t->txn, TABLE_KEY_OF, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, key_of_key(&k, account, 0), &key, &value);
         r == 0 && get_be64(key.p) == account && s->n < KEYS_MAX + KEYS_REVOKED_KEPT;
         r = cursor_next(cursor, &key, &value)) {
        r = row_decode(&key_of_row_type, key, value, &of);
        if (r < 0)
            return err_pass(r);
        if ((bool)of.is_revoked == revoked)
            s->item[s->n++] = get_be32((const uint8_t *)key.p + 8);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int serials_of(struct turn *t, uint64_t account, struct serials *ret_serials)
{
    struct serials s = {.n = 0};
    s.item = arena_alloc(t->fx->arena, (KEYS_MAX + KEYS_REVOKED_KEPT) * sizeof *s.item);
    if (!s.item)
        return err_raise(-ENOMEM);
    int r = serials_walk(t, account, true, &s);
    s.revoked = s.n;
    if (r == 0)
        r = serials_walk(t, account, false, &s);
    if (r == 0)
        *ret_serials = s;
    return r;
}

int keys_of(struct turn *t, uint64_t account, key_visitor *visit, void *arg)
{
    struct serials s;
    int r = serials_of(t, account, &s);
    for (size_t i = r == 0 ? s.revoked : 0; r == 0 && i < s.n; i++) {
        struct key_held key;
        r = key_read(t, s.item[i], &key);
        r = r == 0 ? visit(t, &key, arg) : turn_store(r);
    }
    return r;
}

/* Nothing of it stays: jobs that name its serial name nobody from now on. */
static int key_forget(struct turn *t, uint32_t serial)
{
    struct key_held key;
    struct key_buf k;
    int r = key_read(t, serial, &key);
    if (r == 0)
        r = key_use_drop(t, serial);
    if (r == 0)
        r = txn_del(t->txn, TABLE_KEY, span_of(key.hash, sizeof key.hash));
    if (r == 0)
        r = txn_del(t->txn, TABLE_KEY_SERIAL, key_u32(&k, serial));
    if (r == 0)
        r = txn_del(t->txn, TABLE_KEY_OF, key_of_key(&k, key.row.account, serial));
    return turn_store(r);
}

int keys_forget_some(struct turn *t, uint64_t account, unsigned *budget)
{
    struct serials s;
    struct key_held key;
    int r = *budget ? serials_of(t, account, &s) : 0;
    if (r != 0 || !*budget)
        return r;
    for (size_t i = 0; i < s.n && r == 0 && *budget; i++, --*budget) {
        r = key_read(t, s.item[i], &key);
        r = r == 0 ? key_revoke(t, &key) : turn_store(r);
        if (r == 0)
            r = key_forget(t, s.item[i]);
    }
    return r;
}

int keys_make_room(struct turn *t, uint64_t account)
{
    struct serials s;
    int r = serials_of(t, account, &s);
    if (r == 0 && s.n - s.revoked >= KEYS_MAX)
        return turn_refuse(t, E_KEY_LIMIT, "the account has %d keys, as many as it may have",
                           KEYS_MAX);
    for (size_t i = 0; r == 0 && i < FORGET_SLICE && s.revoked - i >= KEYS_REVOKED_KEPT; i++)
        r = key_forget(t, s.item[i]);
    return r;
}

/* ---- acts ---- */

int key_event(struct turn *t, Rota__EventKind kind, const struct key_row *row)
{
    Rota__Event *event = event_new(t, kind);
    if (event) {
        event->account_number = row->account;
        event->key_serial = row->serial;
    }
    return event_append(t, event);
}

/* Requests behind this one hear of it at once, parked ones of workers are answered; the watches
 * are looked at again after the commit. */
static void key_changed(struct turn *t, const struct key_row *row)
{
    auth_distrust(t->engine->config.auth, row->serial);
    t->fx->keys_changed = true;
    if (row->revoked_ms && row->role != ROTA__ROLE__ACCOUNT)
        workers_drop_key(t, row->serial);
}

int key_revoke(struct turn *t, struct key_held *key)
{
    if (key->row.revoked_ms)
        return 0;
    key->row.revoked_ms = t->now.wall_ms;
    int r = turn_store(key_put(t->txn, key->hash, &key->row));
    if (r == 0)
        r = key_event(t, ROTA__EVENT_KIND__EVENT_KEY_REVOKED, &key->row);
    key_changed(t, &key->row);
    return r;
}

int key_narrow(struct turn *t, struct key_held *key, uint32_t scopes)
{
    if (scopes == key->row.scopes)
        return 0;
    if (!scopes)
        return key_revoke(t, key);
    key->row.scopes = scopes;
    int r = turn_store(key_put(t->txn, key->hash, &key->row));
    key_changed(t, &key->row);
    return r;
}

/* ---- finding ---- */

/* Looks for the prefix among all keys (account 0) or an account's. */
struct search {
    const char *prefix;
    uint32_t serial;
    unsigned found;
};

static int search_visit(struct turn *t, struct key_held *key, void *arg)
{
    struct search *s = arg;
    (void)t;
    if (key->row.prefix.n == strlen(s->prefix) &&
        memcmp(key->row.prefix.p, s->prefix, key->row.prefix.n) == 0) {
        s->serial = key->row.serial;
        s->found++;
    }
    return 0;
}

static int search_all(struct turn *t, struct search *s)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = turn_store(cursor_open(t->txn, TABLE_KEY, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct key_held held_key;
        r = row_decode(&key_row_type, key, value, &held_key.row);
        if (r < 0)
            return err_pass(r);
        if (!held_key.row.revoked_ms)
            search_visit(t, &held_key, s);
    }
    return r < 0 ? err_pass(r) : 0;
}

/* The serial that a prefix stands for; one that several keys share is refused. */
static int serial_of(struct turn *t, const char *prefix, uint32_t *ret_serial)
{
    struct search s = {.prefix = prefix};
    int r = t->who.role == ROTA__ROLE__OPERATOR ? search_all(t, &s)
                                                : keys_of(t, t->who.account, search_visit, &s);
    if (r != 0)
        return r;
    if (s.found > 1)
        return turn_refuse(t, E_FIELD_INVALID, "%u keys begin with %s: name the serial", s.found,
                           prefix);
    *ret_serial = s.serial;
    return s.found ? 0
                   : turn_refuse(t, E_KEY_UNKNOWN, "no living key begins with \"%.12s\"", prefix);
}

int key_find(struct turn *t, uint32_t serial, const char *prefix, struct key_held *ret_key)
{
    if (!serial && !prefix[0])
        return turn_refuse(t, E_FIELD_MISSING, "neither prefix nor serial names a key");
    int r = serial ? 0 : serial_of(t, prefix, &serial);
    if (r != 0)
        return r;
    r = key_read(t, serial, ret_key);
    if (r == STORE_MISSING || (r == 0 && !auth_sees(&t->who, ret_key->row.account)))
        return turn_refuse(t, E_KEY_UNKNOWN, "no key has serial %u", serial);
    return turn_store(r);
}

/* ---- messages ---- */

static char **scope_names(struct turn *t, uint32_t scopes, size_t *ret_n)
{
    char **names = arena_alloc(t->fx->arena, SCOPES * sizeof(char *));
    size_t n = 0;
    for (size_t i = 0; names && i < SCOPES; i++)
        if (scopes >> i & 1)
            names[n++] = (char *)scope_name(i);
    *ret_n = n;
    return names;
}

int key_message(struct turn *t, const struct key_row *row, Rota__Key **ret_key)
{
    struct account *a;
    Rota__Key *m = arena_alloc(t->fx->arena, sizeof *m);
    int r = m ? turn_store(cache_account(t->cache, t->txn, row->account, &a)) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    rota__key__init(m);
    m->serial = row->serial;
    m->prefix = turn_str(t, row->prefix);
    m->account = turn_str(t, span_str(a->id));
    m->name = turn_str(t, row->name);
    m->role = (Rota__Role)row->role;
    m->created_ms = row->created_ms;
    m->revoked_ms = row->revoked_ms;
    uint32_t scopes = row->scopes ? row->scopes : scopes_default((Rota__Role)row->role);
    m->scope = scope_names(t, scopes, &m->n_scope);
    m->expires_ms = row->expires_ms;
    m->rate_minute = row->rate_minute;
    m->builds_month = row->builds_month;
    m->member = turn_str(t, row->member);
    m->app = turn_str(t, row->app);
    m->load = row->is_load;
    *ret_key = m;
    return m->scope ? 0 : err_raise(-ENOMEM);
}

const char *key_scopes_text(struct turn *t, uint32_t scopes)
{
    enum { TEXT_BYTES = 320 };
    char *text = arena_alloc(t->fx->arena, TEXT_BYTES);
    return text ? scopes_text(scopes, text, TEXT_BYTES) : "";
}
