/* bytecode.c: the name holds everything that hermesc's output depends on. The app's own code ran
 * before and could write to out/: what lies where the output belongs is removed first, and files
 * are opened through no link. */
#include "bytecode.h"

#include "cache.h"
#include "keeping.h"
#include "modules.h"
#include "seal_file.h"

#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sign.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum { FORMAT = 1, FILES = 2, BYTECODE_BROKEN = 100 /* beside enum cache_outcome */ };

static void paths_of(const struct work *w, char path[FILES][WORK_FILE_MAX])
{
    snprintf(path[0], WORK_FILE_MAX, "out/%s", w->bytecode_name);
    snprintf(path[1], WORK_FILE_MAX, "out/%s.map", w->bytecode_name);
}

/* ---- the name ---- */

static int hash_add(struct cache_namer *n, int fd)
{
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    int r = hash_file(fd, sha256, blake2b, &size);
    if (r == 0)
        cache_name_add(n, sha256, sizeof sha256);
    return r < 0 ? err_pass(r) : 0;
}

static int name_of(const struct work *w, struct cache_name *ret)
{
    struct cache_namer n;
    char path[WORK_FILE_MAX];
    const uint8_t format = FORMAT;
    const struct step *step = &steps[STEP_COMPILE];
    AUTO_FD bundle = -1;
    AUTO_FD hermesc = -1;
    if (w->setup->cache.fd < 0 || w->uses_private_registry)
        return BYTECODE_MISS;
    snprintf(path, sizeof path, "out/%s", w->bundle_name);
    if (space_open_file(w->space, path, &bundle) != 0 || modules_open(w, w->hermesc, &hermesc) != 0)
        return BYTECODE_MISS;
    cache_name_begin(&w->setup->cache, CACHE_BYTECODE, &n);
    cache_name_add(&n, &format, sizeof format);
    cache_name_text(&n, w->build->account);
    cache_name_text(&n, w->bundle_name);
    for (size_t i = 0; i < STEP_ARGS_MAX; i++)
        cache_name_text(&n, step->args[i].text ? step->args[i].text : "");
    int r = hash_add(&n, bundle);
    if (r == 0)
        r = hash_add(&n, hermesc);
    if (r < 0)
        return err_pass(r);
    cache_name_end(&n, ret);
    return 0;
}

/* ---- finding ---- */

/* The new file belongs to the sandbox's user, whose next steps read it. */
static int out_create(const struct work *w, const char *path, int *ret_fd)
{
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                           .mode = 0644,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    if (unlinkat(w->space->fd, path, 0) < 0 && errno != ENOENT)
        return err_raise(-errno);
    AUTO_FD fd = (int)syscall(SYS_openat2, w->space->fd, path, &how, sizeof how);
    if (fd < 0 || fchown(fd, w->setup->tools.owner, (gid_t)-1) < 0)
        return err_raise(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int unseal(const struct work *w, const struct cache_use *use, const char *name)
{
    char path[FILES][WORK_FILE_MAX];
    AUTO_FD code = -1;
    AUTO_FD map = -1;
    AUTO_FD from = open(use->data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return err_raise(-errno);
    paths_of(w, path);
    int r = out_create(w, path[0], &code);
    if (r == 0)
        r = out_create(w, path[1], &map);
    if (r == 0)
        r = unseal_files(w->setup->cache.seal_key, name, from, (const int[]){code, map}, FILES);
    return r < 0 ? err_pass(r) : r == SEAL_FILE_BROKEN ? BYTECODE_BROKEN : r;
}

static int entry_use(const struct work *w, const struct cache_name *name)
{
    AUTO(cache_use) use = NULL;
    int r = cache_use(&w->setup->cache, CACHE_BYTECODE, name, &use);
    return r == 0 ? unseal(w, use, name->hex) : r;
}

int bytecode_find(struct work *w)
{
    struct cache_name name;
    int r = name_of(w, &name);
    if (r == 0)
        r = entry_use(w, &name);
    if (r == 0) {
        work_say(w, "bytecode of this very bundle from the cache");
        return 0;
    }
    if (r == BYTECODE_BROKEN) {
        log_error("cache.tampered", "kind=%s entry=%s removed, compiled anew",
                  cache_kind_name(CACHE_BYTECODE), name.hex);
        cache_remove(&w->setup->cache, CACHE_BYTECODE, &name);
    } else if (r < 0) {
        keeping_complain("use", CACHE_BYTECODE, r);
    }
    return BYTECODE_MISS;
}

/* ---- keeping ---- */

static int seal(const struct work *w, const struct cache_name *name)
{
    const struct cache *c = &w->setup->cache;
    char path[FILES][WORK_FILE_MAX];
    uint64_t bytes = 0;
    AUTO_FD code = -1;
    AUTO_FD map = -1;
    AUTO(cache_fill) fill = NULL;
    paths_of(w, path);
    int r = space_open_file(w->space, path[0], &code);
    if (r == 0)
        r = space_open_file(w->space, path[1], &map);
    if (r == 0)
        r = cache_fill_begin(c, CACHE_BYTECODE, w->setup->tools.owner, &fill);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    AUTO_FD to = open(fill->data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return err_raise(-errno);
    r = seal_files(c->seal_key, name->hex, (const int[]){code, map}, FILES, to, &bytes);
    return r < 0 ? err_pass(r) : cache_publish(fill, name, bytes, NULL, false);
}

void bytecode_keep(struct work *w)
{
    struct cache_name name;
    int r = name_of(w, &name);
    if (r == BYTECODE_MISS)
        return;
    if (r == 0)
        r = seal(w, &name);
    if (r != 0 && r != CACHE_HAVE)
        keeping_complain("keep", CACHE_BYTECODE, r);
}
