/* abuse_purge.c: what is kept against abuse goes when its time is over, or its account is erased.
 *
 * Once an hour a walk goes over the tables, PURGE_ROWS rows a turn: first apps that are no longer
 * new, which stand in order, then signals, then addresses. Where it stands is only in RAM: a
 * restart begins again. Rows that are due but not yet gone count nowhere. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>

enum { PURGE_ROWS = 128, PURGE_PAUSE_MS = 3600000, OWN_PREFIX = 1 + 8 };
static const uint64_t app_new_ms = 7ull * 24 * 3600 * 1000;

struct spent {
    struct {
        uint8_t b[ABUSE_KEY_MAX];
        size_t n;
    } key[PURGE_ROWS];
    size_t n;
};

static int signal_is_spent(const struct turn *t, struct span key, struct span value, bool *ret_is)
{
    struct signal_row row;
    int r = row_decode(&signal_row_type, key, value, &row);
    *ret_is = r == 0 && signal_until_ms(*(const uint8_t *)key.p, row.last_ms) <= t->now.wall_ms;
    return r < 0 ? err_pass(r) : 0;
}

static int signal_del(struct turn *t, struct span key)
{
    struct abuse_value value;
    const uint8_t *b = key.p;
    memcpy(value.b, b + 1, sizeof value.b);
    return signal_drop(t, b[0], &value, get_be64(b + 1 + sizeof value.b));
}

static int address_is_spent(const struct turn *t, struct span key, struct span value, bool *ret_is)
{
    struct address_row row;
    int r = row_decode(&address_row_type, key, value, &row);
    *ret_is = r == 0 && address_until_ms(row.last_ms) <= t->now.wall_ms;
    return r < 0 ? err_pass(r) : 0;
}

static int address_del(struct turn *t, struct span key)
{
    return turn_store(txn_del(t->txn, TABLE_ADDRESS, key));
}

static int app_new_is_spent(const struct turn *t, struct span key, struct span value, bool *ret_is)
{
    (void)value;
    *ret_is = get_be64(key.p) + app_new_ms <= t->now.wall_ms;
    return 0;
}

static int app_new_del(struct turn *t, struct span key)
{
    const uint8_t *b = key.p;
    struct abuse_value value = abuse_app_new_value(get_be64(b), get_be32(b + 16));
    return signal_drop(t, SIGNAL_APP_NEW, &value, get_be64(b + 8));
}

/* The walks of one purge, one after the other. */
static const struct {
    enum table table;
    uint8_t end;     /* first byte of keys that are no more of it; 0: the table's end */
    bool is_ordered; /* by age: the first that is not spent ends it */
    int (*is_spent)(const struct turn *t, struct span key, struct span value, bool *ret_is);
    int (*del)(struct turn *t, struct span key);
} walks[] = {
    {TABLE_APP_NEW, 0, true, app_new_is_spent, app_new_del},
    {TABLE_SIGNAL, ROTA__SIGNAL_KIND__SIGNAL_NAMES, false, signal_is_spent, signal_del},
    {TABLE_ADDRESS, 0, false, address_is_spent, address_del},
};

/* Looks at the next rows; *ret_is_end: the walk has come to its end. */
static int slice_look(struct turn *t, struct abuse_purge *p, struct spent *spent, bool *ret_is_end)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    unsigned looked = 0;
    int r = turn_store(cursor_open(t->txn, walks[p->walk].table, &cursor));
    if (r != 0)
        return r;
    *ret_is_end = true;
    for (r = cursor_seek(cursor, span_of(p->from, p->from_n), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        bool is_spent = false;
        assert(key.n <= ABUSE_KEY_MAX);
        if (walks[p->walk].end && *(const uint8_t *)key.p >= walks[p->walk].end)
            return 0;
        if (looked++ == PURGE_ROWS) {
            memcpy(p->from, key.p, key.n);
            p->from_n = key.n;
            *ret_is_end = false;
            return 0;
        }
        r = walks[p->walk].is_spent(t, key, value, &is_spent);
        if (r != 0 || (!is_spent && walks[p->walk].is_ordered))
            return r;
        if (!is_spent)
            continue;
        memcpy(spent->key[spent->n].b, key.p, key.n);
        spent->key[spent->n++].n = key.n;
    }
    return r < 0 ? err_pass(r) : 0;
}

