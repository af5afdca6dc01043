/* modules.c: mounts are made once, out of the list of trees and the one folder they all lie in: the
 * build's own `install`, which no step with the app's code ever sees writable, or an entry of the
 * cache behind a window. Bind mounts through `app` would follow links that the app laid there. */
#include "modules.h"

#include "keeping.h"
#include "trees.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { FORMAT = 1 };

struct modules {
    struct trees trees;
    char folder[SPACE_PATH_MAX + 16]; /* that all of them lie in */
    struct cache_use *use;            /* NULL: installed by this build */
    struct window *window;
    struct keeping *keeping;
    char *texts[2 * TREES_MAX + 4]; /* what the mounts point to */
    size_t texts_n;
    struct sandbox_mount mount[TREES_MAX + 2];
    size_t mounts_n;
};

/* ---- names ---- */

static bool is_cached(const struct work *w)
{
    return w->setup->cache.fd >= 0 && !sodium_is_zero(w->deps_sha256, sizeof w->deps_sha256) &&
           !w->uses_private_registry;
}

/* `account` NULL: what all accounts share. */
static void name_of(const struct work *w, const char *account, struct cache_name *ret)
{
    struct cache_namer n;
    struct utsname host;
    const uint8_t format = FORMAT;
    cache_name_begin(&w->setup->cache, CACHE_MODULES, &n);
    cache_name_add(&n, &format, sizeof format);
    cache_name_text(&n, account ? "account" : "shared");
    cache_name_text(&n, account ? account : "");
    cache_name_add(&n, w->deps_sha256, sizeof w->deps_sha256);
    cache_name_text(&n, w->install_root);
    cache_name_text(&n, work_node(w)->text);
    if (uname(&host) == 0) {
        cache_name_text(&n, host.sysname);
        cache_name_text(&n, host.machine);
    }
    cache_name_end(&n, ret);
}

/* ---- mounts ---- */

