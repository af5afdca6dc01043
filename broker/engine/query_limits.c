/* query_limits.c: what accounts may have and have had, from a snapshot: the table of tiers, the
 * catalogue of add-ons, one account in full, and its months. */
#include "engine/query_parts.h"
#include "engine/rates.h"
#include "sched/month.h"

#include <errno.h>

enum { MONTHS_MOST = 24, MONTH_KEPT = 0 };

/* ---- the table and the catalogue ---- */

enum error_code query_limits_get(struct query *q)
{
    struct tier_table table;
    char *profile = arena_alloc(q->arena, PROFILE_NAME_MAX + 1);
    struct limits_message *m = arena_alloc(q->arena, sizeof *m);
    if (!profile || !m)
        return E_MEMORY;
    int r = limits_table_read(q->txn, &table, profile);
    if (r < 0)
        return query_fault(r);
    limits_message(&table, profile, m);
    q->reply->limits_get = &m->result;
    q->reply->result_case = ROTA__REPLY__RESULT_LIMITS_GET;
    return E_OK;
}

static int addon_new(struct query *q, struct span key, struct span value, Rota__Addon **ret_addon)
{
    struct addon_row row;
    Rota__Addon *addon;
    int r = row_decode(&addon_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    QUERY_NEW(q, addon, Rota__Addon, rota__addon__init);
    if (!addon)
        return err_raise(-ENOMEM);
    addon->name = query_str(q, key);
    addon->timeout_minutes = row.timeout_minutes;
    addon->price_cents = row.price_cents;
    addon->recurring = row.is_recurring;
    addon->retired = row.is_retired;
    *ret_addon = addon;
    return 0;
}

static int addons_fill(struct query *q, Rota__AddonListResult *result)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    int r = cursor_open(q->txn, TABLE_ADDON, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    while (r == 0 && result->n_addon < ADDONS_MAX) {
        r = addon_new(q, key, value, &result->addon[result->n_addon]);
        if (r == 0) {
            result->n_addon++;
            r = cursor_next(cursor, &key, &value);
        }
    }
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_addon_list(struct query *q)
{
    Rota__AddonListResult *result;
    QUERY_NEW(q, result, Rota__AddonListResult, rota__addon_list_result__init);
    if (!result || !(result->addon = query_array(q, ADDONS_MAX)))
        return E_MEMORY;
    int r = addons_fill(q, result);
    if (r < 0)
        return query_fault(r);
    q->reply->addon_list = result;
    q->reply->result_case = ROTA__REPLY__RESULT_ADDON_LIST;
    return E_OK;
}

/* ---- one account ---- */

static int usage_row_of(struct query *q, uint64_t account, uint16_t month,
                        struct usage_row *ret_row)
{
    struct key_buf k;
    *ret_row = (struct usage_row){0};
    int r = row_get(q->txn, &usage_row_type, key_usage(&k, account, month), ret_row);
    return r < 0 ? err_pass(r) : 0;
}

static int bars_of(struct query *q, uint64_t account, const struct account_row *row,
                   const struct limits *limits, uint32_t *ret_bars)
{
    struct bucket_row bucket = {0};
    struct key_buf k;
    int r = 0;
    if (limits->rate_n)
        r = row_get(q->txn, &bucket_row_type, key_bucket(&k, RATE_ACCOUNT, account), &bucket);
    *ret_bars = row->bars | (bucket.is_dry ? (uint32_t)ROTA__BAR__BAR_RATE : 0);
    return r < 0 ? err_pass(r) : 0;
}

static int account_read(struct query *q, uint64_t account, const struct account_row *row,
                        const struct limits *limits, Rota__Account *a)
{
    struct account_load load;
    struct usage_row used = {0};
    int r = query_account_load(q, account, &load);
    if (r == 0)
        r = usage_row_of(q, account, month_of(q->wall_ms), &used);
    if (r == 0)
        r = bars_of(q, account, row, limits, &a->bars);
    if (r < 0)
        return err_pass(r);
    a->builds_used = used.used;
    a->ready = load.ready;
    a->leased = load.running;
    a->delayed = load.delayed;
    a->held = load.held;
    return 0;
}

int query_account(struct query *q, const struct tier_table *table, uint64_t account,
                  const struct account_row *row, Rota__Account **ret_account)
{
    Rota__Account *a;
    struct limits limits;
    QUERY_NEW(q, a, Rota__Account, rota__account__init);
    if (!a)
        return err_raise(-ENOMEM);
    int r = limits_read(q->txn, table, account, row, q->wall_ms, &limits);
    if (r == 0)
        r = account_read(q, account, row, &limits, a);
    if (r < 0)
        return err_pass(r);
    a->account = query_str(q, row->id);
    a->tier = (Rota__Tier)row->tier;
    a->builds_month = limits.builds_month;
    a->builds_unlimited = limits.builds_unlimited;
    a->running_max = limits.running_max;
    a->timeout_ms = limits.timeout_ms;
    a->created_ms = row->created_ms;
    a->name = query_str(q, row->name);
    a->notes = query_str(q, q->who->role == ROTA__ROLE__OPERATOR ? row->notes : span_of("", 0));
    a->storage_bytes = row->storage_bytes;
    a->budget_ms = row->budget_ms;
    *ret_account = a;
    return 0;
}

static int grants_fill(struct query *q, uint64_t account, Rota__AccountGetResult *result)
{
    struct grant all[GRANTS_MAX];
    size_t n = 0;
    int r = grants_read(q->txn, account, all, &n);
    result->grant = query_array(q, n);
    if (r == 0 && !result->grant)
        r = err_raise(-ENOMEM);
    for (size_t i = 0; i < n && r == 0; i++) {
        Rota__Grant *grant;
        QUERY_NEW(q, grant, Rota__Grant, rota__grant__init);
        if (!grant)
            return err_raise(-ENOMEM);
        grant->grant = all[i].number;
        grant->addon = query_text(q, all[i].addon);
        grant->timeout_minutes = all[i].timeout_minutes;
        grant->since_ms = all[i].since_ms;
        grant->until_ms = all[i].until_ms;
        grant->active = grant_counts(&all[i], q->wall_ms);
        result->grant[result->n_grant++] = grant;
    }
    return r < 0 ? err_pass(r) : 0;
}

/* Unix time; 0: a token is there, or there is no rate. */
static int rate_free_ms(struct query *q, uint64_t account, const struct limits *l,
                        uint64_t *ret_free_ms)
{
    struct board_totals totals;
    board_totals(q->board, &totals);
    uint64_t now_ms = query_broker_ms(q, &totals), free_ms = now_ms;
    int r = 0;
    if (l->rate_n)
        r = rate_free_at(q->txn, RATE_ACCOUNT, account, l->rate_n, l->rate_ms, now_ms, &free_ms);
    *ret_free_ms = free_ms > now_ms ? q->wall_ms + (free_ms - now_ms) : 0;
    return r < 0 ? err_pass(r) : 0;
}

static int review_of(struct query *q, uint64_t account, uint8_t bars, uint64_t *ret_review)
{
    struct review_open_row row = {0};
    struct key_buf k;
    int r = 0;
    if (bars & (ROTA__BAR__BAR_REVIEW | ROTA__BAR__BAR_BLOCKED))
        r = row_get(q->txn, &review_open_row_type, key_u64(&k, account), &row);
    *ret_review = row.review;
    return r < 0 ? err_pass(r) : 0;
}

static int account_get_fill(struct query *q, uint64_t account, Rota__AccountGetResult *result)
{
    struct tier_table table;
    struct account_row row;
    struct key_buf k;
    struct limits limits;
    struct usage_row kept = {0};
    int r = row_get(q->txn, &account_row_type, key_u64(&k, account), &row);
    if (r == STORE_MISSING)
        r = err_raise(-EBADMSG); /* its name has just led here */
    if (r == 0)
        r = limits_table_read(q->txn, &table, NULL);
    if (r == 0)
        r = limits_read(q->txn, &table, account, &row, q->wall_ms, &limits);
    if (r == 0)
        r = query_account(q, &table, account, &row, &result->account);
    if (r == 0)
        r = grants_fill(q, account, result);
    if (r == 0)
        r = rate_free_ms(q, account, &limits, &result->rate_free_at_ms);
    if (r == 0)
        r = review_of(q, account, row.bars, &result->review);
    if (r == 0)
        r = usage_row_of(q, account, MONTH_KEPT, &kept);
    if (r < 0)
        return err_pass(r);
    limits_fill(&limits, result->limits);
    result->month_ends_ms = month_start_ms(month_of(q->wall_ms) + 1u);
    result->kept_succeeded = kept.succeeded;
    result->kept_failed = kept.failed;
    return 0;
}

enum error_code query_account_get(struct query *q)
{
    Rota__AccountGetResult *result;
    uint64_t account;
    enum error_code e = auth_account(q->txn, q->who, q->request->account_get->account, &account);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__AccountGetResult, rota__account_get_result__init);
    if (!result)
        return E_MEMORY;
    QUERY_NEW(q, result->limits, Rota__Limits, rota__limits__init);
    if (!result->limits)
        return E_MEMORY;
    int r = account_get_fill(q, account, result);
    if (r < 0)
        return query_fault(r);
    q->reply->account_get = result;
    q->reply->result_case = ROTA__REPLY__RESULT_ACCOUNT_GET;
    return E_OK;
}

/* ---- its months ---- */

struct months {
    struct limits limits;
    uint64_t budget_ms;
    struct grant grants[GRANTS_MAX];
    size_t grants_n;
};

/* Minutes of the add-ons that counted at the month's end, or count now. */
static uint32_t minutes_at(const struct months *m, uint64_t at_ms)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < m->grants_n; i++)
        if (m->grants[i].since_ms <= at_ms && grant_counts(&m->grants[i], at_ms))
            sum += m->grants[i].timeout_minutes;
    return sum;
}

