/* artifacts_local.h: the store of files: shared by artifacts_local.c, incoming.c and
 * artifacts_walk.c alone. */
#pragma once

#include "edge/artifacts_impl.h"

#include <stdatomic.h>

enum { INCOMING_NAME_MAX = 64 };

struct local {
    struct artifacts base;
    int root_fd;
    char root[PATH_MAX]; /* absolute */
    _Atomic unsigned incoming_n;
};

static inline struct local *local_of(struct artifacts *a)
{
    return (struct local *)a;
}

/* "file:///root/name", percent-encoded. */
void local_url(const struct local *l, const char *name, char url[ARTIFACT_URL_MAX]);
/* Makes the folders of class and account. */
int local_folders(struct local *l, const struct artifact_id *id);
/* fsync of a folder relative to the root. */
int local_sync(struct local *l, const char *name);

/* incoming.c */
int local_invite(struct artifacts *a, const struct artifact_id *id, uint64_t size, uint64_t now_ms,
                 char url[ARTIFACT_URL_MAX]);
int local_take(struct artifacts *a, const struct artifact_id *id,
               const struct artifact_check *check, uint64_t *ret_size);
int local_sweep_incoming(struct artifacts *a, uint64_t now_ms, uint64_t age_ms);
/* artifacts_walk.c */
int local_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                    struct artifacts_place *place);
