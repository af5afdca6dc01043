/* presign.c: the canonical request, its hash, and a signature by a key that is derived from the
 * secret, the day, the region and the service.
 *
 * Nothing is ever escaped in a path: names that would need it are refused. What stands in the query
 * is escaped by the protocol's rule (all but letters, digits and - . _ ~), and its parts are put in
 * the order of their names. */
#include "edge/presign.h"

#include <base/auto.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DATE_LEN = 8, TIME_LEN = 16, HEX_LEN = 64, NAMES_MAX = 256, SCOPE_MAX = 128 };

/* A text that grows in a fixed place; `is_short` once something did not fit. */
struct sink {
    char *p;
    size_t n, room;
    bool is_short;
};

static void put(struct sink *s, const char *text)
{
    size_t n = strlen(text);
    if (s->is_short || n >= s->room - s->n) {
        s->is_short = true;
        return;
    }
    memcpy(s->p + s->n, text, n + 1);
    s->n += n;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

static void put_escaped(struct sink *s, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const char *c = text; *c; c++) {
        char one[4] = {*c, 0};
        if (!is_unreserved(*c)) {
            one[0] = '%';
            one[1] = hex[(uint8_t)*c >> 4];
            one[2] = hex[(uint8_t)*c & 15];
        }
        put(s, one);
    }
}

static bool path_is_plain(const char *path)
{
    if (*path != '/')
        return false;
    for (const char *c = path; *c; c++)
        if (*c == '~' || (!is_unreserved(*c) && *c != '/'))
            return false;
    return !strstr(path, "//") && !strstr(path, "/.");
}

static const char *host_of(const char *endpoint)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(endpoint, schemes[i], strlen(schemes[i])) == 0)
            return endpoint + strlen(schemes[i]);
    return NULL;
}

/* ---- the parts ---- */

struct parts {
    char time[TIME_LEN + 1]; /* "20130524T000000Z" */
    char scope[SCOPE_MAX];   /* "20130524/us-east-1/s3/aws4_request" */
    char names[NAMES_MAX];   /* "host;x-amz-content-sha256" */
    char query[PRESIGN_URL_MAX];
};

static bool time_make(uint64_t now_ms, char time[TIME_LEN + 1])
{
    struct tm tm;
    time_t s = (time_t)(now_ms / 1000);
    return gmtime_r(&s, &tm) && strftime(time, TIME_LEN + 1, "%Y%m%dT%H%M%SZ", &tm) == TIME_LEN;
}

/* Comes before every other header that is ever signed but content-length, by its letters. */
static bool names_make(const struct presign *p, char names[NAMES_MAX])
{
    struct sink s = {.p = names, .room = NAMES_MAX};
    bool has_host = false;
    put(&s, "");
    for (size_t i = 0; i <= p->header_n; i++) {
        const char *name = i < p->header_n ? p->header[i].name : "host";
        bool is_after = i == p->header_n || strcmp("host", name) < 0;
        if (!has_host && is_after) {
            put(&s, s.n ? ";host" : "host");
            has_host = true;
        }
        if (i == p->header_n)
            break;
        put(&s, s.n ? ";" : "");
        put(&s, name);
    }
    return !s.is_short;
}

static int by_name(const void *x, const void *y)
{
    const struct presign_pair *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static bool query_make(const struct presign *p, const struct presign_key *key, struct parts *parts)
{
    char credential[PRESIGN_ID_MAX + SCOPE_MAX + 2], expires[16];
    struct presign_pair all[6 + PRESIGN_PAIRS_MAX] = {
        {"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
        {"X-Amz-Credential", credential},
        {"X-Amz-Date", parts->time},
        {"X-Amz-Expires", expires},
        {"X-Amz-SignedHeaders", parts->names},
    };
    size_t n = 5;
    snprintf(credential, sizeof credential, "%s/%s", key->id, parts->scope);
    snprintf(expires, sizeof expires, "%u", p->expires_s);
    if (*key->token)
        all[n++] = (struct presign_pair){"X-Amz-Security-Token", key->token};
    for (size_t i = 0; i < p->query_n; i++)
        all[n++] = p->query[i];
    qsort(all, n, sizeof *all, by_name);
    struct sink s = {.p = parts->query, .room = sizeof parts->query};
    for (size_t i = 0; i < n; i++) {
        put(&s, i ? "&" : "");
        put_escaped(&s, all[i].name);
        put(&s, "=");
        put_escaped(&s, all[i].value);
    }
    return !s.is_short;
}

/* ---- hashes ---- */

static void hmac(const uint8_t *key, size_t key_n, const char *text, uint8_t ret_mac[32])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_n);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, ret_mac);
    sodium_memzero(&state, sizeof state);
}

