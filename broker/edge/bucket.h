/* bucket.h: the store in a bucket: shared by artifacts_s3.c and the files bucket_*.c alone. */
#pragma once

#include "edge/artifacts_impl.h"
#include "edge/s3_call.h"
#include "edge/s3_list.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PREFIX_MAX = 128,
    NAME_MAX_BYTES = PREFIX_MAX + OBJECT_NAME_MAX + 32,
    PAGE_BYTES = 1 << 20,
    HASH_B64_BYTES = 48,
};

enum root_state { ROOT_UNKNOWN, ROOT_OURS, ROOT_FOREIGN };

struct bucket {
    struct artifacts base;
    struct s3 *s3;
    char bucket[64], prefix[PREFIX_MAX + 1]; /* "" or "some/path/" */
    char environment[MARKER_BYTES_MAX + 1];
    pthread_mutex_t checking;
    _Atomic int root;                 /* enum root_state */
    char owner[MARKER_BYTES_MAX + 1]; /* of a root that is foreign; written before `root` says so */
    _Atomic bool is_pinned;           /* the store checks bodies; known once the root is ours */
    _Atomic uint64_t hour, invites;   /* given in that hour */
};

static inline struct bucket *bucket_of(struct artifacts *a)
{
    return (struct bucket *)a;
}

/* An outcome of s3_call.h in the words of artifacts.h. */
int bucket_outcome(int r);

/* The headers that pin an upload, in the order of their letters. */
struct pin {
    char size[24], base64[HASH_B64_BYTES], hex[SHA256_HEX_LEN + 1];
    struct presign_pair header[3];
};

void pin_make(struct pin *p, uint64_t size, const uint8_t sha256[32]);

/* bucket_calls.c: one request each; outcomes of s3_call.h. */
int bucket_get(struct bucket *b, const char *name, struct s3_body *body);
int bucket_head(struct bucket *b, const char *name, struct s3_body *body);
/* Absent is fine. */
int bucket_delete(struct bucket *b, const char *name);
/* A small object whose hash is signed as that of `signed_text`. */
int bucket_put(struct bucket *b, const char *name, const char *text, const char *signed_text);
int bucket_copy(struct bucket *b, const char *from, const char *to);
/* One page of names below `below`, from `token` ("": the first) on, into PAGE_BYTES of `text`. */
int bucket_list(struct bucket *b, const char *below, const char *token, const char *keys,
                char *text, struct s3_page *ret_page);

/* bucket_root.c: whose the root is, and how far its store can be trusted. ARTIFACTS_ENVIRONMENT,
 * ARTIFACTS_MISMATCH (there is no such bucket), ARTIFACTS_AWAY. */
int bucket_root_check(struct bucket *b);
/* What is known of the root by now, without a trip: 0, ARTIFACTS_ENVIRONMENT, ARTIFACTS_AWAY (not
 * read yet). */
int bucket_is_ours(const struct bucket *b);
/* The same, but asks while nothing is known. */
int bucket_ready(struct bucket *b);

/* bucket_health.c */
void bucket_health(struct artifacts *a, struct artifacts_health *ret_health);

/* bucket_walk.c */
int bucket_sweep_incoming(struct artifacts *a, uint64_t now_ms, uint64_t age_ms);
int bucket_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                     struct artifacts_place *place);
