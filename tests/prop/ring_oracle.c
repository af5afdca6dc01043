/* ring_oracle.c: the promises A1 to A4, G3 and G4, each as plain counting. */
#undef NDEBUG
#include "ring_oracle.h"

#include <assert.h>

_Static_assert(POOLS == 2, "running_of() counts two");

struct oracle_worst oracle_worst;

static const unsigned tier_wait_max[TIERS] = {1, 11, 10, 9};

/* The definitions a second time: a slip in the world's own must not blind the one who watches it.
 */
static unsigned running_of(const struct world_account *a)
{
    return a->running[0] + a->running[1];
}

static bool may_run(const struct world_account *a, unsigned pool)
{
    bool has_room = running_of(a) < a->cap;
    return has_room && !a->is_paused && a->ready[pool] != 0;
}

static unsigned ring_size(const struct oracle *o, const struct world *w, unsigned pool,
                          unsigned tier)
{
    unsigned n = 0;
    for (unsigned a = 0; a < ACCOUNTS; a++)
        n += w->account[a].tier == tier && o->stay[a][pool].since != 0;
    return n;
}

static void stay_begin(struct oracle *o, const struct world *w, unsigned account, unsigned pool)
{
    struct stay *s = &o->stay[account][pool];
    unsigned before = ring_size(o, w, pool, w->account[account].tier);
    *s = (struct stay){.since = ++o->entries,
                       .overtaken_max = before,
                       .start = w->rotation[pool].number,
                       .place = before + 1,
                       .ring_most = before + 1};
}

static void stays_look(struct oracle *o, const struct world *w, unsigned account)
{
    const struct world_account *a = &w->account[account];
    bool moved = o->tier[account] != a->tier;
    for (unsigned pool = 0; pool < POOLS; pool++)
        if (moved || !may_run(a, pool))
            o->stay[account][pool].since = 0;
    o->tier[account] = a->tier;
    for (unsigned pool = 0; pool < POOLS; pool++)
        if (o->stay[account][pool].since == 0 && may_run(a, pool))
            stay_begin(o, w, account, pool);
}

/* A3, and A4: who may not run stands in no ring, who may stands in the ring of its tier. */
static void account_check(struct oracle *o, const struct world *w, unsigned account)
{
    const struct world_account *a = &w->account[account];
    unsigned running = running_of(a);
    assert(running <= (o->allowed[account] > a->cap ? o->allowed[account] : a->cap));
    o->allowed[account] = running > a->cap ? running : a->cap;
    for (unsigned pool = 0; pool < POOLS; pool++) {
        assert(ring_has(&a->node[pool]) == may_run(a, pool));
        oracle_worst.parked += a->ready[pool] > 0 && running >= a->cap;
    }
}

static void rings_look(struct oracle *o, const struct world *w)
{
    for (unsigned pool = 0; pool < POOLS; pool++) {
        for (unsigned t = 0; t < TIERS; t++) {
            unsigned size = ring_size(o, w, pool, t);
            assert(ring_is_sound(&w->ring[pool][t]) && w->ring[pool][t].count == size);
            for (unsigned a = 0; a < ACCOUNTS; a++)
                if (w->account[a].tier == t && o->stay[a][pool].ring_most < size)
                    o->stay[a][pool].ring_most = size;
        }
    }
}

void oracle_look(struct oracle *o, const struct world *w)
{
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        stays_look(o, w, a);
        account_check(o, w, a);
    }
    rings_look(o, w);
}

int oracle_first(const struct oracle *o, const struct world *w, unsigned pool, unsigned tier)
{
    int first = -1;
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        if (w->account[a].tier != tier || !may_run(&w->account[a], pool))
            continue;
        assert(o->stay[a][pool].since != 0);
        if (first < 0 || o->stay[a][pool].since < o->stay[first][pool].since)
            first = (int)a;
    }
    return first;
}

/* G4, with the other tiers coming and going as the world has it. */
static void tier_waits(struct oracle *o, unsigned pool, unsigned eligible, unsigned tier)
{
    for (unsigned t = 0; t < TIERS; t++) {
        unsigned *wait = &o->tier_wait[pool][t];
        *wait = t == tier || !(eligible & 1u << t) ? 0 : *wait + 1;
        assert(*wait <= tier_wait_max[t]);
        if (*wait > oracle_worst.tier_wait[t])
            oracle_worst.tier_wait[t] = *wait;
    }
}

/* A2 for the job that was just served: the i-th of a stay that began at place j. */
static void a2_check(struct stay *s, uint64_t number, unsigned tier)
{
    s->served++;
    uint64_t others = number - s->start - 1;
    uint64_t bound = ((s->served - 1) * s->ring_most + s->place) * (tier_wait_max[tier] + 1) - 1;
    assert(others <= bound);
    double used = (double)(others + 1) / (double)(bound + 1);
    oracle_worst.a2_used = used > oracle_worst.a2_used ? used : oracle_worst.a2_used;
    oracle_worst.checked_a2++;
    oracle_worst.second_jobs += s->served > 1;
}

/* A1: those who stood before it may be served once each, and nobody else. */
static void a1_check(struct oracle *o, const struct world *w, unsigned pool, unsigned served)
{
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        struct stay *s = &o->stay[a][pool];
        if (a == served || s->since == 0 || w->account[a].tier != w->account[served].tier)
            continue;
        s->overtaken++;
        assert(s->overtaken <= s->overtaken_max);
        assert(s->overtaken_max <= ACCOUNTS - 1);
        if (s->overtaken > oracle_worst.overtaken)
            oracle_worst.overtaken = s->overtaken;
    }
}

void oracle_dispatched(struct oracle *o, const struct world *w, unsigned pool, unsigned eligible,
                       int served)
{
    const struct world_account *a = &w->account[served];
    struct stay *s = &o->stay[served][pool];
    tier_waits(o, pool, eligible, a->tier);
    a1_check(o, w, pool, (unsigned)served);
    a2_check(s, w->rotation[pool].number, a->tier);
    /* Served: it goes on behind all others, in the same stay as far as A2 is concerned. */
    s->since = ++o->entries;
    s->overtaken = 0;
    s->overtaken_max = ring_size(o, w, pool, a->tier) - 1;
    oracle_worst.dispatches++;
    oracle_look(o, w);
}
