/* layer.c: the name says what must be the same for a transform to be of use at all. What else a
 * transform depends on (babel's configuration, the environment) stands in Metro's own keys, by the
 * driver's cacheVersion: a layer that does not fit is slow and never wrong. */
#include "layer.h"

#include "keeping.h"
#include "window.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1 };

/* One row a platform that there is something for. */
struct layer {
    const struct platform *platform[PLATFORMS];
    struct cache_use *use[PLATFORMS];
    struct window *window[PLATFORMS];
    char at[PLATFORMS][24];
    struct sandbox_mount mount[PLATFORMS];
    size_t n;
};

static void name_of(const struct work *w, const struct platform *platform, struct cache_name *ret)
{
    struct cache_namer n;
    const uint8_t format = FORMAT;
    cache_name_begin(&w->setup->cache, CACHE_LAYER, &n);
    cache_name_add(&n, &format, sizeof format);
    cache_name_add(&n, w->deps_sha256, sizeof w->deps_sha256);
    cache_name_text(&n, platform->name);
    cache_name_text(&n, work_node(w)->text);
    cache_name_add(&n, w->setup->driver_sha256, sizeof w->setup->driver_sha256);
    cache_name_end(&n, ret);
}

/* ---- the driver ---- */

static int file_add(crypto_hash_sha256_state *h, const char *folder, const char *name)
{
    char path[PATH_MAX];
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    snprintf(path, sizeof path, "%.3000s/%s", folder, name);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_raise(-errno);
    int r = hash_file(fd, sha256, blake2b, &size);
    if (r < 0)
        return err_pass(r);
    crypto_hash_sha256_update(h, (const uint8_t *)name, strlen(name) + 1);
    crypto_hash_sha256_update(h, sha256, sizeof sha256);
    return 0;
}

static int is_module(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".mjs") == 0;
}

int layer_driver_hash(const char *tools, uint8_t ret_sha256[32])
{
    char folder[PATH_MAX];
    struct dirent **list = NULL;
    crypto_hash_sha256_state h;
    snprintf(folder, sizeof folder, "%.3000s/js", tools);
    int n = scandir(folder, &list, is_module, alphasort), r = 0;
    if (n < 0)
        return err_raise(-errno);
    crypto_hash_sha256_init(&h);
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = file_add(&h, folder, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    crypto_hash_sha256_final(&h, ret_sha256);
    return r < 0 ? err_pass(r) : 0;
}

/* ---- finding and keeping ---- */

static bool is_cached(const struct work *w)
{
    return w->setup->cache.fd >= 0 && !w->uses_private_registry &&
           !sodium_is_zero(w->deps_sha256, sizeof w->deps_sha256);
}

static struct layer *layer_free(struct layer *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < PLATFORMS; i++) {
        window_free(l->window[i]);
        cache_use_free(l->use[i]);
    }
    free(l);
    return NULL;
}
DEFINE_FREEP(layer)

static int layer_take(const struct work *w, const struct platform *platform, struct layer *l)
{
    struct cache_name name;
    char window[64];
    size_t i = l->n;
    name_of(w, platform, &name);
    int r = cache_use(&w->setup->cache, CACHE_LAYER, &name, &l->use[i]);
    if (r != 0)
        return r;
    snprintf(window, sizeof window, "%s-layer-%s", w->name, platform->name);
    r = window_new(&w->setup->root, window, l->use[i]->data, &l->window[i]);
    if (r < 0) {
        l->use[i] = cache_use_free(l->use[i]);
        return err_pass(r);
    }
    snprintf(l->at[i], sizeof l->at[i], "/layer/%s", platform->name);
    l->mount[i] = (struct sandbox_mount){.from = l->window[i]->path, .at = l->at[i]};
    l->platform[i] = platform;
    l->n++;
    return 0;
}

static void layers_find(struct work *w, const struct platform *from, size_t n)
{
    if (!is_cached(w))
        return;
    AUTO(layer) l = calloc(1, sizeof *l);
    if (!l)
        return;
    for (size_t i = 0; i < n; i++) {
        int r = layer_take(w, &from[i], l);
        if (r != 0 && r != CACHE_MISS)
            keeping_complain("use", CACHE_LAYER, r);
    }
    if (l->n > 0)
        w->layer = TAKE(l);
}

void layer_find(struct work *w)
{
    layers_find(w, w->platform, 1);
}

void layer_find_all(struct work *w)
{
    layers_find(w, platforms, PLATFORMS);
}

/* The row of the build's platform; -1: there is none. */
static int row_of(const struct work *w)
{
    for (size_t i = 0; w->layer && i < w->layer->n; i++)
        if (w->layer->platform[i] == w->platform)
            return (int)i;
    return -1;
}

void layer_say(struct work *w)
{
    int row = row_of(w);
    if (row >= 0)
        work_say(w, "a shared layer of transforms fits: %llu bytes",
                 (unsigned long long)w->layer->use[row]->bytes);
}

const struct sandbox_mount *layer_mounts(const struct work *w, size_t *ret_n)
{
    *ret_n = w->layer ? w->layer->n : 0;
    return w->layer ? w->layer->mount : NULL;
}

void layer_keep(struct work *w)
{
    if (!is_cached(w) || !work_is_heat(w))
        return;
    int row = row_of(w);
    struct sandbox_mount below = {.at = "/layer"};
    if (row >= 0)
        below.from = w->layer->window[row]->path;
    struct keeping_order order = {.kind = CACHE_LAYER,
                                  .step = STEP_MERGE,
                                  .extra = &below,
                                  .extra_n = row >= 0,
                                  .replaces = true};
    name_of(w, w->platform, &order.name);
    keeping_end(w, keeping_start(w, &order));
}

void layer_end(struct work *w)
{
    w->layer = layer_free(w->layer);
}
