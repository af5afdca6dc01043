/* query_next.c: the next dispatches of a pool, if nothing else happened.
 *
 * Plays the rule of the scheduler over one snapshot: rotation_next() chooses the tier, the lowest
 * turn of the tier's ring the account, the ready table its head job. Nothing is written: the ring
 * of the database is read by a cursor per tier, and accounts that would re-enter stand in a short
 * list behind it, because new turns are above all present ones. Only accounts that were served are
 * kept in memory, at most one per previewed dispatch. No job ends in a preview, so an account at
 * its cap stays out.    */
#include "engine/query.h"
#include "engine/query_parts.h"
#include "sched/rotation.h"
#include "sched/tier.h"

#include <assert.h>
#include <errno.h>

enum { NEXT_COUNT_DEFAULT = 10, NEXT_COUNT_MAX = 100, RING_KEY_BYTES = 11, READY_KEY_BYTES = 27 };

/* An account that was served at least once in this preview. */
struct player {
    uint64_t account;
    uint64_t running, running_max;
    struct key_buf last; /* of the ready table: the job served last */
    bool has_last;
};

/* The ring of one tier: what the database has, and behind it those that re-entered. */
struct line {
    struct cursor *cursor;
    uint64_t first; /* account at the cursor; 0: the database's ring is through */
    struct player *again[NEXT_COUNT_MAX];
    size_t again_first, again_n;
};

struct preview {
    struct query *q;
    uint16_t pool;
    struct rotation rotation;
    struct line line[TIERS];
    struct player *players[NEXT_COUNT_MAX];
    size_t players_n;
};

/* Takes the account at the cursor into line->first; the cursor stands on a ring row or at the end.
 */
static int line_read(struct line *line, const struct preview *p, uint8_t tier, int r,
                     struct span key, struct span value)
{
    struct ring_row row;
    line->first = 0;
    if (r == 0 && key.n == RING_KEY_BYTES && get_be16(key.p) == p->pool &&
        ((const uint8_t *)key.p)[2] == tier) {
        r = row_decode(&ring_row_type, key, value, &row);
        if (r == 0)
            line->first = row.account;
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
    r = cursor_seek(line->cursor, key_ring(&k, p->pool, tier, 0), &key, &value);
    return line_read(line, p, tier, r, key, value);
}

static bool line_has(const struct line *line)
{
    return line->first || line->again_n;
}

static struct player *player_find(const struct preview *p, uint64_t account)
{
    for (size_t i = 0; i < p->players_n; i++)
        if (p->players[i]->account == account)
            return p->players[i];
    return NULL;
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
            r = cursor_next(cursor, &key, &value);
        }
    }
    if (r < 0)
        return err_pass(r);
    *ret_load = load;
    return 0;
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
    if (r)
        return r;
    player->account = account;
    player->running = load.running;
    player->running_max = tier_running_max(row.tier, row.running_max);
    assert(p->players_n < NEXT_COUNT_MAX);
    p->players[p->players_n++] = player;
    *ret_player = player;
    return 0;
}

/* The account whose turn it is leaves the line. STORE_MISSING: it is in the ring but has no row. */
static int line_take(struct preview *p, uint8_t tier, struct player **ret_player)
{
    struct line *line = &p->line[tier];
    struct span key, value;
    if (!line->first) {
        assert(line->again_n);
        *ret_player = line->again[line->again_first++ % NEXT_COUNT_MAX];
        line->again_n--;
        return 0;
    }
    uint64_t account = line->first;
    int r = cursor_next(line->cursor, &key, &value);
    r = line_read(line, p, tier, r, key, value);
    if (r < 0)
        return err_pass(r);
    *ret_player = player_find(p, account);
    return *ret_player ? 0 : player_new(p, account, ret_player);
}

static void line_enter(struct line *line, struct player *player)
{
    assert(line->again_n < NEXT_COUNT_MAX);
    line->again[(line->again_first + line->again_n++) % NEXT_COUNT_MAX] = player;
}

/* Moves to the account's next ready job. STORE_MISSING: it has no further one. */
static int player_next(const struct preview *p, struct player *player, struct cursor *cursor,
                       struct job_id *ret_id)
{
    struct key_buf k;
    static const struct job_id none;
    struct span key, value;
    struct span from = player->has_last ? span_of(player->last.b, READY_KEY_BYTES)
                                        : key_ready(&k, p->pool, player->account, 0, none);
    int r = cursor_seek(cursor, from, &key, &value);
    if (r == 0 && player->has_last)
        r = cursor_next(cursor, &key, &value);
    if (r)
        return r;
    if (key.n != READY_KEY_BYTES || get_be16(key.p) != p->pool ||
        get_be64((const uint8_t *)key.p + 2) != player->account)
        return STORE_MISSING;
    memcpy(player->last.b, key.p, key.n);
    player->has_last = true;
    *ret_id = key_tail_id(key);
    return 0;
}

