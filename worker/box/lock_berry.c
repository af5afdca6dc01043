/* lock_berry.c: yarn.lock of Yarn 2 and later, which is YAML: one entry for each package, under the
 * ranges that lead to it.
 *
 *   __metadata:
 *     version: 8
 *     cacheKey: 10c0
 *
 *   "nullthrows@npm:^1.1.1":
 *     version: 1.1.1
 *     resolution: "nullthrows@npm:1.1.1"
 *     checksum: 10c0/56f3…
 *
 * `resolution` says where a package comes from. The checksum is of Yarn's own archive, and what
 * stands before its slash says how that was made (the cacheKey): with another one there Yarn does
 * not compare at all, not even with --immutable, so every entry must have the file's, and the file
 * the one of the Yarn that will run. Packages for single platforms (`conditions`) have no checksum,
 * because Yarn keeps none for them; they are counted. */
#include "doc.h"
#include "lock.h"
#include "origin.h"
#include "path.h"

#include <base/auto.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_MAX = 1024, SHA512_HEX = 128, VERSION_LEAST = 4, VERSION_OF_4 = 7 };

enum field { FIELD_RESOLUTION, FIELD_CHECKSUM, FIELD_CONDITIONS, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {"resolution", "checksum", "conditions"};

struct berry {
    struct lock *lock;
    struct box_refusal *refusal;
    bool has_metadata;
    char field[FIELD_COUNT][FIELD_MAX]; /* of the entry */
    char name[FIELD_MAX];
};

static int invalid(struct berry *b, const struct doc_place *at, const char *why)
{
    return BOX_REFUSE(b->refusal, LOCKFILE_INVALID, "yarn.lock line %u: %s", at->line, why);
}

/* ---- __metadata ---- */

static int metadata_value(struct berry *b, const struct doc_place *at, const char *text)
{
    if (doc_is(at, 1, "version"))
        b->lock->version = (unsigned)strtoul(text, NULL, 10);
    if (doc_is(at, 1, "cacheKey"))
        snprintf(b->lock->cache_key, sizeof b->lock->cache_key, "%s", text);
    return 0;
}

/* "10", or "10c0" with the level of compression. */
static bool key_fits(const char *key, const char *number)
{
    size_t n = strlen(number);
    if (strncmp(key, number, n) != 0)
        return false;
    key += n;
    return !*key || (key[0] == 'c' && key[1] >= '0' && key[1] <= '9' && !key[2]);
}

static int metadata_end(struct berry *b, const struct doc_place *at)
{
    const char *number = b->lock->version >= VERSION_OF_4 ? "10" : "8";
    if (b->has_metadata)
        return invalid(b, at, "a second __metadata");
    if (b->lock->version < VERSION_LEAST)
        return invalid(b, at, "its __metadata says no version from 4 on");
    if (*b->lock->cache_key && !key_fits(b->lock->cache_key, number))
        return BOX_REFUSE(b->refusal, LOCKFILE_INVALID,
                          "yarn.lock has cacheKey %s, where version %u has %s: run `yarn install`",
                          b->lock->cache_key, b->lock->version, number);
    b->has_metadata = true;
    return 0;
}

/* ---- where a package comes from ---- */

static int foreign(struct berry *b, const char *place)
{
    return BOX_REFUSE(b->refusal, LOCKFILE_SOURCE, "`%s` comes from `%s`", b->name, place);
}

/* Behind the "#" of "patch:NAME@npm%3A1.0.0#…::version=1.0.0&hash=…": one file, or Yarn's own. */
static int check_patch(struct berry *b, const char *range)
{
    static const char optional[] = "optional!", folder[] = ".yarn/patches/";
    char file[FIELD_MAX];
    const char *at = strchr(range, '#');
    if (!at)
        return foreign(b, range);
    at++;
    if (strncmp(at, optional, sizeof optional - 1) == 0)
        at += sizeof optional - 1;
    if (strncmp(at, "~builtin<compat/", 16) == 0 || strncmp(at, "builtin<compat/", 15) == 0)
        return 0;
    if (strncmp(at, "~/", 2) == 0 || strncmp(at, "./", 2) == 0)
        at += 2;
    snprintf(file, sizeof file, "%.*s", (int)strcspn(at, ":&"), at);
    if (strncmp(file, folder, sizeof folder - 1) != 0 || !path_is_inside(file) ||
        at[strlen(file)] == '&')
        return BOX_REFUSE(b->refusal, LOCKFILE_SOURCE,
                          "`%s` is patched by `%s`, which is no single file in %s", b->name, at,
                          folder);
    int r = names_add(&b->lock->patches, file);
    return r < 0 ? err_pass(r) : 0;
}

static bool is_checksum(const char *text)
{
    return strlen(text) == SHA512_HEX && strspn(text, "0123456789abcdef") == SHA512_HEX;
}

static int check_checksum(struct berry *b)
{
    const char *sum = b->field[FIELD_CHECKSUM];
    const char *slash = strchr(sum, '/');
    b->lock->packages++;
    if (!*sum && *b->field[FIELD_CONDITIONS]) {
        b->lock->unpinned++;
        return 0;
    }
    if (!*sum)
        return BOX_REFUSE(b->refusal, LOCKFILE_INTEGRITY, "`%s` has no checksum", b->name);
    size_t n = slash ? (size_t)(slash - sum) : strlen(b->lock->cache_key);
    bool is_same = n > 0 && n == strlen(b->lock->cache_key) &&
                   (!slash || memcmp(sum, b->lock->cache_key, n) == 0);
    if (!is_same || !is_checksum(slash ? slash + 1 : sum))
        return BOX_REFUSE(
            b->refusal, LOCKFILE_INTEGRITY,
            "the checksum of `%s` is none of cacheKey `%s`, so Yarn would not compare "
            "it",
            b->name, b->lock->cache_key);
    return 0;
}

static int check_origin(struct berry *b, const char *range)
{
    if (strncmp(range, "workspace:", 10) == 0)
        return strcmp(range + 10, ".") == 0 || path_is_inside(range + 10) ? 0 : foreign(b, range);
    if (strncmp(range, "npm:", 4) == 0)
        return strstr(range, "::") ? foreign(b, range) : check_checksum(b);
    if (strncmp(range, "patch:", 6) != 0)
        return foreign(b, range);
    int r = check_patch(b, range);
    return r == 0 ? check_checksum(b) : r;
}

/* ---- entries ---- */

static int on_name(void *arg, const struct doc_place *at)
{
    struct berry *b = arg;
    if (at->depth != 1)
        return 0;
    bool is_metadata = doc_is(at, 0, "__metadata");
    if (!is_metadata && !b->has_metadata)
        return invalid(b, at, "__metadata must come first");
    for (size_t i = 0; i < FIELD_COUNT; i++)
        b->field[i][0] = 0;
    return 0;
}

static int field_set(struct berry *b, const struct doc_place *at, const char *text)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!doc_is(at, 1, field_names[i]))
            continue;
        if (*b->field[i] || !*text || strlen(text) >= FIELD_MAX)
            return invalid(b, at, "a member is there twice, empty or too long");
        memcpy(b->field[i], text, strlen(text) + 1);
    }
    return 0;
}

