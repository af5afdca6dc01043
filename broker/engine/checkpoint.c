/* checkpoint.c: from time to time the event log says where everything stands, so that whoever
 * checks the log (proto/audit) need not read it from its beginning, which may be long gone.
 *
 * A checkpoint is the state that a turn leaves behind: accounts with jobs that are ready or run,
 * their counts and their places in the rings, pools with their rotations, caps and bars. It is cut
 * into parts of at most PART_BYTES_MAX, all of them events of one turn that follow each other. It
 * costs one walk over the accounts in RAM, and comes so seldom that it is at most a few events in a
 * hundred: after 10,000 events, or ten for each active account. The first stands at the beginning
 * of the log, before the first turn.
 *
 * While the store is above its high-water mark none is written: the room is kept for what matters.
 */
#include "engine/turn.h"

#include "store/keys.h"

#include <errno.h>

enum {
    EVENTS_MIN = 10000,
    EVENTS_PER_ACCOUNT = 10,
    EVENTS_TRY_AGAIN = 1000,
    PART_BYTES_MAX = 46 << 10,
    PART_ACCOUNTS = 2048,
    PART_TALLIES = 4096,
};

/* One part as it grows; used again for the next. */
struct part {
    Rota__Checkpoint head;
    Rota__CheckpointPool pool[POOLS_MAX], *pools[POOLS_MAX];
    Rota__CheckpointAccount account[PART_ACCOUNTS], *accounts[PART_ACCOUNTS];
    Rota__CheckpointTally tally[PART_TALLIES], *tallies[PART_TALLIES];
    size_t tallies_n, bytes;
    uint32_t caps[TIERS], bars[TIERS];
    uint8_t packed[PART_BYTES_MAX + 4096];
};

static bool is_due(const struct engine *e)
{
    const struct hot_row *hot = &e->cache.hot;
    uint64_t least = e->cache.accounts_active * EVENTS_PER_ACCOUNT;
    if (least < EVENTS_MIN)
        least = EVENTS_MIN;
    return (!hot->checkpoint_seq || hot->event_seq - hot->checkpoint_seq >= least) &&
           hot->event_seq >= e->checkpoint_after_seq;
}

/* ---- a part ---- */

static void part_begin(struct part *p, uint32_t number)
{
    rota__checkpoint__init(&p->head);
    p->head.part = number;
    p->head.pool = p->pools;
    p->head.account = p->accounts;
    p->tallies_n = 0;
    p->bytes = 0;
}

static int part_write(struct turn *t, struct part *p, bool is_last)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_CHECKPOINT);
    p->head.is_last = is_last;
    if (!event || rota__checkpoint__get_packed_size(&p->head) > sizeof p->packed)
        return err_raise(event ? -EMSGSIZE : -ENOMEM);
    event->checkpoint.data = p->packed;
    event->checkpoint.len = rota__checkpoint__pack(&p->head, p->packed);
    return event_append(t, event);
}

/* What belongs to no account stands in the first part. */
static void add_tiers(struct part *p, const struct cache *c)
{
    for (unsigned i = 0; i < TIERS; i++) {
        p->caps[i] = c->tiers.row[i].running_max;
        p->bars[i] = c->tier_bars[i];
    }
    p->head.tier_running_max = p->caps;
    p->head.tier_bars = p->bars;
    p->head.n_tier_running_max = p->head.n_tier_bars = TIERS;
}

static void add_pools(struct part *p, const struct cache *c)
{
    for (size_t i = 1; i <= POOLS_MAX; i++) {
        const struct pool *from = c->pools[i];
        if (!from)
            continue;
        Rota__CheckpointPool *m = &p->pool[p->head.n_pool];
        rota__checkpoint_pool__init(m);
        m->pool = (char *)from->name;
        m->c = from->rotation.c;
        m->n = from->rotation.n;
        m->n_max = from->rotation.n_max;
        m->number = from->rotation.number;
        m->bars = from->bars;
        p->pools[p->head.n_pool++] = m;
        p->bytes += rota__checkpoint_pool__get_packed_size(m) + 4;
    }
}

static void add_tally(struct part *p, Rota__CheckpointAccount *m, const struct tally *from)
{
    Rota__CheckpointTally *y = &p->tally[p->tallies_n];
    rota__checkpoint_tally__init(y);
    y->pool = from->pool->name;
    y->ready = from->now.ready;
    y->running = from->now.running;
    y->turn = from->node.turn;
    p->tallies[p->tallies_n++] = y;
    m->n_tally++;
}

