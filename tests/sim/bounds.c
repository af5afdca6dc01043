/* bounds.c: see bounds.h. */
#include "sim/bounds.h"

#include "audit/audit.h"
#include "sim/world.h"
#include "store/keys.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what is stated ---- */

/* SCHEDULING.md, G4: the most others before a tier while tiers come and go; and A2. */
static uint64_t formula(uint64_t place, uint8_t tier)
{
    static const uint64_t b[] = {1, 11, 10, 9};
    return place * (b[tier] + 1) - 1;
}

/* The job's pool and its account's place in the ring, from the tables. */
struct stand {
    uint16_t pool;
    uint64_t account, place; /* from 1; 0: in no ring */
    uint8_t tier;
    char pool_name[40];
};

static void pool_name(struct world *w, struct txn *txn, struct stand *s)
{
    struct pool_row row;
    struct key_buf k;
    if (row_get(txn, &pool_row_type, key_u16(&k, s->pool), &row) != 0 ||
        row.name.n >= sizeof s->pool_name)
        world_violated(w, "pool %u has no row", s->pool);
    memcpy(s->pool_name, row.name.p, row.name.n);
}

static void place_count(struct txn *txn, struct stand *s)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct ring_row row;
    uint64_t at = 0;
    if (cursor_open(txn, TABLE_RING, &cursor) != 0)
        abort();
    int r = cursor_seek(cursor, key_ring(&k, s->pool, s->tier, 0), &key, &value);
    for (; r == 0 && get_be16(key.p) == s->pool && ((const uint8_t *)key.p)[2] == s->tier;
         r = cursor_next(cursor, &key, &value)) {
        at++;
        if (row_decode(&ring_row_type, key, value, &row) == 0 && row.account == s->account)
            s->place = at;
    }
}

static struct stand stand_of(struct world *w, struct txn *txn, struct job_id job)
{
    struct stand s = {0};
    struct job_row row;
    struct state_row state = {0};
    struct account_row account;
    struct key_buf k;
    if (row_get(txn, &job_row_type, key_id(&k, job), &row) != 0 ||
        row_get(txn, &state_row_type, key_id(&k, job), &state) < 0 ||
        row_get(txn, &account_row_type, key_u64(&k, row.account), &account) != 0)
        world_violated(w, "a job with a bound has no row, or its account");
    s.pool = state.pool ? state.pool : row.pool;
    s.account = row.account;
    s.tier = account.tier;
    pool_name(w, txn, &s);
    place_count(txn, &s);
    return s;
}

static void bound_add(struct world *w, const struct stand *s, struct job_id job, uint64_t number,
                      uint64_t most)
{
    struct bounds *b = &w->bounds;
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 32;
        b->open = realloc(b->open, b->cap * sizeof *b->open);
        if (!b->open)
            abort();
    }
    struct bound *added = &b->open[b->n++];
    *added = (struct bound){
        .job = job, .account = s->account, .number = number, .most = most, .tier = s->tier};
    memcpy(added->pool, s->pool_name, sizeof added->pool);
}

static void bound_state(struct world *w, struct txn *txn, struct job_id job,
                        const Rota__WhyResult *why)
{
    struct stand s = stand_of(w, txn, job);
    struct audit_place by_log = {0};
    bool is_known = audit_place(w->history.audit, s.pool_name, s.account, &by_log);
    if (!is_known || by_log.place != s.place || by_log.tier != s.tier ||
        why->ring_place != s.place || why->bound != formula(s.place, s.tier))
        world_violated(w,
                       "%s is promised bound %llu at place %llu; it stands at %llu of P%u by the "
                       "tables and at %llu of P%u by the log, which makes %llu",
                       why->job, (unsigned long long)why->bound,
                       (unsigned long long)why->ring_place, (unsigned long long)s.place, s.tier,
                       (unsigned long long)by_log.place, by_log.tier,
                       (unsigned long long)formula(s.place, s.tier));
    bound_add(w, &s, job, by_log.number, why->bound);
    w->stats[STAT_BOUNDS]++;
}

void bounds_ask(struct world *w)
{
    AUTO(txn) txn = NULL;
    struct job_id job;
    if (!inquiry_choose(w, &job))
        return;
    if (store_snapshot(w->host.store, &txn) != 0)
        abort();
    const Rota__WhyResult *why = inquiry_why(w, txn, job);
    const struct past_job *past = history_job(&w->history, job);
    if (!why->reason[0] || !why->text[0] || why->state != past->state)
        world_violated(w, "why %s: \"%s\", \"%s\", state %d; it is in %d", why->job, why->reason,
                       why->text, why->state, past->state);
    if (!why->has_bound)
        return;
    if (why->state != ROTA__STATE__READY || why->place != 1)
        world_violated(w, "%s is promised a bound in state %d at place %llu of its account's line",
                       why->job, why->state, (unsigned long long)why->place);
    bound_state(w, txn, job, why);
}

/* ---- what happens ---- */

enum fate { FATE_OPEN, FATE_KEPT, FATE_VOID };

static void count_others(struct world *w, const struct bound *b, uint64_t others)
{
    char text[JOB_ID_TEXT_LEN + 1];
    if (others > b->most)
        world_violated(w, "%s was promised at most %llu others of pool %s, and %llu came first",
                       job_id_text(b->job, text), (unsigned long long)b->most, b->pool,
                       (unsigned long long)others);
}

static enum fate served(struct world *w, const struct bound *b, const Rota__Event *e)
{
    uint64_t others = e->number - b->number - 1;
    count_others(w, b, others);
    if (b->most - others < w->bounds.tightest)
        w->bounds.tightest = b->most - others;
    return FATE_KEPT;
}

static enum fate fate_of(struct world *w, const struct bound *b, const Rota__Event *e)
{
    struct job_id job;
    struct audit_place place;
    bool is_own = job_id_parse(e->job, &job) == 0 && job_id_cmp(job, b->job) == 0;
    bool is_dispatch = e->kind == ROTA__EVENT_KIND__EVENT_DISPATCHED;
    if (is_own)
        return is_dispatch ? served(w, b, e) : FATE_VOID;
    if (is_dispatch && strcmp(e->pool, b->pool) == 0) {
        if (e->account_number == b->account)
            return FATE_VOID; /* it stood ahead: queue_check_line() has seen to that */
        count_others(w, b, e->number - b->number);
    }
    bool stands = audit_stands(w->history.audit, b->pool, b->account, &place) && place.place &&
                  place.is_served && place.tier == b->tier;
    return stands ? FATE_OPEN : FATE_VOID;
}

void bounds_hear(struct world *w, const Rota__Event *e)
{
    struct bounds *b = &w->bounds;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        enum fate fate = fate_of(w, &b->open[i], e);
        w->stats[STAT_BOUNDS_KEPT] += fate == FATE_KEPT;
        w->stats[STAT_BOUNDS_VOID] += fate == FATE_VOID;
        if (fate == FATE_OPEN)
            b->open[n++] = b->open[i];
    }
    b->n = n;
}

void bounds_deinit(struct bounds *b)
{
    free(b->open);
    *b = (struct bounds){0};
}
