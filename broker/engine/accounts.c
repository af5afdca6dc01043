/* accounts.c: operators make and change accounts. A tier or cap that changes applies to all waiting
 * jobs at once, because it lives with the account and not with its jobs. */
#include "engine/rates.h"

#include "sched/month.h"
#include "store/keys.h"

#include <errno.h>
#include <stddef.h>

#define MB UINT64_C(1000000)
#define TB UINT64_C(1000000000000)

enum { DAY_MS = 24 * 3600 * 1000, RUNNING_MAX_MOST = 10000, RATE_MS_MIN = 1000 };

/* Numbers of its own: 0 is the tier's, others must lie in a range that catches a slip of the unit.
 * `chosen` is the member of AccountSet that says whether the number is given at all. */
static const struct own_number {
    const char *name;
    size_t chosen, value, row;
    uint64_t min, max;
} own_numbers[] = {
#define OWN(choice, member, least, most)                                                           \
    {                                                                                              \
#member, offsetof(Rota__AccountSet, choice), offsetof(Rota__AccountSet, member),           \
            offsetof(struct account_row, member), (least), (most)                                  \
    }
    OWN(set_timeout_case, timeout_ms, 1000, DAY_MS),
    OWN(set_bundle_case, bundle_bytes_max, MB, TB),
    OWN(set_source_case, source_bytes_max, MB, TB),
    OWN(set_storage_case, storage_bytes_max, MB, 1000 * TB),
    OWN(set_budget_case, budget_ms, 60000, 100 * UINT64_C(366) * DAY_MS),
#undef OWN
};

/* One account_set on its way. */
struct setting {
    const Rota__AccountSet *q;
    uint64_t number;
    struct account_row row;
    bool is_new;
};

/* ---- what is asked for ---- */

/* NULL: not given. */
static const uint64_t *number_given(const Rota__AccountSet *q, const struct own_number *own)
{
    int chosen;
    memcpy(&chosen, (const char *)q + own->chosen, sizeof chosen);
    return chosen ? (const uint64_t *)(const void *)((const char *)q + own->value) : NULL;
}

static int check_numbers(struct turn *t, const Rota__AccountSet *q)
{
    for (size_t i = 0; i < ARRAY_LEN(own_numbers); i++) {
        const struct own_number *own = &own_numbers[i];
        const uint64_t *value = number_given(q, own);
        if (value && *value && (*value < own->min || *value > own->max))
            return turn_refuse(t, E_ACCOUNT_LIMIT, "%s %llu: must be %llu to %llu, or 0", own->name,
                               (unsigned long long)*value, (unsigned long long)own->min,
                               (unsigned long long)own->max);
    }
    if (q->rate && q->rate->n && q->rate->per_ms < RATE_MS_MIN)
        return turn_refuse(t, E_ACCOUNT_LIMIT, "rate.per_ms %u: must be %d or more",
                           q->rate->per_ms, RATE_MS_MIN);
    return 0;
}

static int account_check(struct turn *t, const Rota__AccountSet *q)
{
    if (!q->account[0])
        return turn_refuse(t, E_FIELD_MISSING, "account_set.account is empty");
    if (q->set_tier_case == ROTA__ACCOUNT_SET__SET_TIER_TIER && (unsigned)q->tier >= TIERS)
        return turn_refuse(t, E_TIER_UNKNOWN, "no tier %d", (int)q->tier);
    if (q->set_running_case == ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX &&
        q->running_max > RUNNING_MAX_MOST)
        return turn_refuse(t, E_ACCOUNT_LIMIT, "running_max %u is above %d", q->running_max,
                           RUNNING_MAX_MOST);
    return check_numbers(t, q);
}

static int account_read(struct turn *t, struct setting *s)
{
    struct account_id_row at;
    int r = row_get(t->txn, &account_id_row_type, span_str(s->q->account), &at);
    s->is_new = r == STORE_MISSING;
    s->row = (struct account_row){.tier = TIERS - 1,
                                  .created_ms = t->now.wall_ms,
                                  .created_day = (uint32_t)(t->now.wall_ms / DAY_MS),
                                  .id = span_str(s->q->account)};
    if (r != 0)
        return s->is_new ? 0 : turn_store(r);
    s->number = at.account;
    return turn_store(account_row_read(t, s->number, &s->row));
}

static void merge_numbers(const Rota__AccountSet *q, struct account_row *row)
{
    for (size_t i = 0; i < ARRAY_LEN(own_numbers); i++) {
        const uint64_t *value = number_given(q, &own_numbers[i]);
        if (value)
            memcpy((char *)row + own_numbers[i].row, value, sizeof *value);
    }
}

static void merge(const Rota__AccountSet *q, struct account_row *row)
{
    if (q->set_tier_case == ROTA__ACCOUNT_SET__SET_TIER_TIER)
        row->tier = (uint8_t)q->tier;
    if (q->set_running_case == ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX)
        row->running_max = q->running_max;
    if (q->set_builds_case == ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH) {
        row->has_builds = true;
        row->builds_unlimited = false;
        row->builds_month = q->builds_month;
    } else if (q->set_builds_case == ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED) {
        row->has_builds = row->builds_unlimited = q->builds_unlimited ? 1 : 0;
        row->builds_month = 0;
    }
    if (q->set_name_case == ROTA__ACCOUNT_SET__SET_NAME_NAME)
        row->name = span_str(q->name);
    if (q->set_notes_case == ROTA__ACCOUNT_SET__SET_NOTES_NOTES)
        row->notes = span_str(q->notes);
    if (q->rate) {
        row->rate_n = q->rate->n;
        row->rate_ms = q->rate->per_ms;
    }
    merge_numbers(q, row);
}

