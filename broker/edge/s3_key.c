/* s3_key.c: lines, taken one by one; nothing of them is ever shown. */
#include "edge/s3_key.h"

#include "edge/secrets.h"

#include <base/auto.h>
#include <base/log.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One line without the space around it; false: there is none left. */
static bool line_next(const char **at, const char **ret_line, size_t *ret_n)
{
    if (!**at)
        return false;
    const char *end = *at + strcspn(*at, "\n"), *from = *at;
    *at = *end ? end + 1 : end;
    while (from < end && strchr(" \t\r", *from))
        from++;
    while (end > from && strchr(" \t\r", end[-1]))
        end--;
    *ret_line = from;
    *ret_n = (size_t)(end - from);
    return true;
}

static bool take(char *to, size_t room, const char *from, size_t n)
{
    if (!n || n >= room)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)from[i] < 0x21 || from[i] == 0x7f)
            return false;
    memcpy(to, from, n);
    to[n] = '\0';
    return true;
}

/* "name = value" of the one that is looked for. */
static bool member(const char *line, size_t n, const char *name, char *to, size_t room)
{
    size_t len = strlen(name);
    const char *end = line + n;
    if (n <= len || strncmp(line, name, len) != 0)
        return false;
    for (line += len; line < end && (*line == ' ' || *line == '\t'); line++)
        ;
    if (line == end || *line != '=')
        return false;
    for (line++; line < end && (*line == ' ' || *line == '\t'); line++)
        ;
    return take(to, room, line, (size_t)(end - line));
}

static void profile_parse(const char *text, struct presign_key *key)
{
    const char *line;
    size_t n;
    unsigned profiles = 0;
    while (line_next(&text, &line, &n)) {
        if (n && *line == '[' && ++profiles > 1)
            return;
        if (!member(line, n, "aws_access_key_id", key->id, sizeof key->id) &&
            !member(line, n, "aws_secret_access_key", key->secret, sizeof key->secret))
            member(line, n, "aws_session_token", key->token, sizeof key->token);
    }
}

static void lines_parse(const char *text, struct presign_key *key)
{
    const char *line;
    size_t n;
    if (!line_next(&text, &line, &n) || !take(key->id, sizeof key->id, line, n) ||
        !line_next(&text, &line, &n) || !take(key->secret, sizeof key->secret, line, n))
        *key = (struct presign_key){.id = ""};
}

int s3_key_parse(const char *text, struct presign_key *ret_key)
{
    struct presign_key key = {.id = ""};
    if (strstr(text, "aws_secret_access_key"))
        profile_parse(text, &key);
    else
        lines_parse(text, &key);
    bool is_whole = *key.id && *key.secret;
    if (is_whole)
        *ret_key = key;
    sodium_memzero(&key, sizeof key);
    return is_whole ? 0 : S3_KEY_REFUSED;
}

int s3_key_read(const char *place, struct presign_key *ret_key)
{
    char why[SECRET_WHY_MAX], *text = NULL;
    size_t n = 0;
    int r = secret_read(place, &text, &n, why);
    if (r < 0)
        return err_pass(r);
    if (r == 0) {
        r = s3_key_parse(text, ret_key);
        snprintf(why, sizeof why, "it holds no credential");
    }
    secret_free(text, n);
    if (r == 0)
        return 0;
    log_error(
        "artifacts.credentials_refused",
        "why=\"%s\" hint=\"--s3-credentials file:PATH, env:NAME or command:PROGRAM: two lines, "
        "id and secret, or the form of an AWS credentials file\"",
        why);
    return S3_KEY_REFUSED;
}
