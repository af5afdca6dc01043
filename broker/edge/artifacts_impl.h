/* artifacts_impl.h: shared by artifacts.c, incoming.c and artifacts_walk.c alone. */
#pragma once

#include "edge/artifacts.h"

#include <stdatomic.h>

enum { OBJECT_NAME_MAX = 192, INCOMING_NAME_MAX = 64, SHA256_HEX_LEN = 64 };

struct artifacts {
    int root_fd;
    char root[PATH_MAX]; /* absolute */
    _Atomic unsigned incoming_n;
};

/* "bundle/ACCOUNT/HEX", relative to the root. */
void artifact_name(const struct artifact_id *id, char name[OBJECT_NAME_MAX]);
/* "file:///root/name", percent-encoded. */
void artifact_file_url(const struct artifacts *a, const char *name, char url[ARTIFACT_URL_MAX]);
/* Makes the folders of class and account. */
int artifact_folders(struct artifacts *a, const struct artifact_id *id);
/* fsync of a folder relative to the root. */
int artifact_sync(struct artifacts *a, const char *name);