/* ---- what follows from it ---- */

static int account_number_next(struct turn *t, struct setting *s)
{
    struct hot_row *hot = &t->cache->hot;
    SET(t->undo, hot->account_number, hot->account_number + 1);
    t->cache->hot_dirty = true;
    s->number = hot->account_number;
    struct account_id_row row = {s->number};
    return turn_store(row_put(t->txn, &account_id_row_type, span_str(s->q->account), &row));
}

/* RAM follows the row: rings of another tier, another cap. */
static int account_apply(struct turn *t, const struct setting *s, struct account **ret_account)
{
    struct account *a;
    const struct limits *limits;
    int r = turn_store(cache_account(t->cache, t->txn, s->number, &a));
    if (r != 0)
        return r;
    if (a->tier != s->row.tier)
        account_move(t->cache, a, s->row.tier);
    account_limits_forget(t, a);
    r = account_limits(t, a, &limits);
    if (r != 0)
        return r;
    SET(t->undo, a->running_own, s->row.running_max);
    SET(t->undo, a->running_max, limits->running_max);
    SET(t->undo, a->rate_own_n, s->row.rate_n);
    SET(t->undo, a->rate_own_ms, s->row.rate_ms);
    SET(t->undo, a->budget_ms, s->row.budget_ms);
    account_settle(t->cache, a);
    *ret_account = a;
    return 0;
}

static int account_event(struct turn *t, const struct account *a)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_ACCOUNT_SET);
    if (event) {
        event->account_number = a->number;
        event->tier = (Rota__Tier)a->tier;
        event->running_max = account_running_max(a);
        event->running_own = a->running_own;
    }
    return event_append(t, event);
}

static int note(struct turn *t, const struct account *a, const struct account_row *row)
{
    const struct limits *l = &a->limits;
    return trail_note(
        t, a->id,
        "tier P%u, builds %llu%s, running %u, timeout %llu ms, bundle %llu, "
        "source %llu, storage %llu bytes, rate %u/%u ms, budget %llu ms, notes of %zu bytes",
        a->tier, (unsigned long long)l->builds_month, l->builds_unlimited ? " (unlimited)" : "",
        l->running_max, (unsigned long long)l->timeout_ms, (unsigned long long)l->bundle_bytes_max,
        (unsigned long long)l->source_bytes_max, (unsigned long long)l->storage_bytes_max,
        l->rate_n, l->rate_ms, (unsigned long long)row->budget_ms, row->notes.n);
}

/* ---- the answer ---- */

/* Read from the store: this turn may have changed it, then it is the account's in RAM. */
static int builds_used(struct turn *t, const struct account *a, uint64_t *ret_used)
{
    struct usage_row row = {0};
    struct key_buf k;
    uint16_t month = month_of(t->now.wall_ms);
    for (const struct usage *u = a->usage; u; u = u->next) {
        if (u->month == month) {
            *ret_used = u->now.used;
            return 0;
        }
    }
    int r = row_get(t->txn, &usage_row_type, key_usage(&k, a->number, month), &row);
    *ret_used = row.used;
    return r < 0 ? err_pass(r) : 0;
}

static int account_message(struct turn *t, const struct account *a, const struct account_row *row,
                           Rota__Account **ret_message)
{
    Rota__Account *m = arena_alloc(t->fx->arena, sizeof *m);
    if (!m)
        return err_raise(-ENOMEM);
    rota__account__init(m);
    m->account = turn_str(t, span_str(a->id));
    m->tier = (Rota__Tier)a->tier;
    m->builds_month = a->limits.builds_month;
    m->builds_unlimited = a->limits.builds_unlimited;
    m->running_max = account_running_max(a);
    m->timeout_ms = a->limits.timeout_ms;
    m->created_ms = row->created_ms;
    m->name = turn_str(t, row->name);
    m->notes = turn_str(t, row->notes);
    m->bars = a->bars;
    m->storage_bytes = a->storage_bytes;
    m->budget_ms = a->budget_ms;
    m->leased = a->running;
    for (const struct tally *y = a->tallies; y; y = y->next) {
        m->ready += y->now.ready;
        m->delayed += y->now.delayed;
        m->held += y->now.held;
    }
    *ret_message = m;
    return builds_used(t, a, &m->builds_used);
}

int turn_account_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    struct setting s = {.q = request->account_set};
    struct account *a;
    Rota__AccountSetResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? account_check(t, s.q) : err_raise(-ENOMEM);
    if (r == 0)
        r = account_read(t, &s);
    if (r == 0 && s.is_new)
        r = account_number_next(t, &s);
    if (r != 0)
        return r;
    rota__account_set_result__init(result);
    result->created = s.is_new;
    merge(s.q, &s.row);
    r = account_row_write(t, s.number, &s.row);
    if (r == 0)
        r = account_apply(t, &s, &a);
    if (r == 0)
        r = account_event(t, a);
    if (r == 0)
        r = account_rate_changed(t, a);
    if (r == 0)
        r = note(t, a, &s.row);
    if (r == 0)
        r = account_message(t, a, &s.row, &result->account);
    reply->account_set = result;
    return r;
}