int abuse_purge_some(struct turn *t)
{
    struct abuse_purge *p = &t->engine->abuse_purge; /* only a place to go on from: not journaled */
    struct spent spent = {.n = 0};
    bool is_end;
    if (t->bt_ms < p->next_ms)
        return 0;
    int r = slice_look(t, p, &spent, &is_end);
    for (size_t i = 0; i < spent.n && r == 0; i++)
        r = walks[p->walk].del(t, span_of(spent.key[i].b, spent.key[i].n));
    if (r != 0 || !is_end)
        return r;
    p->from_n = 0;
    if (++p->walk == ARRAY_LEN(walks))
        *p = (struct abuse_purge){.next_ms = t->bt_ms + PURGE_PAUSE_MS};
    return 0;
}

/* ---- an account that is erased ---- */

/* Keys of a table that begin so: as many as the budget allows, which they are taken off. */
static int keys_under(struct turn *t, enum table table, struct span prefix, unsigned *budget,
                      struct spent *ret_keys)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    ret_keys->n = 0;
    int r = turn_store(cursor_open(t->txn, table, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, prefix, &key, &value);
         r == 0 && *budget && ret_keys->n < PURGE_ROWS && key.n >= prefix.n &&
         memcmp(key.p, prefix.p, prefix.n) == 0;
         r = cursor_next(cursor, &key, &value)) {
        assert(key.n <= ABUSE_KEY_MAX);
        memcpy(ret_keys->key[ret_keys->n].b, key.p, key.n);
        ret_keys->key[ret_keys->n++].n = key.n;
        --*budget;
    }
    return r < 0 ? err_pass(r) : 0;
}

/* By its row under the account. */
static int own_del(struct turn *t, struct span key)
{
    struct abuse_value value;
    const uint8_t *b = key.p;
    memcpy(value.b, b + OWN_PREFIX + 1, sizeof value.b);
    return signal_drop(t, b[OWN_PREFIX], &value, get_be64(b + 1));
}

static int forget_under(struct turn *t, enum table table, struct span prefix, unsigned *budget,
                        int (*del)(struct turn *t, struct span key))
{
    struct spent keys;
    int r;
    do {
        r = keys_under(t, table, prefix, budget, &keys);
        for (size_t i = 0; i < keys.n && r == 0; i++)
            r = del(t, span_of(keys.key[i].b, keys.key[i].n));
    } while (r == 0 && keys.n && *budget);
    return r;
}

/* What it tells of the account itself goes. Of a confirmed one the evidence stays: it is what later
 * reviews cite. */
static int review_forget(struct turn *t, uint64_t account, Rota__Review *review)
{
    review->job = (char *)"";
    if (review->state != ROTA__REVIEW_STATE__REVIEW_CONFIRMED)
        review->n_evidence = 0;
    if (review->state == ROTA__REVIEW_STATE__REVIEW_FLAGGED ||
        review->state == ROTA__REVIEW_STATE__REVIEW_HELD) {
        review->state = ROTA__REVIEW_STATE__REVIEW_DISMISSED;
        review->decided_ms = t->now.wall_ms;
        review->reason = (char *)"the account was erased";
    }
    return review_save(t, account, review);
}

/* From the newest to the first; the pointer goes back with it, so that a slice ends where it will
 * go on. */
static int forget_reviews(struct turn *t, uint64_t account, unsigned *budget)
{
    struct review_open_row row;
    struct key_buf k;
    Rota__Review *review, prior = ROTA__REVIEW__INIT;
    uint64_t owner;
    int r = 0;
    while (r == 0 && *budget) {
        r = row_get(t->txn, &review_open_row_type, key_u64(&k, account), &row);
        if (r != 0)
            return r == STORE_MISSING ? 0 : turn_store(r);
        r = review_load(t, row.review, &review, &owner);
        if (r == 0)
            r = review_forget(t, account, review);
        if (r != 0)
            return r;
        prior.review = review->prior;
        r = prior.review ? review_point(t, account, &prior, t->now.wall_ms)
                         : turn_store(txn_del(t->txn, TABLE_REVIEW_OPEN, key_u64(&k, account)));
        --*budget;
    }
    return r;
}

int abuse_forget_account(struct turn *t, uint64_t account, unsigned *budget)
{
    static const struct abuse_value least;
    struct key_buf k;
    struct span prefix = key_signal_of(&k, account, 0, least.b);
    prefix.n = OWN_PREFIX;
    int r = forget_under(t, TABLE_SIGNAL, prefix, budget, own_del);
    if (r == 0)
        r = forget_under(t, TABLE_ADDRESS, key_u64(&k, account), budget, address_del);
    return r == 0 ? forget_reviews(t, account, budget) : r;
}
