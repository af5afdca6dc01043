/* erase.c: an account goes, with all that was its own.
 *
 * From the request on it may publish nothing and is handed nothing out; then, a slice a turn and
 * over restarts: its keys are revoked, what waits is cancelled, what runs is told to stop, and when
 * the listing knows all of its jobs, each is forgotten with its artifacts. Last its members,
 * templates, variables, counts and signals, and the account itself. Events name accounts by number
 * alone, so nothing personal stays in the log; the trail keeps who erased which id, and when. */
#include "engine/life.h"

#include "engine/abuse_parts.h"
#include "engine/keyring.h"
#include "engine/rates.h"
#include "engine/usage.h"
#include "store/keys.h"

#include <errno.h>

enum { ERASE_SLICE = 64, ERASE_PAUSE_MS = 20 };

int turn_account_erase(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__AccountErase *q = request->account_erase;
    struct account *a;
    struct key_buf k;
    Rota__AccountEraseResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? named_account(t, q->account, &a) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    if (strcmp(q->confirm, a->id) != 0)
        return turn_refuse(t, E_CONFIRM_MISMATCH, "\"%s\" is not \"%s\"", q->confirm, a->id);
    if (a->bars & ROTA__BAR__BAR_ERASING)
        return turn_refuse(t, E_ACCOUNT_ERASING, "account \"%s\" is being erased", a->id);
    if (a->number == t->who.account && t->who.role == ROTA__ROLE__OPERATOR)
        return turn_refuse(t, E_NOT_ALLOWED,
                           "an operator's own account cannot be erased with "
                           "the operator's key");
    struct erase_row row = {
        .since_ms = t->now.wall_ms, .newest = t->cache->hot.last_job, .id = span_str(a->id)};
    r = turn_store(row_put(t->txn, &erase_row_type, key_u64(&k, a->number), &row));
    if (r == 0)
        r = account_bar(t, a, ROTA__BAR__BAR_ERASING, true);
    if (r == 0)
        r = trail_note(t, a->id, "erased with all that is its own");
    if (r != 0)
        return r;
    SET(t->undo, t->cache->has_erase, true);
    rota__account_erase_result__init(result);
    result->started_ms = t->now.wall_ms;
    reply->account_erase = result;
    return 0;
}

/* ---- its jobs ---- */

static int jobs_listed(struct turn *t, uint64_t account, struct job_id *ret_ids, size_t *ret_n)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    static const struct job_id zero;
    *ret_n = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_JOB_OF, &cursor));
    if (r != 0)
        return r;
    r = cursor_seek(cursor, key_of_account(&k, account, zero), &key, &value);
    while (r == 0 && *ret_n < ERASE_SLICE && memcmp(key.p, k.b, 1 + sizeof account) == 0) {
        ret_ids[(*ret_n)++] = key_tail_id(key);
        r = cursor_next(cursor, &key, &value);
    }
    return r < 0 ? err_pass(r) : 0;
}

/* One step of one job towards its end. */
static int job_erase(struct turn *t, struct job_id id)
{
    struct job j;
    int r = job_load_known(t, id, &j);
    if (r != 0)
        return r;
    if (job_has_ended(j.state))
        return job_is_folded(t, id) ? job_forget(t, id) : 0;
    return act_cancel(t, &j, "the account is being erased");
}

static int jobs_some(struct turn *t, uint64_t account, unsigned *budget)
{
    struct job_id ids[ERASE_SLICE];
    size_t n = 0;
    int r = *budget ? jobs_listed(t, account, ids, &n) : 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = job_erase(t, ids[i]);
    *budget -= n < *budget ? (unsigned)n : *budget;
    return r;
}

/* Are all of its jobs in the listing, and none of them left there? */
static int jobs_are_gone(struct turn *t, uint64_t account, const struct erase_row *row,
                         bool *ret_are_gone)
{
    struct job_id ids[ERASE_SLICE];
    size_t n;
    int r = jobs_listed(t, account, ids, &n);
    *ret_are_gone = n == 0 && job_id_cmp(t->cache->fold.done, row->newest) >= 0;
    return r;
}

/* ---- everything else ---- */

static const enum table named_tables[] = {TABLE_MEMBER,    TABLE_PRESET,  TABLE_GRANT, TABLE_USAGE,
                                          TABLE_SUPERSEDE, TABLE_APP_VAR, TABLE_APP,   TABLE_TALLY};

