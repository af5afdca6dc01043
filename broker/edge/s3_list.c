/* s3_list.c: looks for tags, as nothing but a handful of them matters and none of them has parts
 * that could hide another. */
#include "edge/s3_list.h"

#include <string.h>
#include <time.h>

/* The text between <name> and </name>, from `from` on and before `end`; NULL: none. */
static const char *tag(const char *from, const char *end, const char *name, size_t *ret_n)
{
    size_t len = strlen(name);
    for (const char *p = from; (p = strchr(p, '<')) && p < end; p++) {
        if (strncmp(p + 1, name, len) != 0 || p[1 + len] != '>')
            continue;
        const char *text = p + 2 + len, *close = strchr(text, '<');
        if (!close || close >= end)
            return NULL;
        *ret_n = (size_t)(close - text);
        return text;
    }
    return NULL;
}

static bool copy(char *to, size_t room, const char *from, size_t n)
{
    if (!from || n >= room)
        return false;
    memcpy(to, from, n);
    to[n] = '\0';
    return true;
}

/* "2026-11-20T15:38:15.226Z"; 0 when it is none. */
static uint64_t time_parse(const char *text, size_t n)
{
    char copied[32];
    struct tm tm = {0};
    if (!copy(copied, sizeof copied, text, n) || !strptime(copied, "%Y-%m-%dT%H:%M:%S", &tm))
        return 0;
    time_t s = timegm(&tm);
    return s > 0 ? (uint64_t)s * 1000 : 0;
}

bool s3_page_next(struct s3_page *page, struct s3_listed *ret_listed)
{
    static const char open[] = "<Contents>", close[] = "</Contents>";
    for (const char *p; (p = strstr(page->at, open));) {
        const char *from = p + strlen(open), *end = strstr(from, close);
        size_t key_n = 0, time_n = 0;
        if (!end)
            return false;
        page->at = end + strlen(close);
        const char *key = tag(from, end, "Key", &key_n);
        const char *time = tag(from, end, "LastModified", &time_n);
        if (!time || !copy(ret_listed->name, sizeof ret_listed->name, key, key_n))
            continue;
        ret_listed->modified_ms = time_parse(time, time_n);
        if (ret_listed->modified_ms)
            return true;
    }
    return false;
}

bool s3_page_more(const struct s3_page *page, char ret_token[S3_TOKEN_MAX])
{
    size_t n = 0;
    const char *end = page->text + strlen(page->text);
    const char *cut = tag(page->text, end, "IsTruncated", &n);
    if (!cut || n != 4 || strncmp(cut, "true", 4) != 0)
        return false;
    const char *token = tag(page->text, end, "NextContinuationToken", &n);
    return copy(ret_token, S3_TOKEN_MAX, token, n);
}

bool s3_page_is_one(const struct s3_page *page)
{
    return strstr(page->text, "<ListBucketResult") != NULL &&
           strstr(page->text, "</ListBucketResult>") != NULL;
}