static void signature_make(const struct presign_key *key, const char *region,
                           const struct parts *parts, const char *text, char ret_hex[HEX_LEN + 1])
{
    uint8_t mac[32];
    char first[PRESIGN_SECRET_MAX + 8], day[DATE_LEN + 1] = {0};
    memcpy(day, parts->time, DATE_LEN);
    snprintf(first, sizeof first, "AWS4%s", key->secret);
    hmac((const uint8_t *)first, strlen(first), day, mac);
    hmac(mac, sizeof mac, region, mac);
    hmac(mac, sizeof mac, "s3", mac);
    hmac(mac, sizeof mac, "aws4_request", mac);
    hmac(mac, sizeof mac, text, mac);
    sodium_bin2hex(ret_hex, HEX_LEN + 1, mac, sizeof mac);
    sodium_memzero(first, sizeof first);
    sodium_memzero(mac, sizeof mac);
}

/* Each signed header with its value, in the order of `names`. */
static void put_headers(struct sink *s, const struct presign *p, const char *host)
{
    bool has_host = false;
    for (size_t i = 0; i <= p->header_n; i++) {
        bool is_after = i == p->header_n || strcmp("host", p->header[i].name) < 0;
        if (!has_host && is_after) {
            put(s, "host:");
            put(s, host);
            put(s, "\n");
            has_host = true;
        }
        if (i == p->header_n)
            break;
        put(s, p->header[i].name);
        put(s, ":");
        put(s, p->header[i].value);
        put(s, "\n");
    }
}

static const char *payload_of(const struct presign *p)
{
    for (size_t i = 0; i < p->header_n; i++)
        if (strcmp(p->header[i].name, "x-amz-content-sha256") == 0)
            return p->header[i].value;
    return "UNSIGNED-PAYLOAD";
}

/* SHA-256 of the canonical request. */
static bool request_hash(const struct presign *p, const char *host, const struct parts *parts,
                         char ret_hex[HEX_LEN + 1])
{
    char text[PRESIGN_URL_MAX + 4096];
    uint8_t hash[crypto_hash_sha256_BYTES];
    struct sink s = {.p = text, .room = sizeof text};
    const char *const head[] = {p->method, "\n", p->path, "\n", parts->query, "\n"};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        put(&s, head[i]);
    put_headers(&s, p, host);
    put(&s, "\n");
    put(&s, parts->names);
    put(&s, "\n");
    put(&s, payload_of(p));
    crypto_hash_sha256(hash, (const uint8_t *)text, s.n);
    sodium_bin2hex(ret_hex, HEX_LEN + 1, hash, sizeof hash);
    return !s.is_short;
}

static bool is_whole(const struct presign *p, const struct presign_key *key, const char *host)
{
    if (!host || !*host || strpbrk(host, "/?#@ \r\n") || !path_is_plain(p->path) || !*key->id ||
        !*key->secret || !*p->region || strlen(p->region) > SCOPE_MAX / 2 || !p->expires_s ||
        p->expires_s > PRESIGN_EXPIRES_S_MAX || p->query_n > PRESIGN_PAIRS_MAX)
        return false;
    for (size_t i = 0; i < p->header_n; i++)
        if (strpbrk(p->header[i].value, "\r\n"))
            return false;
    return true;
}

int presign_url(const struct presign *p, const struct presign_key *key, char url[PRESIGN_URL_MAX])
{
    struct parts parts;
    char hash[HEX_LEN + 1], signature[HEX_LEN + 1], text[256];
    const char *host = host_of(p->endpoint);
    if (!is_whole(p, key, host) || !time_make(p->now_ms, parts.time))
        return PRESIGN_REFUSED;
    snprintf(parts.scope, sizeof parts.scope, "%.*s/%s/s3/aws4_request", DATE_LEN, parts.time,
             p->region);
    if (!names_make(p, parts.names) || !query_make(p, key, &parts) ||
        !request_hash(p, host, &parts, hash))
        return PRESIGN_REFUSED;
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", parts.time, parts.scope, hash);
    signature_make(key, p->region, &parts, text, signature);
    struct sink s = {.p = url, .room = PRESIGN_URL_MAX};
    const char *const all[] = {p->endpoint,         p->path,  "?", parts.query,
                               "&X-Amz-Signature=", signature};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        put(&s, all[i]);
    return s.is_short ? PRESIGN_REFUSED : 0;
}
