/* invariants.c: the table of them. A check reads a snapshot of the store, and of the living engine
 * what no table shows; it answers by world_violated() or not at all. */
#include "sim/invariants.h"

#include "engine/turn.h"
#include "sim/census.h"
#include "sim/gates.h"
#include "sim/stock.h"
#include "sim/usages.h"
#include "sim/world.h"
#include "store/rows.h"

#include <stdlib.h>

struct look {
    struct world *w;
    struct txn *txn;
    struct census census;
};

static const char *text_of(struct job_id id)
{
    static char text[JOB_ID_TEXT_LEN + 1];
    return job_id_text(id, text);
}

static void log_is_right(struct look *l)
{
    history_read(l->w, l->txn);
}

/* From its first event on, and to the last that was read. */
static void log_is_whole(struct look *l)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    uint64_t rows = 0, first = 0, last = 0;
    if (cursor_open(l->txn, TABLE_EVENT, &cursor) != 0 ||
        txn_count(l->txn, TABLE_EVENT, &rows) != 0)
        abort();
    if (cursor_next(cursor, &key, &value) == 0)
        first = get_be64(key.p);
    if (cursor_last(cursor, &key, &value) == 0)
        last = get_be64(key.p);
    if (last != l->w->history.seq || (rows && last - first + 1 != rows))
        world_violated(l->w, "the log has %llu events from %llu to %llu; %llu were read",
                       (unsigned long long)rows, (unsigned long long)first,
                       (unsigned long long)last, (unsigned long long)l->w->history.seq);
}

static void each_job_is_in_one_place(struct look *l)
{
    census_take(l->w, l->txn, &l->census);
}

static void log_and_tables_agree(struct look *l)
{
    const struct history *h = &l->w->history;
    uint64_t running = 0;
    for (size_t i = 0; i < h->accounts_n; i++)
        running += h->accounts[i].running;
    size_t kept = h->jobs_n - h->forgotten_n;
    if (kept != l->census.jobs || running != l->census.leased)
        world_violated(l->w, "the log has %zu jobs, %llu running; the tables %llu and %llu", kept,
                       (unsigned long long)running, (unsigned long long)l->census.jobs,
                       (unsigned long long)l->census.leased);
}

static void no_worker_waits_in_vain(struct look *l)
{
    const struct engine *e = l->w->host.engine;
    for (size_t i = 1; i <= POOLS_MAX && !e->has_more; i++) {
        const struct pool *p = e->cache.pools[i];
        unsigned eligible = p ? pool_eligible(&e->cache, p) : 0;
        if (eligible && p->polls.count)
            world_violated(l->w, "pool %s: %zu polls wait and tiers %u may run", p->name,
                           p->polls.count, eligible);
    }
}

static void cache_is_the_store(struct look *l)
{
    struct engine *e = l->w->host.engine;
    if (engine_check(e) != 0)
        world_violated(l->w, "the cache differs from a fresh load");
    if (undo_entries(e->cache.undo) != 0)
        world_violated(l->w, "the journal is not empty between turns");
}

static void promise_is_kept(struct look *l, const struct promise *p)
{
    struct done_row done = {0};
    struct lease_row lease = {0};
    struct key_buf k;
    struct span key = key_id(&k, p->job);
    const struct past_job *past = history_job(&l->w->history, p->job);
    if (past && past->is_forgotten)
        return;
    bool is_done = row_get(l->txn, &done_row_type, key, &done) == 0;
    bool is_leased = row_get(l->txn, &lease_row_type, key, &lease) == 0;
    if (p->finished && (!is_done || done.state != p->finished))
        world_violated(l->w, "%s was said to have ended in state %d and is in %d", text_of(p->job),
                       p->finished, is_done ? done.state : 0);
    if (p->contested)
        world_violated(l->w, "%s was said to have ended in state %d and then in %d",
                       text_of(p->job), p->contested, p->finished);
    if (p->is_cancelling && !(is_leased && lease.cancel_ms) &&
        !(is_done && done.state == ROTA__STATE__CANCELLED))
        world_violated(l->w, "%s was said to be cancelled and is in state %d", text_of(p->job),
                       is_done ? done.state : 0);
}

static void promises_are_kept(struct look *l)
{
    const struct ledger *said = &l->w->ledger;
    for (size_t i = 0; i < said->n; i++)
        promise_is_kept(l, &said->all[i]);
}

/* Whoever was told that his lease has ended ended that very lease, and no other's. */
static void claims_are_true(struct look *l)
{
    struct ledger *said = &l->w->ledger;
    for (size_t i = 0; i < said->claims_n; i++) {
        const struct claim *c = &said->claims[i];
        const struct past_job *job = history_job(&l->w->history, c->job);
        if (!job || job->token == c->token || (!c->is_loose && job->let_go != c->token))
            world_violated(l->w,
                           "it was said that lease %llu of %s is no more: it has %llu, and "
                           "%llu ended last",
                           (unsigned long long)c->token, text_of(c->job),
                           job ? (unsigned long long)job->token : 0,
                           job ? (unsigned long long)job->let_go : 0);
    }
    said->claims_n = 0;
}

