/* moment.c: read by hand, because strptime(3) takes what is no date (February 30) and knows no
 * fraction. */
#include "moment.h"

#include "text.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000, MINUTE_S = 60, DAY_MS = 86400000, YEAR_LEAST = 1970 };

/* Exactly `n` digits; *text moves on. */
static bool digits(const char **text, int n, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < n; i++, (*text)++) {
        if (!isdigit((unsigned char)**text))
            return false;
        value = value * 10 + (**text - '0');
    }
    *ret_value = value;
    return true;
}

static bool sign_is(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool date_read(const char **text, struct tm *tm)
{
    int year, month, day;
    if (!digits(text, 4, &year) || !sign_is(text, '-') || !digits(text, 2, &month) ||
        !sign_is(text, '-') || !digits(text, 2, &day) || year < YEAR_LEAST)
        return false;
    *tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    struct tm same = *tm;
    return timegm(&same) >= 0 && same.tm_mon == tm->tm_mon && same.tm_mday == day;
}

/* ":38.5": the seconds, when there are any. */
static bool seconds_read(const char **text, struct tm *tm, struct moment *m)
{
    m->unit_ms = (uint64_t)MINUTE_S * SECOND_MS;
    if (!sign_is(text, ':'))
        return true;
    m->unit_ms = SECOND_MS;
    if (!digits(text, 2, &tm->tm_sec) || tm->tm_sec > 59)
        return false;
    if (!sign_is(text, '.'))
        return true;
    uint64_t scale = SECOND_MS;
    m->unit_ms = 1;
    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); (*text)++) {
        scale /= 10;
        m->unix_ms += scale * (uint64_t)(**text - '0');
    }
    return true;
}

/* "Z" or "+01:00". */
static bool zone_read(const char **text, int64_t *ret_seconds)
{
    int hours, minutes;
    *ret_seconds = 0;
    if (sign_is(text, 'Z') || sign_is(text, 'z'))
        return true;
    int64_t sign = **text == '+' ? 1 : -1;
    if (!sign_is(text, '+') && !sign_is(text, '-'))
        return false;
    if (!digits(text, 2, &hours) || !sign_is(text, ':') || !digits(text, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * MINUTE_S);
    return true;
}

static bool time_read(const char **text, struct tm *tm, struct moment *m, int64_t *ret_zone)
{
    if (!sign_is(text, 'T') && !sign_is(text, 't') && !sign_is(text, ' '))
        return false;
    return digits(text, 2, &tm->tm_hour) && tm->tm_hour < 24 && sign_is(text, ':') &&
           digits(text, 2, &tm->tm_min) && tm->tm_min < 60 && seconds_read(text, tm, m) &&
           zone_read(text, ret_zone);
}

static bool date_time_read(const char *text, struct moment *ret_moment)
{
    struct moment m = {.unit_ms = DAY_MS};
    struct tm tm;
    int64_t zone_s = 0;
    if (!date_read(&text, &tm))
        return false;
    if (*text && !time_read(&text, &tm, &m, &zone_s))
        return false;
    int64_t at = timegm(&tm) - zone_s;
    if (*text || at < 0)
        return false;
    m.unix_ms += (uint64_t)at * SECOND_MS;
    *ret_moment = m;
    return true;
}

int moment_read(const char *text, uint64_t now_ms, struct moment *ret_moment)
{
    uint64_t age_ms;
    size_t n = strlen(text);
    if (date_time_read(text, ret_moment))
        return 0;
    bool has_unit = n && !isdigit((unsigned char)text[n - 1]);
    if (!has_unit || text_duration_parse(text, &age_ms) != 0 || age_ms > now_ms)
        return MOMENT_INVALID;
    *ret_moment = (struct moment){.unix_ms = now_ms - age_ms, .unit_ms = 1};
    return 0;
}
