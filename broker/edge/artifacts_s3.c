/* artifacts_s3.c: objects in a bucket of an S3-compatible service, under
 * PREFIX/class/account/sha256.
 *
 * Whoever uploads gets a presigned PUT whose signed headers name size and SHA-256. A store that
 * holds the body against x-amz-content-sha256 takes nothing else, so the object may go straight to
 * its name. Whether this one does is tried at the start, with a body that is not what was signed.
 * With one that does not, uploads go to incoming/, and the broker copies them to their names, reads
 * the copy back and hashes it: the copy, because the uploader could still write to what it
 * uploaded.
 *
 * Nothing is done with a bucket before its marker was read: the process starts without a service
 * that is down, but never writes into another environment's bucket. */
#include "edge/artifacts_impl.h"
#include "edge/s3_call.h"
#include "edge/s3_list.h"

#include <base/clock.h>
#include <base/log.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    PREFIX_MAX = 128,
    NAME_MAX_BYTES = PREFIX_MAX + OBJECT_NAME_MAX + 32,
    PAGE_BYTES = 1 << 20,
    SWEEP_PAGES_MAX = 10,
    URL_S = INCOMING_AGE_MS_MAX / 1000,
    HASH_B64_BYTES = 48,
};
#define PAGE_KEYS "500"

enum root_state { ROOT_UNKNOWN, ROOT_OURS, ROOT_FOREIGN };

struct bucket {
    struct artifacts base;
    struct s3 *s3;
    char bucket[64], prefix[PREFIX_MAX + 1]; /* "" or "some/path/" */
    char environment[MARKER_BYTES_MAX + 1];
    pthread_mutex_t checking;
    _Atomic int root;               /* enum root_state */
    _Atomic bool is_pinned;         /* the store checks bodies; known once the root is ours */
    _Atomic uint64_t hour, invites; /* given in that hour */
};

static struct bucket *bucket_of(struct artifacts *a)
{
    return (struct bucket *)a;
}

static int outcome_of(int r)
{
    if (r == S3_MISSING)
        return ARTIFACTS_MISSING;
    return r > 0 ? ARTIFACTS_AWAY : r;
}

static void name_of(const struct bucket *b, const char *folder, const struct artifact_id *id,
                    char name[NAME_MAX_BYTES])
{
    char object[OBJECT_NAME_MAX];
    artifact_name(id, object);
    snprintf(name, NAME_MAX_BYTES, "%s%s%s", b->prefix, folder, object);
}

/* The headers that pin an upload, in the order of their letters. */
struct pin {
    char size[24], base64[HASH_B64_BYTES], hex[SHA256_HEX_LEN + 1];
    struct presign_pair header[3];
};

