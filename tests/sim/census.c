/* census.c: see census.h.
 *
 * All ids of all places are put in order and walked beside the table of jobs and beside the ledger,
 * so a census costs one walk whatever it looks at. */
#include "sim/census.h"

#include "engine/engine.h"
#include "sim/world.h"
#include "store/keys.h"
#include "store/rows.h"

#include <stdlib.h>

enum { COUNTS_MAX = 128 }; /* accounts by pools */

static bool is_delayed(struct world *w, struct span key, struct span value)
{
    struct state_row row;
    if (row_decode(&state_row_type, key, value, &row) != 0)
        world_violated(w, "a state row is damaged");
    return row.state == ROTA__STATE__DELAYED;
}

enum place { READY, DELAYED, HELD, LEASED, DONE, PLACES };

/* Where an accepted job can be. */
static const struct place_row {
    enum table table;
    uint16_t counts; /* offset of its count in a tally, plus 1; 0: in none */
    bool (*is_place)(struct world *w, struct span key, struct span value); /* NULL: each row */
} places[PLACES] = {
    [READY] = {TABLE_READY, offsetof(struct tally_row, ready) + 1, NULL},
    [DELAYED] = {TABLE_STATE, offsetof(struct tally_row, delayed) + 1, is_delayed},
    [HELD] = {TABLE_HELD, offsetof(struct tally_row, held) + 1, NULL},
    [LEASED] = {TABLE_LEASE, offsetof(struct tally_row, running) + 1, NULL},
    [DONE] = {TABLE_DONE, 0, NULL},
};

/* Rows beside that of its place, which say what it waits for. */
static const struct {
    enum table table;
    unsigned places; /* set of those in which a job may have it */
} waits[] = {
    {TABLE_DELAYED, 1u << DELAYED},
    {TABLE_WAITS_ON, 1u << DELAYED | 1u << HELD},
};

struct found {
    struct job_id id;
    uint8_t place; /* in `places`, or after them in `waits` */
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
    size_t counts_n, in_rings;
    struct census census;
};

typedef void each_row(struct taking *t, struct span key, struct span value, uint8_t place);

static void each(struct taking *t, enum table table, size_t place, each_row *row)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(t->txn, table, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0)
        row(t, key, value, (uint8_t)place);
}

static const char *text_of(struct job_id id)
{
    static char text[JOB_ID_TEXT_LEN + 1];
    return job_id_text(id, text);
}

static const char *place_name(uint8_t place)
{
    return table_name(place < PLACES ? places[place].table : waits[place - PLACES].table);
}

/* ---- places ---- */

static void note_place(struct taking *t, struct span key, struct span value, uint8_t place)
{
    if (place < PLACES && places[place].is_place && !places[place].is_place(t->w, key, value))
        return;
    if (t->found_n == t->found_cap) {
        t->found_cap = t->found_cap ? t->found_cap * 2 : 512;
        t->found = realloc(t->found, t->found_cap * sizeof *t->found);
        if (!t->found)
            abort();
    }
    t->found[t->found_n++] = (struct found){key_tail_id(key), place};
}

static int by_id(const void *x, const void *y)
{
    const struct found *a = x, *b = y;
    int c = job_id_cmp(a->id, b->id);
    return c ? c : a->place - b->place;
}

/* Most jobs have ended, and those stand in order already: the others are sorted, and then each is
 * put where it belongs, from the end on. */
static void note_places(struct taking *t)
{
    each(t, places[DONE].table, DONE, note_place);
    size_t ended = t->found_n;
    for (size_t i = 0; i < PLACES; i++)
        if (i != DONE)
            each(t, places[i].table, i, note_place);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++)
        each(t, waits[i].table, PLACES + i, note_place);
    size_t live = t->found_n - ended, to = t->found_n;
    struct found *others = malloc((live + 1) * sizeof *others);
    if (!others)
        abort();
    if (live)
        memcpy(others, t->found + ended, live * sizeof *others);
    qsort(others, live, sizeof *others, by_id);
    while (live) {
        bool is_ended = ended && by_id(&t->found[ended - 1], &others[live - 1]) > 0;
        t->found[--to] = is_ended ? t->found[--ended] : others[--live];
    }
    free(others);
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
    if (row_get(t->txn, &state_row_type, key, &state) < 0)
        world_violated(t->w, "a state row is damaged");
    struct count *c = count_of(t, job.account, state.pool ? state.pool : job.pool);
    ++*member_of(&c->row, place);
}

/* The run of `found` that is about this job. The answer is its place. */
static uint8_t place_find(struct taking *t, struct job_id id, size_t *at)
{
    const struct found *f = &t->found[*at], *end = t->found + t->found_n;
    if (f < end && job_id_cmp(f->id, id) < 0)
        world_violated(t->w, "%s is in %s, but was never accepted", text_of(f->id),
                       place_name(f->place));
    if (f == end || job_id_cmp(f->id, id) != 0 || f->place >= PLACES)
        world_violated(t->w, "%s is in no place", text_of(id));
    uint8_t place = f->place;
    unsigned waits_n = 0;
    for (f++; f < end && job_id_cmp(f->id, id) == 0; f++, waits_n++)
        if (f->place < PLACES || !(waits[f->place - PLACES].places & 1u << place))
            world_violated(t->w, "%s is in %s and in %s", text_of(id), place_name(place),
                           place_name(f->place));
    if (place == DELAYED && !waits_n)
        world_violated(t->w, "%s is delayed and nothing will wake it", text_of(id));
    *at = (size_t)(f - t->found);
    return place;
}

