/* bundle_pack.c: writes what the last layer says for each path; entries of tar repeat no path,
 * because a source that does would test something else. */
#undef NDEBUG
#include "bundle_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <base/auto.h>
#include <base/file.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tree.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 16 << 20 };

struct packing {
    const struct pack_plan *plan;
    size_t layer;
    struct archive *out;
};

static void entry_add(struct archive *out, const char *path, const char *text, size_t n)
{
    struct archive_entry *e = archive_entry_new();
    assert(e);
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)n);
    assert(archive_write_header(out, e) == ARCHIVE_OK);
    assert(archive_write_data(out, text, n) == (la_ssize_t)n);
    archive_entry_free(e);
}

static bool is_in_layer(const struct pack_plan *plan, size_t layer, const char *path)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s/%s", plan->top, plan->layers[layer], path);
    return access(full, F_OK) == 0;
}

/* Something later says this path of the archive in another way. */
static bool is_covered(const struct packing *p, const char *path)
{
    const struct pack_plan *plan = p->plan;
    if (plan->without && strcmp(plan->without, path) == 0)
        return true;
    for (size_t i = 0; i < plan->text_n; i++)
        if (plan->text[i].path && strcmp(plan->text[i].path, path) == 0)
            return true;
    for (size_t i = p->layer + 1; i < plan->layers_n; i++)
        if (plan->layers[i] && is_in_layer(plan, i, path))
            return true;
    return false;
}

static int file_add(void *arg, const char *path, const struct stat *st)
{
    struct packing *p = arg;
    if (S_ISDIR(st->st_mode))
        return strcmp(path, "node_modules") == 0 ? TREE_SKIP : TREE_GO_ON;
    char full[PATH_MAX], at[1200];
    const char *folder = p->layer == 0 ? p->plan->first_at : NULL;
    snprintf(at, sizeof at, "%.100s%s%.1000s", folder ? folder : "", folder ? "/" : "", path);
    if (is_covered(p, at))
        return TREE_GO_ON;
    AUTO_FREE char *text = NULL;
    size_t n;
    snprintf(full, sizeof full, "%s/%s/%s", p->plan->top, p->plan->layers[p->layer], path);
    assert(file_read(full, FILE_BYTES_MAX, &text, &n) == 0);
    entry_add(p->out, at, text, n);
    return TREE_GO_ON;
}

static void layer_add(struct packing *p, size_t layer)
{
    char folder[PATH_MAX];
    p->layer = layer;
    snprintf(folder, sizeof folder, "%s/%s", p->plan->top, p->plan->layers[layer]);
    assert(tree_walk(folder, file_add, p) == 0);
}

void pack_source(const struct pack_plan *plan, const char *to)
{
    struct packing p = {.plan = plan, .out = archive_write_new()};
    assert(p.out);
    archive_write_add_filter_gzip(p.out);
    archive_write_set_format_pax_restricted(p.out);
    assert(archive_write_open_filename(p.out, to) == ARCHIVE_OK);
    for (size_t i = 0; i < plan->layers_n; i++)
        if (plan->layers[i])
            layer_add(&p, i);
    for (size_t i = 0; i < plan->text_n; i++)
        if (plan->text[i].path)
            entry_add(p.out, plan->text[i].path, plan->text[i].text, strlen(plan->text[i].text));
    assert(archive_write_free(p.out) == ARCHIVE_OK);
}
