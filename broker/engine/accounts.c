/* accounts.c: operators make and change accounts. A tier or cap that changes applies to all waiting
 * jobs at once, because it lives with the account and not with its jobs. */
#include "engine/turn.h"

#include "sched/tier.h"
#include "store/keys.h"

#include <errno.h>

enum { RUNNING_MAX_MOST = 10000 };

static int account_read(struct turn *t, const char *id, uint64_t *ret_number,
                        struct account_row *ret_row)
{
    struct account_id_row at;
    struct key_buf k;
    int r = row_get(t->txn, &account_id_row_type, span_str(id), &at);
    if (r != 0)
        return r;
    *ret_number = at.account;
    return row_get(t->txn, &account_row_type, key_u64(&k, at.account), ret_row);
}

static int account_number_next(struct turn *t, const char *id, uint64_t *ret_number)
{
    struct hot_row *hot = &t->cache->hot;
    SET(t->undo, hot->account_number, hot->account_number + 1);
    t->cache->hot_dirty = true;
    *ret_number = hot->account_number;
    struct account_id_row row = {*ret_number};
    return turn_store(row_put(t->txn, &account_id_row_type, span_str(id), &row));
}

static void account_merge(const Rota__AccountSet *q, struct account_row *row)
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
}

/* RAM follows the row: rings of another tier, another cap. */
static int account_apply(struct turn *t, uint64_t number, const struct account_row *row,
                         struct account **ret_account)
{
    struct account *a;
    int r = turn_store(cache_account(t->cache, t->txn, number, &a));
    if (r != 0)
        return r;
    if (a->tier != row->tier)
        account_move(t->cache, a, row->tier);
    SET(t->undo, a->running_own, row->running_max);
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
    }
    return event_append(t, event);
}

static Rota__Account *account_message(struct turn *t, const struct account *a,
                                      const struct account_row *row)
{
    Rota__Account *m = arena_alloc(t->fx->arena, sizeof *m);
    if (!m)
        return NULL;
    rota__account__init(m);
    m->account = turn_str(t, span_str(a->id));
    m->tier = (Rota__Tier)a->tier;
    m->builds_month = row->has_builds ? row->builds_month : tier_row(a->tier)->builds_month;
    m->builds_unlimited =
        row->has_builds ? row->builds_unlimited : tier_row(a->tier)->builds_month == 0;
    m->running_max = account_running_max(a);
    m->timeout_ms = tier_row(a->tier)->timeout_ms;
    m->created_ms = row->created_ms;
    m->leased = a->running;
    for (const struct tally *y = a->tallies; y; y = y->next)
        m->ready += y->now.ready;
    return m;
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
    return 0;
}

int turn_account_set(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__AccountSet *q = request->account_set;
    struct account_row row = {.tier = TIERS - 1, .created_ms = t->now.wall_ms};
    struct account *a;
    struct key_buf k;
    uint64_t number = 0;
    Rota__AccountSetResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? account_check(t, q) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    rota__account_set_result__init(result);
    r = account_read(t, q->account, &number, &row);
    result->created = r == STORE_MISSING;
    r = result->created ? account_number_next(t, q->account, &number) : turn_store(r);
    if (r != 0)
        return r;
    row.id = span_str(q->account);
    account_merge(q, &row);
    r = turn_store(row_put(t->txn, &account_row_type, key_u64(&k, number), &row));
    if (r == 0)
        r = account_apply(t, number, &row, &a);
    if (r == 0)
        r = account_event(t, a);
    if (r != 0)
        return r;
    result->account = account_message(t, a, &row);
    reply->account_set = result;
    return result->account ? 0 : err_raise(-ENOMEM);
}
