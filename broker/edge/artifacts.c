/* artifacts.c: names, the marker, and the way to the store that is in use. */
#include "edge/artifacts_impl.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char *const classes[] = {
    [ROTA__OBJECT_KIND__SOURCE] = "source", [ROTA__OBJECT_KIND__BUNDLE] = "bundle",
    [ROTA__OBJECT_KIND__ASSETS] = "assets", [ROTA__OBJECT_KIND__MAP] = "map",
    [ROTA__OBJECT_KIND__BUILD_LOG] = "log", [ROTA__OBJECT_KIND__PROVENANCE] = "provenance",
    [ROTA__OBJECT_KIND__OUTPUT] = "output",
};

const char *artifact_class(Rota__ObjectKind kind)
{
    return (size_t)kind < ARRAY_LEN(classes) ? classes[kind] : NULL;
}

void artifact_name(const struct artifact_id *id, char name[OBJECT_NAME_MAX])
{
    char hex[SHA256_HEX_LEN + 1];
    sodium_bin2hex(hex, sizeof hex, id->sha256, sizeof id->sha256);
    snprintf(name, OBJECT_NAME_MAX, "%s/%s/%s", artifact_class(id->kind), id->account, hex);
}

bool artifact_hash_parse(const char *hex, size_t n, uint8_t ret_sha256[32])
{
    size_t got = 0;
    return n == SHA256_HEX_LEN && strspn(hex, "0123456789abcdef") >= n &&
           sodium_hex2bin(ret_sha256, 32, hex, n, NULL, &got, NULL) == 0 && got == 32;
}

/* ---- whose root it is ---- */

static _Thread_local char owner[MARKER_BYTES_MAX + 1];

const char *artifacts_owner(void)
{
    return owner;
}

int marker_judge(const char *text, size_t n, const char *environment)
{
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    snprintf(owner, sizeof owner, "%.*s", (int)n, text);
    for (char *c = owner; *c; c++)
        if ((unsigned char)*c < 0x21 || *c > 0x7e || *c == '"')
            *c = '?';
    return n == strlen(environment) && memcmp(text, environment, n) == 0 ? 0
                                                                         : ARTIFACTS_ENVIRONMENT;
}

/* ---- the interface ---- */

struct artifacts *artifacts_free(struct artifacts *a)
{
    return a ? a->ops->free(a) : NULL;
}

bool artifacts_are_remote(const struct artifacts *a)
{
    return a->ops->is_remote;
}

void artifacts_stop(struct artifacts *a)
{
    if (a && a->ops->stop)
        a->ops->stop(a);
}

void artifacts_reload(struct artifacts *a)
{
    if (a->ops->reload)
        a->ops->reload(a);
}

unsigned artifacts_full_percent(struct artifacts *a)
{
    return a->ops->full_percent ? a->ops->full_percent(a) : 0;
}

void artifacts_health(struct artifacts *a, struct artifacts_health *ret_health)
{
    *ret_health = (struct artifacts_health){.state = ARTIFACTS_OK};
    if (a->ops->health)
        a->ops->health(a, ret_health);
}

int artifacts_invite(struct artifacts *a, const struct artifact_id *id, uint64_t size,
                     uint64_t now_ms, char url[ARTIFACT_URL_MAX])
{
    return a->ops->invite(a, id, size, now_ms, url);
}

int artifacts_find(struct artifacts *a, const struct artifact_id *id, uint64_t *ret_size)
{
    return a->ops->find(a, id, ret_size);
}

int artifacts_take(struct artifacts *a, const struct artifact_id *id,
                   const struct artifact_check *check, uint64_t *ret_size)
{
    return a->ops->take(a, id, check, ret_size);
}

int artifacts_url(struct artifacts *a, const struct artifact_id *id, uint64_t now_ms,
                  char url[ARTIFACT_URL_MAX])
{
    return a->ops->url(a, id, now_ms, url);
}

int artifacts_read(struct artifacts *a, const struct artifact_id *id, uint64_t offset, void *p,
                   size_t n, size_t *ret_n)
{
    return a->ops->read(a, id, offset, p, n, ret_n);
}

int artifacts_drop(struct artifacts *a, const struct artifact_id *id)
{
    return a->ops->drop(a, id);
}

int artifacts_sweep_incoming(struct artifacts *a, uint64_t now_ms, uint64_t age_ms)
{
    return a->ops->sweep_incoming(a, now_ms, age_ms);
}

int artifacts_walk_some(struct artifacts *a, const struct artifacts_walk *walk,
                        struct artifacts_place *place)
{
    return a->ops->walk_some(a, walk, place);
}
