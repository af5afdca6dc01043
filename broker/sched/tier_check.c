/* tier_check.c: the ranges of a tier table. They catch a slip of the unit (seconds for
 * milliseconds, MB for bytes) and values that other code could not count with; what is wise is the
 * operator's business. */
#include "sched/tier.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MB   UINT64_C(1000000)
#define TB   UINT64_C(1000000000000)
#define HOUR UINT64_C(3600000)

enum { RATE_MS_MIN = 1000 };

struct column {
    const char *name;
    size_t offset, size;
    uint64_t min, max;
};

#define COLUMN(type, name, min, max)                                                               \
    {                                                                                              \
#name, offsetof(struct type, name), sizeof(((struct type *)NULL)->name), (min), (max)      \
    }

static const struct column row_columns[] = {
    COLUMN(tier_row, timeout_ms, 1000, 24 * HOUR),
    COLUMN(tier_row, timeout_ms_max, 1000, 24 * HOUR),
    COLUMN(tier_row, builds_month, 0, UINT32_MAX),
    COLUMN(tier_row, running_max, 1, 10000),
    COLUMN(tier_row, bundle_bytes_max, MB, TB),
    COLUMN(tier_row, source_bytes_max, MB, TB),
    COLUMN(tier_row, storage_bytes_max, MB, 1000 * TB),
    COLUMN(tier_row, memory_bytes, MB, TB),
    COLUMN(tier_row, rate_n, 0, 1000000),
    COLUMN(tier_row, rate_ms, 0, 24 * HOUR),
};
enum { ROW_COLUMNS = sizeof row_columns / sizeof *row_columns };

static const struct column table_columns[] = {
    COLUMN(tier_table, global_rate_n, 0, 1000000),
    COLUMN(tier_table, global_rate_ms, 0, 24 * HOUR),
    COLUMN(tier_table, account_rate_n, 0, 1000000),
    COLUMN(tier_table, account_rate_ms, 0, 24 * HOUR),
};
enum { TABLE_COLUMNS = sizeof table_columns / sizeof *table_columns };

static uint64_t cell(const void *base, const struct column *c)
{
    uint32_t narrow;
    uint64_t wide;
    const char *at = (const char *)base + c->offset;
    if (c->size == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    assert(c->size == sizeof wide);
    memcpy(&wide, at, sizeof wide);
    return wide;
}

/* The first column that is out of its range, or NULL. */
static const char *out_of_range(const void *base, const struct column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t v = cell(base, &columns[i]);
        if (v < columns[i].min || v > columns[i].max)
            return columns[i].name;
    }
    return NULL;
}

static const struct column *column_find(const char *name)
{
    for (size_t i = 0; i < ROW_COLUMNS; i++)
        if (strcmp(row_columns[i].name, name) == 0)
            return &row_columns[i];
    for (size_t i = 0; i < TABLE_COLUMNS; i++)
        if (strcmp(table_columns[i].name, name) == 0)
            return &table_columns[i];
    return NULL;
}

char *tier_range_text(const char *column, char text[TIER_RANGE_TEXT_LEN + 1])
{
    const struct column *c = column_find(column);
    assert(c);
    bool is_period = strstr(column, "rate_ms") != NULL;
    snprintf(text, TIER_RANGE_TEXT_LEN + 1, "%llu to %llu%s",
             (unsigned long long)(is_period ? RATE_MS_MIN : c->min), (unsigned long long)c->max,
             is_period                           ? " while its rate is on"
             : strcmp(column, "timeout_ms") == 0 ? " and at most timeout_ms_max"
                                                 : "");
    return text;
}

/* A period is free to be 0 while its rate is off. */
static bool rate_fits(uint32_t n, uint32_t ms)
{
    return n == 0 || ms >= RATE_MS_MIN;
}

static const char *row_fault(const struct tier_row *row)
{
    const char *column = out_of_range(row, row_columns, ROW_COLUMNS);
    if (column)
        return column;
    if (row->timeout_ms > row->timeout_ms_max)
        return "timeout_ms";
    return rate_fits(row->rate_n, row->rate_ms) ? NULL : "rate_ms";
}

static const char *table_fault(const struct tier_table *t)
{
    const char *column = out_of_range(t, table_columns, TABLE_COLUMNS);
    if (column)
        return column;
    if (!rate_fits(t->global_rate_n, t->global_rate_ms))
        return "global_rate_ms";
    return rate_fits(t->account_rate_n, t->account_rate_ms) ? NULL : "account_rate_ms";
}

int tier_table_check(const struct tier_table *table, unsigned *ret_tier, const char **ret_column)
{
    assert(table && ret_tier && ret_column);
    for (unsigned t = 0; t <= TIERS; t++) {
        const char *column = t < TIERS ? row_fault(&table->row[t]) : table_fault(table);
        if (column) {
            *ret_tier = t;
            *ret_column = column;
            return TIER_BAD;
        }
    }
    return 0;
}
