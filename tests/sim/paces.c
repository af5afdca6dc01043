/* paces.c: see paces.h. */
#include "sim/paces.h"

#include "engine/account_limits.h"
#include "sim/world.h"
#include "store/keys.h"

#include <stdlib.h>

struct numbers {
    uint64_t n, per_ms; /* n 0: off */
};

static struct pace *pace_of(struct paces *p, enum pace_scope scope, uint64_t number)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->all[i].scope == scope && p->all[i].number == number)
            return &p->all[i];
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->all = realloc(p->all, p->cap * sizeof *p->all);
        if (!p->all)
            abort();
    }
    p->all[p->n] = (struct pace){.scope = scope, .number = number};
    return &p->all[p->n++];
}

static void note(struct world *w, enum pace_scope scope, uint64_t number)
{
    struct pace *p = pace_of(&w->paces, scope, number);
    if (p->n == PACE_STARTS_MAX) {
        size_t half = PACE_STARTS_MAX / 2;
        memmove(p->at_ms, p->at_ms + half, (p->n - half) * sizeof *p->at_ms);
        p->n -= half;
        p->looked_n = p->looked_n > half ? p->looked_n - half : 0;
    }
    p->at_ms[p->n++] = w->turn_bt_ms;
}

void paces_note(struct world *w, uint64_t account, uint8_t tier)
{
    note(w, PACE_ALL, 0);
    note(w, PACE_TIER, tier);
    note(w, PACE_ACCOUNT, account);
}

void paces_renew(struct world *w, uint64_t account)
{
    for (size_t i = 0; i < w->paces.n; i++) {
        struct pace *p = &w->paces.all[i];
        if (!account || (p->scope == PACE_ACCOUNT && p->number == account))
            p->n = p->looked_n = 0;
    }
}

static struct numbers account_numbers(struct txn *txn, const struct tier_table *table,
                                      uint64_t account)
{
    struct account_row row = {0};
    struct key_buf k;
    if (row_get(txn, &account_row_type, key_u64(&k, account), &row) < 0)
        abort();
    if (row.rate_ms)
        return (struct numbers){row.rate_n, row.rate_ms};
    return (struct numbers){table->account_rate_n, table->account_rate_ms};
}

static struct numbers numbers_of(struct txn *txn, const struct tier_table *table,
                                 const struct pace *p)
{
    if (p->scope == PACE_ALL)
        return (struct numbers){table->global_rate_n, table->global_rate_ms};
    if (p->scope == PACE_TIER)
        return (struct numbers){table->row[p->number].rate_n, table->row[p->number].rate_ms};
    return account_numbers(txn, table, p->number);
}

/* Each window that ends with a start since the last look. */
static void pace_check(struct world *w, const struct pace *p, struct numbers x)
{
    static const char *const words[] = {"all", "tier", "account"};
    for (size_t to = p->looked_n; to < p->n; to++) {
        for (size_t from = 0; from <= to; from++) {
            uint64_t starts = to - from + 1, ms = p->at_ms[to] - p->at_ms[from];
            if (starts * x.per_ms > x.n * x.per_ms + x.n * ms)
                world_violated(w, "%s %llu: %llu starts in %llu ms, the rate is %llu in %llu ms",
                               words[p->scope], (unsigned long long)p->number,
                               (unsigned long long)starts, (unsigned long long)ms,
                               (unsigned long long)x.n, (unsigned long long)x.per_ms);
        }
        w->stats[STAT_PACED]++;
    }
}

void paces_look(struct world *w, struct txn *txn)
{
    struct tier_table table;
    if (limits_table_read(txn, &table, NULL) != 0)
        abort();
    for (size_t i = 0; i < w->paces.n; i++) {
        struct pace *p = &w->paces.all[i];
        struct numbers x = p->looked_n < p->n ? numbers_of(txn, &table, p) : (struct numbers){0};
        if (p->looked_n < p->n && !x.n)
            p->n = 0; /* off: nothing was counted */
        else if (p->looked_n < p->n)
            pace_check(w, p, x);
        p->looked_n = p->n;
    }
}

void paces_deinit(struct paces *p)
{
    free(p->all);
    *p = (struct paces){0};
}
