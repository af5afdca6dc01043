/* standby.c: a standby is the first part of a work whose build is not known yet: a slot's space,
 * the node_modules and layers that a heat build left, and STEP_STANDBY begun in them. A build takes
 * the parts over one by one as it learns that they fit. */
#include "standby.h"

#include "keeping.h"
#include "layer.h"
#include "modules.h"

#include <agent.h>
#include <base/clock.h>
#include <base/file.h>
#include <base/log.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, NOTE_BYTES = 4096, REST_MS = 60000 };

struct standby {
    struct build build; /* its slot and its settings */
    struct work work;
    struct ahead *ahead;
    uint64_t heat_ms; /* when what it loads was noted */
};

/* Written by the slot's own thread. */
static struct {
    struct standby *standby;
    const char *tier; /* of the slot's last build: the next one's memory is guessed by it */
    uint64_t rest_ms; /* clock_boot_ms() before which none is started: one died at once */
} slots[AGENT_SLOTS_MAX];

/* ---- what a heat build left ---- */

static void note_name(const struct setup *setup, struct cache_name *ret)
{
    struct cache_namer n;
    const uint8_t format = FORMAT;
    cache_name_begin(&setup->cache, CACHE_HEAT, &n);
    cache_name_add(&n, &format, sizeof format);
    cache_name_end(&n, ret);
}

static int note_write(const struct work *w)
{
    char deps[2 * sizeof w->deps_sha256 + 1];
    char note[sizeof deps + NODE_VERSION_MAX + 2];
    struct cache_name name;
    AUTO(cache_fill) fill = NULL;
    int r = cache_fill_begin(&w->setup->cache, CACHE_HEAT, w->setup->tools.owner, &fill);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    sodium_bin2hex(deps, sizeof deps, w->deps_sha256, sizeof w->deps_sha256);
    snprintf(note, sizeof note, "%s %s\n", deps, work_node(w)->text);
    note_name(w->setup, &name);
    return cache_publish(fill, &name, NOTE_BYTES, note, true);
}

void standby_note(const struct work *w)
{
    if (w->setup->cache.fd < 0 || sodium_is_zero(w->deps_sha256, sizeof w->deps_sha256))
        return;
    int r = note_write(w);
    if (r != 0)
        keeping_complain("keep", CACHE_HEAT, r);
}

static const struct node_at *node_named(const struct nodes *nodes, const char *text)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->node[i].text, text) == 0)
            return &nodes->node[i];
    return NULL;
}

static bool note_read(struct work *w, const char *note)
{
    char node[NODE_VERSION_MAX];
    const char *end = NULL;
    size_t n = 0;
    if (sodium_hex2bin(w->deps_sha256, sizeof w->deps_sha256, note, strlen(note), NULL, &n, &end) <
            0 ||
        n != sizeof w->deps_sha256 || sscanf(end, " %31s", node) != 1)
        return false;
    w->node = node_named(&w->setup->tools.nodes, node);
    return w->node != NULL;
}

/* Of the newest heat build; NULL: there is none. */
static struct cache_use *note_find(const struct setup *setup)
{
    struct cache_name name;
    struct cache_use *use = NULL;
    if (setup->cache.fd < 0)
        return NULL;
    note_name(setup, &name);
    int r = cache_use(&setup->cache, CACHE_HEAT, &name, &use);
    if (r < 0)
        keeping_complain("use", CACHE_HEAT, r);
    return r == 0 ? use : NULL;
}

/* What the newest heat build worked with. */
static bool heat_find(struct standby *s)
{
    AUTO(cache_use) note = note_find(s->work.setup);
    if (!note || !note_read(&s->work, note->note))
        return false;
    s->heat_ms = note->made_ms;
    return true;
}

/* A heat build that ended since has left a layer that its sandbox does not show. */
static bool is_behind(const struct standby *s)
{
    AUTO(cache_use) note = note_find(s->work.setup);
    return note && note->made_ms != s->heat_ms;
}

/* ---- starting one ---- */

static struct standby *standby_free(struct standby *s)
{
    if (!s)
        return NULL;
    ahead_free(s->ahead);
    modules_end(&s->work);
    layer_end(&s->work);
    space_free(s->work.space);
    free(s);
    return NULL;
}
DEFINE_FREEP(standby)

static void work_fill(struct standby *s, const struct setup *setup,
                      const struct runner_settings *settings, uint32_t slot)
{
    s->build = (struct build){.slot = slot, .settings = settings, .stop_fd = -1};
    s->work = (struct work){.build = &s->build, .setup = setup, .log_fd = -1, .side = "ahead/"};
    snprintf(s->work.spec.root, sizeof s->work.spec.root, ".");
    snprintf(s->work.install_root, sizeof s->work.install_root, "/w/app");
    work_fit(&s->work, slots[slot].tier ? slots[slot].tier : limits_tier(0));
}

/* MODULES_MISS: nothing was left that a standby could load. */
static int standby_open(struct standby *s)
{
    struct work *w = &s->work;
    if (!heat_find(s))
        return MODULES_MISS;
    int r = space_new(&w->setup->root, w->name, w->build->settings->workspace_bytes,
                      w->setup->tools.owner, &w->space);
    if (r == 0)
        r = modules_find_shared(w);
    if (r == 0 && !modules_are_plain(w))
        r = MODULES_MISS;
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    layer_find_all(w);
    w->limits.wall_ms += modules_left_ms(w); /* a build may begin in the last moment */
    r = work_begin(w, STEP_STANDBY, &s->ahead);
    return r < 0 ? err_pass(r) : 0;
}