/* Rows of a table whose keys begin with the account's number, as far as the budget goes. */
static int rows_some(struct turn *t, enum table table, uint64_t account, unsigned *budget)
{
    while (*budget) {
        AUTO(cursor) cursor = NULL;
        struct key_buf k, found;
        struct span key, value;
        int r = turn_store(cursor_open(t->txn, table, &cursor));
        if (r != 0)
            return r;
        r = cursor_seek(cursor, key_u64(&k, account), &key, &value);
        if (r < 0)
            return err_pass(r);
        if (r != 0 || memcmp(key.p, k.b, sizeof account) != 0)
            return 0;
        size_t n = key.n;
        memcpy(found.b, key.p, n);
        cursor = cursor_free(cursor);
        r = turn_store(txn_del(t->txn, table, span_of(found.b, n)));
        if (r != 0)
            return r;
        --*budget;
    }
    return 0;
}

static int schedules_forget(struct turn *t, uint64_t account, unsigned *budget)
{
    while (*budget) {
        AUTO(cursor) cursor = NULL;
        struct key_buf k, found, due;
        struct span key, value;
        struct schedule_row row;
        int r = turn_store(cursor_open(t->txn, TABLE_SCHEDULE, &cursor));
        if (r != 0)
            return r;
        r = cursor_seek(cursor, key_u64(&k, account), &key, &value);
        if (r < 0)
            return err_pass(r);
        if (r != 0 || memcmp(key.p, k.b, sizeof account) != 0)
            return 0;
        r = row_decode(&schedule_row_type, key, value, &row);
        size_t n = key.n, head = sizeof account;
        memcpy(found.b, key.p, n);
        cursor = cursor_free(cursor);
        if (r < 0)
            return err_pass(r);
        struct span due_key =
            key_schedule_due(&due, row.next_ms, account, span_of(found.b + head, n - head));
        r = txn_del(t->txn, TABLE_SCHEDULE_DUE, due_key);
        if (r == 0 || r == STORE_MISSING)
            r = turn_store(txn_del(t->txn, TABLE_SCHEDULE, span_of(found.b, n)));
        if (r != 0)
            return r;
        --*budget;
    }
    return 0;
}

/* The row, its name and its marks: the account is no more. */
static int account_end(struct turn *t, uint64_t number, const struct erase_row *row)
{
    struct key_buf k;
    struct account *a;
    int r = turn_store(cache_account(t->cache, t->txn, number, &a));
    if (r == 0)
        r = pause_forget(t, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, a->id);
    if (r == 0)
        r = account_rate_forget(t, a);
    if (r == 0)
        usage_forget(t, a);
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_ERASED);
    if (event)
        event->account_number = number;
    if (r == 0)
        r = event_append(t, event);
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_ACCOUNT_ID, row->id));
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_ACCOUNT, key_u64(&k, number)));
    if (r == 0)
        r = turn_store(txn_del(t->txn, TABLE_ERASE, key_u64(&k, number)));
    t->fx->erased = number;
    return r;
}

static int rest_some(struct turn *t, uint64_t number, const struct erase_row *row, unsigned *budget)
{
    int r = schedules_forget(t, number, budget);
    if (r == 0)
        r = abuse_forget_account(t, number, budget);
    for (size_t i = 0; i < ARRAY_LEN(named_tables) && r == 0; i++)
        r = rows_some(t, named_tables[i], number, budget);
    return r == 0 && *budget ? account_end(t, number, row) : r;
}

static int erase_first(struct turn *t, uint64_t *ret_number, struct erase_row *ret_row,
                       bool *ret_found)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = turn_store(cursor_open(t->txn, TABLE_ERASE, &cursor));
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    *ret_found = r == 0;
    if (r != 0)
        return r == STORE_MISSING ? 0 : err_pass(r);
    r = row_decode(&erase_row_type, key, value, ret_row);
    if (r < 0)
        return err_pass(r);
    *ret_number = get_be64(key.p);
    return turn_keep(t, &ret_row->id);
}

int erase_some(struct turn *t)
{
    unsigned budget = ERASE_SLICE;
    uint64_t number = 0;
    struct erase_row row;
    bool found = false, are_gone = false;
    if (!t->cache->has_erase || t->bt_ms < t->engine->erase_ms)
        return 0;
    t->engine->erase_ms =
        t->bt_ms + ERASE_PAUSE_MS; /* a pace; what runs may take its time to end */
    int r = erase_first(t, &number, &row, &found);
    if (r != 0)
        return r;
    if (!found) {
        SET(t->undo, t->cache->has_erase, false);
        return 0;
    }
    r = keys_forget_some(t, number, &budget);
    if (r == 0)
        r = jobs_some(t, number, &budget);
    /* In a turn of its own: what this one counted has not been written yet. */
    if (r == 0 && budget == ERASE_SLICE)
        r = jobs_are_gone(t, number, &row, &are_gone);
    return r == 0 && are_gone ? rest_some(t, number, &row, &budget) : r;
}
