/* rates.c: see rates.h. One function, refresh(), says whether a bucket is dry and makes bar and
 * alarm follow; it is called after a take, by the alarm, and when other numbers hold. */
#include "engine/rates.h"

#include "store/keys.h"

#include <errno.h>
#include <stdlib.h>

struct numbers {
    uint32_t n, per_ms;
};

static struct numbers account_numbers(const struct cache *c, const struct account *a)
{
    if (a->rate_own_ms)
        return (struct numbers){a->rate_own_n, a->rate_own_ms};
    return (struct numbers){c->tiers.account_rate_n, c->tiers.account_rate_ms};
}

static struct numbers numbers_of(const struct cache *c, const struct rate *rate)
{
    if (rate->account)
        return account_numbers(c, rate->account);
    if (rate->scope == RATE_GLOBAL)
        return (struct numbers){c->tiers.global_rate_n, c->tiers.global_rate_ms};
    const struct tier_row *row = &c->tiers.row[rate->number];
    return (struct numbers){row->rate_n, row->rate_ms};
}

static uint64_t free_at(const struct cache *c, const struct rate *rate, uint64_t bt_ms)
{
    struct numbers x = numbers_of(c, rate);
    struct bucket bucket = {rate->now.tat};
    return bucket_free_at(&bucket, x.n, x.per_ms, bt_ms);
}

static struct rate rate_fresh(enum rate_scope scope, uint64_t number, struct account *a,
                              const struct bucket_row *row)
{
    return (struct rate){.alarm = {.kind = ALARM_RATE},
                         .scope = (uint8_t)scope,
                         .number = number,
                         .account = a,
                         .now = *row,
                         .stored = *row};
}

/* ---- bars ---- */

static int bars_follow(struct turn *t, const struct rate *rate)
{
    const struct cache *c = t->cache;
    if (rate->account)
        return account_bar(t, rate->account, ROTA__BAR__BAR_RATE, rate->now.is_dry);
    int r = 0;
    for (uint8_t tier = 0; tier < TIERS && r == 0; tier++)
        if (rate->scope == RATE_GLOBAL || rate->number == tier)
            r = tier_bar(t, tier, ROTA__BAR__BAR_RATE,
                         c->rate_global.now.is_dry || c->rate_tier[tier].now.is_dry);
    return r;
}

static int refresh(struct turn *t, struct rate *rate)
{
    uint64_t free_ms = free_at(t->cache, rate, t->bt_ms);
    bool is_dry = free_ms > t->bt_ms;
    if (is_dry != (rate->now.is_dry != 0))
        SET(t->undo, rate->now.is_dry, is_dry);
    if (is_dry)
        alarm_set(&t->cache->alarms, &rate->alarm, free_ms, t->undo);
    else
        alarm_clear(&t->cache->alarms, &rate->alarm, t->undo);
    return bars_follow(t, rate);
}

int rate_alarm(struct turn *t, struct rate *rate)
{
    return refresh(t, rate);
}

/* ---- an account's bucket ---- */

/* Made when the account first starts a job under a rate. */
static int rate_of(struct turn *t, struct account *a, struct rate **ret_rate)
{
    struct bucket_row row = {0};
    struct key_buf k;
    if (!a->rate) {
        int r = row_get(t->txn, &bucket_row_type, key_bucket(&k, RATE_ACCOUNT, a->number), &row);
        if (r < 0)
            return err_pass(r);
        struct rate *rate = malloc(sizeof *rate);
        if (!rate)
            return err_raise(-ENOMEM);
        undo_born(t->undo, rate, free);
        *rate = rate_fresh(RATE_ACCOUNT, a->number, a, &row);
        SET(t->undo, a->rate, rate);
    }
    *ret_rate = a->rate;
    return 0;
}

int rate_gate(struct turn *t, struct account *a, bool *ret_is_open)
{
    struct rate *rate;
    *ret_is_open = true;
    if (!account_numbers(t->cache, a).n)
        return 0;
    int r = rate_of(t, a, &rate);
    if (r != 0 || free_at(t->cache, rate, t->bt_ms) <= t->bt_ms)
        return r;
    *ret_is_open = false;
    return refresh(t, rate);
}

/* ---- taking ---- */

static int take(struct turn *t, struct rate *rate)
{
    struct numbers x = numbers_of(t->cache, rate);
    struct bucket bucket = {rate->now.tat};
    if (!x.n)
        return 0;
    bool took = bucket_take(&bucket, x.n, x.per_ms, t->bt_ms);
    if (took)
        SET(t->undo, rate->now.tat, bucket.full_at);
    return refresh(t, rate);
}

int rates_take(struct turn *t, struct account *a)
{
    int r = take(t, &t->cache->rate_global);
    if (r == 0)
        r = take(t, &t->cache->rate_tier[a->tier]);
    if (r == 0 && a->rate)
        r = take(t, a->rate);
    return r;
}

/* ---- other numbers ---- */

int account_rate_changed(struct turn *t, struct account *a)
{
    return a->rate ? refresh(t, a->rate) : 0;
}

