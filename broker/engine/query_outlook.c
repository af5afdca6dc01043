/* query_outlook.c: a pool as a reader sees it, and when its slots come free. */
#include "engine/query_outlook.h"

#include "engine/cache.h"

#include <errno.h>
#include <stdlib.h>

enum { RUN_GRACE_MS = 10000 }; /* the broker cuts a run so long after its timeout */

static bool is_named(const struct pool_row *row, const char *name)
{
    return row->name.n == strlen(name) && memcmp(row->name.p, name, row->name.n) == 0;
}

/* There are few pools. */
static int pool_find(struct query *q, const char *name, uint16_t *ret_pool,
                     struct pool_row *ret_row)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = cursor_open(q->txn, TABLE_POOL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0) {
        r = row_decode(&pool_row_type, key, value, ret_row);
        if (r == 0 && is_named(ret_row, name)) {
            *ret_pool = get_be16(key.p);
            return 0;
        }
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : r;
}

static uint64_t run_ms_max(const struct tier_table *tiers)
{
    uint64_t most_ms = 0;
    for (unsigned t = 0; t < TIERS; t++)
        if (tiers->row[t].timeout_ms_max > most_ms)
            most_ms = tiers->row[t].timeout_ms_max;
    return most_ms + RUN_GRACE_MS;
}

static int by_length(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a < b) - (a > b);
}

/* From when runs began to how long they have gone on, longest first. */
static void runs_elapsed(const struct query *q, const struct board_totals *totals,
                         const struct board_run *runs, size_t n, uint64_t *ret_elapsed_ms)
{
    uint64_t now_bt_ms = query_broker_ms(q, totals);
    for (size_t i = 0; i < n; i++)
        ret_elapsed_ms[i] =
            now_bt_ms > runs[i].granted_bt_ms ? now_bt_ms - runs[i].granted_bt_ms : 0;
    qsort(ret_elapsed_ms, n, sizeof *ret_elapsed_ms, by_length);
}

size_t outlook_runs_of(const struct query *q, const struct outlook *o, uint64_t account,
                       uint64_t *ret_elapsed_ms, size_t max)
{
    struct board_run runs[RUNS_SEEN_MAX];
    size_t n = board_runs_of(q->board, account, runs, max < RUNS_SEEN_MAX ? max : RUNS_SEEN_MAX);
    runs_elapsed(q, &o->totals, runs, n, ret_elapsed_ms);
    return n;
}

static void runs_load(const struct query *q, struct outlook *o)
{
    struct board_run runs[RUNS_SEEN_MAX];
    o->elapsed_n = board_runs(q->board, o->pool, runs, RUNS_SEEN_MAX);
    runs_elapsed(q, &o->totals, runs, o->elapsed_n, o->elapsed_ms);
}

static void live_load(struct query *q, struct outlook *o)
{
    if (board_pool(q->board, o->pool, &o->live) != 0)
        o->live = (struct board_pool){0};
    board_crew(q->board, o->pool, &o->crew);
    board_totals(q->board, &o->totals);
    runs_load(q, o);
    for (unsigned t = 0; t < TIERS; t++)
        o->tier_bars[t] = o->totals.tier[t].bars;
    o->slots = o->crew.slots;
}

int outlook_load(struct query *q, const char *name, uint16_t pool, struct outlook *ret_outlook)
{
    struct pool_row row;
    struct key_buf k;
    int r = name ? pool_find(q, name, &pool, &row)
                 : row_get(q->txn, &pool_row_type, key_u16(&k, pool), &row);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    struct outlook *o = ret_outlook;
    *o = (struct outlook){.pool = pool,
                          .rotation = {row.c, row.n, row.n_max, row.number},
                          .runs = durations_of(&row)};
    if (!rotation_is_valid(&o->rotation) || row.name.n > POOL_NAME_MAX)
        return err_raise(-EBADMSG);
    memcpy(o->name, row.name.p, row.name.n);
    live_load(q, o);
    if (row.is_paused)
        o->live.bars |= ROTA__BAR__BAR_PAUSED;
    r = limits_table_read(q->txn, &o->tiers, NULL);
    o->run_ms_max = run_ms_max(&o->tiers);
    return r < 0 ? err_pass(r) : 0;
}

uint8_t outlook_eligible(const struct outlook *o)
{
    uint8_t eligible = 0;
    for (unsigned t = 0; t < TIERS && !o->live.bars; t++)
        if (o->live.ring[t] && !o->tier_bars[t])
            eligible |= (uint8_t)(1u << t);
    return eligible;
}

int outlook_eta(const struct outlook *o, uint64_t ahead, struct promise_eta *ret_eta)
{
    struct promise_slots slots = {o->slots, o->live.leased, o->elapsed_ms, o->elapsed_n};
    return promise_eta(ahead, &slots, &o->runs, o->run_ms_max, ret_eta);
}

int query_account_load(struct query *q, uint64_t account, struct account_load *ret_load)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct tally_row row;
    struct account_load load = {0};
    int r = cursor_open(q->txn, TABLE_TALLY, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, key_tally(&k, account, 0), &key, &value);
    while (r == 0 && key.n == 10 && get_be64(key.p) == account) {
        r = row_decode(&tally_row_type, key, value, &row);
        if (r == 0) {
            load.ready += row.ready;
            load.running += row.running;
            load.delayed += row.delayed;
            load.held += row.held;
            r = cursor_next(cursor, &key, &value);
        }
    }
    if (r < 0)
        return err_pass(r);
    *ret_load = load;
    return 0;
}
