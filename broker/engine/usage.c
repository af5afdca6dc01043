/* usage.c: see usage.h. */
#include "engine/usage.h"

#include "sched/month.h"
#include "store/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MONTH_KEPT = 0 }; /* no month of its own: the ended jobs that are kept */

static int usage_of(struct turn *t, struct account *a, uint16_t month, struct usage **ret_usage)
{
    struct key_buf k;
    struct usage_row row = {0};
    for (struct usage *u = a->usage; u; u = u->next) {
        if (u->month == month) {
            *ret_usage = u;
            return 0;
        }
    }
    int r = row_get(t->txn, &usage_row_type, key_usage(&k, a->number, month), &row);
    if (r < 0)
        return err_pass(r);
    struct usage *u = calloc(1, sizeof *u);
    if (!u)
        return err_raise(-ENOMEM);
    undo_born(t->undo, u, free);
    *u = (struct usage){.next = a->usage, .month = month, .now = row, .stored = row};
    SET(t->undo, a->usage, u);
    *ret_usage = u;
    return 0;
}

static uint16_t month_now(struct turn *t)
{
    t->cache->month = month_of(t->now.wall_ms); /* only what stays in RAM: not journaled */
    return t->cache->month;
}

static void count(struct turn *t, struct account *a, uint64_t *at, uint64_t by)
{
    SET(t->undo, *at, *at + by);
    account_mark(t->cache, a);
}

/* Ended jobs of a time before there were counts may be tried again: never below none. */
static void count_less(struct turn *t, struct account *a, uint64_t *at)
{
    if (*at)
        count(t, a, at, (uint64_t)-1);
}

int usage_check(struct turn *t, struct account *a)
{
    const struct limits *limits;
    struct usage *u = NULL;
    char until[MINUTE_TEXT_LEN + 1], taken[32] = "";
    uint16_t month = month_now(t);
    int r = account_limits(t, a, &limits);
    if (r != 0 || limits->builds_unlimited)
        return r;
    r = usage_of(t, a, month, &u);
    if (r != 0 || u->now.used < limits->builds_month)
        return r;
    if (u->now.used > limits->builds_month)
        snprintf(taken, sizeof taken, " (%llu taken)", (unsigned long long)u->now.used);
    return turn_refuse(t, E_QUOTA_EXCEEDED, "monthly quota of %llu builds used%s; resets %s",
                       (unsigned long long)limits->builds_month, taken,
                       minute_text(month_start_ms(month + 1u), until));
}

uint16_t charge_month(const struct job *j)
{
    return j->charge_month ? j->charge_month : month_of(j->published_ms);
}

static int take(struct turn *t, const struct job *j)
{
    struct usage *u;
    int r = usage_of(t, j->account, charge_month(j), &u);
    if (r == 0)
        count(t, j->account, &u->now.used, 1);
    return r;
}

static int give_back(struct turn *t, const struct job *j)
{
    struct usage *u;
    int r = usage_of(t, j->account, charge_month(j), &u);
    if (r == 0)
        count_less(t, j->account, &u->now.used);
    return r;
}

int usage_kept(struct turn *t, struct account *a, Rota__State state, int by)
{
    struct usage *u;
    int r = usage_of(t, a, MONTH_KEPT, &u);
    if (r != 0)
        return r;
    uint64_t *at = state == ROTA__STATE__SUCCEEDED ? &u->now.succeeded : &u->now.failed;
    if (by > 0)
        count(t, a, at, 1);
    else
        count_less(t, a, at);
    return 0;
}

int usage_kept_of(struct turn *t, struct account *a, uint64_t *ret_succeeded, uint64_t *ret_failed)
{
    struct usage *u;
    int r = usage_of(t, a, MONTH_KEPT, &u);
    if (r != 0)
        return r;
    *ret_succeeded = u->now.succeeded;
    *ret_failed = u->now.failed;
    return 0;
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
        return &row->failed; /* the user's own faults: failed and timed out */
    }
}

static int ended(struct turn *t, const struct job *j, const struct step *s)
{
    struct usage *u;
    int r = usage_of(t, j->account, month_now(t), &u);
    if (r != 0)
        return r;
    count(t, j->account, ended_count(&u->now, s->to), 1);
    r = usage_kept(t, j->account, s->to, 1);
    return r == 0 && job_is_refund(j, s) ? give_back(t, j) : r;
}