static void place_job(struct taking *t, struct span key, struct span value, size_t *at)
{
    uint8_t place = place_find(t, key_tail_id(key), at);
    t->census.jobs++;
    t->census.done += place == DONE;
    t->census.leased += place == LEASED;
    if (places[place].counts)
        count_job(t, key, value, &places[place]);
}

/* Was the ended job of an account that goes, or old, or one too many? */
static bool may_be_forgotten(struct taking *t, const struct past_job *job)
{
    const struct past_account *a = past_account(t->w, job->account);
    uint64_t kept = t->w->host.kept ? t->w->host.kept : KEPT_SUCCEEDED;
    if (!state_has_ended(job->state))
        return false;
    return a->is_erased || a->bars & ROTA__BAR__BAR_ERASING ||
           job->ended_ms + KEPT_MS <= t->w->turn_wall_ms ||
           a->kept[job->state != ROTA__STATE__SUCCEEDED] >= kept;
}

/* Jobs of the log that are not stored any more, from `*from` up to this one; NULL: to the end. */
static void note_forgotten(struct taking *t, const struct job_id *to, size_t *from)
{
    struct history *h = &t->w->history;
    for (; *from < h->jobs_n && (!to || job_id_cmp(h->jobs[*from].id, *to) < 0); ++*from) {
        struct past_job *job = &h->jobs[*from];
        if (job->is_forgotten)
            continue;
        past_account(t->w, job->account)->kept[job->state != ROTA__STATE__SUCCEEDED]--;
        if (!may_be_forgotten(t, job))
            world_violated(t->w, "%s was accepted, is in state %d and is not stored",
                           text_of(job->id), job->state);
        job->is_forgotten = true;
        h->forgotten_n++;
    }
}

/* `job` in order, beside the places and beside the log. */
static void place_jobs(struct taking *t)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct history *h = &t->w->history;
    size_t at = 0, past = 0;
    if (cursor_open(t->txn, TABLE_JOB, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct job_id id = key_tail_id(key);
        place_job(t, key, value, &at);
        note_forgotten(t, &id, &past);
        if (past == h->jobs_n || job_id_cmp(h->jobs[past].id, id) != 0 ||
            h->jobs[past].is_forgotten)
            world_violated(t->w, "%s is stored and was never published, or forgotten", text_of(id));
        past++;
    }
    note_forgotten(t, NULL, &past);
    if (at < t->found_n)
        world_violated(t->w, "%s is in %s, but was never accepted", text_of(t->found[at].id),
                       place_name(t->found[at].place));
}

/* What was acknowledged is in the log. */
static void compare_words(struct taking *t)
{
    const struct ledger *said = &t->w->ledger;
    for (size_t i = 0; i < said->n; i++) {
        if (said->all[i].is_published)
            continue;
        if (!history_job(&t->w->history, said->all[i].job))
            world_violated(t->w, "%s was acknowledged and is not stored",
                           text_of(said->all[i].job));
        said->all[i].is_published = true;
    }
}

/* ---- tallies and rings ---- */

static void compare_tally(struct taking *t, struct span key, struct span value, uint8_t place)
{
    struct tally_row row;
    (void)place;
    if (row_decode(&tally_row_type, key, value, &row) != 0)
        world_violated(t->w, "a tally row is damaged");
    struct count *c = count_of(t, get_be64(key.p), get_be16((const uint8_t *)key.p + 8));
    for (size_t i = 0; i < PLACES; i++) {
        if (!places[i].counts)
            continue;
        uint32_t stored = *member_of(&row, &places[i]), counted = *member_of(&c->row, &places[i]);
        if (stored != counted)
            world_violated(t->w, "account %llu in pool %u: the tally says %u in %s, there are %u",
                           (unsigned long long)c->account, c->pool, stored, place_name((uint8_t)i),
                           counted);
    }
    c->row = (struct tally_row){0}; /* compared */
    t->in_rings += row.turn != 0;
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

/* A ring's row is that of an account of its tier whose tally has this very turn. */
static void compare_ring(struct taking *t, struct span key, struct span value, uint8_t place)
{
    struct ring_row row;
    struct tally_row tally = {0};
    struct account_row account = {0};
    struct key_buf k;
    const uint8_t *p = key.p;
    (void)place;
    if (row_decode(&ring_row_type, key, value, &row) != 0)
        world_violated(t->w, "a ring row is damaged");
    int r = row_get(t->txn, &tally_row_type, key_tally(&k, row.account, get_be16(p)), &tally);
    if (r == 0)
        r = row_get(t->txn, &account_row_type, key_u64(&k, row.account), &account);
    if (r != 0 || tally.turn != get_be64(p + 3) || account.tier != p[2])
        world_violated(t->w,
                       "account %llu is in the ring of P%u in pool %u with a turn that is "
                       "not its own",
                       (unsigned long long)row.account, p[2], get_be16(p));
    t->in_rings--;
}

static void compare_rings(struct taking *t)
{
    each(t, TABLE_RING, 0, compare_ring);
    if (t->in_rings)
        world_violated(t->w, "%zu tallies have a turn and no place in a ring", t->in_rings);
}

void census_take(struct world *w, struct txn *txn, struct census *ret_census)
{
    struct taking t = {.w = w, .txn = txn};
    note_places(&t);
    place_jobs(&t);
    compare_words(&t);
    compare_tallies(&t);
    compare_rings(&t);
    free(t.found);
    *ret_census = t.census;
}