static void nobody_is_overtaken(struct look *l)
{
    queue_look(l->w, l->txn);
}

/* A key is kept for a day after its job's end, by any time that the clock has shown. */
static bool key_may_be_gone(struct look *l, struct job_id id)
{
    const struct past_job *job = history_job(&l->w->history, id);
    return job && (job->has_been_old ||
                   (state_has_ended(job->state) && world_day_has_passed(l->w, job->ended_ms)));
}

/* Each idempotency key leads to the one job that carries it. */
static void no_key_has_two_jobs(struct look *l)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(l->txn, TABLE_JOB, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct job_row job;
        struct idem_row idem = {0};
        struct key_buf k;
        if (row_decode(&job_row_type, key, value, &job) != 0)
            world_violated(l->w, "a job row is damaged");
        if (!job.idempotency_key.n)
            continue;
        int r =
            row_get(l->txn, &idem_row_type, key_idem(&k, job.idempotency_key, job.account), &idem);
        bool is_gone = r == STORE_MISSING || job_id_cmp(idem.job, key_tail_id(key)) != 0;
        if (r < 0 || (is_gone && !key_may_be_gone(l, key_tail_id(key))))
            world_violated(l->w, "idempotency key %.*s leads away from %s",
                           (int)job.idempotency_key.n, (const char *)job.idempotency_key.p,
                           text_of(key_tail_id(key)));
    }
}

static void usage_is_what_the_log_says(struct look *l)
{
    usages_look(l->w, l->txn);
}

static void ends_are_what_the_log_says(struct look *l)
{
    usages_look_at_ends(l->w, l->txn);
}

/* Whoever was told so has used up his quota. */
static void quotas_were_used_up(struct look *l)
{
    for (size_t i = 0; i < l->w->dry_n; i++)
        usages_claim_check(l->w, l->txn, l->w->dry[i]);
    l->w->dry_n = 0;
}

static void paces_are_kept(struct look *l)
{
    paces_look(l->w, l->txn);
}

static void pauses_are_bars(struct look *l)
{
    gates_look_at_pauses(l->w, l->txn);
}

static void nothing_is_overdue(struct look *l)
{
    gates_look_at_dues(l->w, l->txn);
}

static void objects_are_counted(struct look *l)
{
    stock_look(l->w, l->txn);
}

/* In this order: later ones use what earlier ones found. */
static const struct {
    const char *name;
    unsigned every; /* steps */
    bool is_always; /* also when nothing was written since it was looked at */
    void (*check)(struct look *l);
} invariants[] = {
    {"log_is_right", 1, true, log_is_right},
    {"log_is_whole", 1, false, log_is_whole},
    {"each_job_is_in_one_place", 1, false, each_job_is_in_one_place},
    {"log_and_tables_agree", 1, false, log_and_tables_agree},
    {"usage_is_what_the_log_says", 1, false, usage_is_what_the_log_says},
    {"quotas_were_used_up", 1, true, quotas_were_used_up},
    {"paces_are_kept", 1, false, paces_are_kept},
    {"pauses_are_bars", 4, false, pauses_are_bars},
    {"nothing_is_overdue", 1, true, nothing_is_overdue},
    {"claims_are_true", 1, true, claims_are_true},
    {"nobody_is_overtaken", 1, false, nobody_is_overtaken},
    {"no_worker_waits_in_vain", 1, true, no_worker_waits_in_vain},
    {"cache_is_the_store", 16, true, cache_is_the_store},
    {"promises_are_kept", 16, false, promises_are_kept},
    {"ends_are_what_the_log_says", 16, false, ends_are_what_the_log_says},
    {"objects_are_counted", 16, false, objects_are_counted},
    {"no_key_has_two_jobs", 64, false, no_key_has_two_jobs},
};

_Static_assert(ARRAY_LEN(invariants) <= INVARIANTS_MAX, "each has its place in the world");

void invariants_look(struct world *w, bool all)
{
    struct look l = {.w = w};
    struct store_usage usage;
    if (store_usage(w->host.store, &usage) != 0 || store_snapshot(w->host.store, &l.txn) != 0)
        abort();
    for (size_t i = 0; i < ARRAY_LEN(invariants); i++) {
        bool is_due = w->step % invariants[i].every == 0;
        bool is_same = usage.writes == w->looked[i] && !invariants[i].is_always;
        if (!all && (!is_due || is_same))
            continue;
        w->looked[i] = usage.writes;
        w->looking_at = invariants[i].name;
        invariants[i].check(&l);
        w->stats[STAT_CHECKS]++;
    }
    w->looking_at = NULL;
    history_looked(&w->history);
    txn_free(l.txn);
}
