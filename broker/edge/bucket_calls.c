/* bucket_calls.c: what is asked of a bucket, and how it is pinned to a hash. */
#include "edge/bucket.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

int bucket_outcome(int r)
{
    if (r == S3_MISSING)
        return ARTIFACTS_MISSING;
    return r > 0 ? ARTIFACTS_AWAY : r;
}

void pin_make(struct pin *p, uint64_t size, const uint8_t sha256[32])
{
    snprintf(p->size, sizeof p->size, "%llu", (unsigned long long)size);
    sodium_bin2base64(p->base64, sizeof p->base64, sha256, 32, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2hex(p->hex, sizeof p->hex, sha256, 32);
    p->header[0] = (struct presign_pair){"content-length", p->size};
    p->header[1] = (struct presign_pair){"x-amz-checksum-sha256", p->base64};
    p->header[2] = (struct presign_pair){"x-amz-content-sha256", p->hex};
}

int bucket_get(struct bucket *b, const char *name, struct s3_body *body)
{
    struct s3_ask ask = {.method = "GET", .name = name};
    return s3_call(b->s3, &ask, body);
}

int bucket_head(struct bucket *b, const char *name, struct s3_body *body)
{
    static const struct presign_pair mode = {"x-amz-checksum-mode", "ENABLED"};
    struct s3_ask ask = {.method = "HEAD", .name = name, .header = &mode, .header_n = 1};
    return s3_call(b->s3, &ask, body);
}

int bucket_delete(struct bucket *b, const char *name)
{
    struct s3_ask ask = {.method = "DELETE", .name = name};
    struct s3_body body = {0};
    int r = s3_call(b->s3, &ask, &body);
    return r == S3_MISSING ? 0 : r;
}

int bucket_put(struct bucket *b, const char *name, const char *text, const char *signed_text)
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

int bucket_list(struct bucket *b, const char *below, const char *token, const char *keys,
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

int bucket_copy(struct bucket *b, const char *from, const char *to)
{
    char source[NAME_MAX_BYTES + 72];
    struct presign_pair header = {"x-amz-copy-source", source};
    struct s3_ask ask = {.method = "PUT", .name = to, .header = &header, .header_n = 1};
    struct s3_body body = {.send = "", .send_n = 0};
    snprintf(source, sizeof source, "/%s/%s", b->bucket, from);
    return s3_call(b->s3, &ask, &body);
}