int account_rate_forget(struct turn *t, struct account *a)
{
    static const struct bucket_row full;
    struct key_buf k;
    if (a->rate) {
        alarm_clear(&t->cache->alarms, &a->rate->alarm, t->undo);
        SET(t->undo, a->rate->now, full);
        SET(t->undo, a->rate->stored, full);
        SET(t->undo, a->bars, bars_kept(a->bars));
    }
    int r = txn_del(t->txn, TABLE_BUCKET, key_bucket(&k, RATE_ACCOUNT, a->number));
    return r == STORE_MISSING ? 0 : turn_store(r);
}

/* Barred ones look again at once, some thousands a turn; the others when it is their turn. */
static void accounts_look_again(struct turn *t)
{
    size_t bucket;
    const struct map *accounts = &t->cache->accounts;
    for (struct map_node *m = map_begin(accounts, &bucket); m;
         m = map_after(accounts, m, &bucket)) {
        struct account *a = CONTAINER(m, account, by_number);
        if (a->rate && a->rate->now.is_dry)
            alarm_set(&t->cache->alarms, &a->rate->alarm, t->bt_ms, t->undo);
    }
}

int rates_changed(struct turn *t)
{
    int r = refresh(t, &t->cache->rate_global);
    for (unsigned i = 0; i < TIERS && r == 0; i++)
        r = refresh(t, &t->cache->rate_tier[i]);
    if (r == 0)
        accounts_look_again(t);
    return r;
}

/* ---- to the store and back ---- */

static int rate_flush(const struct rate *rate, struct txn *txn)
{
    struct key_buf k;
    if (rate->now.tat == rate->stored.tat && rate->now.is_dry == rate->stored.is_dry)
        return 0;
    return row_put(txn, &bucket_row_type, key_bucket(&k, rate->scope, rate->number), &rate->now);
}

int account_rate_flush(struct account *a, struct txn *txn)
{
    return a->rate ? rate_flush(a->rate, txn) : 0;
}

int rates_flush(struct cache *c, struct txn *txn)
{
    int r = rate_flush(&c->rate_global, txn);
    for (unsigned i = 0; i < TIERS && r == 0; i++)
        r = rate_flush(&c->rate_tier[i], txn);
    return r;
}

void rates_committed(struct cache *c)
{
    c->rate_global.stored = c->rate_global.now;
    for (unsigned i = 0; i < TIERS; i++)
        c->rate_tier[i].stored = c->rate_tier[i].now;
}

/* Only dry ones need be there: the others are read when they are used. */
static int load_account(struct cache *c, struct txn *txn, uint64_t number,
                        const struct bucket_row *row)
{
    struct account *a;
    int r = row->is_dry ? cache_account(c, txn, number, &a) : STORE_MISSING;
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    a->rate = malloc(sizeof *a->rate);
    if (!a->rate)
        return err_raise(-ENOMEM);
    *a->rate = rate_fresh(RATE_ACCOUNT, number, a, row);
    a->bars |= ROTA__BAR__BAR_RATE;
    return 0;
}

static int load_one(struct cache *c, struct txn *txn, struct span key, struct span value,
                    uint64_t broker_ms)
{
    struct bucket_row row;
    struct rate *rate = NULL;
    int r = row_decode(&bucket_row_type, key, value, &row);
    uint8_t scope = *(const uint8_t *)key.p;
    uint64_t number = get_be64((const uint8_t *)key.p + 1);
    if (r == 0 && scope == RATE_ACCOUNT) {
        r = load_account(c, txn, number, &row);
        struct account *a = cache_account_known(c, number);
        rate = r == 0 && a ? a->rate : NULL;
    } else if (r == 0 && (scope == RATE_GLOBAL || number < TIERS)) {
        rate = scope == RATE_GLOBAL ? &c->rate_global : &c->rate_tier[number];
        rate->now = rate->stored = row;
    }
    if (r == 0 && rate && row.is_dry)
        r = alarms_tend(&c->alarms, 1);
    if (r < 0)
        return err_pass(r);
    if (rate && row.is_dry)
        alarm_set(&c->alarms, &rate->alarm, free_at(c, rate, broker_ms), NULL);
    return 0;
}

int rates_load(struct cache *c, struct txn *txn, uint64_t broker_ms)
{
    AUTO(cursor) cursor = NULL;
    static const struct bucket_row full;
    struct span key, value;
    c->rate_global = rate_fresh(RATE_GLOBAL, 0, NULL, &full);
    for (unsigned i = 0; i < TIERS; i++)
        c->rate_tier[i] = rate_fresh(RATE_TIER, i, NULL, &full);
    int r = cursor_open(txn, TABLE_BUCKET, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0) {
        r = load_one(c, txn, key, value, broker_ms);
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    if (r < 0)
        return err_pass(r);
    for (unsigned i = 0; i < TIERS; i++)
        if (c->rate_global.now.is_dry || c->rate_tier[i].now.is_dry)
            c->tier_bars[i] |= ROTA__BAR__BAR_RATE;
    return 0;
}

int rate_free_at(struct txn *txn, enum rate_scope scope, uint64_t number, uint32_t n,
                 uint32_t per_ms, uint64_t broker_ms, uint64_t *ret_free_ms)
{
    struct bucket_row row = {0};
    struct key_buf k;
    int r = row_get(txn, &bucket_row_type, key_bucket(&k, (uint8_t)scope, number), &row);
    if (r < 0)
        return err_pass(r);
    struct bucket bucket = {row.tat};
    *ret_free_ms = bucket_free_at(&bucket, n, per_ms, broker_ms);
    return 0;
}