__attribute__((format(printf, 2, 3))) static const char *text(struct modules *m, const char *format,
                                                              ...)
{
    va_list ap;
    char *made = NULL;
    va_start(ap, format);
    int n = vasprintf(&made, format, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    m->texts[m->texts_n++] = made;
    return made;
}

static int mount_add(struct modules *m, const char *from, const char *at, bool is_writable)
{
    if (!from || !at)
        return err_raise(-ENOMEM);
    m->mount[m->mounts_n++] =
        (struct sandbox_mount){.from = from, .at = at, .is_writable = is_writable};
    return 0;
}

/* Tools look for it beside the package.json of the app, or at the top of its workspace. */
static bool has_cache(const struct work *w, const char *path, size_t n)
{
    size_t root = strlen(w->spec.root), last = sizeof "/node_modules" - 1;
    bool is_top = n == last - 1; /* trees.c lets nothing through but node_modules */
    return is_top || (n == root + last && memcmp(path, w->spec.root, root) == 0);
}

static int cache_mount_add(const struct work *w, struct modules *m, const char *at)
{
    const char *from = text(m, "%s/%smodules-cache", w->space->path, w->side);
    return mount_add(m, from, from ? text(m, "%s/.cache", at) : NULL, true);
}

static int mounts_make(const struct work *w, struct modules *m)
{
    const char *folder = m->folder;
    size_t n;
    int r = 0;
    for (const char *p = trees_next(&m->trees, NULL, &n); p && r == 0;
         p = trees_next(&m->trees, p, &n)) {
        const char *from = text(m, "%s/%.*s", folder, (int)n, p);
        const char *at = text(m, "/w/app/%.*s", (int)n, p);
        r = mount_add(m, from, at, false);
        if (r == 0 && has_cache(w, p, n))
            r = cache_mount_add(w, m, at);
    }
    return r < 0 ? err_pass(r) : 0;
}

const struct sandbox_mount *modules_mounts(const struct work *w, size_t *ret_n)
{
    *ret_n = w->node_modules ? w->node_modules->mounts_n : 0;
    return w->node_modules ? w->node_modules->mount : NULL;
}

/* ---- finding ---- */

static struct modules *modules_free(struct modules *m)
{
    if (!m)
        return NULL;
    window_free(m->window);
    cache_use_free(m->use);
    for (size_t i = 0; i < m->texts_n; i++)
        free(m->texts[i]);
    free(m);
    return NULL;
}
DEFINE_FREEP(modules)

static int entry_take(const struct work *w, const char *account, struct modules *m)
{
    struct cache_name name;
    char window[48];
    name_of(w, account, &name);
    int r = cache_use(&w->setup->cache, CACHE_MODULES, &name, &m->use);
    if (r != 0)
        return r;
    if (!trees_read(&m->trees, m->use->note))
        return CACHE_UNUSABLE;
    snprintf(window, sizeof window, "%s-modules", w->name);
    r = window_new(&w->setup->root, window, m->use->data, &m->window);
    if (r < 0)
        return err_pass(r);
    snprintf(m->folder, sizeof m->folder, "%s", m->window->path);
    return mounts_make(w, m);
}

/* A cache that is out of order is as good as an empty one. */
static int try(struct work *w, const char *account)
{
    AUTO(modules) m = calloc(1, sizeof *m);
    int r = m ? entry_take(w, account, m) : -ENOMEM;
    if (r == 0)
        w->node_modules = TAKE(m);
    else if (r != CACHE_MISS)
        keeping_complain("use", CACHE_MODULES, r);
    return r == 0 ? 0 : MODULES_MISS;
}

int modules_find_shared(struct work *w)
{
    return is_cached(w) ? try(w, NULL) : MODULES_MISS;
}

int modules_find(struct work *w)
{
    int r = is_cached(w) && !work_is_heat(w) ? try(w, w->build->account) : MODULES_MISS;
    if (r == MODULES_MISS)
        r = modules_find_shared(w);
    if (r == 0)
        modules_say(w);
    return r;
}

static uint64_t age_ms(const struct work *w)
{
    uint64_t now = w->setup->cache.now_ms(), made = w->node_modules->use->made_ms;
    return now > made ? now - made : 0; /* a clock may be set back */
}

void modules_say(struct work *w)
{
    const struct modules *m = w->node_modules;
    work_say(w, "node_modules from the cache: %zu folders, %llu bytes, %llu minutes old",
             m->trees.n, (unsigned long long)m->use->bytes,
             (unsigned long long)(age_ms(w) / 60000));
}

bool modules_are_plain(const struct work *w)
{
    size_t n;
    const struct trees *t = &w->node_modules->trees;
    const char *first = trees_next(t, NULL, &n);
    return t->n == 1 && n == strlen("node_modules") && strncmp(first, "node_modules", n) == 0;
}

uint64_t modules_left_ms(const struct work *w)
{
    uint64_t most = cache_kind_age_ms_max(CACHE_MODULES), age = age_ms(w);
    return age < most ? most - age : 0;
}

/* ---- keeping ---- */

int modules_begin(struct work *w)
{
    w->node_modules = calloc(1, sizeof *w->node_modules);
    return w->node_modules ? 0 : err_raise(-ENOMEM);
}

void modules_tree(void *work, const char *path)
{
    struct work *w = work;
    if (w->node_modules)
        trees_add(&w->node_modules->trees, path);
}

int modules_settled(struct work *w)
{
    struct modules *m = w->node_modules;
    if (m->trees.is_cut || m->trees.n == 0)
        return err_raise(-EPROTO);
    snprintf(m->folder, sizeof m->folder, "%s/install", w->space->path);
    int r = mounts_make(w, m);
    if (r < 0)
        return err_pass(r);
    if (!is_cached(w))
        return 0;
    struct keeping_order order = {.kind = CACHE_MODULES, .step = STEP_KEEP, .note = m->trees.text};
    name_of(w, work_is_heat(w) ? NULL : w->build->account, &order.name);
    m->keeping = keeping_start(w, &order);
    return 0;
}

void modules_end(struct work *w)
{
    if (!w->node_modules)
        return;
    w->node_modules->keeping = keeping_end(w, w->node_modules->keeping);
    w->node_modules = modules_free(w->node_modules);
}

/* ---- looking inside ---- */

static bool is_below_a_tree(const struct modules *m, const char *path)
{
    size_t n;
    for (const char *p = trees_next(&m->trees, NULL, &n); p; p = trees_next(&m->trees, p, &n))
        if (strncmp(path, p, n) == 0 && path[n] == '/')
            return true;
    return false;
}

int modules_open(const struct work *w, const char *path, int *ret_fd)
{
    static const char app[] = "/w/app/";
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    struct stat st;
    const struct modules *m = w->node_modules;
    if (!m || strncmp(path, app, sizeof app - 1) != 0 || !is_below_a_tree(m, path + sizeof app - 1))
        return MODULES_MISS;
    AUTO_FD top = open(m->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD fd = (int)syscall(SYS_openat2, top, path + sizeof app - 1, &how, sizeof how);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return MODULES_MISS;
    *ret_fd = TAKE_FD(fd);
    return 0;
}
