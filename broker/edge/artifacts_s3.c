/* artifacts_s3.c: objects in a bucket of an S3-compatible service, under
 * PREFIX/class/account/sha256.
 *
 * Whoever uploads gets a presigned PUT whose signed headers name size and SHA-256. A store that
 * holds the body against x-amz-content-sha256 takes nothing else, so the object may go straight to
 * its name. Whether this one does is tried at the start, with a body that is not what was signed.
 * With one that does not, uploads go to incoming/, and the broker copies them to their names, reads
 * the copy back and hashes it: the copy, because the uploader could still write to what it
 * uploaded.
 * Whose the bucket is: bucket_root.c. What is asked of it: bucket_calls.c. */
#include "edge/bucket.h"

#include <base/log.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { URL_S = INCOMING_AGE_MS_MAX / 1000 };

static void name_of(const struct bucket *b, const char *folder, const struct artifact_id *id,
                    char name[NAME_MAX_BYTES])
{
    char object[OBJECT_NAME_MAX];
    artifact_name(id, object);
    snprintf(name, NAME_MAX_BYTES, "%s%s%s", b->prefix, folder, object);
}

/* ---- URLs: no trip ---- */

/* Nothing waits on our side, so what is bounded is how many are given in an hour. */
static bool invite_counts(struct bucket *b, uint64_t now_ms)
{
    uint64_t hour = now_ms / INCOMING_AGE_MS_MAX;
    if (atomic_exchange(&b->hour, hour) != hour)
        atomic_store(&b->invites, 0);
    return atomic_fetch_add(&b->invites, 1) < INCOMING_MAX;
}

static int bucket_invite(struct artifacts *a, const struct artifact_id *id, uint64_t size,
                         uint64_t now_ms, char url[ARTIFACT_URL_MAX])
{
    struct bucket *b = bucket_of(a);
    char name[NAME_MAX_BYTES];
    struct pin pin;
    int r = bucket_is_ours(b);
    if (r)
        return r;
    if (!invite_counts(b, now_ms))
        return ARTIFACTS_TOO_MANY;
    name_of(b, atomic_load(&b->is_pinned) ? "" : "incoming/", id, name);
    pin_make(&pin, size, id->sha256);
    struct s3_ask ask = {.method = "PUT",
                         .name = name,
                         .header = pin.header,
                         .header_n = ARRAY_LEN(pin.header),
                         .expires_s = URL_S};
    return s3_url(b->s3, &ask, now_ms, url) == 0 ? 0 : ARTIFACTS_AWAY;
}

