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

struct layer {
    struct cache_use *use;
    struct window *window;
    struct sandbox_mount mount;
};

static void name_of(const struct work *w, struct cache_name *ret)
{
    struct cache_namer n;
    const uint8_t format = FORMAT;
    cache_name_begin(&w->setup->cache, CACHE_LAYER, &n);
    cache_name_add(&n, &format, sizeof format);
    cache_name_add(&n, w->deps_sha256, sizeof w->deps_sha256);
    cache_name_text(&n, w->build->platform);
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
    return w->setup->cache.fd >= 0 && !sodium_is_zero(w->deps_sha256, sizeof w->deps_sha256);
}

static struct layer *layer_free(struct layer *l)
{
    if (!l)
        return NULL;
    window_free(l->window);
    cache_use_free(l->use);
    free(l);
    return NULL;
}
DEFINE_FREEP(layer)

static int layer_take(const struct work *w, struct layer *l)
{
    struct cache_name name;
    char window[48];
    name_of(w, &name);
    int r = cache_use(&w->setup->cache, CACHE_LAYER, &name, &l->use);
    if (r != 0)
        return r;
    snprintf(window, sizeof window, "%s-layer", w->name);
    r = window_new(&w->setup->root, window, l->use->data, &l->window);
    if (r < 0)
        return err_pass(r);
    l->mount = (struct sandbox_mount){.from = l->window->path, .at = "/layer"};
    return 0;
}

void layer_find(struct work *w)
{
    if (!is_cached(w))
        return;
    AUTO(layer) l = calloc(1, sizeof *l);
    int r = l ? layer_take(w, l) : -ENOMEM;
    if (r == 0) {
        work_say(w, "a shared layer of transforms fits: %llu bytes",
                 (unsigned long long)l->use->bytes);
        w->layer = TAKE(l);
    } else if (r != CACHE_MISS) {
        keeping_complain("use", CACHE_LAYER, r);
    }
}

const struct sandbox_mount *layer_mount(const struct work *w)
{
    return w->layer ? &w->layer->mount : NULL;
}

void layer_keep(struct work *w)
{
    if (!is_cached(w) || !work_is_heat(w))
        return;
    struct keeping_order order = {.kind = CACHE_LAYER,
                                  .step = STEP_MERGE,
                                  .extra = layer_mount(w),
                                  .extra_n = w->layer != NULL,
                                  .replaces = true};
    name_of(w, &order.name);
    keeping_end(w, keeping_start(w, &order));
}

void layer_end(struct work *w)
{
    w->layer = layer_free(w->layer);
}