static void add_account(struct part *p, const struct account *a)
{
    Rota__CheckpointAccount *m = &p->account[p->head.n_account];
    rota__checkpoint_account__init(m);
    m->account_number = a->number;
    m->tier = a->tier;
    m->running_own = a->running_own;
    m->bars = a->bars;
    m->tally = &p->tallies[p->tallies_n];
    for (const struct tally *y = a->tallies; y; y = y->next)
        if (y->now.ready || y->now.running)
            add_tally(p, m, y);
    if (!m->n_tally)
        return;
    p->accounts[p->head.n_account++] = m;
    p->bytes += rota__checkpoint_account__get_packed_size(m) + 4;
}

/* Does an account with a tally in every pool still fit? */
static bool part_is_full(const struct part *p)
{
    enum { ACCOUNT_BYTES_MAX = 32 + POOLS_MAX * (POOL_NAME_MAX + 32) };
    return p->bytes + ACCOUNT_BYTES_MAX > PART_BYTES_MAX || p->head.n_account == PART_ACCOUNTS ||
           p->tallies_n + POOLS_MAX > PART_TALLIES;
}

/* ---- the whole ---- */

static int checkpoint_write(struct turn *t)
{
    struct cache *c = t->cache;
    struct part *p = arena_alloc(t->fx->arena, sizeof *p);
    uint32_t number = 0;
    size_t bucket;
    int r = 0;
    if (!p)
        return err_raise(-ENOMEM);
    SET(t->undo, c->hot.checkpoint_seq, c->hot.event_seq + 1);
    part_begin(p, number++);
    add_tiers(p, c);
    add_pools(p, c);
    for (struct map_node *n = map_begin(&c->accounts, &bucket); n && r == 0;
         n = map_after(&c->accounts, n, &bucket)) {
        if (part_is_full(p)) {
            r = part_write(t, p, false);
            part_begin(p, number++);
        }
        add_account(p, CONTAINER(n, account, by_number));
    }
    return r == 0 ? part_write(t, p, true) : r;
}

int checkpoint_some(struct turn *t)
{
    struct engine *e = t->engine;
    if (!is_due(e) || store_has_room(e->config.store) != 0)
        return 0;
    /* Not journaled: a turn that is undone because it did not fit is not to meet it again. */
    e->checkpoint_after_seq = e->cache.hot.event_seq + EVENTS_TRY_AGAIN;
    return checkpoint_write(t);
}

/* ---- at the start ---- */

/* The caps of the last checkpoint; *ret_known false: it cannot be read, or there is none. */
static int caps_read(struct turn *t, uint32_t ret_caps[TIERS], bool *ret_known)
{
    struct event_row row;
    struct key_buf k;
    uint64_t seq = t->cache->hot.checkpoint_seq;
    ProtobufCAllocator *arena = arena_allocator(t->fx->arena);
    *ret_known = false;
    int r = seq ? row_get(t->txn, &event_row_type, key_u64(&k, seq), &row) : STORE_MISSING;
    if (r != 0)
        return r < 0 ? err_pass(r) : 0;
    Rota__Event *event = rota__event__unpack(arena, row.packed.n, row.packed.p);
    const ProtobufCBinaryData *packed = event ? &event->checkpoint : NULL;
    Rota__Checkpoint *part =
        event ? rota__checkpoint__unpack(arena, packed->len, packed->data) : NULL;
    *ret_known = part && part->n_tier_running_max == TIERS;
    for (unsigned i = 0; *ret_known && i < TIERS; i++)
        ret_caps[i] = part->tier_running_max[i];
    return 0;
}

/* A table that was set stands in the store and in the log; one that ships changes with the program.
 */
static int caps_tell(struct turn *t, bool *ret_told)
{
    uint32_t before[TIERS], caps[TIERS];
    bool known = false;
    int r = t->cache->tiers.version ? 0 : caps_read(t, before, &known);
    for (unsigned i = 0; i < TIERS; i++)
        caps[i] = t->cache->tiers.row[i].running_max;
    *ret_told = r == 0 && known && memcmp(before, caps, sizeof caps) != 0;
    if (!*ret_told)
        return r;
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_LIMITS_SET);
    if (event) {
        event->tier_running_max = caps;
        event->n_tier_running_max = TIERS;
    }
    return event_append(t, event);
}

int checkpoint_open(struct turn *t)
{
    bool told = false;
    int r = caps_tell(t, &told);
    if (r != 0)
        return r;
    /* Else the next start would tell it again. */
    return told && store_has_room(t->engine->config.store) == 0 ? checkpoint_write(t)
                                                                : checkpoint_some(t);
}
