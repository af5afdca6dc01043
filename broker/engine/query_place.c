/* query_place.c: where a ready job stands.
 *
 * Both places are counted: rows of the account's line before the job, rows of the ring before the
 * account. The store counts a page of rows at a time, and PLACE_EXACT_MAX bounds the answer however
 * long the line is; behind that it is "more than".
 *
 * What comes before it is found by playing the rotation with the jobs that are there now: the tiers
 * that may be served, each until its ready jobs are used up, and of the job's own tier as many as
 * the ring gives to others before it. */
#include "engine/query_outlook.h"

#include <errno.h>

/* The last steps: rows from `at` on that stand before `to`. */
static int rows_step(struct cursor *cursor, struct span at, struct span to, uint64_t *n)
{
    struct span key, value;
    int r = cursor_seek(cursor, at, &key, &value);
    while (r == 0 && memcmp(key.p, to.p, to.n) < 0) {
        ++*n;
        r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

/* Rows of the table from `from` until `to`, at most PLACE_EXACT_MAX: in leaps as long as they end
 * before it, then row by row. */
static int rows_between(struct query *q, enum table table, struct span from, struct span to,
                        uint64_t *ret_n, bool *ret_is_more)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value, at = from; /* n rows stand before it */
    uint64_t n = 0, leapt = 0;
    int r = cursor_open(q->txn, table, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, from, &key, &value);
    while (r == 0 && n < PLACE_EXACT_MAX && memcmp(key.p, to.p, to.n) < 0) {
        n += leapt;
        at = key;
        r = cursor_leap(cursor, &key, &leapt);
    }
    if (r >= 0 && n < PLACE_EXACT_MAX)
        r = rows_step(cursor, at, to, &n);
    if (r < 0)
        return err_pass(r);
    *ret_is_more = n >= PLACE_EXACT_MAX;
    *ret_n = *ret_is_more ? PLACE_EXACT_MAX : n;
    return 0;
}

static int own_find(struct query *q, const struct outlook *o, uint64_t account, uint8_t priority,
                    struct job_id job, struct place *p)
{
    static const struct job_id zero;
    struct key_buf from, to;
    uint64_t before = 0;
    int r = rows_between(q, TABLE_READY, key_ready(&from, o->pool, account, 0, zero),
                         key_ready(&to, o->pool, account, priority, job), &before, &p->own_is_more);
    p->own = before + !p->own_is_more;
    return r < 0 ? err_pass(r) : 0;
}

static int ring_find(struct query *q, const struct outlook *o, uint64_t turn, struct place *p)
{
    struct key_buf from, to;
    uint64_t before = 0;
    if (!turn)
        return 0;
    int r = rows_between(q, TABLE_RING, key_ring(&from, o->pool, p->tier, 0),
                         key_ring(&to, o->pool, p->tier, turn), &before, &p->ring_is_more);
    p->ring = before + !p->ring_is_more;
    if (p->ring > p->ring_size)
        p->ring_size = p->ring;
    return r < 0 ? err_pass(r) : 0;
}

/* Place in the ring, or the one that it would have: the tail. */
static uint64_t place_in_ring(const struct place *p)
{
    return p->ring ? p->ring : p->ring_size + 1;
}

static uint64_t ring_whole(const struct place *p)
{
    return p->ring ? p->ring_size : p->ring_size + 1;
}

/* Dispatches of its own tier before the job: a round of the ring for each job before it in its
 * account's line, but no more than there are jobs. */
static uint64_t rank_in_tier(const struct outlook *o, const struct place *p, uint64_t ready)
{
    uint64_t others = o->live.ready[p->tier] > ready ? o->live.ready[p->tier] - ready : 0;
    uint64_t rounds, by_ring;
    if (__builtin_mul_overflow(p->own - 1, ring_whole(p) - 1, &rounds) ||
        __builtin_add_overflow(rounds, place_in_ring(p) - 1, &by_ring))
        by_ring = UINT64_MAX;
    return p->own - 1 + (by_ring < others ? by_ring : others);
}

/* Plays until the tier was served `rank` times and is served once more. */
static uint64_t play(const struct outlook *o, uint8_t tier, uint64_t rank)
{
    struct rotation rotation = o->rotation;
    uint8_t set = outlook_eligible(o) | (uint8_t)(1u << tier);
    uint64_t left[TIERS], steps = 0, own = 0;
    memcpy(left, o->live.ready, sizeof left);
    for (; steps < PLAY_MAX; steps++) {
        uint8_t t = rotation_next(&rotation, set);
        if (t == tier && own++ == rank)
            return steps;
        if (t != tier && left[t] && --left[t] == 0)
            set &= (uint8_t) ~(1u << t);
    }
    /* The rest as it has gone so far. */
    uint64_t rest = rank - own, all;
    bool is_much = !own || __builtin_mul_overflow(rest, PLAY_MAX, &all);
    return is_much ? UINT64_MAX : steps + all / own;
}

int place_find(struct query *q, const struct outlook *o, uint64_t account, uint8_t tier,
               const struct tally_row *tally, uint8_t priority, struct job_id job,
               struct place *ret_place)
{
    struct place p = {.tier = tier,
                      .ring_size = o->live.ring[tier],
                      .b = rotation_bound(tier, o->rotation.n_max)};
    int r = own_find(q, o, account, priority, job, &p);
    if (r == 0)
        r = ring_find(q, o, tally->turn, &p);
    if (r < 0)
        return err_pass(r);
    p.ahead = play(o, tier, rank_in_tier(o, &p, tally->ready));
    *ret_place = p;
    return 0;
}

bool place_is_head(const struct place *p)
{
    return p->own == 1 && p->ring && !p->ring_is_more;
}

uint64_t place_bound(const struct place *p)
{
    uint64_t j;
    if (__builtin_mul_overflow(p->own - 1, ring_whole(p), &j) ||
        __builtin_add_overflow(j, place_in_ring(p), &j))
        return UINT64_MAX;
    return promise_bound(j, p->b);
}
