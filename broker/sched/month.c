/* month.c: the civil calendar in integers.
 *
 * Years are counted from March, so that the leap day is the last day of a year and the months
 * before it have the same lengths in every year: (153 * m + 2) / 5 days precede month m of 0..11.
 * 719468 days lie between 0000-03-01 and 1970-01-01. */
#include "sched/month.h"

#include <assert.h>

enum {
    MONTHS = 12,
    MONTHS_400_YEARS = 4800,
    DAY_MS = 24 * 3600 * 1000,
    EPOCH_DAYS = 719468,
    DAYS_400_YEARS = 146097
};

/* Days from 1970-01-01 to the first of a month. */
static uint64_t month_first_day(uint32_t month)
{
    /* January and February are months 10 and 11 of the year before. */
    uint64_t from_march = UINT64_C(1970) * MONTHS + month - 2;
    uint64_t year = from_march / MONTHS, m = from_march % MONTHS;
    return year * 365 + year / 4 - year / 100 + year / 400 + (153 * m + 2) / 5 - EPOCH_DAYS;
}

uint64_t month_start_ms(uint32_t month)
{
    assert(month <= UINT16_MAX + 1u);
    return month_first_day(month) * DAY_MS;
}

unsigned month_days(uint16_t month)
{
    return (unsigned)(month_first_day(month + 1u) - month_first_day(month));
}

uint16_t month_of(uint64_t unix_ms)
{
    uint64_t day = unix_ms / DAY_MS;
    if (day >= month_first_day(UINT16_MAX))
        return UINT16_MAX;
    /* A month has 30.44 days on average; the guess is never more than one off. */
    uint64_t guess = day * MONTHS_400_YEARS / DAYS_400_YEARS;
    uint32_t month = (uint32_t)guess;
    if (day < month_first_day(month))
        month--;
    else if (day >= month_first_day(month + 1))
        month++;
    assert(day >= month_first_day(month) && day < month_first_day(month + 1));
    return (uint16_t)month;
}

char *month_text(uint16_t month, char text[MONTH_LEN + 1])
{
    unsigned year = 1970u + month / MONTHS, m = 1u + month % MONTHS;
    for (int i = 3; i >= 0; i--, year /= 10)
        text[i] = (char)('0' + year % 10);
    text[4] = '-';
    text[5] = (char)('0' + m / 10);
    text[6] = (char)('0' + m % 10);
    text[MONTH_LEN] = 0;
    return text;
}
