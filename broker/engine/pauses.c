/* pauses.c: operators pause a pool, a tier, an account or a class, for a reason and until a time or
 * until they end it themselves.
 *
 * A pause is a row of `pause`: what it does is a bar (bars.c), or the gate of a class (classes.c).
 * Those with an end have a second row under scope 0, by that end; the turn looks at the first of
 * them and no further than what is due. The end is Unix time and compared with the clock in each
 * turn, so a clock that steps is obeyed at once. */
#include "engine/classes.h"

#include "sched/tier.h"
#include "store/keys.h"

#include <errno.h>

enum { PAUSE_SLICE = 64, DUE_KEY_HEAD = 1 + 8 + 1, PAUSE_NAME_MAX = 64 };

/* What is paused. */
struct paused {
    Rota__PauseScope scope;
    const char *name;
    struct pool *pool;
    struct class *class;
    struct account *account;
    uint8_t tier;
};

static const char *const scope_words[] = {
    [ROTA__PAUSE_SCOPE__PAUSE_POOL] = "pool",
    [ROTA__PAUSE_SCOPE__PAUSE_TIER] = "tier",
    [ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT] = "account",
    [ROTA__PAUSE_SCOPE__PAUSE_CLASS] = "class",
};

static int account_named(struct turn *t, const char *name, struct account **ret_account)
{
    struct account_id_row row;
    int r = row_get(t->txn, &account_id_row_type, span_str(name), &row);
    if (r == STORE_MISSING)
        return 0;
    return r == 0 ? turn_store(cache_account(t->cache, t->txn, row.account, ret_account))
                  : turn_store(r);
}

/* 0 and *ret_found. */
static int paused_find(struct turn *t, Rota__PauseScope scope, const char *name,
                       struct paused *ret_paused, bool *ret_found)
{
    struct paused p = {.scope = scope, .name = name};
    int r = 0;
    if (scope == ROTA__PAUSE_SCOPE__PAUSE_POOL)
        p.pool = cache_pool(t->cache, name);
    else if (scope == ROTA__PAUSE_SCOPE__PAUSE_CLASS)
        p.class = cache_class(t->cache, name);
    else if (scope == ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT)
        r = account_named(t, name, &p.account);
    bool is_tier = scope == ROTA__PAUSE_SCOPE__PAUSE_TIER && name[0] == 'P' && name[1] >= '0' &&
                   name[1] < '0' + TIERS && !name[2];
    if (is_tier)
        p.tier = (uint8_t)(name[1] - '0');
    *ret_found = p.pool || p.class || p.account || is_tier;
    *ret_paused = p;
    return r;
}

static int paused_apply(struct turn *t, const struct paused *p, bool on)
{
    if (p->class)
        return class_pause(t, p->class, on);
    if (p->account)
        return account_bar(t, p->account, ROTA__BAR__BAR_PAUSED, on);
    if (!p->pool)
        return tier_bar(t, p->tier, ROTA__BAR__BAR_PAUSED, on);
    SET(t->undo, p->pool->is_paused, on);
    return pool_settle(t, p->pool);
}

/* ---- the rows ---- */

static int pause_put(struct turn *t, Rota__PauseScope scope, struct span name,
                     const struct pause_row *row)
{
    struct key_buf k;
    static const struct pause_row due;
    int r = turn_store(row_put(t->txn, &pause_row_type, key_pause(&k, (uint8_t)scope, name), row));
    if (r != 0 || !row->until_ms)
        return r;
    if (row->until_ms < t->cache->pauses_ms)
        SET(t->undo, t->cache->pauses_ms, row->until_ms);
    return turn_store(row_put(t->txn, &pause_row_type,
                              key_pause_due(&k, row->until_ms, (uint8_t)scope, name), &due));
}

/* Both rows go. *ret_old: the pause that there was, texts in the arena; since_ms 0: none. */
static int pause_del(struct turn *t, Rota__PauseScope scope, struct span name,
                     struct pause_row *ret_old)
{
    struct key_buf k;
    struct span key = key_pause(&k, (uint8_t)scope, name);
    *ret_old = (struct pause_row){0};
    int r = row_get(t->txn, &pause_row_type, key, ret_old);
    if (r != 0)
        return r == STORE_MISSING ? 0 : turn_store(r);
    r = turn_keep(t, &ret_old->reason);
    if (r == 0)
        r = turn_keep(t, &ret_old->by);
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_PAUSE, key));
    if (r != 0 || !ret_old->until_ms)
        return r;
    return turn_store(
        txn_del(t->txn, TABLE_PAUSE, key_pause_due(&k, ret_old->until_ms, (uint8_t)scope, name)));
}

int pause_forget(struct turn *t, Rota__PauseScope scope, const char *name)
{
    struct pause_row old;
    return pause_del(t, scope, span_str(name), &old);
}

/* ---- the request ---- */

static int pause_check(struct turn *t, const Rota__PauseSet *q, struct paused *ret_paused)
{
    bool found = false;
    if (!q->name[0] || !q->scope || (size_t)q->scope >= ARRAY_LEN(scope_words))
        return turn_refuse(t, E_FIELD_MISSING, "pause_set needs a scope and a name");
    int r = paused_find(t, q->scope, q->name, ret_paused, &found);
    if (r != 0)
        return r;
    if (!found)
        return turn_refuse(t, E_PAUSE_UNKNOWN, "no %s \"%s\"", scope_words[q->scope], q->name);
    if (!q->off && !q->reason[0])
        return turn_refuse(t, E_REASON_NEEDED, "why is %s \"%s\" paused?", scope_words[q->scope],
                           q->name);
    if (!q->off && q->until_ms && q->until_ms <= t->now.wall_ms)
        return turn_refuse(t, E_UNTIL_INVALID, "pause_set.until_ms %llu has passed",
                           (unsigned long long)q->until_ms);
    return 0;
}