static void pin_make(struct pin *p, uint64_t size, const uint8_t sha256[32])
{
    snprintf(p->size, sizeof p->size, "%llu", (unsigned long long)size);
    sodium_bin2base64(p->base64, sizeof p->base64, sha256, 32, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2hex(p->hex, sizeof p->hex, sha256, 32);
    p->header[0] = (struct presign_pair){"content-length", p->size};
    p->header[1] = (struct presign_pair){"x-amz-checksum-sha256", p->base64};
    p->header[2] = (struct presign_pair){"x-amz-content-sha256", p->hex};
}

/* ---- plain calls ---- */

static int get(struct bucket *b, const char *name, struct s3_body *body)
{
    struct s3_ask ask = {.method = "GET", .name = name};
    return s3_call(b->s3, &ask, body);
}

static int head(struct bucket *b, const char *name, struct s3_body *body)
{
    static const struct presign_pair mode = {"x-amz-checksum-mode", "ENABLED"};
    struct s3_ask ask = {.method = "HEAD", .name = name, .header = &mode, .header_n = 1};
    return s3_call(b->s3, &ask, body);
}

static int delete (struct bucket *b, const char *name)
{
    struct s3_ask ask = {.method = "DELETE", .name = name};
    struct s3_body body = {0};
    int r = s3_call(b->s3, &ask, &body);
    return r == S3_MISSING ? 0 : r;
}

/* A small object whose hash is signed as that of `signed_text`. */
static int put(struct bucket *b, const char *name, const char *text, const char *signed_text)
{
    uint8_t sha256[32];
    struct pin pin;
    crypto_hash_sha256(sha256, (const uint8_t *)signed_text, strlen(signed_text));
    pin_make(&pin, strlen(text), sha256);
    struct s3_ask ask = {.method = "PUT", .name = name, .header = pin.header, .header_n = 3};
    struct s3_body body = {
        .send = text, .send_n = strlen(text), .may_be_refused = text != signed_text};
    return s3_call(b->s3, &ask, &body);
}

/* One page of names below `below`, from `token` ("": the first) on, into PAGE_BYTES of `text`. */
static int list(struct bucket *b, const char *below, const char *token, const char *keys,
                char *text, struct s3_page *ret_page)
{
    char prefix[NAME_MAX_BYTES];
    struct presign_pair query[4] = {{"list-type", "2"}, {"max-keys", keys}, {"prefix", prefix}};
    struct s3_ask ask = {.method = "GET", .name = "", .query = query, .query_n = 3};
    struct s3_body body = {.room = text, .room_n = PAGE_BYTES - 1};
    snprintf(prefix, sizeof prefix, "%s%s", b->prefix, below);
    if (*token)
        query[ask.query_n++] = (struct presign_pair){"continuation-token", token};
    int r = s3_call(b->s3, &ask, &body);
    if (r)
        return r;
    text[body.n] = '\0';
    *ret_page = (struct s3_page){text, text};
    return body.is_cut || !s3_page_is_one(ret_page) ? err_raise(-EPROTO) : 0;
}

/* ---- the root: whose it is, and how far its store can be trusted ---- */

static int marker_get(struct bucket *b, const char *name)
{
    char text[MARKER_BYTES_MAX + 1];
    struct s3_body body = {.room = text, .room_n = sizeof text};
    int r = get(b, name, &body);
    return r ? outcome_of(r) : marker_judge(text, body.n, b->environment);
}

static int marker_make(struct bucket *b, const char *name)
{
    struct s3_page page;
    struct s3_listed first;
    char line[MARKER_BYTES_MAX + 2];
    AUTO_FREE char *text = malloc(PAGE_BYTES);
    if (!text)
        return err_raise(-ENOMEM);
    int r = list(b, "", "", "1", text, &page);
    if (r == S3_MISSING) {
        log_error("artifacts.refused",
                  "why=\"there is no bucket %s\" hint=\"make it, or correct "
                  "--artifacts\"",
                  b->bucket);
        return ARTIFACTS_MISMATCH;
    }
    if (r)
        return outcome_of(r);
    if (s3_page_next(&page, &first))
        return marker_judge("", 0, b->environment);
    snprintf(line, sizeof line, "%s\n", b->environment);
    r = put(b, name, line, line);
    /* Another environment may have come in between: what stands there now counts. */
    return r ? outcome_of(r) : marker_get(b, name);
}

static int marker_check(struct bucket *b)
{
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s%s", b->prefix, MARKER_NAME);
    int r = marker_get(b, name);
    return r == ARTIFACTS_MISSING ? marker_make(b, name) : r;
}

/* Does the store refuse a body that is not the one that was signed? */
static int pins_check(struct bucket *b)
{
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%srota-probe", b->prefix);
    int right = put(b, name, "right", "right");
    int wrong = right ? right : put(b, name, "wrong", "right");
    if (right || (wrong && wrong != S3_REFUSED))
        return outcome_of(right ? right : wrong);
    atomic_store(&b->is_pinned, wrong == S3_REFUSED);
    log_info("artifacts.store", "bucket=%s hashes=%s", b->bucket,
             wrong == S3_REFUSED ? "store" : "broker");
    return outcome_of(delete (b, name));
}

static int root_check(struct bucket *b)
{
    int r = marker_check(b);
    if (r == 0)
        r = pins_check(b);
    if (r == 0)
        atomic_store(&b->root, ROOT_OURS);
    if (r != ARTIFACTS_ENVIRONMENT)
        return r;
    atomic_store(&b->root, ROOT_FOREIGN);
    return r;
}

/* 0 once the root is known to be ours; else asks again. (slow) */
static int ready(struct bucket *b)
{
    int root = atomic_load(&b->root);
    if (root != ROOT_UNKNOWN)
        return root == ROOT_OURS ? 0 : ARTIFACTS_AWAY;
    pthread_mutex_lock(&b->checking);
    int r = atomic_load(&b->root) == ROOT_UNKNOWN ? root_check(b) : 0;
    pthread_mutex_unlock(&b->checking);
    if (r == ARTIFACTS_ENVIRONMENT)
        log_error("artifacts.environment", "bucket=%s ours=%s theirs=\"%s\"", b->bucket,
                  b->environment, artifacts_owner());
    return r > 0 ? ARTIFACTS_AWAY : r;
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
    if (atomic_load(&b->root) != ROOT_OURS)
        return ARTIFACTS_AWAY;
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
    if (atomic_load(&b->root) != ROOT_OURS)
        return ARTIFACTS_AWAY;
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
    int r = ready(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    r = head(b, name, &body);
    if (r)
        return outcome_of(r);
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
    int r = get(b, name, &body);
    if (r)
        return outcome_of(r);
    crypto_hash_sha256_final(&h.sha256, sha256);
    crypto_generichash_final(&h.blake2b, blake2b, sizeof blake2b);
    bool is_same = memcmp(sha256, id->sha256, sizeof sha256) == 0 &&
                   (!check->blake2b || memcmp(blake2b, check->blake2b, sizeof blake2b) == 0);
    return is_same ? 0 : ARTIFACTS_MISMATCH;
}

static int copy(struct bucket *b, const char *from, const char *to)
{
    char source[NAME_MAX_BYTES + 72];
    struct presign_pair header = {"x-amz-copy-source", source};
    struct s3_ask ask = {.method = "PUT", .name = to, .header = &header, .header_n = 1};
    struct s3_body body = {.send = "", .send_n = 0};
    snprintf(source, sizeof source, "/%s/%s", b->bucket, from);
    return s3_call(b->s3, &ask, &body);
}

/* An upload that the store did not check. */
static int copy_take(struct bucket *b, const struct artifact_id *id,
                     const struct artifact_check *check, const char *from)
{
    char to[NAME_MAX_BYTES];
    name_of(b, "", id, to);
    int r = outcome_of(copy(b, from, to));
    if (r)
        return r;
    r = copy_check(b, to, id, check);
    if (r != 0 && delete (b, to) != 0)
        return ARTIFACTS_AWAY; /* never leave what was not checked under a name that means it was */
    return r;
}

static int bucket_take(struct artifacts *a, const struct artifact_id *id,
                       const struct artifact_check *check, uint64_t *ret_size)
{
    struct bucket *b = bucket_of(a);
    char from[NAME_MAX_BYTES];
    struct s3_body body = {0};
    int r = ready(b);
    if (r)
        return r;
    if (atomic_load(&b->is_pinned))
        return ARTIFACTS_MISSING; /* under its name or nowhere, and bucket_find() has looked there
                                   */
    name_of(b, "incoming/", id, from);
    r = outcome_of(head(b, from, &body));
    if (r)
        return r;
    *ret_size = body.length;
    if (check->size != UINT64_MAX && body.length != check->size)
        r = ARTIFACTS_MISMATCH;
    else if (body.length > check->size_max)
        r = ARTIFACTS_TOO_LARGE;
    else
        r = copy_take(b, id, check, from);
    if (r != ARTIFACTS_AWAY && r >= 0 && delete (b, from) != 0)
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
    int r = ready(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)offset,
             (unsigned long long)(offset + n - 1));
    r = get(b, name, &body);
    if (r)
        return outcome_of(r);
    *ret_n = body.n;
    return 0;
}

static int bucket_drop(struct artifacts *a, const struct artifact_id *id)
{
    struct bucket *b = bucket_of(a);
    char name[NAME_MAX_BYTES];
    int r = ready(b);
    if (r)
        return r;
    name_of(b, "", id, name);
    return outcome_of(delete (b, name));
}

/* ---- sweeps ---- */

static int bucket_sweep_incoming(struct artifacts *a, uint64_t now_ms, uint64_t age_ms)
{
    struct bucket *b = bucket_of(a);
    struct s3_page page;
    struct s3_listed listed;
    char token[S3_TOKEN_MAX] = "";
    AUTO_FREE char *text = malloc(PAGE_BYTES);
    int r = text ? ready(b) : err_raise(-ENOMEM);
    bool has_more = r == 0 && !atomic_load(&b->is_pinned);
    for (int pages = 0; r == 0 && has_more && pages < SWEEP_PAGES_MAX; pages++) {
        r = outcome_of(list(b, "incoming/", token, PAGE_KEYS, text, &page));
        while (r == 0 && s3_page_next(&page, &listed))
            if (listed.modified_ms + age_ms < now_ms)
                r = outcome_of(delete (b, listed.name));
        has_more = r == 0 && s3_page_more(&page, token);
    }
    return r;
}

/* "PREFIX" + class/account/hash of this class; false: a name of somebody else. */
static bool listed_parse(const struct bucket *b, Rota__ObjectKind kind, char *name,
                         char **ret_account, uint8_t ret_sha256[32])
{
    const char *class = artifact_class(kind);
    size_t prefix_n = strlen(b->prefix), class_n = strlen(class);
    if (strncmp(name, b->prefix, prefix_n) != 0 || strncmp(name + prefix_n, class, class_n) != 0 ||
        name[prefix_n + class_n] != '/')
        return false;
    char *account = name + prefix_n + class_n + 1, *slash = strchr(account, '/');
    if (!slash || slash == account || slash - account > 64)
        return false;
    *slash = '\0';
    *ret_account = account;
    return artifact_hash_parse(slash + 1, strlen(slash + 1), ret_sha256);
}

static int page_visit(struct bucket *b, Rota__ObjectKind kind, struct s3_page *page,
                      const struct artifacts_walk *walk)
{
    struct s3_listed listed;
    int r = 0;
    while (r == 0 && s3_page_next(page, &listed)) {
        struct artifact_id id = {.kind = kind};
        char *account;
        if (listed.modified_ms + walk->age_ms >= walk->now_ms ||
            !listed_parse(b, kind, listed.name, &account, id.sha256))
            continue;
        id.account = account;
        r = walk->visit(walk->arg, &id);
    }
    return r;
}

/* A page at a time. */
static int bucket_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                            struct artifacts_place *place)
{
    struct bucket *b = bucket_of(a);
    struct s3_page page;
    char below[32];
    AUTO_FREE char *text = malloc(PAGE_BYTES);
    int r = text ? ready(b) : err_raise(-ENOMEM);
    if (r)
        return r;
    if (!*place->at)
        place->kind++;
    Rota__ObjectKind kind = (Rota__ObjectKind)place->kind;
    snprintf(below, sizeof below, "%s/", artifact_class(kind));
    r = list(b, below, place->at, PAGE_KEYS, text, &page);
    if (r)
        return outcome_of(r);
    r = page_visit(b, kind, &page, walk);
    if (!s3_page_more(&page, place->at))
        place->at[0] = '\0';
    place->is_end = !*place->at && !artifact_class((Rota__ObjectKind)(place->kind + 1));
    return r < 0 ? err_pass(r) : r;
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
    r = root_check(b);
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