static int month_new(struct query *q, uint64_t account, const struct months *m, uint16_t month,
                     Rota__UsageMonth **ret_month)
{
    struct usage_row row;
    Rota__UsageMonth *x;
    char text[MONTH_LEN + 1];
    uint64_t last_ms = month_start_ms(month + 1u) - 1;
    int r = usage_row_of(q, account, month, &row);
    if (r < 0)
        return err_pass(r);
    QUERY_NEW(q, x, Rota__UsageMonth, rota__usage_month__init);
    if (!x)
        return err_raise(-ENOMEM);
    x->month = query_text(q, month_text(month, text));
    x->builds_used = row.used;
    x->builds_limit = m->limits.builds_month;
    x->builds_unlimited = m->limits.builds_unlimited;
    x->timeout_addon_minutes = minutes_at(m, last_ms < q->wall_ms ? last_ms : q->wall_ms);
    x->succeeded = row.succeeded;
    x->failed = row.failed;
    x->cancelled = row.cancelled;
    x->dead = row.dead;
    x->worker_ms = row.worker_ms;
    x->budget_ms = m->budget_ms;
    *ret_month = x;
    return 0;
}

static int usage_fill(struct query *q, uint64_t account, size_t n, Rota__UsageResult *result)
{
    struct months m = {.grants_n = 0};
    struct tier_table table;
    struct account_row row;
    struct key_buf k;
    int r = row_get(q->txn, &account_row_type, key_u64(&k, account), &row);
    if (r == STORE_MISSING)
        r = err_raise(-EBADMSG);
    if (r == 0)
        r = limits_table_read(q->txn, &table, NULL);
    if (r == 0)
        r = limits_read(q->txn, &table, account, &row, q->wall_ms, &m.limits);
    m.budget_ms = r == 0 ? row.budget_ms : 0;
    result->storage_bytes = r == 0 ? row.storage_bytes : 0;
    result->storage_bytes_max = m.limits.storage_bytes_max;
    if (r == 0)
        r = grants_read(q->txn, account, m.grants, &m.grants_n);
    uint16_t month = month_of(q->wall_ms);
    for (size_t i = 0; i < n && month > i && r == 0; i++) {
        r = month_new(q, account, &m, (uint16_t)(month - i), &result->month[i]);
        result->n_month += r == 0;
    }
    result->account = query_account_id(q, account);
    return r < 0 ? err_pass(r) : 0;
}

enum error_code query_usage(struct query *q)
{
    const Rota__Usage *usage = q->request->usage;
    size_t n = !usage->months ? 1 : usage->months < MONTHS_MOST ? usage->months : MONTHS_MOST;
    uint64_t account;
    Rota__UsageResult *result;
    enum error_code e = auth_account(q->txn, q->who, usage->account, &account);
    if (e)
        return e;
    QUERY_NEW(q, result, Rota__UsageResult, rota__usage_result__init);
    if (!result || !(result->month = query_array(q, n)))
        return E_MEMORY;
    int r = usage_fill(q, account, n, result);
    if (r < 0)
        return query_fault(r);
    q->reply->usage = result;
    q->reply->result_case = ROTA__REPLY__RESULT_USAGE;
    return E_OK;
}