/* Said once a month: when the sum passes the budget. Nothing is refused for it. */
static int budget_look(struct turn *t, const struct account *a, const struct usage *u,
                       uint64_t before_ms)
{
    if (!a->budget_ms || before_ms >= a->budget_ms || u->now.worker_ms < a->budget_ms)
        return 0;
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_BUDGET);
    if (event) {
        event->account_number = a->number;
        event->until_ms = month_start_ms(u->month + 1u);
        event->reason = arena_printf(t->fx->arena, "%llu min of worker time used, the budget",
                                     (unsigned long long)a->budget_ms / 60000);
    }
    return event_append(t, event);
}

/* Each attempt costs, also one that comes to nothing. */
static int worked(struct turn *t, struct account *a, const struct lease *l)
{
    struct usage *u;
    int r = usage_of(t, a, month_now(t), &u);
    if (r != 0 || t->bt_ms <= l->granted_bt_ms)
        return r;
    uint64_t before_ms = u->now.worker_ms;
    count(t, a, &u->now.worker_ms, t->bt_ms - l->granted_bt_ms);
    return budget_look(t, a, u, before_ms);
}

int usage_moved(struct turn *t, const struct job *before, const struct job *after,
                const struct step *s)
{
    int r = 0;
    if (before->state == ROTA__STATE__STATE_NONE)
        return after->is_charged ? take(t, after) : 0;
    if (before->lease)
        r = worked(t, before->account, before->lease);
    if (r == 0 && job_has_ended(before->state))
        r = usage_kept(t, before->account, before->state, -1);
    if (r == 0 && before->is_refunded && !after->is_refunded)
        r = take(t, after);
    return r == 0 && job_has_ended(s->to) ? ended(t, after, s) : r;
}

void usage_forget(struct turn *t, struct account *a)
{
    static const struct usage_row none;
    for (struct usage *u = a->usage; u; u = u->next) {
        SET(t->undo, u->now, none);
        SET(t->undo, u->stored, none);
    }
}

/* ---- with the account ---- */

int usage_flush(struct account *a, struct txn *txn)
{
    struct key_buf k;
    int r = 0;
    for (struct usage *u = a->usage; u && r == 0; u = u->next)
        if (memcmp(&u->now, &u->stored, sizeof u->now) != 0)
            r = row_put(txn, &usage_row_type, key_usage(&k, a->number, u->month), &u->now);
    return r;
}

/* Months that are over leave RAM. */
void usage_committed(const struct cache *c, struct account *a)
{
    for (struct usage **at = &a->usage; *at;) {
        struct usage *u = *at;
        u->stored = u->now;
        if (u->month == MONTH_KEPT || u->month == c->month) {
            at = &u->next;
        } else {
            *at = u->next;
            free(u);
        }
    }
}

void usage_free(struct account *a)
{
    for (struct usage *u = a->usage, *next; u; u = next) {
        next = u->next;
        free(u);
    }
}

static int account_compare(const struct account *a, struct txn *txn)
{
    struct key_buf k;
    struct account_row account = {0};
    int r = row_get(txn, &account_row_type, key_u64(&k, a->number), &account);
    bool is_same = account.storage_bytes == a->storage_bytes;
    for (const struct usage *u = a->usage; u && r >= 0 && is_same; u = u->next) {
        struct usage_row row = {0};
        r = row_get(txn, &usage_row_type, key_usage(&k, a->number, u->month), &row);
        is_same = memcmp(&row, &u->now, sizeof row) == 0;
    }
    if (r >= 0 && !is_same)
        fprintf(stderr, "cache differs: usage of account %llu\n", (unsigned long long)a->number);
    return r < 0 ? err_pass(r) : !is_same;
}

int usage_compare(const struct cache *c, struct txn *txn)
{
    size_t bucket;
    int r = 0;
    for (struct map_node *n = map_begin(&c->accounts, &bucket); n && r == 0;
         n = map_after(&c->accounts, n, &bucket))
        r = account_compare(CONTAINER(n, account, by_number), txn);
    return r;
}
