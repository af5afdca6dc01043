/* ring_properties.c: inside a tier nobody is overtaken by a latecomer (A1), the stated waits hold
 * (A2), no cap is passed (A3), a parked account blocks nobody (A4), a move is cheap and takes all
 * waiting jobs along (A5). 40 seeds of random submits, completions, caps, moves, pauses and
 * restarts over two pools; one journal in eight is unwound and must give back the state byte for
 * byte.               */
#undef NDEBUG
#include "random.h"
#include "ring_oracle.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SEEDS = 40, DISPATCHES = 18000, MOVE_ENTRIES_MAX = 32 };

struct run {
    struct random random;
    struct world world, world_before;
    struct oracle oracle, oracle_before;
    struct undo *journal;
    unsigned load; /* how eagerly jobs come: phases of plenty and of want */
};

static struct {
    uint64_t submits, completes, caps, moves, pauses, restarts, kept, unwound, idle_polls;
    uint64_t moved_jobs_most;
    size_t move_entries_most;
} did;

static void do_submit(struct run *r)
{
    unsigned jobs = random_below(&r->random, 16) ? 1 : 1 + random_below(&r->random, 50);
    unsigned account = random_below(&r->random, ACCOUNTS);
    unsigned pool = random_below(&r->random, POOLS);
    world_submit(&r->world, account, pool, jobs, r->journal);
    did.submits++;
}

static void do_complete(struct run *r)
{
    unsigned from = random_below(&r->random, ACCOUNTS * POOLS);
    for (unsigned i = 0; i < ACCOUNTS * POOLS; i++) {
        unsigned at = (from + i) % (ACCOUNTS * POOLS);
        if (r->world.account[at / POOLS].running[at % POOLS] == 0)
            continue;
        world_complete(&r->world, at / POOLS, at % POOLS, r->journal);
        did.completes++;
        return;
    }
}

static void do_cap(struct run *r)
{
    unsigned account = random_below(&r->random, ACCOUNTS);
    world_cap(&r->world, account, random_below(&r->random, 6), r->journal);
    did.caps++;
}

/* A5: the journal grows by as much for a thousand waiting jobs as for one. */
static void do_move(struct run *r)
{
    unsigned account = random_below(&r->random, ACCOUNTS);
    const struct world_account *a = &r->world.account[account];
    size_t before = undo_entries(r->journal);
    world_move(&r->world, account, (uint8_t)random_below(&r->random, TIERS), r->journal);
    size_t entries = undo_entries(r->journal) - before;
    assert(entries <= MOVE_ENTRIES_MAX);
    did.move_entries_most = entries > did.move_entries_most ? entries : did.move_entries_most;
    uint64_t jobs = a->ready[0] + a->ready[1];
    did.moved_jobs_most = jobs > did.moved_jobs_most ? jobs : did.moved_jobs_most;
    did.moves++;
}

static void do_pause(struct run *r)
{
    unsigned account = random_below(&r->random, ACCOUNTS);
    world_pause(&r->world, account, random_below(&r->random, 4) == 0, r->journal);
    did.pauses++;
}

/* A worker asks. G3: it goes away with nothing only when nobody at all may run. */
static void do_dispatch(struct run *r)
{
    unsigned pool = random_below(&r->random, POOLS), eligible = 0;
    int first[TIERS];
    for (unsigned t = 0; t < TIERS; t++) {
        first[t] = oracle_first(&r->oracle, &r->world, pool, t);
        eligible |= first[t] >= 0 ? 1u << t : 0;
    }
    uint64_t number = r->world.rotation[pool].number;
    int served = world_dispatch(&r->world, pool, r->journal);
    assert((served < 0) == (eligible == 0));
    if (served < 0) {
        did.idle_polls++;
        return;
    }
    assert(r->world.rotation[pool].number == number + 1);
    assert(first[r->world.account[served].tier] == served);
    oracle_dispatched(&r->oracle, &r->world, pool, eligible, served);
}

static void do_any(struct run *r)
{
    unsigned what = random_below(&r->random, 1000);
    if (what < 10)
        do_cap(r);
    else if (what < 20)
        do_move(r);
    else if (what < 30)
        do_pause(r);
    else if (what < 30 + r->load)
        do_submit(r);
    else if (what < 650)
        do_complete(r);
    else
        do_dispatch(r);
    oracle_look(&r->oracle, &r->world);
}