static int on_value(void *arg, const struct doc_place *at, const char *text)
{
    struct berry *b = arg;
    if (at->depth == 1)
        return invalid(b, at, "an entry is no map");
    if (doc_is(at, 0, "__metadata"))
        return at->depth == 2 ? metadata_value(b, at, text) : 0;
    if (at->depth == 2)
        return field_set(b, at, text);
    if (at->depth == 3 && doc_is(at, 1, "dependencies") && origin_is_foreign(text))
        return BOX_REFUSE(b->refusal, LOCKFILE_SOURCE, "`%s` (asked for by %s) comes from `%s`",
                          at->name[2], at->name[0], text);
    return 0;
}

static int on_end(void *arg, const struct doc_place *at)
{
    struct berry *b = arg;
    if (at->depth != 1)
        return 0;
    if (doc_is(at, 0, "__metadata"))
        return metadata_end(b, at);
    const char *resolution = b->field[FIELD_RESOLUTION];
    size_t n = origin_name_len(resolution);
    if (n == 0)
        return invalid(b, at, "an entry has no resolution");
    snprintf(b->name, sizeof b->name, "%.*s", (int)n, resolution);
    return check_origin(b, resolution + n + 1);
}

bool lock_is_berry(const char *text)
{
    static const char word[] = "__metadata:";
    return strncmp(text, word, sizeof word - 1) == 0 || strstr(text, "\n__metadata:");
}

int lock_berry(const char *text, size_t n, FILE *to, struct lock *lock,
               struct box_refusal *ret_refusal)
{
    struct berry b = {.lock = lock, .refusal = ret_refusal};
    struct doc_reader reader = {.name = on_name, .value = on_value, .end = on_end, .arg = &b};
    int r = doc_read("yarn.lock", text, n, &reader, ret_refusal);
    if (r == 0 && !b.has_metadata)
        return BOX_REFUSE(ret_refusal, LOCKFILE_INVALID, "yarn.lock has no __metadata");
    if (r == 0 && to && fwrite(text, 1, n, to) != n)
        return err_raise(-EIO);
    return r < 0 ? err_pass(r) : r;
}
