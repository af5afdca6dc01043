/* bulk_run.c: the slices of bulk acts.
 *
 * Those that run take turns. A slice looks at jobs until it has found BULK_ACTS of them or its cost
 * is spent, whichever comes first, and only then acts: nothing is written while the search stands
 * in the tables. A dry run goes the same way with acts that are judged and not done. */
#include "engine/bulk.h"

#include "engine/job.h"
#include "engine/search.h"

#include <errno.h>
#include <stdio.h>

enum {
    BULK_ACTS = 64,      /* a slice */
    BULK_COST = 4096,    /* of its looking (search.h) */
    ROOM_WAIT_MS = 1000, /* the store is full: a pause */
};

/* ---- the acts ---- */

typedef int bulk_act(struct turn *t, struct job *j, const Rota__Bulk *b);

static int do_cancel(struct turn *t, struct job *j, const Rota__Bulk *b)
{
    return act_cancel(t, j, b->reason);
}

static int do_retry(struct turn *t, struct job *j, const Rota__Bulk *b)
{
    (void)b;
    return act_retry(t, j);
}

static int do_move(struct turn *t, struct job *j, const Rota__Bulk *b)
{
    return act_move(t, j, b->pool, b->priority);
}

static int do_hold(struct turn *t, struct job *j, const Rota__Bulk *b)
{
    return act_hold(t, j, b->reason);
}

static int do_release(struct turn *t, struct job *j, const Rota__Bulk *b)
{
    (void)b;
    return act_release(t, j);
}

static const struct verb {
    const char *word;
    bulk_act *act;
} verbs[] = {
    [ROTA__BULK_VERB__BULK_CANCEL] = {"cancel", do_cancel},
    [ROTA__BULK_VERB__BULK_RETRY] = {"retry", do_retry},
    [ROTA__BULK_VERB__BULK_MOVE] = {"move", do_move},
    [ROTA__BULK_VERB__BULK_HOLD] = {"hold", do_hold},
    [ROTA__BULK_VERB__BULK_RELEASE] = {"release", do_release},
};

const char *bulk_verb(Rota__BulkVerb verb)
{
    return (size_t)verb < ARRAY_LEN(verbs) ? verbs[verb].word : NULL;
}

/* One job; what it is refused for is counted. */
static int act_on(struct turn *t, Rota__Bulk *b, struct job_id id)
{
    struct job j;
    int r = job_load_known(t, id, &j);
    if (r != 0)
        return r;
    t->is_trial = b->dry_run;
    r = verbs[b->verb].act(t, &j, b);
    t->is_trial = false;
    t->text = NULL;
    if (r < 0 || r >= ERROR_CODE_COUNT)
        return r;
    b->matched++;
    b->done += r == 0;
    b->refused += r != 0;
    if (r != 0)
        b->last_error = (char *)error_row((enum error_code)r)->name;
    return 0;
}

/* ---- a slice ---- */

struct slice {
    struct job_id ids[BULK_ACTS];
    size_t n;
    bool is_last;
};

static int slice_look(struct turn *t, struct bulk *bulk, const struct match *m, struct slice *slice)
{
    struct search s;
    struct spot edge = spot_of(bulk->row.at);
    int r = 0;
    slice->n = 0;
    search_begin(&s, t->txn, m, true, &edge);
    while (r == 0 && slice->n < BULK_ACTS && s.cost < BULK_COST) {
        struct job_row row;
        bool fits;
        r = search_next(&s, &fits, &slice->ids[slice->n], &row);
        slice->n += r == 0 && fits;
    }
    search_end(&s);
    slice->is_last = r == STORE_MISSING;
    bulk->row.at = spot_id(&s.edge, s.edge_n);
    bulk->b->seen += s.seen;
    return r < 0 ? err_pass(r) : 0;
}

/* What it is about is gone, an erased account say: nothing is left to do. */
static int bulk_give_up(struct turn *t, struct bulk *bulk, enum error_code e)
{
    bulk->b->stopped = true;
    bulk->b->last_error = (char *)error_row(e)->name;
    return bulk_end(t, bulk);
}

static int bulk_slice(struct turn *t, struct bulk *bulk)
{
    struct match m;
    struct slice slice;
    enum error_code e = match_init(&m, t->txn, &t->who, bulk->b->where);
    if (e == E_MEMORY || e == E_STORE_FAULT)
        return err_raise(e == E_MEMORY ? -ENOMEM : -EIO);
    if (e != E_OK)
        return bulk_give_up(t, bulk, e);
    struct job_id behind = job_id_after(bulk->row.until);
    if (job_id_cmp(behind, m.hi) < 0)
        m.hi = behind;
    int r = slice_look(t, bulk, &m, &slice);
    for (size_t i = 0; i < slice.n && r == 0; i++)
        r = act_on(t, bulk->b, slice.ids[i]);
    if (r != 0)
        return r;
    return slice.is_last ? bulk_end(t, bulk) : bulk_write(t, bulk);
}

/* In the name of whoever began it. */
static int bulk_run(struct turn *t, struct bulk *bulk)
{
    struct inbound in = {.op_tag = ROTA__REQUEST__OP_BULK_START}, *in_before = t->in;
    struct principal who_before = t->who;
    t->in = &in;
    t->who = (struct principal){.role = ROTA__ROLE__OPERATOR, .account = bulk->row.account};
    snprintf(t->who.key_prefix, sizeof t->who.key_prefix, "%s", bulk->b->by);
    snprintf(t->who.account_id, sizeof t->who.account_id, "%s", bulk->b->account);
    int r = bulk_slice(t, bulk);
    t->in = in_before;
    t->who = who_before;
    return r;
}

/* The first behind the one that was served last, in a circle. */
static uint64_t whose_turn(const struct cache *c)
{
    for (size_t i = 0; i < c->bulks_n; i++)
        if (c->bulks[i] > c->bulk_turn)
            return c->bulks[i];
    return c->bulks[0];
}

/* Every act writes. Above the store's high-water mark it waits, for what is left is kept for
 * finishes and single cancels. */
static int has_room(struct turn *t, const struct bulk *bulk, bool *ret_room)
{
    *ret_room = true;
    if (bulk->b->dry_run)
        return 0;
    int r = store_has_room(t->engine->config.store);
    *ret_room = r != STORE_FULL;
    return r < 0 ? err_pass(r) : 0;
}

int bulk_some(struct turn *t)
{
    struct cache *c = t->cache;
    struct bulk bulk;
    bool room = true;
    if (!c->bulks_n || t->bt_ms < t->engine->bulk_ms)
        return 0;
    uint64_t number = whose_turn(c);
    c->bulk_turn = number; /* only whose turn it is, and when: not journaled */
    int r = turn_store(bulk_read(t, number, &bulk));
    if (r == 0)
        r = has_room(t, &bulk, &room);
    if (r == 0 && !room)
        t->engine->bulk_ms = t->bt_ms + ROOM_WAIT_MS;
    return r == 0 && room ? bulk_run(t, &bulk) : r;
}

uint64_t bulk_due_ms(const struct engine *e)
{
    return e->cache.bulks_n ? e->bulk_ms : UINT64_MAX;
}
