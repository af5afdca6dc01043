/* bucket_walk.c: everything that is stored, a page of names at a time. */
#include "edge/bucket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SWEEP_PAGES_MAX = 10 };
#define PAGE_KEYS "500"

int bucket_sweep_incoming(struct artifacts *a, uint64_t now_ms, uint64_t age_ms)
{
    struct bucket *b = bucket_of(a);
    struct s3_page page;
    struct s3_listed listed;
    char token[S3_TOKEN_MAX] = "";
    AUTO_FREE char *text = malloc(PAGE_BYTES);
    int r = text ? bucket_ready(b) : err_raise(-ENOMEM);
    bool has_more = r == 0 && !atomic_load(&b->is_pinned);
    for (int pages = 0; r == 0 && has_more && pages < SWEEP_PAGES_MAX; pages++) {
        r = bucket_outcome(bucket_list(b, "incoming/", token, PAGE_KEYS, text, &page));
        while (r == 0 && s3_page_next(&page, &listed))
            if (listed.modified_ms + age_ms < now_ms)
                r = bucket_outcome(bucket_delete(b, listed.name));
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
int bucket_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                     struct artifacts_place *place)
{
    struct bucket *b = bucket_of(a);
    struct s3_page page;
    char below[32];
    AUTO_FREE char *text = malloc(PAGE_BYTES);
    int r = text ? bucket_ready(b) : err_raise(-ENOMEM);
    if (r)
        return r;
    if (!*place->at)
        place->kind++;
    Rota__ObjectKind kind = (Rota__ObjectKind)place->kind;
    snprintf(below, sizeof below, "%s/", artifact_class(kind));
    r = bucket_list(b, below, place->at, PAGE_KEYS, text, &page);
    if (r)
        return bucket_outcome(r);
    r = page_visit(b, kind, &page, walk);
    if (!s3_page_more(&page, place->at))
        place->at[0] = '\0';
    place->is_end = !*place->at && !artifact_class((Rota__ObjectKind)(place->kind + 1));
    return r < 0 ? err_pass(r) : r;
}