static Rota__PauseResult *pause_result(struct turn *t, const Rota__PauseSet *q,
                                       const struct pause_row *row)
{
    Rota__PauseResult *result = arena_alloc(t->fx->arena, sizeof *result);
    Rota__Pause *pause = arena_alloc(t->fx->arena, sizeof *pause);
    if (!result || !pause)
        return NULL;
    rota__pause_result__init(result);
    rota__pause__init(pause);
    pause->scope = q->scope;
    pause->name = q->name;
    pause->reason = turn_str(t, row->reason);
    pause->by = turn_str(t, row->by);
    pause->since_ms = row->since_ms;
    pause->until_ms = row->until_ms;
    result->pause = pause;
    return result;
}

static int pause_trail(struct turn *t, const Rota__PauseSet *q)
{
    const char *scope = scope_words[q->scope];
    if (q->off)
        return trail_note(t, q->name, "%s: resumed", scope);
    if (!q->until_ms)
        return trail_note(t, q->name, "%s: paused, reason \"%s\"", scope, q->reason);
    return trail_note(t, q->name, "%s: paused until_ms %llu, reason \"%s\"", scope,
                      (unsigned long long)q->until_ms, q->reason);
}

/* Who ends a class's pause ends what its breaker does as well: it is told as a pause like others.
 */
static int breaker_close(struct turn *t, struct class *class, struct pause_row *old)
{
    const struct breaker *b = &class->breaker;
    if (b->state == BREAKER_CLOSED)
        return 0;
    uint64_t since_bt_ms = b->until_ms > b->open_ms ? b->until_ms - b->open_ms : 0;
    uint64_t age_ms = t->bt_ms > since_bt_ms ? t->bt_ms - since_bt_ms : 0;
    if (!old->since_ms)
        *old = (struct pause_row){.since_ms = t->now.wall_ms - age_ms,
                                  .reason = span_str("BREAKER_OPEN"),
                                  .by = span_str("breaker")};
    return class_trust(t, class);
}

int turn_pause_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__PauseSet *q = request->pause_set;
    struct paused paused;
    struct pause_row old, row = {.since_ms = t->now.wall_ms,
                                 .until_ms = q->until_ms,
                                 .reason = span_str(q->reason),
                                 .by = span_str(t->who.key_prefix)};
    int r = pause_check(t, q, &paused);
    if (r == 0)
        r = pause_del(t, q->scope, span_str(q->name), &old);
    if (r == 0 && !q->off)
        r = pause_put(t, q->scope, span_str(q->name), &row);
    if (r == 0 && q->off && paused.class)
        r = breaker_close(t, paused.class, &old);
    if (r == 0 && (!q->off || old.since_ms)) {
        r = paused_apply(t, &paused, !q->off);
        if (r == 0)
            r = pause_trail(t, q);
    }
    if (r == 0 && !(reply->pause_set = pause_result(t, q, q->off ? &old : &row)))
        r = err_raise(-ENOMEM);
    return r;
}

/* ---- the end ---- */

/* What has an end and is over, in the order of the ends. */
struct over {
    Rota__PauseScope scope;
    char name[PAUSE_NAME_MAX + 1];
};

static int over_read(struct turn *t, struct over *ret_all, size_t *ret_n, uint64_t *ret_next_ms)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    *ret_n = 0;
    *ret_next_ms = UINT64_MAX;
    int r = turn_store(cursor_open(t->txn, TABLE_PAUSE, &cursor));
    if (r != 0)
        return r;
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value);
         r == 0 && *(const uint8_t *)key.p == 0; r = cursor_next(cursor, &key, &value)) {
        uint64_t until_ms = get_be64((const uint8_t *)key.p + 1);
        if (until_ms > t->now.wall_ms || *ret_n == PAUSE_SLICE) {
            *ret_next_ms = until_ms;
            return 0;
        }
        if (key.n <= DUE_KEY_HEAD || key.n > DUE_KEY_HEAD + PAUSE_NAME_MAX)
            return err_raise(-EBADMSG);
        struct over *over = &ret_all[(*ret_n)++];
        *over = (struct over){.scope = ((const uint8_t *)key.p)[DUE_KEY_HEAD - 1]};
        memcpy(over->name, (const uint8_t *)key.p + DUE_KEY_HEAD, key.n - DUE_KEY_HEAD);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int pause_end(struct turn *t, const struct over *over)
{
    struct paused paused;
    struct pause_row old;
    bool found = false;
    int r = pause_del(t, over->scope, span_str(over->name), &old);
    if (r == 0)
        r = paused_find(t, over->scope, over->name, &paused, &found);
    return r == 0 && found ? paused_apply(t, &paused, false) : r;
}

int pauses_some(struct turn *t)
{
    struct over over[PAUSE_SLICE];
    size_t n = 0;
    uint64_t next_ms = 0;
    if (t->now.wall_ms < t->cache->pauses_ms)
        return 0;
    int r = over_read(t, over, &n, &next_ms);
    if (r != 0)
        return r;
    SET(t->undo, t->cache->pauses_ms, next_ms);
    for (size_t i = 0; i < n && r == 0; i++)
        r = pause_end(t, &over[i]);
    return r;
}
