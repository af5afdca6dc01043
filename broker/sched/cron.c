/* cron.c: the next time that matches. Months that do not match are passed over as a whole, then
 * days, then hours and minutes are looked up in their sets, so even a leap day on a Sunday is found
 * in some hundred steps. The text is read in cron_parse.c. */
#include "sched/cron.h"
#include "sched/month.h"

#include <assert.h>

enum { MINUTE_SET, HOUR_SET, DAY_SET, MONTH_SET, WEEKDAY_SET };
enum { MONTHS = 12, HOURS = 24, MINUTES = 60, WEEK = 7, THURSDAY = 4 };
enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

/* A leap day falls on a given day of the week every 28 years, and 40 years apart at most when a
 * year like 2100 lies between. */
enum { SEARCH_MONTHS = 41 * MONTHS };

/* The first value from `from` on that is in the set, or `none`. */
static unsigned set_next(uint64_t set, unsigned from, unsigned none)
{
    uint64_t left = from < 64 ? set >> from << from : 0;
    return left ? (unsigned)__builtin_ctzll(left) : none;
}

static bool day_matches(const struct cron *c, uint64_t day_start_ms, unsigned day_of_month)
{
    unsigned weekday = (unsigned)((day_start_ms / DAY_MS + THURSDAY) % WEEK);
    bool by_month = c->set[DAY_SET] >> day_of_month & 1;
    bool by_week = c->set[WEEKDAY_SET] >> weekday & 1;
    return c->either_day ? by_month || by_week : by_month && by_week;
}

/* The first time of a day from `minute` (of the day) on; false when there is none. */
static bool time_in_day(const struct cron *c, unsigned minute, unsigned *ret_minute)
{
    unsigned hour = minute / MINUTES;
    unsigned found = set_next(c->set[HOUR_SET], hour, HOURS);
    unsigned m = set_next(c->set[MINUTE_SET], found == hour ? minute % MINUTES : 0, MINUTES);
    if (found == hour && m == MINUTES) {
        found = set_next(c->set[HOUR_SET], hour + 1, HOURS);
        m = set_next(c->set[MINUTE_SET], 0, MINUTES);
    }
    *ret_minute = found * MINUTES + m;
    return found < HOURS && m < MINUTES;
}

/* The first time in `month` that is not before `from_ms`; false when there is none. */
static bool time_in_month(const struct cron *c, uint16_t month, uint64_t from_ms, uint64_t *ret_ms)
{
    uint64_t start_ms = month_start_ms(month);
    unsigned days = month_days(month);
    unsigned day = from_ms > start_ms ? (unsigned)((from_ms - start_ms) / DAY_MS) : 0;
    for (; day < days; day++) {
        uint64_t day_ms = start_ms + (uint64_t)day * DAY_MS;
        unsigned minute = from_ms > day_ms ? (unsigned)((from_ms - day_ms) / MINUTE_MS) : 0;
        if (day_matches(c, day_ms, day + 1) && time_in_day(c, minute, &minute)) {
            *ret_ms = day_ms + (uint64_t)minute * MINUTE_MS;
            return true;
        }
    }
    return false;
}

int cron_next(const struct cron *c, uint64_t after_ms, uint64_t *ret_ms)
{
    assert(c && ret_ms);
    if (after_ms > UINT64_MAX - MINUTE_MS)
        return CRON_NEVER;
    uint64_t from_ms = (after_ms / MINUTE_MS + 1) * MINUTE_MS;
    uint32_t first = month_of(from_ms);
    for (uint32_t m = first; m <= first + SEARCH_MONTHS && m < UINT16_MAX; m++) {
        bool counts = c->set[MONTH_SET] >> (m % MONTHS + 1) & 1;
        if (counts && time_in_month(c, (uint16_t)m, from_ms, ret_ms))
            return 0;
    }
    return CRON_NEVER;
}
