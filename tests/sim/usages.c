/* usages.c: see usages.h. */
#include "sim/usages.h"

#include "engine/account_limits.h"
#include "engine/turn.h"
#include "sched/month.h"
#include "sim/world.h"

#include <stdlib.h>

/* ---- counting ---- */

static struct past_month *month_at(struct world *w, struct past_account *a, uint16_t month)
{
    for (size_t i = 0; i < a->months_n; i++)
        if (a->months[i].month == month)
            return &a->months[i];
    if (a->months_n == PAST_MONTHS_MAX)
        world_violated(w, "more months than the history can hold");
    a->months[a->months_n] = (struct past_month){.month = month};
    return &a->months[a->months_n++];
}

/* What the account may take in a month; false: as much as it likes, or it cannot be known, because
 * it changed since the last look. */
static bool quota_of(struct world *w, struct txn *txn, const struct past_account *a,
                     uint64_t *ret_quota)
{
    struct account_row row = {0};
    struct tier_table table;
    struct key_buf k;
    if (a->was_set || w->history.limits_were_set)
        return false;
    if (row_get(txn, &account_row_type, key_u64(&k, a->number), &row) != 0 ||
        limits_table_read(txn, &table, NULL) != 0)
        return false;
    uint64_t of_tier = table.row[row.tier].builds_month;
    *ret_quota = row.has_builds ? row.builds_month : of_tier;
    return row.has_builds ? !row.builds_unlimited : of_tier != 0;
}

static void take(struct world *w, struct past_job *job, const Rota__Event *e)
{
    struct past_account *a = past_account(w, job->account);
    struct past_month *m = month_at(w, a, month_of(e->at_ms));
    job->paid = m->month;
    job->is_refunded = false;
    if (++m->counted.used > m->most_used)
        m->most_used = m->counted.used;
    if (m->counted.used > m->most_taken)
        m->most_taken = m->counted.used;
}

void usages_begin(struct world *w, struct past_job *job, const Rota__Event *e)
{
    take(w, job, e);
}

static bool is_refund(const struct past_job *job, const Rota__Event *e)
{
    bool is_replaced = strncmp(e->reason, SUPERSEDED_BY, strlen(SUPERSEDED_BY)) == 0;
    return e->state == ROTA__STATE__DEAD ||
           (e->state == ROTA__STATE__CANCELLED && (!job->started || is_replaced));
}

static uint64_t *ended_count(struct usage_row *row, Rota__State state)
{
    switch (state) {
    case ROTA__STATE__SUCCEEDED:
        return &row->succeeded;
    case ROTA__STATE__CANCELLED:
        return &row->cancelled;
    case ROTA__STATE__DEAD:
        return &row->dead;
    default:
        return &row->failed;
    }
}

static void end(struct world *w, struct past_job *job, const Rota__Event *e)
{
    struct past_account *a = past_account(w, job->account);
    ++*ended_count(&month_at(w, a, month_of(e->at_ms))->counted, e->state);
    a->kept[e->state != ROTA__STATE__SUCCEEDED]++;
    if (!is_refund(job, e))
        return;
    job->is_refunded = true;
    month_at(w, a, job->paid)->counted.used--;
    w->stats[STAT_REFUNDS]++;
}

static void begin_again(struct world *w, struct past_job *job, const Rota__Event *e)
{
    past_account(w, job->account)->kept[e->from != ROTA__STATE__SUCCEEDED]--;
    job->started = 0;
    if (job->is_refunded)
        take(w, job, e);
}

void usages_move(struct world *w, struct past_job *job, const Rota__Event *e)
{
    struct past_account *a = past_account(w, job->account);
    if (e->kind == ROTA__EVENT_KIND__EVENT_DISPATCHED) {
        job->granted_bt_ms = w->turn_bt_ms;
        job->started++;
    } else if (e->from == ROTA__STATE__LEASED && e->state != ROTA__STATE__LEASED) {
        month_at(w, a, month_of(e->at_ms))->counted.worker_ms += w->turn_bt_ms - job->granted_bt_ms;
        job->started -=
            e->kind == ROTA__EVENT_KIND__EVENT_RELEASED && e->state == ROTA__STATE__READY;
    }
    if (state_has_ended(e->state) && !state_has_ended(e->from))
        end(w, job, e);
    else if (state_has_ended(e->from) && !state_has_ended(e->state))
        begin_again(w, job, e);
}

