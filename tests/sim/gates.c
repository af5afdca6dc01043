/* gates.c: see gates.h. */
#include "sim/gates.h"

#include "sim/world.h"
#include "store/keys.h"
#include "store/rows.h"

#include <stdlib.h>

enum { PAUSE_SLICE = 64, DELAYED_SLICE = 256, PAUSE_HEAD = 1 };

/* ---- pauses ---- */

static bool is_paused(struct world *w, struct txn *txn, Rota__PauseScope scope, struct span name)
{
    struct pause_row row;
    struct key_buf k;
    int r = row_get(txn, &pause_row_type, key_pause(&k, (uint8_t)scope, name), &row);
    if (r < 0)
        world_violated(w, "a row of `pause` is damaged");
    return r == 0;
}

static void differ(struct world *w, const char *what, struct span name, bool by_row, bool by_log)
{
    if (by_row != by_log)
        world_violated(w, "%s %.*s is %spaused, by the log it is %sbarred", what, (int)name.n,
                       (const char *)name.p, by_row ? "" : "not ", by_log ? "" : "not ");
}

static void tiers_look(struct world *w, struct txn *txn)
{
    for (unsigned t = 0; t < TIERS; t++) {
        char name[] = {'P', (char)('0' + t), '\0'};
        differ(w, "tier", span_str(name),
               is_paused(w, txn, ROTA__PAUSE_SCOPE__PAUSE_TIER, span_str(name)),
               w->history.tier_bars[t] & ROTA__BAR__BAR_PAUSED);
    }
}

static void account_look(struct world *w, struct txn *txn, struct span key, struct span value)
{
    struct account_row row;
    if (row_decode(&account_row_type, key, value, &row) != 0)
        world_violated(w, "an account row is damaged");
    const struct past_account *a = past_account(w, get_be64(key.p));
    uint32_t kept = a->bars & ~(uint32_t)ROTA__BAR__BAR_RATE;
    if (row.bars != kept)
        world_violated(w, "account %llu has bars %u, by the log %u", (unsigned long long)a->number,
                       row.bars, kept);
    differ(w, "account", row.id, is_paused(w, txn, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, row.id),
           kept & ROTA__BAR__BAR_PAUSED);
}

/* An operator's pause closes a class; so may its breaker. */
static void class_look(struct world *w, struct txn *txn, struct span key, struct span value)
{
    struct class_row row;
    char name[40] = "";
    if (row_decode(&class_row_type, key, value, &row) != 0 || key.n >= sizeof name)
        world_violated(w, "a class row is damaged");
    memcpy(name, key.p, key.n);
    const struct past_class *c = &w->history.classes[past_class(w, name)];
    differ(w, "class", key, is_paused(w, txn, ROTA__PAUSE_SCOPE__PAUSE_CLASS, key), row.is_paused);
    if ((row.is_paused && !c->is_closed) || (c->is_closed && !row.is_paused && !row.breaker_state))
        world_violated(w, "class %s is %sclosed by the log; paused %u, breaker %u", name,
                       c->is_closed ? "" : "not ", row.is_paused, row.breaker_state);
}

static bool pool_is_closed(struct world *w, struct txn *txn, uint16_t pool)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    bool has_class = false;
    if (cursor_open(txn, TABLE_CLASS, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct class_row row;
        char name[40] = "";
        if (row_decode(&class_row_type, key, value, &row) != 0 || row.pool != pool)
            continue;
        memcpy(name, key.p, key.n < sizeof name ? key.n : sizeof name - 1);
        has_class = true;
        if (!w->history.classes[past_class(w, name)].is_closed)
            return false;
    }
    return has_class;
}

static void pool_look(struct world *w, struct txn *txn, struct span key, struct span value)
{
    struct pool_row row;
    char name[40] = "";
    if (row_decode(&pool_row_type, key, value, &row) != 0 || row.name.n >= sizeof name)
        world_violated(w, "a pool row is damaged");
    memcpy(name, row.name.p, row.name.n);
    bool is_closed = is_paused(w, txn, ROTA__PAUSE_SCOPE__PAUSE_POOL, row.name) ||
                     pool_is_closed(w, txn, get_be16(key.p));
    differ(w, "pool", row.name, is_closed, past_pool(w, name)->bars & ROTA__BAR__BAR_PAUSED);
}

/* Those with an end stand by it under scope 0. */
static void ends_look(struct world *w, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    unsigned late = 0;
    if (cursor_open(txn, TABLE_PAUSE, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0 && *(const uint8_t *)key.p == 0)
        late += get_be64((const uint8_t *)key.p + PAUSE_HEAD) <= w->turn_wall_ms;
    if (w->is_fresh && late && late < PAUSE_SLICE)
        world_violated(w, "%u pauses are over and still there", late);
}

static void each(struct world *w, struct txn *txn, enum table table,
                 void (*row)(struct world *w, struct txn *txn, struct span key, struct span value))
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(txn, table, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0)
        row(w, txn, key, value);
}

void gates_look_at_pauses(struct world *w, struct txn *txn)
{
    tiers_look(w, txn);
    each(w, txn, TABLE_ACCOUNT, account_look);
    each(w, txn, TABLE_CLASS, class_look);
    each(w, txn, TABLE_POOL, pool_look);
    ends_look(w, txn);
}

/* ---- dues ---- */

static void delays_look(struct world *w, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    unsigned late = 0;
    if (cursor_open(txn, TABLE_DELAYED, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        uint64_t now_ms = *(const uint8_t *)key.p == DUE_WALL ? w->turn_wall_ms : w->turn_bt_ms;
        late += get_be64((const uint8_t *)key.p + 1) <= now_ms;
    }
    if (w->is_fresh && late && late < DELAYED_SLICE)
        world_violated(w, "the time of %u delayed jobs has come and they still wait", late);
}

static void parents_look(struct world *w, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value, follow;
    if (cursor_open(txn, TABLE_WAITS_ON, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct job_id parent;
        char text[JOB_ID_TEXT_LEN + 1];
        memcpy(parent.b, key.p, sizeof parent.b);
        const struct past_job *job = history_job(&w->history, parent);
        bool is_live = job && !state_has_ended(job->state);
        if (!is_live && txn_get(txn, TABLE_FOLLOW, key_id(&k, parent), &follow) != 0)
            world_violated(w, "a job waits for %s, which has ended", job_id_text(parent, text));
    }
}

void gates_look_at_dues(struct world *w, struct txn *txn)
{
    delays_look(w, txn);
    parents_look(w, txn);
}
