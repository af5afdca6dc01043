/* clock.c: RFC 3339 in UTC with milliseconds, the one text form of a time. */
#include "base/clock.h"

#include <stdio.h>

char *rfc3339(uint64_t unix_ms, char text[RFC3339_LEN + 1])
{
    time_t s = (time_t)(unix_ms / 1000);
    struct tm tm;
    char day[20];
    if (!gmtime_r(&s, &tm) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm))
        day[0] = 0;
    snprintf(text, RFC3339_LEN + 1, "%s.%03uZ", day, (unsigned)(unix_ms % 1000));
    return text;
}
