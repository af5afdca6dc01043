/* origin.c: tables of beginnings. A place that no table knows and that has a slash in it is npm's
 * short form of a GitHub repository ("owner/name"). */
#include "origin.h"

#include <base/auto.h>
#include <stdio.h>
#include <string.h>

static const char *const foreign[] = {
    "git+",  "git:",    "git@",   "ssh:",  "github:", "gitlab:", "bitbucket:",
    "gist:", "http:",   "https:", "file:", "link:",   "./",      "../",
    "/",     "portal:", "exec:",  "~/",    "git-ssh:"};

/* Names that may have a slash behind them: "npm:@scope/name@1" is an alias. */
static const char *const known[] = {"npm:", "workspace:", "catalog:", "patch:"};

static bool begins(const char *text, const char *const *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(text, table[i], strlen(table[i])) == 0)
            return true;
    return false;
}

bool origin_is_foreign(const char *spec)
{
    return begins(spec, foreign, ARRAY_LEN(foreign)) ||
           (strchr(spec, '/') && !begins(spec, known, ARRAY_LEN(known)));
}

static const char scheme[] = "https://";

bool origin_is_registry(const char *url)
{
    if (strncmp(url, scheme, sizeof scheme - 1) != 0 || strpbrk(url, "?# \\\"'"))
        return false;
    const char *host = url + sizeof scheme - 1;
    size_t n = strcspn(host, "/");
    return n > 0 && !memchr(host, '@', n) && strstr(host + n, "/-/");
}

static const char *const hashes[] = {"sha512-", "sha384-", "sha256-", "sha1-"};

bool origin_is_integrity(const char *text)
{
    for (size_t i = 0; text && i < ARRAY_LEN(hashes); i++)
        if (strncmp(text, hashes[i], strlen(hashes[i])) == 0 && text[strlen(hashes[i])])
            return true;
    return false;
}

/* Where the part that ends before `end` begins; `from` is the least. */
static const char *part_begin(const char *from, const char *end)
{
    while (end > from && end[-1] != '/')
        end--;
    return end;
}

bool origin_place(const char *url, char *ret, size_t size)
{
    if (!origin_is_registry(url))
        return false;
    const char *path = url + sizeof scheme - 1;
    path += strcspn(path, "/") + 1;
    const char *mark = strstr(path - 1, "/-/");
    if (mark <= path || strstr(mark + 1, "/-/") || strstr(path, "/../") || strstr(path, "//"))
        return false;
    const char *name = part_begin(path, mark);
    const char *scope = name > path ? part_begin(path, name - 1) : name;
    if (*scope != '@')
        scope = name;
    int n = snprintf(ret, size, "%s", scope);
    return n > 0 && (size_t)n < size;
}

size_t origin_name_len(const char *pattern)
{
    const char *at = *pattern ? strchr(pattern + 1, '@') : NULL;
    return at ? (size_t)(at - pattern) : 0;
}
