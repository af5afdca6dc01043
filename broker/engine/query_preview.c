/* query_preview.c: see query_preview.h. Nothing is written: the ring of the database is read by a
 * cursor per tier, and accounts that would enter it stand in a list behind it, because new turns
 * are above all present ones. Kept in memory are only the accounts that were looked at. */
#include "engine/query_preview.h"

#include "engine/rates.h"
#include "sched/breaker.h"

#include <assert.h>
#include <errno.h>

enum {
    RING_KEY_BYTES = 11,
    CLOSED_SCAN_MAX = 1000, /* jobs of closed classes passed over for one account */
    CLOSED_CLASSES_MAX = 16,
};

/* An account that was looked at in this preview. */
struct player {
    struct player *next;  /* of all */
    struct player *again; /* behind it in its line */
    uint64_t account;
    uint8_t tier;
    bool is_out; /* it stands in the ring of the database, but not in this preview */
    uint64_t running, running_max;
    struct key_buf last; /* of the ready table: the job served last */
    bool has_last;
};

/* The ring of one tier: what the database has, and behind it those that entered. */
struct line {
    struct cursor *cursor;
    struct player *first; /* at the cursor; NULL: the database's ring is through */
    struct player *again, **again_end;
};

struct preview {
    struct query *q;
    const struct outlook *o;
    struct rotation rotation;
    struct line line[TIERS];
    struct player *players;
    struct cursor *ready;
    struct span closed[CLOSED_CLASSES_MAX]; /* classes of the pool that may not start a job */
    size_t closed_n;
    bool has_begun;
};

/* ---- accounts ---- */

static struct player *player_find(const struct preview *p, uint64_t account)
{
    for (struct player *player = p->players; player; player = player->next)
        if (player->account == account)
            return player;
    return NULL;
}

static int player_new(struct preview *p, uint64_t account, struct player **ret_player)
{
    struct key_buf k;
    struct account_row row;
    struct account_load load = {0};
    struct player *player = arena_alloc(p->q->arena, sizeof *player);
    if (!player)
        return err_raise(-ENOMEM);
    int r = row_get(p->q->txn, &account_row_type, key_u64(&k, account), &row);
    if (r == 0)
        r = query_account_load(p->q, account, &load);
    if (r == 0 && row.tier >= TIERS)
        r = err_raise(-EBADMSG);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    player->account = account;
    player->tier = row.tier;
    player->running = load.running;
    player->running_max = row.running_max ? row.running_max : p->o->tiers.row[row.tier].running_max;
    player->next = p->players;
    p->players = player;
    *ret_player = player;
    return 0;
}

static int player_get(struct preview *p, uint64_t account, struct player **ret_player)
{
    *ret_player = player_find(p, account);
    return *ret_player ? 0 : player_new(p, account, ret_player);
}

/* ---- its jobs ---- */

static int is_closed(const struct preview *p, struct job_id id, bool *ret_closed)
{
    struct job_row row;
    struct key_buf k;
    *ret_closed = false;
    int r = row_get(p->q->txn, &job_row_type, key_id(&k, id), &row);
    for (size_t i = 0; i < p->closed_n && r == 0; i++)
        *ret_closed |=
            row.class.n == p->closed[i].n && memcmp(row.class.p, p->closed[i].p, row.class.n) == 0;
    return r;
}

/* To the account's next ready job in any class. STORE_MISSING: it has no further one. */
static int player_row(const struct preview *p, struct player *player, struct job_id *ret_id)
{
    struct key_buf k;
    static const struct job_id none;
    struct span key, value;
    struct span from = player->has_last ? span_of(player->last.b, READY_KEY_BYTES)
                                        : key_ready(&k, p->o->pool, player->account, 0, none);
    int r = cursor_seek(p->ready, from, &key, &value);
    if (r == 0 && player->has_last)
        r = cursor_next(p->ready, &key, &value);
    if (r)
        return r;
    if (key.n != READY_KEY_BYTES || get_be16(key.p) != p->o->pool ||
        get_be64((const uint8_t *)key.p + 2) != player->account)
        return STORE_MISSING;
    memcpy(player->last.b, key.p, key.n);
    player->has_last = true;
    *ret_id = key_tail_id(key);
    return 0;
}

