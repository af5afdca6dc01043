/* view_tiers.c: the four queues. Columns are rows of a table; those that do not fit are left away
 * from the right, and room that is left over becomes a bar that compares the depths. */
#include "text.h"
#include "tiername.h"
#include "view.h"

#include <stdio.h>

enum { TIER_COLUMNS = 14, TIER_COLUMNS_LEAST = 4, NARROW = 57, BAR_COLUMNS_LEAST = 10, TIERS = 4 };

static uint64_t get_ready(const Rota__TierStats *t)
{
    return t->ready;
}
static uint64_t get_delayed(const Rota__TierStats *t)
{
    return t->delayed;
}
static uint64_t get_held(const Rota__TierStats *t)
{
    return t->held;
}
static uint64_t get_leased(const Rota__TierStats *t)
{
    return t->leased;
}
static uint64_t get_oldest(const Rota__TierStats *t)
{
    return t->oldest_ms;
}
static uint64_t get_accounts(const Rota__TierStats *t)
{
    return t->accounts;
}
static uint64_t get_at_cap(const Rota__TierStats *t)
{
    return t->at_cap;
}

static const struct column {
    const char *title;
    int width;
    bool is_time; /* a duration; the total is the greatest, not the sum */
    uint64_t (*get)(const Rota__TierStats *t);
} columns[] = {
    {"READY", 9, false, get_ready},   {"DELAYED", 9, false, get_delayed},
    {"HELD", 7, false, get_held},     {"LEASED", 8, false, get_leased},
    {"OLDEST", 9, true, get_oldest},  {"ACCOUNTS", 10, false, get_accounts},
    {"AT CAP", 8, false, get_at_cap},
};

enum { COLUMNS = sizeof columns / sizeof *columns };

static void value_draw(struct area a, int x, int y, const struct column *column, uint64_t value,
                       enum paint paint)
{
    char text[TEXT_SHORT_LEN + 1];
    if (column->is_time)
        put_right(a, x, y, column->width, value ? paint : PAINT_DIM,
                  value ? text_duration(value, text) : "-");
    else
        put_right(a, x, y, column->width, value ? paint : PAINT_DIM, text_count(value, text));
}

static uint64_t total_of(const struct model *m, const struct column *column)
{
    uint64_t total = 0;
    for (size_t i = 0; i < m->stats->n_tier; i++) {
        uint64_t value = column->get(m->stats->tier[i]);
        total = !column->is_time ? total + value : value > total ? value : total;
    }
    return total;
}

static int column_draw(const struct model *m, struct area a, int x, const struct column *column)
{
    put_right(a, x, 0, column->width, PAINT_DIM, column->title);
    for (int t = 0; t < TIERS && t < (int)m->stats->n_tier; t++)
        value_draw(a, x, 1 + t, column, column->get(m->stats->tier[t]), PAINT_PLAIN);
    if (a.h > 1 + TIERS)
        value_draw(a, x, 1 + TIERS, column, total_of(m, column), PAINT_HEAD);
    return x + column->width;
}

/* Ready jobs of each tier against the deepest one. */
static void depths_draw(const struct model *m, struct area a, int x, int w)
{
    uint64_t deepest = 0;
    for (size_t t = 0; t < m->stats->n_tier; t++)
        deepest = m->stats->tier[t]->ready > deepest ? m->stats->tier[t]->ready : deepest;
    for (int t = 0; t < TIERS && t < (int)m->stats->n_tier; t++) {
        uint64_t ready = m->stats->tier[t]->ready;
        unsigned percent = deepest ? (unsigned)((double)ready * 100 / (double)deepest) : 0;
        if (ready && !percent)
            percent = 1;
        put_bar(a, x, 1 + t, w, percent, PAINT_P0 + (enum paint)t);
    }
}

static void names_draw(const struct model *m, struct area a, int w)
{
    put(a, 1, 0, w, PAINT_DIM, "TIER");
    for (int t = 0; t < TIERS && t < (int)m->stats->n_tier; t++) {
        put(a, 1, 1 + t, 2, PAINT_P0 + (enum paint)t, (const char[3]){'P', (char)('0' + t), 0});
        put(a, 4, 1 + t, w - 4, PAINT_PLAIN, tier_name((Rota__Tier)t));
    }
    if (a.h > 1 + TIERS)
        put(a, 4, 1 + TIERS, w - 4, PAINT_DIM, "all");
}

void view_tiers(const struct model *m, struct area a)
{
    int names = a.w < NARROW ? TIER_COLUMNS_LEAST : TIER_COLUMNS, x = 1 + names;
    names_draw(m, a, names);
    for (int i = 0; i < COLUMNS && x + columns[i].width <= a.w - 1; i++)
        x = column_draw(m, a, x, &columns[i]);
    if (a.w - x - 4 >= BAR_COLUMNS_LEAST)
        depths_draw(m, a, x + 3, a.w - x - 4);
}
