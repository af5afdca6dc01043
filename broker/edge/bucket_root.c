/* bucket_root.c: nothing is done with a bucket before its marker was read: the process starts
 * without a service that is down, but never writes into another environment's bucket. */
#include "edge/bucket.h"

#include <base/log.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int marker_get(struct bucket *b, const char *name)
{
    char text[MARKER_BYTES_MAX + 1];
    struct s3_body body = {.room = text, .room_n = sizeof text};
    int r = bucket_get(b, name, &body);
    return r ? bucket_outcome(r) : marker_judge(text, body.n, b->environment);
}

static int marker_make(struct bucket *b, const char *name)
{
    struct s3_page page;
    struct s3_listed first;
    char line[MARKER_BYTES_MAX + 2];
    AUTO_FREE char *text = malloc(PAGE_BYTES);
    if (!text)
        return err_raise(-ENOMEM);
    int r = bucket_list(b, "", "", "1", text, &page);
    if (r == S3_MISSING) {
        log_error("artifacts.refused",
                  "why=\"there is no bucket %s\" hint=\"make it, or correct "
                  "--artifacts\"",
                  b->bucket);
        return ARTIFACTS_MISMATCH;
    }
    if (r)
        return bucket_outcome(r);
    if (s3_page_next(&page, &first))
        return marker_judge("", 0, b->environment);
    snprintf(line, sizeof line, "%s\n", b->environment);
    r = bucket_put(b, name, line, line);
    /* Another environment may have come in between: what stands there now counts. */
    return r ? bucket_outcome(r) : marker_get(b, name);
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
    int right = bucket_put(b, name, "right", "right");
    int wrong = right ? right : bucket_put(b, name, "wrong", "right");
    if (right || (wrong && wrong != S3_REFUSED))
        return bucket_outcome(right ? right : wrong);
    atomic_store(&b->is_pinned, wrong == S3_REFUSED);
    log_info("artifacts.store", "bucket=%s hashes=%s", b->bucket,
             wrong == S3_REFUSED ? "store" : "broker");
    return bucket_outcome(bucket_delete(b, name));
}

int bucket_root_check(struct bucket *b)
{
    int r = marker_check(b);
    if (r == 0)
        r = pins_check(b);
    if (r == 0)
        atomic_store(&b->root, ROOT_OURS);
    if (r != ARTIFACTS_ENVIRONMENT)
        return r;
    snprintf(b->owner, sizeof b->owner, "%s", artifacts_owner());
    atomic_store(&b->root, ROOT_FOREIGN);
    return r;
}

int bucket_is_ours(const struct bucket *b)
{
    int root = atomic_load(&b->root);
    if (root == ROOT_FOREIGN)
        return ARTIFACTS_ENVIRONMENT;
    return root == ROOT_OURS ? 0 : ARTIFACTS_AWAY;
}

int bucket_ready(struct bucket *b)
{
    if (atomic_load(&b->root) != ROOT_UNKNOWN)
        return bucket_is_ours(b);
    pthread_mutex_lock(&b->checking);
    int r = 0;
    if (atomic_load(&b->root) == ROOT_UNKNOWN) {
        r = bucket_root_check(b);
        if (r == ARTIFACTS_ENVIRONMENT)
            log_error("artifacts.environment", "bucket=%s ours=%s theirs=\"%s\"", b->bucket,
                      b->environment, b->owner);
    }
    pthread_mutex_unlock(&b->checking);
    return r < 0 ? err_pass(r) : bucket_is_ours(b);
}
