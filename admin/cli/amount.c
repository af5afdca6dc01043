/* amount.c: see amount.h. */
#include "amount.h"

#include "moment.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS_PER_S = 1000, PER_S_MOST = 24 * 3600 };

bool amount_read(const char *text, uint64_t most, uint64_t *ret_n)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text < '0' || *text > '9' || n > most)
        return false;
    *ret_n = n;
    return true;
}

bool amount_read_in(const char *text, uint64_t unit, uint64_t *ret_n)
{
    uint64_t n;
    if (!amount_read(text, UINT64_MAX / unit, &n))
        return false;
    *ret_n = n * unit;
    return true;
}

bool amount_rate_read(const char *text, Rota__Rate *ret_rate)
{
    char first[16] = "";
    uint64_t n, seconds;
    const char *slash = strchr(text, '/');
    rota__rate__init(ret_rate);
    ret_rate->per_ms = AMOUNT_MINUTE;
    if (!strcmp(text, "off"))
        return true;
    if (!slash || (size_t)(slash - text) >= sizeof first)
        return false;
    memcpy(first, text, (size_t)(slash - text));
    if (!amount_read(first, UINT32_MAX, &n) || !n ||
        !amount_read(slash + 1, PER_S_MOST, &seconds) || !seconds)
        return false;
    ret_rate->n = (uint32_t)n;
    ret_rate->per_ms = (uint32_t)seconds * MS_PER_S;
    return true;
}

char *amount_rate_text(uint32_t n, uint32_t per_ms, char text[AMOUNT_RATE_LEN + 1])
{
    char per[TEXT_SHORT_LEN + 1];
    if (n)
        snprintf(text, AMOUNT_RATE_LEN + 1, "%u in %s", n, text_duration(per_ms, per));
    else
        snprintf(text, AMOUNT_RATE_LEN + 1, "off");
    return text;
}

bool amount_moment_read(const char *text, uint64_t now_ms, uint64_t *ret_unix_ms)
{
    uint64_t ms;
    struct moment moment;
    if (text_duration_parse(text, &ms) == 0) {
        *ret_unix_ms = now_ms + ms;
        return true;
    }
    if (moment_read(text, now_ms, &moment) != 0)
        return false;
    *ret_unix_ms = moment.unix_ms;
    return true;
}