/* To its next ready job that may start. */
static int player_next(const struct preview *p, struct player *player, struct job_id *ret_id)
{
    for (unsigned i = 0; i < CLOSED_SCAN_MAX; i++) {
        bool closed = false;
        int r = player_row(p, player, ret_id);
        if (r == 0 && p->closed_n)
            r = is_closed(p, *ret_id, &closed);
        if (r != 0 || !closed)
            return r;
    }
    return STORE_MISSING;
}

/* May it be served (again)? */
static int player_may(const struct preview *p, const struct player *player, bool *ret_may)
{
    struct player copy = *player;
    struct job_id id;
    *ret_may = false;
    if (player->running >= player->running_max)
        return 0;
    int r = player_next(p, &copy, &id);
    if (r < 0)
        return err_pass(r);
    *ret_may = r == 0;
    return 0;
}

/* ---- rings ---- */

/* Is this row of the ring's table one of the line's? */
static bool is_of_line(const struct preview *p, uint8_t tier, struct span key)
{
    return key.n == RING_KEY_BYTES && get_be16(key.p) == p->o->pool &&
           ((const uint8_t *)key.p)[2] == tier;
}

/* Takes the first account from the cursor's row on that may be served into line->first. `r` is what
 * moving the cursor there said. */
static int line_read(struct preview *p, uint8_t tier, int r, struct span key, struct span value)
{
    struct line *line = &p->line[tier];
    line->first = NULL;
    while (r == 0 && !line->first && is_of_line(p, tier, key)) {
        struct ring_row row;
        struct player *player;
        r = row_decode(&ring_row_type, key, value, &row);
        if (r == 0)
            r = player_get(p, row.account, &player);
        bool may = r == 0 && !player->is_out;
        if (may && p->closed_n) /* else a place in the ring says it */
            r = player_may(p, player, &may);
        if (r == 0 && may)
            line->first = player;
        else if (r == 0)
            r = cursor_next(line->cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

static int line_open(struct preview *p, uint8_t tier)
{
    struct line *line = &p->line[tier];
    struct key_buf k;
    struct span key, value;
    int r = cursor_open(p->q->txn, TABLE_RING, &line->cursor);
    if (r < 0)
        return err_pass(r);
    r = cursor_seek(line->cursor, key_ring(&k, p->o->pool, tier, 0), &key, &value);
    return line_read(p, tier, r, key, value);
}

static void line_enter(struct preview *p, struct player *player)
{
    struct line *line = &p->line[player->tier];
    player->again = NULL;
    *line->again_end = player;
    line->again_end = &player->again;
}

/* The account whose turn it is leaves the line. */
static int line_take(struct preview *p, uint8_t tier, struct player **ret_player)
{
    struct line *line = &p->line[tier];
    struct span key, value;
    *ret_player = line->first;
    if (!line->first) {
        assert(line->again);
        *ret_player = line->again;
        line->again = line->again->again;
        if (!line->again)
            line->again_end = &line->again;
        return 0;
    }
    int r = cursor_next(line->cursor, &key, &value);
    r = line_read(p, tier, r, key, value);
    return r < 0 ? err_pass(r) : 0;
}

/* ---- beginning ---- */

/* Classes of the pool that are paused, or whose breaker is open. */
static int closed_load(struct preview *p)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct class_row row;
    uint64_t broker_ms = query_broker_ms(p->q, &p->o->totals);
    int r = cursor_open(p->q->txn, TABLE_CLASS, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0 && p->closed_n < CLOSED_CLASSES_MAX) {
        r = row_decode(&class_row_type, key, value, &row);
        struct breaker b = {.until_ms = row.breaker_until_ms,
                            .probe = row.breaker_probe,
                            .open_ms = row.breaker_open_ms,
                            .state = row.breaker_state,
                            .faults = row.breaker_faults};
        bool is_open = b.state == BREAKER_CLOSED || breaker_may(&b, broker_ms);
        if (r == 0 && row.pool == p->o->pool && (row.is_paused || !is_open))
            p->closed[p->closed_n++] = key;
        if (r == 0)
            r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

int preview_new(struct query *q, const struct outlook *o, struct preview **ret_preview)
{
    struct preview *p = arena_alloc(q->arena, sizeof *p);
    if (!p)
        return err_raise(-ENOMEM);
    p->q = q;
    p->o = o;
    p->rotation = o->rotation;
    for (unsigned t = 0; t < TIERS; t++)
        p->line[t].again_end = &p->line[t].again;
    int r = cursor_open(q->txn, TABLE_READY, &p->ready);
    if (r == 0)
        r = closed_load(p);
    if (r < 0) {
        preview_end(p);
        return err_pass(r);
    }
    *ret_preview = p;
    return 0;
}

void preview_end(struct preview *p)
{
    for (unsigned t = 0; t < TIERS; t++)
        p->line[t].cursor = cursor_free(p->line[t].cursor);
    p->ready = cursor_free(p->ready);
}

/* ---- supposing ---- */

/* Out of tokens: barred whatever else is supposed. */
static int is_barred(struct preview *p, uint64_t account, const struct account_row *row,
                     bool *ret_barred)
{
    struct bucket_row bucket = {0};
    struct key_buf k;
    int r = row_get(p->q->txn, &bucket_row_type, key_bucket(&k, RATE_ACCOUNT, account), &bucket);
    *ret_barred = row->bars || (r == 0 && bucket.is_dry);
    return r < 0 ? err_pass(r) : 0;
}

static void suppose(const struct preview *p, const Rota__WhatIf *q, const struct account_row *row,
                    struct player *player)
{
    uint32_t own = row->running_max;
    if (q->set_tier_case == ROTA__WHAT_IF__SET_TIER_TIER)
        player->tier = (uint8_t)q->tier;
    if (q->set_running_case == ROTA__WHAT_IF__SET_RUNNING_RUNNING_MAX)
        own = q->running_max;
    player->running_max = own ? own : p->o->tiers.row[player->tier].running_max;
}

/* Where it stands now, and where it would: a place that is kept is kept in the database's ring. */
static int suppose_place(struct preview *p, const struct account_row *row, struct player *player)
{
    struct tally_row tally = {0};
    struct key_buf k;
    bool barred, may = false;
    int r = row_get(p->q->txn, &tally_row_type, key_tally(&k, player->account, p->o->pool), &tally);
    if (r >= 0)
        r = is_barred(p, player->account, row, &barred);
    if (r == 0 && !barred)
        r = player_may(p, player, &may);
    if (r < 0)
        return err_pass(r);
    bool keeps = may && tally.turn && player->tier == row->tier;
    player->is_out = !keeps;
    if (may && !keeps)
        line_enter(p, player);
    return 0;
}

enum error_code preview_suppose(struct preview *p, const Rota__WhatIf *what_if)
{
    struct account_id_row at;
    struct account_row row;
    struct key_buf k;
    struct player *player;
    int r = row_get(p->q->txn, &account_id_row_type, span_str(what_if->account), &at);
    if (r == STORE_MISSING)
        return E_ACCOUNT_UNKNOWN;
    if (r == 0 && player_find(p, at.account)) {
        p->q->text = query_text(p->q, "next.what_if names an account twice");
        return E_FIELD_INVALID;
    }
    if (r == 0)
        r = row_get(p->q->txn, &account_row_type, key_u64(&k, at.account), &row);
    if (r == 0)
        r = player_new(p, at.account, &player);
    if (r != 0)
        return query_fault(r < 0 ? r : -EBADMSG);
    suppose(p, what_if, &row, player);
    r = suppose_place(p, &row, player);
    return r < 0 ? query_fault(r) : E_OK;
}

/* ---- one dispatch ---- */

static int preview_begin(struct preview *p)
{
    int r = 0;
    for (unsigned t = 0; t < TIERS && r == 0; t++)
        r = line_open(p, (uint8_t)t);
    p->has_begun = true;
    return r;
}

static uint8_t eligible(const struct preview *p)
{
    uint8_t set = 0;
    for (unsigned t = 0; t < TIERS && !p->o->live.bars; t++)
        if ((p->line[t].first || p->line[t].again) && !p->o->tier_bars[t])
            set |= (uint8_t)(1u << t);
    return set;
}

int preview_step(struct preview *p, struct job_id *ret_job, uint8_t *ret_tier)
{
    struct player *player;
    bool may = false;
    int r = p->has_begun ? 0 : preview_begin(p);
    if (r < 0)
        return err_pass(r);
    uint8_t set = eligible(p);
    if (!set)
        return STORE_MISSING;
    *ret_tier = rotation_next(&p->rotation, set);
    r = line_take(p, *ret_tier, &player);
    if (r == 0)
        r = player_next(p, player, ret_job);
    if (r != 0)
        return r < 0 ? err_pass(r) : err_raise(-EBADMSG); /* its place says that it has one */
    player->running++;
    r = player_may(p, player, &may);
    if (may)
        line_enter(p, player);
    return r < 0 ? err_pass(r) : 0;
}
