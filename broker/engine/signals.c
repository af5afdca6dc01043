/* signals.c: what accounts may share, as rows of `signal`.
 *
 * A value is a keyed hash under a key made of the instance's own for this alone. Each row stands
 * twice: under the value, where others with it are found, and under its account, where the account
 * is found when it must be scored, exported or forgotten. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>

static const uint64_t day_ms = 24ull * 3600 * 1000;
enum { KEPT_HASH_DAYS = 90, KEPT_ADDRESS_DAYS = 30, IPV6_SITE_BYTES = 8 };

/* ---- values ---- */

static void keyed_hash(const struct engine *e, const char *context, const void *p, size_t n,
                       uint8_t *ret_hash, size_t hash_n)
{
    uint8_t key[crypto_generichash_KEYBYTES];
    crypto_generichash(key, sizeof key, (const uint8_t *)context, strlen(context),
                       e->config.hash_key, crypto_generichash_KEYBYTES);
    crypto_generichash(ret_hash, hash_n, p, n, key, sizeof key);
    sodium_memzero(key, sizeof key);
}

struct abuse_value abuse_bundle_value(const struct engine *e, const uint8_t sha256[32])
{
    struct abuse_value value;
    keyed_hash(e, "rota abuse: bundle", sha256, 32, value.b, sizeof value.b);
    return value;
}

/* The bytes that tell one customer's line from another's; 0: none that do. */
static size_t address_bytes(const char *text, uint8_t ret_bytes[sizeof(struct in6_addr)])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        if (memcmp(v6.s6_addr, mapped, sizeof mapped) != 0) {
            memcpy(ret_bytes, v6.s6_addr, IPV6_SITE_BYTES);
            return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ? 0 : IPV6_SITE_BYTES;
        }
        memcpy(&v4, v6.s6_addr + sizeof mapped, sizeof v4);
    } else if (inet_pton(AF_INET, text, &v4) != 1) {
        return 0;
    }
    memcpy(ret_bytes, &v4, sizeof v4);
    return ret_bytes[0] == IN_LOOPBACKNET || ret_bytes[0] == 0 ? 0 : sizeof v4;
}

bool abuse_address_value(const struct engine *e, const char *text, struct abuse_value *ret_value)
{
    uint8_t bytes[sizeof(struct in6_addr)];
    size_t n = address_bytes(text, bytes);
    if (n)
        keyed_hash(e, "rota abuse: address", bytes, n, ret_value->b, sizeof ret_value->b);
    return n > 0;
}

struct abuse_value abuse_family_value(uint64_t family)
{
    struct abuse_value value = {{0}};
    put_be64(value.b, family);
    return value;
}

uint64_t abuse_family_of(const struct engine *e, const char *folded)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    keyed_hash(e, "rota abuse: name", folded, strlen(folded), hash, sizeof hash);
    uint64_t family = get_be64(hash);
    return family ? family : 1;
}

/* ---- rows ---- */

uint64_t signal_until_ms(uint8_t kind, uint64_t last_ms)
{
    if (kind == ROTA__SIGNAL_KIND__SIGNAL_NAMES)
        return UINT64_MAX;
    return last_ms +
           day_ms * (kind == ROTA__SIGNAL_KIND__SIGNAL_IP ? KEPT_ADDRESS_DAYS : KEPT_HASH_DAYS);
}

static int own_put(struct turn *t, uint8_t kind, const struct abuse_value *value, uint64_t account,
                   const struct signal_row *row)
{
    struct key_buf k;
    return turn_store(
        row_put(t->txn, &signal_row_type, key_signal_of(&k, account, kind, value->b), row));
}

int signal_note(struct turn *t, uint8_t kind, const struct abuse_value *value, uint64_t account,
                uint64_t published_ms, bool *ret_is_new)
{
    struct key_buf k;
    struct signal_row row;
    struct span key = key_signal(&k, kind, value->b, account);
    int r = row_get(t->txn, &signal_row_type, key, &row);
    if (r < 0)
        return err_pass(r);
    bool is_new = r == STORE_MISSING || signal_until_ms(kind, row.last_ms) <= t->now.wall_ms;
    if (is_new)
        row = (struct signal_row){.first_ms = t->now.wall_ms};
    row.last_ms = t->now.wall_ms;
    row.published_ms = published_ms > row.published_ms ? published_ms : row.published_ms;
    *ret_is_new = is_new;
    r = turn_store(row_put(t->txn, &signal_row_type, key, &row));
    return r == 0 ? own_put(t, kind, value, account, &row) : r;
}

int signal_counts(struct turn *t, uint8_t kind, const struct abuse_value *value, uint64_t account,
                  bool *ret_counts)
{
    struct key_buf k;
    struct signal_row row;
    int r = row_get(t->txn, &signal_row_type, key_signal(&k, kind, value->b, account), &row);
    *ret_counts = r == 0 && signal_until_ms(kind, row.last_ms) > t->now.wall_ms;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

int signal_note_own(struct turn *t, uint8_t kind, const struct abuse_value *value, uint64_t account)
{
    struct signal_row row = {.first_ms = t->now.wall_ms, .last_ms = t->now.wall_ms};
    return own_put(t, kind, value, account, &row);
}

struct abuse_value abuse_app_new_value(uint64_t created_ms, uint32_t app)
{
    struct abuse_value value = {{0}};
    put_be64(value.b, created_ms);
    put_be32(value.b + sizeof created_ms, app);
    return value;
}

static int drop(struct turn *t, enum table table, struct span key)
{
    int r = txn_del(t->txn, table, key);
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* What stands under the value itself. */
static int drop_shared(struct turn *t, uint8_t kind, const struct abuse_value *value,
                       uint64_t account)
{
    struct key_buf k;
    if (kind == SIGNAL_SHARED)
        return 0;
    if (kind != SIGNAL_APP_NEW)
        return drop(t, TABLE_SIGNAL, key_signal(&k, kind, value->b, account));
    return drop(t, TABLE_APP_NEW,
                key_app_new(&k, get_be64(value->b), account, get_be32(value->b + sizeof account)));
}

int signal_drop(struct turn *t, uint8_t kind, const struct abuse_value *value, uint64_t account)
{
    struct key_buf k;
    int r = drop_shared(t, kind, value, account);
    if (r == 0)
        r = drop(t, TABLE_SIGNAL, key_signal_of(&k, account, kind, value->b));
    if (r == 0 && kind == ROTA__SIGNAL_KIND__SIGNAL_HASH)
        r = drop(t, TABLE_SIGNAL, key_signal_of(&k, account, SIGNAL_SHARED, value->b));
    return r;
}

int signals_own(struct turn *t, uint64_t account, uint8_t kind, struct abuse_own *ret_own,
                size_t max, size_t *ret_n)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    static const struct abuse_value least;
    struct span from = key_signal_of(&k, account, kind, least.b);
    size_t prefix = from.n - sizeof least.b;
    *ret_n = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_SIGNAL, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, from, &key, &value);
         r == 0 && *ret_n < max && key.n == from.n && memcmp(key.p, k.b, prefix) == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct abuse_own *own = &ret_own[*ret_n];
        r = row_decode(&signal_row_type, key, value, &own->row);
        if (r < 0)
            return err_pass(r);
        memcpy(own->value.b, (const uint8_t *)key.p + prefix, sizeof own->value.b);
        ++*ret_n;
    }
    return r < 0 ? err_pass(r) : 0;
}
