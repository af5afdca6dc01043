/* artifacts_impl.h: what the stores are made of; for the files artifacts*.c and incoming.c alone.
 */
#pragma once

#include "edge/artifacts.h"

enum { OBJECT_NAME_MAX = 192, SHA256_HEX_LEN = 64 };
/* The object that names the environment whose objects these are. */
#define MARKER_NAME "rota-environment"
enum { MARKER_BYTES_MAX = 65 };

/* One store. Each member as the function of its name in artifacts.h says. */
struct artifacts_ops {
    struct artifacts *(*free)(struct artifacts *a);
    void (*stop)(struct artifacts *a);
    void (*reload)(struct artifacts *a);
    unsigned (*full_percent)(struct artifacts *a);
    void (*health)(struct artifacts *a,
                   struct artifacts_health *ret_health); /* NULL: always well */
    int (*invite)(struct artifacts *a, const struct artifact_id *id, uint64_t size, uint64_t now_ms,
                  char url[ARTIFACT_URL_MAX]);
    int (*find)(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size);
    int (*take)(struct artifacts *a, const struct artifact_id *id,
                const struct artifact_check *check, uint64_t *ret_size);
    int (*url)(struct artifacts *a, const struct artifact_id *id, uint64_t now_ms,
               char url[ARTIFACT_URL_MAX]);
    int (*read)(struct artifacts *a, const struct artifact_id *id, uint64_t offset, void *p,
                size_t n, size_t *ret_n);
    int (*drop)(struct artifacts *a, const struct artifact_id *id);
    int (*sweep_incoming)(struct artifacts *a, uint64_t now_ms, uint64_t age_ms);
    int (*walk_some)(struct artifacts *a, const struct artifacts_walk *walk,
                     struct artifacts_place *place);
    bool is_remote;
};

/* First member of each store. */
struct artifacts {
    const struct artifacts_ops *ops;
};

/* "bundle/ACCOUNT/HEX". */
void artifact_name(const struct artifact_id *id, char name[OBJECT_NAME_MAX]);
/* The hash in a name's last part; false: it is none. */
bool artifact_hash_parse(const char *hex, size_t n, uint8_t ret_sha256[32]);

/* Judges the text of a marker: 0, or ARTIFACTS_ENVIRONMENT. */
int marker_judge(const char *text, size_t n, const char *environment);