/* The order of every ring as account numbers, for the comparison before and after a restart. */
static size_t rings_list(const struct world *w, uint64_t *ret_turns)
{
    size_t n = 0;
    for (unsigned pool = 0; pool < POOLS; pool++)
        for (unsigned t = 0; t < TIERS; t++)
            for (const struct ring_node *at = w->ring[pool][t].first; at; at = at->next)
                ret_turns[n++] = at->turn;
    return n;
}

static void restart(struct run *r)
{
    uint64_t before[ACCOUNTS * POOLS], after[ACCOUNTS * POOLS];
    size_t n = rings_list(&r->world, before);
    world_restart(&r->world);
    assert(rings_list(&r->world, after) == n);
    assert(memcmp(before, after, n * sizeof *before) == 0);
    oracle_look(&r->oracle, &r->world);
    did.restarts++;
}

/* One turn of the broker: some changes, then a commit or an abort. */
static void turn(struct run *r)
{
    uint64_t dispatches = oracle_worst.dispatches;
    memcpy(&r->world_before, &r->world, sizeof r->world);
    memcpy(&r->oracle_before, &r->oracle, sizeof r->oracle);
    for (unsigned i = 1 + random_below(&r->random, 16); i > 0; i--)
        do_any(r);
    if (random_below(&r->random, 8)) {
        undo_keep(r->journal);
        did.kept++;
        return;
    }
    undo_unwind(r->journal);
    const void *before = &r->world_before, *now = &r->world;
    assert(memcmp(before, now, sizeof r->world) == 0);
    memcpy(&r->oracle, &r->oracle_before, sizeof r->oracle);
    oracle_worst.dispatches = dispatches; /* only committed ones are counted */
    did.unwound++;
}

static void run_seed(struct run *r, uint64_t seed)
{
    static const unsigned loads[] = {330, 200, 500, 60};
    r->random = (struct random){seed};
    world_init(&r->world);
    memset(&r->oracle, 0, sizeof r->oracle);
    for (unsigned a = 0; a < ACCOUNTS; a++)
        r->oracle.tier[a] = r->world.account[a].tier;
    uint64_t start = oracle_worst.dispatches;
    for (unsigned i = 0; oracle_worst.dispatches < start + DISPATCHES; i++) {
        r->load = loads[i / 256 % 4];
        turn(r);
        if (random_below(&r->random, 200) == 0)
            restart(r);
    }
}

int main(void)
{
    static struct run r;
    assert(undo_new(&r.journal) == 0);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        printf("seed %ju\n", (uintmax_t)seed);
        fflush(stdout); /* the last line names the seed of a failure */
        run_seed(&r, seed);
    }
    r.journal = undo_free(r.journal);
    const struct oracle_worst *o = &oracle_worst;
    printf("%d seeds, %ju dispatches, %ju polls found nothing to run\n", SEEDS,
           (uintmax_t)o->dispatches, (uintmax_t)did.idle_polls);
    printf("%ju submits, %ju completions, %ju caps, %ju moves, %ju pauses, %ju restarts\n",
           (uintmax_t)did.submits, (uintmax_t)did.completes, (uintmax_t)did.caps,
           (uintmax_t)did.moves, (uintmax_t)did.pauses, (uintmax_t)did.restarts);
    printf("%ju turns kept, %ju unwound to the byte\n", (uintmax_t)did.kept,
           (uintmax_t)did.unwound);
    printf("worst tier waits %u/%u/%u/%u, most overtaken %ju, %ju looks at a parked account\n",
           o->tier_wait[0], o->tier_wait[1], o->tier_wait[2], o->tier_wait[3],
           (uintmax_t)o->overtaken, (uintmax_t)o->parked);
    printf("A2 held %ju times (%ju second or later jobs), %.0f %% of a bound used at most\n",
           (uintmax_t)o->checked_a2, (uintmax_t)o->second_jobs, 100 * o->a2_used);
    printf("moves: at most %zu journal entries, up to %ju jobs along\n", did.move_entries_most,
           (uintmax_t)did.moved_jobs_most);
    assert(o->dispatches >= 708084 && did.unwound > 10000 && did.restarts > 100);
    assert(did.moves > 1000 && did.caps > 1000 && did.pauses > 1000 && did.idle_polls > 0);
    assert(o->parked > 0 && o->second_jobs > 1000 && o->overtaken > 1);
    return 0;
}