/* ---- comparing ---- */

static void differ(struct world *w, uint64_t account, unsigned month, const struct usage_row *row,
                   const struct usage_row *counted)
{
    static const char *const names[] = {"used",      "succeeded", "failed",
                                        "cancelled", "dead",      "worker_ms"};
    const uint64_t *s = &row->used, *c = &counted->used;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (s[i] != c[i])
            world_violated(w, "usage of account %llu, month %u: %s is %llu, by the log %llu",
                           (unsigned long long)account, month, names[i], (unsigned long long)s[i],
                           (unsigned long long)c[i]);
}

/* An account that is being erased loses its rows before it goes. */
static bool is_going(struct txn *txn, uint64_t account)
{
    struct erase_row row;
    struct key_buf k;
    return row_get(txn, &erase_row_type, key_u64(&k, account), &row) == 0;
}

static void account_look(struct world *w, struct txn *txn, struct past_account *a)
{
    struct key_buf k;
    uint64_t quota = UINT64_MAX;
    bool is_limited = quota_of(w, txn, a, &quota);
    for (size_t i = 0; i < a->months_n; i++) {
        struct usage_row row = {0};
        const struct past_month *m = &a->months[i];
        if (row_get(txn, &usage_row_type, key_usage(&k, a->number, m->month), &row) < 0)
            world_violated(w, "a usage row is damaged");
        differ(w, a->number, m->month, &row, &m->counted);
        if (is_limited && m->most_taken > quota)
            world_violated(w, "account %llu took build %llu of month %u, it has %llu a month",
                           (unsigned long long)a->number, (unsigned long long)m->most_taken,
                           m->month, (unsigned long long)quota);
    }
    struct usage_row kept = {0}, counted = {.succeeded = a->kept[0], .failed = a->kept[1]};
    if (row_get(txn, &usage_row_type, key_usage(&k, a->number, 0), &kept) < 0)
        world_violated(w, "a usage row is damaged");
    differ(w, a->number, 0, &kept, &counted);
}

static void rows_look(struct world *w, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(txn, TABLE_USAGE, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct past_account *a = past_account(w, get_be64(key.p));
        uint16_t month = get_be16((const uint8_t *)key.p + 8);
        if (month)
            month_at(w, a, month); /* one that the log knows nothing of must be zero */
    }
}

void usages_look(struct world *w, struct txn *txn)
{
    struct history *h = &w->history;
    rows_look(w, txn);
    for (size_t i = 0; i < h->accounts_n; i++)
        if (!h->accounts[i].is_erased && !is_going(txn, h->accounts[i].number))
            account_look(w, txn, &h->accounts[i]);
}

void usages_look_at_ends(struct world *w, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(txn, TABLE_DONE, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0) {
        struct done_row done;
        const struct past_job *job = history_job(&w->history, key_tail_id(key));
        char text[JOB_ID_TEXT_LEN + 1];
        if (row_decode(&done_row_type, key, value, &done) != 0)
            world_violated(w, "a row of `done` is damaged");
        if (!job || job->state != (Rota__State)done.state || job->is_refunded != done.is_refunded)
            world_violated(w, "%s ended in state %d, given back %d; by the log %d, %d",
                           job_id_text(key_tail_id(key), text), done.state, done.is_refunded,
                           job ? (int)job->state : 0, job && job->is_refunded);
    }
}

void usages_claim_check(struct world *w, struct txn *txn, const char *account)
{
    struct account_id_row at;
    uint64_t quota;
    if (row_get(txn, &account_id_row_type, span_str(account), &at) != 0)
        return;
    struct past_account *a = past_account(w, at.account);
    if (!quota_of(w, txn, a, &quota))
        return;
    const struct past_month *m = month_at(w, a, month_of(w->turn_wall_ms));
    if (m->most_used < quota)
        world_violated(w,
                       "it was said that the quota of account %s is used up; of %llu it has %llu",
                       account, (unsigned long long)quota, (unsigned long long)m->most_used);
}