static int bucket_url(struct artifacts *a, const struct artifact_id *id, uint64_t now_ms,
                      char url[ARTIFACT_URL_MAX])
{
    struct bucket *b = bucket_of(a);
    char name[NAME_MAX_BYTES];
    int r = bucket_is_ours(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    struct s3_ask ask = {.method = "GET", .name = name, .expires_s = URL_S};
    return s3_url(b->s3, &ask, now_ms, url) == 0 ? 0 : ARTIFACTS_AWAY;
}

/* ---- objects ---- */

static int bucket_find(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size)
{
    struct bucket *b = bucket_of(a);
    char name[NAME_MAX_BYTES], want[HASH_B64_BYTES];
    struct s3_body body = {0};
    int r = bucket_ready(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    r = bucket_head(b, name, &body);
    if (r)
        return bucket_outcome(r);
    sodium_bin2base64(want, sizeof want, id->sha256, 32, sodium_base64_VARIANT_ORIGINAL);
    if (*body.checksum && strcmp(body.checksum, want) != 0)
        return ARTIFACTS_MISMATCH;
    *ret_size = body.length;
    return 0;
}

struct hashing {
    crypto_hash_sha256_state sha256;
    crypto_generichash_state blake2b;
};

static void hashing_restart(void *arg)
{
    struct hashing *h = arg;
    crypto_hash_sha256_init(&h->sha256);
    crypto_generichash_init(&h->blake2b, NULL, 0, 32);
}

static int hashing_add(void *arg, const void *p, size_t n)
{
    struct hashing *h = arg;
    crypto_hash_sha256_update(&h->sha256, p, n);
    crypto_generichash_update(&h->blake2b, p, n);
    return 0;
}

/* Reads the copy back: 0, ARTIFACTS_MISMATCH or ARTIFACTS_AWAY. */
static int copy_check(struct bucket *b, const char *name, const struct artifact_id *id,
                      const struct artifact_check *check)
{
    uint8_t sha256[32], blake2b[32];
    struct hashing h;
    struct s3_body body = {.sink = hashing_add, .restart = hashing_restart, .arg = &h};
    int r = bucket_get(b, name, &body);
    if (r)
        return bucket_outcome(r);
    crypto_hash_sha256_final(&h.sha256, sha256);
    crypto_generichash_final(&h.blake2b, blake2b, sizeof blake2b);
    bool is_same = memcmp(sha256, id->sha256, sizeof sha256) == 0 &&
                   (!check->blake2b || memcmp(blake2b, check->blake2b, sizeof blake2b) == 0);
    return is_same ? 0 : ARTIFACTS_MISMATCH;
}

/* An upload that the store did not check. */
static int copy_take(struct bucket *b, const struct artifact_id *id,
                     const struct artifact_check *check, const char *from)
{
    char to[NAME_MAX_BYTES];
    name_of(b, "", id, to);
    int r = bucket_outcome(bucket_copy(b, from, to));
    if (r)
        return r;
    r = copy_check(b, to, id, check);
    if (r != 0 && bucket_delete(b, to) != 0)
        return ARTIFACTS_AWAY; /* never leave what was not checked under a name that means it was */
    return r;
}

static int bucket_take(struct artifacts *a, const struct artifact_id *id,
                       const struct artifact_check *check, uint64_t *ret_size)
{
    struct bucket *b = bucket_of(a);
    char from[NAME_MAX_BYTES];
    struct s3_body body = {0};
    int r = bucket_ready(b);
    if (r)
        return r;
    if (atomic_load(&b->is_pinned))
        return ARTIFACTS_MISSING; /* under its name or nowhere, and bucket_find() has looked there
                                   */
    name_of(b, "incoming/", id, from);
    r = bucket_outcome(bucket_head(b, from, &body));
    if (r)
        return r;
    *ret_size = body.length;
    if (check->size != UINT64_MAX && body.length != check->size)
        r = ARTIFACTS_MISMATCH;
    else if (body.length > check->size_max)
        r = ARTIFACTS_TOO_LARGE;
    else
        r = copy_take(b, id, check, from);
    if (r != ARTIFACTS_AWAY && r >= 0 && bucket_delete(b, from) != 0)
        log_warn("artifacts.drop_failed", "class=incoming account=%s why=\"the store is away\"",
                 id->account);
    return r;
}

static int bucket_read(struct artifacts *a, const struct artifact_id *id, uint64_t offset, void *p,
                       size_t n, size_t *ret_n)
{
    struct bucket *b = bucket_of(a);
    char name[NAME_MAX_BYTES], range[64];
    struct s3_body body = {.range = range, .room = p, .room_n = n};
    int r = bucket_ready(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)offset,
             (unsigned long long)(offset + n - 1));
    r = bucket_get(b, name, &body);
    if (r)
        return bucket_outcome(r);
    *ret_n = body.n;
    return 0;
}

static int bucket_drop(struct artifacts *a, const struct artifact_id *id)
{
    struct bucket *b = bucket_of(a);
    char name[NAME_MAX_BYTES];
    int r = bucket_ready(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    return bucket_outcome(bucket_delete(b, name));
}

/* ---- made and freed ---- */

static struct artifacts *bucket_free(struct artifacts *a)
{
    struct bucket *b = bucket_of(a);
    s3_free(b->s3);
    pthread_mutex_destroy(&b->checking);
    free(b);
    return NULL;
}

static void bucket_stop(struct artifacts *a)
{
    s3_stop(bucket_of(a)->s3);
}

static void bucket_reload(struct artifacts *a)
{
    s3_reload(bucket_of(a)->s3);
}

static const struct artifacts_ops ops = {
    .free = bucket_free,
    .stop = bucket_stop,
    .reload = bucket_reload,
    .health = bucket_health,
    .invite = bucket_invite,
    .find = bucket_find,
    .take = bucket_take,
    .url = bucket_url,
    .read = bucket_read,
    .drop = bucket_drop,
    .sweep_incoming = bucket_sweep_incoming,
    .walk_some = bucket_walk_some,
    .is_remote = true,
};

/* "s3://BUCKET[/PREFIX]": lower-case letters, digits, dots and hyphens, and slashes between. */
static bool url_parse(struct bucket *b, const char *url)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    const char *bucket = strncmp(url, "s3://", 5) == 0 ? url + 5 : "";
    size_t n = strspn(bucket, letters);
    const char *prefix = bucket + n + (bucket[n] == '/');
    size_t prefix_n = strlen(prefix);
    while (prefix_n && prefix[prefix_n - 1] == '/')
        prefix_n--;
    if (n < 3 || n >= sizeof b->bucket || (bucket[n] && bucket[n] != '/') ||
        prefix_n >= PREFIX_MAX || strstr(prefix, "//") || *prefix == '/')
        return false;
    for (size_t i = 0; i < prefix_n; i++)
        if (prefix[i] != '/' && prefix[i] != '_' && !strchr(letters, prefix[i]))
            return false;
    snprintf(b->bucket, sizeof b->bucket, "%.*s", (int)n, bucket);
    snprintf(b->prefix, sizeof b->prefix, "%.*s%s", (int)prefix_n, prefix, prefix_n ? "/" : "");
    return true;
}

static int bucket_up(struct bucket *b, const struct artifacts_s3_config *config)
{
    if (!url_parse(b, config->url)) {
        log_error("artifacts.refused", "why=\"this is no name of a bucket\" hint=\"--artifacts "
                                       "s3://BUCKET[/PREFIX], of a-z 0-9 . - alone\"");
        return ARTIFACTS_MISMATCH;
    }
    struct s3_config s3 = {.bucket = b->bucket,
                           .endpoint = config->endpoint,
                           .region = config->region,
                           .credentials = config->credentials};
    int r = s3_new(&s3, &b->s3);
    if (r)
        return r < 0 ? err_pass(r) : ARTIFACTS_MISMATCH;
    r = bucket_root_check(b);
    if (r == ARTIFACTS_AWAY || r == -EPROTO) {
        log_warn("artifacts.unreached", "endpoint=%s bucket=%s", config->endpoint, b->bucket);
        r = 0;
    }
    return r;
}

int artifacts_open_s3(const struct artifacts_s3_config *config, struct artifacts **ret_artifacts)
{
    struct bucket *b = calloc(1, sizeof *b);
    if (!b)
        return err_raise(-ENOMEM);
    b->base.ops = &ops;
    pthread_mutex_init(&b->checking, NULL);
    snprintf(b->environment, sizeof b->environment, "%s", config->environment);
    int r = bucket_up(b, config);
    if (r == 0)
        *ret_artifacts = &b->base;
    else
        bucket_free(&b->base);
    return r < 0 ? err_pass(r) : r;
}