/* Is there one more behind the job served last? */
static int player_has_more(const struct preview *p, const struct player *player,
                           struct cursor *cursor, bool *ret_has)
{
    struct player copy = *player;
    struct job_id id;
    int r = player_next(p, &copy, cursor, &id);
    if (r < 0)
        return err_pass(r);
    *ret_has = r == 0;
    return 0;
}

static int job_show(struct preview *p, struct job_id id, uint8_t tier, Rota__NextResult *result)
{
    struct query *q = p->q;
    struct job_row row;
    char text[JOB_ID_TEXT_LEN + 1];
    struct key_buf k;
    int r = row_get(q->txn, &job_row_type, key_id(&k, id), &row);
    if (r)
        return r;
    Rota__NextJob *job;
    QUERY_NEW(q, job, Rota__NextJob, rota__next_job__init);
    if (!job)
        return err_raise(-ENOMEM);
    job->job = query_text(q, job_id_text(id, text));
    job->account = query_str(q, row.account_id);
    job->app = query_str(q, row.app_name);
    job->tier = (Rota__Tier)tier;
    job->waited_ms = q->wall_ms > row.published_ms ? q->wall_ms - row.published_ms : 0;
    result->job[result->n_job++] = job;
    return 0;
}

/* One dispatch. STORE_MISSING: nobody is eligible any more. */
static int preview_step(struct preview *p, struct cursor *ready, Rota__NextResult *result)
{
    uint8_t eligible = 0;
    for (unsigned t = 0; t < TIERS; t++)
        eligible |= (uint8_t)(line_has(&p->line[t]) << t);
    if (!eligible)
        return STORE_MISSING;
    uint8_t tier = rotation_next(&p->rotation, eligible);
    struct player *player;
    struct job_id id;
    bool has_more = false;
    int r = line_take(p, tier, &player);
    if (r == 0)
        r = player_next(p, player, ready, &id);
    if (r == 0)
        r = job_show(p, id, tier, result);
    player = r == 0 ? player : NULL;
    if (player)
        r = player_has_more(p, player, ready, &has_more);
    if (player && has_more && ++player->running < player->running_max)
        line_enter(&p->line[tier], player);
    return r;
}

static int preview_run(struct preview *p, size_t count, Rota__NextResult *result)
{
    AUTO(cursor) ready = NULL;
    int r = cursor_open(p->q->txn, TABLE_READY, &ready);
    for (unsigned t = 0; r == 0 && t < TIERS; t++)
        r = line_open(p, (uint8_t)t);
    while (r == 0 && result->n_job < count)
        r = preview_step(p, ready, result);
    for (unsigned t = 0; t < TIERS; t++)
        p->line[t].cursor = cursor_free(p->line[t].cursor);
    return r < 0 ? err_pass(r) : 0;
}

/* Finds the pool by its name; there are few. */
static int pool_find(struct query *q, const char *name, uint16_t *ret_pool,
                     struct rotation *ret_rot)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct pool_row row;
    int r = cursor_open(q->txn, TABLE_POOL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0) {
        r = row_decode(&pool_row_type, key, value, &row);
        if (r < 0)
            break;
        if (row.name.n == strlen(name) && memcmp(row.name.p, name, row.name.n) == 0) {
            *ret_pool = get_be16(key.p);
            *ret_rot = (struct rotation){row.c, row.n, row.n_max, row.number};
            return 0;
        }
        r = cursor_next(cursor, &key, &value);
    }
    return r;
}

enum error_code query_next(struct query *q)
{
    const Rota__Next *next = q->request->next;
    size_t count = next->count ? next->count : NEXT_COUNT_DEFAULT;
    struct preview *p = arena_alloc(q->arena, sizeof *p);
    Rota__NextResult *result;
    QUERY_NEW(q, result, Rota__NextResult, rota__next_result__init);
    if (count > NEXT_COUNT_MAX)
        count = NEXT_COUNT_MAX;
    if (!p || !result || !(result->job = query_array(q, count)))
        return E_MEMORY;
    p->q = q;
    int r = pool_find(q, *next->pool ? next->pool : "bundle", &p->pool, &p->rotation);
    if (r == STORE_MISSING)
        return E_POOL_UNKNOWN;
    if (r == 0)
        r = rotation_is_valid(&p->rotation) ? preview_run(p, count, result) : -EBADMSG;
    if (r < 0)
        return query_fault(r);
    q->reply->next = result;
    q->reply->result_case = ROTA__REPLY__RESULT_NEXT;
    return E_OK;
}