static void failed_say(uint32_t slot, const char *why)
{
    log_warn("standby.failed", "slot=%u why=\"%s\" the next build starts its own", slot, why);
    slots[slot].rest_ms = clock_boot_ms() + REST_MS;
}

/* The slot's is as good as a new one would be. */
static bool is_good(uint32_t slot)
{
    const struct standby *s = slots[slot].standby;
    if (!s)
        return false;
    if (ahead_is_waiting(s->ahead))
        return !is_behind(s);
    if (modules_left_ms(&s->work) > 0)
        failed_say(slot, "it ended by itself");
    return false;
}

void standby_start(const struct setup *setup, const struct runner_settings *settings, uint32_t slot)
{
    if (is_good(slot))
        return;
    standby_stop(slot);
    AUTO(standby) s = calloc(1, sizeof *s);
    if (!s || clock_boot_ms() < slots[slot].rest_ms)
        return;
    work_fill(s, setup, settings, slot);
    int r = standby_open(s);
    if (r == 0) {
        log_info("standby.started", "slot=%u node=%s", slot, s->work.node->text);
        slots[slot].standby = TAKE(s);
    } else if (r < 0) {
        failed_say(slot, strerror(-r));
    }
}

void standby_stop(uint32_t slot)
{
    slots[slot].standby = standby_free(slots[slot].standby);
}

/* ---- taking it over ---- */

/* Whatever a variable may change in Node and in what it has loaded, it is too late for. */
static bool may_fit(const struct standby *s, const struct work *w)
{
    return ahead_is_waiting(s->ahead) && !work_is_heat(w) && strcmp(w->spec.root, ".") == 0 &&
           s->work.limits.memory_bytes == w->limits.memory_bytes && !w->env[0];
}

void standby_take(struct work *w)
{
    uint32_t slot = w->build->slot;
    AUTO(standby) s = TAKE(slots[slot].standby);
    for (size_t i = 0; limits_tier(i); i++)
        if (w->build->tier && strcmp(limits_tier(i), w->build->tier) == 0)
            slots[slot].tier = limits_tier(i);
    if (!s || !may_fit(s, w))
        return;
    w->space = TAKE(s->work.space);
    w->standby = TAKE(s);
}

static bool fits(const struct standby *s, const struct work *w)
{
    const struct work *has = &s->work;
    return ahead_is_waiting(s->ahead) && !w->uses_private_registry &&
           memcmp(has->deps_sha256, w->deps_sha256, sizeof has->deps_sha256) == 0 &&
           strcmp(has->install_root, w->install_root) == 0 && has->node == work_node(w) &&
           modules_left_ms(has) > 0;
}

/* The source goes where the process sees it; of node_modules it has brought nothing. */
static int source_move(int from, int to)
{
    AUTO_FD fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return err_raise(-errno);
    TAKE_FD(fd);
    int r = 0;
    for (const struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir)) {
        const char *name = e->d_name;
        bool stays =
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "node_modules") == 0;
        if (!stays && renameat(from, name, to, name) < 0)
            r = err_raise(-errno);
    }
    closedir(dir);
    return r < 0 ? err_pass(r) : 0;
}

static int folder_open(const struct space *space, const char *path)
{
    return openat(space->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Until here the process saw folders of its own: a build that it does not fit shares nothing with
 * it. Now they become the build's. */
static int folders_take(const struct space *space)
{
    static const char *const names[] = {"app", "out", "cache", "home", "tmp", "modules-cache"};
    AUTO_FD from = folder_open(space, "app");
    AUTO_FD to = folder_open(space, "ahead/app");
    if (from < 0 || to < 0)
        return err_raise(-errno);
    int r = source_move(from, to);
    for (size_t i = 0; i < ARRAY_LEN(names) && r == 0; i++) {
        char ahead[WORK_FILE_MAX];
        snprintf(ahead, sizeof ahead, "ahead/%s", names[i]);
        if (renameat2(space->fd, names[i], space->fd, ahead, RENAME_EXCHANGE) < 0)
            r = err_raise(-errno);
    }
    return r < 0 ? err_pass(r) : 0;
}

int standby_meets(struct work *w)
{
    if (!w->standby)
        return MODULES_MISS;
    if (!fits(w->standby, w)) {
        w->standby = standby_free(w->standby);
        return MODULES_MISS;
    }
    int r = folders_take(w->space);
    if (r < 0)
        return err_pass(r);
    w->node_modules = TAKE(w->standby->work.node_modules);
    w->layer = TAKE(w->standby->work.layer);
    modules_say(w);
    work_say(w, "metro was started ahead of this build");
    return 0;
}

/* ---- the bundle ---- */

/* ahead.mjs says what it is. */
static int order_write(const struct work *w, int fd)
{
    json_t *order = json_pack("[s,s,s,s,s]", w->platform->name, "/w/out", w->bundle_name,
                              w->spec.root, w->spec.entry);
    if (!order)
        return err_raise(-EINVAL);
    int r = json_dumpfd(order, fd, JSON_COMPACT);
    json_decref(order);
    return r < 0 ? err_raise(-EIO) : 0;
}

bool standby_waits(const struct work *w)
{
    return w->standby && ahead_is_waiting(w->standby->ahead);
}

int standby_bundle(struct work *w)
{
    AUTO_FD order = memfd_create("order", MFD_CLOEXEC);
    if (order < 0)
        return err_raise(-errno);
    int r = order_write(w, order);
    return r < 0 ? err_pass(r) : work_finish(w, STEP_BUNDLE, w->standby->ahead, order);
}

void standby_end(struct work *w)
{
    w->standby = standby_free(w->standby);
}
