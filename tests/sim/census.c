/* census.c: see census.h.
 *
 * All ids of all places are put in order and walked beside the table of jobs and beside the ledger,
 * so a census costs one walk whatever it looks at. */
#include "sim/census.h"

#include "sim/world.h"
#include "store/keys.h"
#include "store/rows.h"

#include <stdlib.h>

enum { COUNTS_MAX = PAST_ACCOUNTS_MAX * PAST_POOLS_MAX };

/* Where an accepted job can be. */
static const struct place_row {
    enum table table;
    uint16_t counts; /* offset of its count in a tally, plus 1; 0: in none */
    bool may_repeat; /* several rows of one job are one place */
} places[] = {
    {TABLE_READY, offsetof(struct tally_row, ready) + 1, false},
    {TABLE_DELAYED, offsetof(struct tally_row, delayed) + 1, false},
    {TABLE_WAITS_ON, offsetof(struct tally_row, delayed) + 1, true},
    {TABLE_HELD, offsetof(struct tally_row, held) + 1, false},
    {TABLE_LEASE, offsetof(struct tally_row, running) + 1, false},
    {TABLE_DONE, 0, false},
};

struct found {
    struct job_id id;
    uint8_t place; /* in `places` */
};

struct count {
    uint64_t account;
    uint16_t pool;
    struct tally_row row;
};

struct taking {
    struct world *w;
    struct txn *txn;
    struct found *found;
    size_t found_n, found_cap;
    struct count counts[COUNTS_MAX];
    size_t counts_n;
    struct census census;
};

typedef void each_row(struct taking *t, struct span key, struct span value, unsigned place);

static void each(struct taking *t, enum table table, unsigned place, each_row *row)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(t->txn, table, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0)
        row(t, key, value, place);
}

static const char *text_of(struct job_id id)
{
    static char text[JOB_ID_TEXT_LEN + 1];
    return job_id_text(id, text);
}

/* ---- places ---- */

static void note_place(struct taking *t, struct span key, struct span value, unsigned place)
{
    (void)value;
    if (t->found_n == t->found_cap) {
        t->found_cap = t->found_cap ? t->found_cap * 2 : 512;
        t->found = realloc(t->found, t->found_cap * sizeof *t->found);
        if (!t->found)
            abort();
    }
    t->found[t->found_n++] = (struct found){key_tail_id(key), (uint8_t)place};
}

static int by_id(const void *x, const void *y)
{
    const struct found *a = x, *b = y;
    int c = job_id_cmp(a->id, b->id);
    return c ? c : a->place - b->place;
}

static struct count *count_of(struct taking *t, uint64_t account, uint16_t pool)
{
    for (size_t i = 0; i < t->counts_n; i++)
        if (t->counts[i].account == account && t->counts[i].pool == pool)
            return &t->counts[i];
    if (t->counts_n == COUNTS_MAX)
        world_violated(t->w, "more tallies than a census can hold");
    t->counts[t->counts_n] = (struct count){.account = account, .pool = pool};
    return &t->counts[t->counts_n++];
}

static uint32_t *member_of(struct tally_row *row, const struct place_row *place)
{
    return (uint32_t *)(void *)((char *)row + place->counts - 1);
}

/* A job's account and pool: its row's, or the pool it was moved to. */
static void count_job(struct taking *t, struct span key, struct span value,
                      const struct place_row *place)
{
    struct job_row job;
    struct state_row state = {0};
    if (row_decode(&job_row_type, key, value, &job) != 0)
        world_violated(t->w, "a job row is damaged");
    int r = row_get(t->txn, &state_row_type, key, &state);
    if (r < 0)
        world_violated(t->w, "a state row is damaged");
    struct count *c = count_of(t, job.account, state.pool ? state.pool : job.pool);
    ++*member_of(&c->row, place);
}

/* The run of `found` that is about this job; it must be one place. */
static void place_job(struct taking *t, struct span key, struct span value, size_t *at)
{
    struct job_id id = key_tail_id(key);
    size_t i = *at;
    if (i < t->found_n && job_id_cmp(t->found[i].id, id) < 0)
        world_violated(t->w, "%s is in %s, but was never accepted", text_of(t->found[i].id),
                       table_name(places[t->found[i].place].table));
    if (i == t->found_n || job_id_cmp(t->found[i].id, id) != 0)
        world_violated(t->w, "%s is in no place", text_of(id));
    const struct place_row *place = &places[t->found[i].place];
    for (i++; i < t->found_n && job_id_cmp(t->found[i].id, id) == 0; i++)
        if (&places[t->found[i].place] != place || !place->may_repeat)
            world_violated(t->w, "%s is in %s and in %s", text_of(id), table_name(place->table),
                           table_name(places[t->found[i].place].table));
    *at = i;
    t->census.jobs++;
    t->census.done += place->table == TABLE_DONE;
    t->census.leased += place->table == TABLE_LEASE;
    t->census.waiting += place->table != TABLE_DONE && place->table != TABLE_LEASE;
    if (place->counts)
        count_job(t, key, value, place);
}

/* `job` in order, beside the places and beside what was said. */
static void place_jobs(struct taking *t)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    const struct ledger *said = &t->w->ledger;
    size_t at = 0, promise = 0;
    if (cursor_open(t->txn, TABLE_JOB, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        place_job(t, key, value, &at);
        if (promise < said->n && job_id_cmp(said->all[promise].job, key_tail_id(key)) == 0)
            promise++;
    }
    if (promise < said->n)
        world_violated(t->w, "%s was acknowledged and is not stored",
                       text_of(said->all[promise].job));
    if (at < t->found_n)
        world_violated(t->w, "%s is in %s, but was never accepted", text_of(t->found[at].id),
                       table_name(places[t->found[at].place].table));
}

/* ---- tallies ---- */

static void compare_tally(struct taking *t, struct span key, struct span value, unsigned place)
{
    struct tally_row row;
    (void)place;
    if (row_decode(&tally_row_type, key, value, &row) != 0)
        world_violated(t->w, "a tally row is damaged");
    struct count *c = count_of(t, get_be64(key.p), get_be16((const uint8_t *)key.p + 8));
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!places[i].counts)
            continue;
        uint32_t stored = *member_of(&row, &places[i]), counted = *member_of(&c->row, &places[i]);
        if (stored != counted)
            world_violated(t->w, "account %llu in pool %u: the tally says %u in %s, there are %u",
                           (unsigned long long)c->account, c->pool, stored,
                           table_name(places[i].table), counted);
    }
    c->row = (struct tally_row){0}; /* compared */
}

static void compare_tallies(struct taking *t)
{
    static const struct tally_row none;
    each(t, TABLE_TALLY, 0, compare_tally);
    for (size_t i = 0; i < t->counts_n; i++)
        if (memcmp(&t->counts[i].row, &none, sizeof none) != 0)
            world_violated(t->w, "account %llu has jobs in pool %u and no tally",
                           (unsigned long long)t->counts[i].account, t->counts[i].pool);
}

void census_take(struct world *w, struct txn *txn, struct census *ret_census)
{
    struct taking t = {.w = w, .txn = txn};
    for (unsigned i = 0; i < ARRAY_LEN(places); i++)
        each(&t, places[i].table, i, note_place);
    if (t.found_n)
        qsort(t.found, t.found_n, sizeof *t.found, by_id);
    place_jobs(&t);
    compare_tallies(&t);
    free(t.found);
    *ret_census = t.census;
}
